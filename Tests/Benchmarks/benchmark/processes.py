"""Child processes, ended by their own pid, and what they use of processor and memory."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 5


class BenchmarkError(Exception):
    """The benchmark cannot go on, or a row cannot be measured; the message is for a person."""


class Child:
    """A server in the foreground, with its output in a file."""

    def __init__(self, name, command, log):
        self.name = name
        self.log = Path(log)
        with open(self.log, "wb") as output:
            # A group of its own: Ctrl-C at the terminal reaches this program alone, which ends its
            # children in order.
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self.process.pid

    def check(self):
        """Raises BenchmarkError with the end of the log if the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise BenchmarkError(f"{self.name} ended with {code}:\n{self.log_end()}")

    def log_end(self, bytes_shown=2000):
        text = self.log.read_bytes()[-bytes_shown:].decode(errors="replace")
        return text.strip() or "(it printed nothing)"

    def stop(self):
        """SIGTERM, and SIGKILL to the whole family if that does not help within STOP_SECONDS."""
        if self.process.poll() is not None:
            return
        family = self._family()
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()

    def cpu_seconds(self):
        """User and system time of the process, its threads and its children so far."""
        return sum(_ticks(pid) for pid in self._family()) / TICKS_PER_SECOND

    def resident_bytes(self):
        """Resident memory of the process and its children."""
        return sum(_resident_bytes(pid) for pid in self._family())

    def descriptor_count(self):
        """Open file descriptors of the process itself."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def _family(self):
        pids = [self.pid]
        for pid in pids:
            with contextlib.suppress(OSError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
                pids.extend(int(child) for child in children.split())
        return pids


def _ticks(pid):
    """utime and stime of a process and all its threads (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def command_output(command, timeout_seconds, accepted=(0,)):
    """The standard output of a command.

    Raises BenchmarkError when it is missing, takes too long or ends with a code not in `accepted`.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_seconds
        )
    except FileNotFoundError:
        raise BenchmarkError(f"{words[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{words[0]} took more than {timeout_seconds} s") from None
    if done.returncode not in accepted:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise BenchmarkError(f"{words[0]} ended with {done.returncode}: {said}")
    return done.stdout


def free_port():
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(is_ready, what, children, timeout_seconds=20, pause_seconds=0.05):
    """Returns once `is_ready()` is true.

    Raises BenchmarkError when a child ends before, or after `timeout_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    while not is_ready():
        for child in children:
            child.check()
        if time.monotonic() > deadline:
            logs = "\n".join(f"{child.name}: {child.log_end()}" for child in children)
            raise BenchmarkError(f"{what} is not ready after {timeout_seconds} s\n{logs}")
        time.sleep(pause_seconds)


@contextlib.contextmanager
def working_folder():
    """A temporary folder, in memory where the machine has such a place."""
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="culvert-benchmark-", dir=parent) as folder:
        # The workers of nginx, started by root, are another user.
        os.chmod(folder, 0o755)
        yield Path(folder)


def end_on_signals():
    """Makes signals end the program in order: children stopped, folder removed.

    SIGINT too, which a shell has background jobs ignore.
    """

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
