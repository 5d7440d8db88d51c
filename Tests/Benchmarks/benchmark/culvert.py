"""Culvert itself: the binary, an edge and a connector by their configuration files."""

import os
import re
import subprocess
from pathlib import Path

from .certificates import CONNECT_HOST, VISITED_HOST
from .processes import BenchmarkError, Child, command_output, free_port

PROJECT = Path(__file__).resolve().parents[3]
TUNNEL = "benchmark"

_EDGE = """
connect: {connect}
listen: {{https: "{address}:{port}", http: off, metrics: off}}
tls: [{{certificate: {certificates.certificate}, key: {certificates.key}}}]
tunnels:
  - {{name: {tunnel}, public-key: {public_key}, hostnames: [{visited}]}}
{crowd}
{more}
"""

_CONNECTOR = """
tunnel: {tunnel}
credentials-file: {credentials}
edge: {connect}:{port}
edge-address: {address}:{port}
ca-file: {certificates.authority}
ingress:
  - service: http://127.0.0.1:{origin_port}
"""


def culvert_binary(given):
    """The binary to measure: the one given, or what `deploy/build` makes, brought up to date."""
    if given:
        binary = Path(given).resolve()
        if not os.access(binary, os.X_OK):
            raise BenchmarkError(f"{given} is no program")
        return binary
    print("Building: deploy/build", flush=True)
    build = subprocess.run([PROJECT / "deploy/build"], stdout=subprocess.PIPE, text=True)
    if build.returncode != 0:
        raise BenchmarkError("Culvert does not build; --culvert PATH measures another binary")
    return Path(build.stdout.strip().splitlines()[-1])


class Tunnel:
    """The configuration files of an edge and of a connector that know each other.

    `crowd` is how many tunnels there are besides, all of which `start_idle_connectors` runs.
    """

    def __init__(
        self,
        binary,
        folder,
        certificates,
        origin_port,
        address="127.0.0.1",
        limits=None,
        crowd=0,
    ):
        self.binary = binary
        self.folder = folder / "culvert"
        self.folder.mkdir()
        self.port = free_port()
        credentials = self.folder / "credentials.json"
        names = {
            "address": address,
            "certificates": certificates,
            "connect": CONNECT_HOST,
            "credentials": credentials,
            "crowd": "",
            "more": _limits(limits or {}),
            "origin_port": origin_port,
            "port": self.port,
            "public_key": self._keygen(TUNNEL, credentials),
            "tunnel": TUNNEL,
            "visited": VISITED_HOST,
        }
        self.idle_files = []
        lines = [self._add_idle(names, f"idle-{number}") for number in range(crowd)]
        names["crowd"] = "\n".join(lines)
        self.edge_file = self.folder / "edge.yml"
        self.edge_file.write_text(_EDGE.format(**names))
        self.connector_file = self.folder / "config.yml"
        self.connector_file.write_text(_CONNECTOR.format(**names))

    def start_edge(self, prefix=()):
        command = [*prefix, self.binary, "edge", "run", "--config", self.edge_file]
        return Child("edge", command, self.folder / "edge.log")

    def start_connector(self, prefix=(), name="connector"):
        command = [*prefix, self.binary, "tunnel", "run", "--config", self.connector_file]
        return Child(name, command, self.folder / f"{name}.log")

    def start_idle_connectors(self, name):
        """A process with a connector of each of the crowd's tunnels, and the lowest priority."""
        command = ["nice", "-n", "19", self.binary, "tunnel", "run"]
        for file in self.idle_files:
            command += ["--config", file]
        return Child(name, command, self.folder / f"{name}.log")

    def _add_idle(self, names, tunnel):
        credentials = self.folder / f"{tunnel}.json"
        key = self._keygen(tunnel, credentials)
        self.idle_files.append(self.folder / f"{tunnel}.yml")
        self.idle_files[-1].write_text(
            _CONNECTOR.format(**{**names, "tunnel": tunnel, "credentials": credentials})
        )
        return f"  - {{name: {tunnel}, public-key: {key}, hostnames: [{tunnel}.test]}}"

    def _keygen(self, tunnel, credentials):
        line = command_output(
            [self.binary, "tunnel", "keygen", tunnel, "--out", credentials], timeout_seconds=20
        )
        found = re.search(r"public-key: ([^,}\s]+)", line)
        if not found:
            raise BenchmarkError(f"culvert tunnel keygen printed no public-key: {line!r}")
        return found.group(1)


def _limits(limits):
    lines = [f"  {key}: {value}" for key, value in limits.items()]
    return "\n".join(["limits:", *lines]) if lines else ""
