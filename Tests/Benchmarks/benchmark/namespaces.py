"""Two network namespaces with a slow link between them; they are gone with the program."""

import ctypes
import os

from .processes import BenchmarkError, Child, command_output, wait_until

EDGE_ADDRESS = "10.0.0.1"
CONNECTOR_ADDRESS = "10.0.0.2"
_CLONE_NEWNET = 0x40000000


class SlowLink:
    """A new namespace that this program moves into, the edge's, and one for the connector.

    What the connector sends passes a token bucket of `bits_per_second` with a queue of
    `queue_bytes` (tc-tbf(8)); the other direction is not slowed. Needs root.
    """

    def __init__(self, folder, stack, bits_per_second, queue_bytes):
        if os.geteuid() != 0:
            raise BenchmarkError("network namespaces need root")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET) != 0:
            raise BenchmarkError(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        holder = Child(
            "namespace", ["unshare", "--net", "sleep", "infinity"], folder / "namespace.log"
        )
        stack.callback(holder.stop)
        path = f"/proc/{holder.pid}/ns/net"
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(path) != own, "the connector's namespace", [holder])
        self.prefix = ["nsenter", f"--net={path}", "--"]
        self._connect(holder.pid, bits_per_second, queue_bytes)

    def _connect(self, namespace_pid, bits_per_second, queue_bytes):
        self._run("ip link set lo up")
        self._run(f"ip link add downlink type veth peer name uplink netns {namespace_pid}")
        self._run(f"ip address add {EDGE_ADDRESS}/24 dev downlink")
        self._run("ip link set downlink up")
        self._run("ip link set lo up", inside=True)
        self._run(f"ip address add {CONNECTOR_ADDRESS}/24 dev uplink", inside=True)
        self._run("ip link set uplink up", inside=True)
        bucket = f"tbf rate {bits_per_second}bit burst 4kb limit {queue_bytes}"
        self._run(f"tc qdisc add dev uplink root {bucket}", inside=True)

    def _run(self, command, inside=False):
        command_output([*(self.prefix if inside else []), *command.split()], timeout_seconds=10)
