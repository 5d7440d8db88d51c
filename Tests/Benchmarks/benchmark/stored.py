"""An edge with a store: one tunnel is made by the commands, any number more by copying its rows."""

import os
import sqlite3
import time
import urllib.request
import uuid
from contextlib import closing

from .certificates import DOMAIN, VISITED_HOST
from .processes import BenchmarkError, Child, command_output, free_port, wait_until

TUNNEL = "app"
HOSTNAMES_EACH = 2

_EDGE = """
domain: {domain}
store: edge.db
listen: {{https: "127.0.0.1:{port}", http: off, metrics: "127.0.0.1:{metrics_port}"}}
tls: [{{certificate: {certificates.certificate}, key: {certificates.key}}}]
"""


class StoredTunnel:
    """An edge whose store has the tunnel TUNNEL with VISITED_HOST, and a connector of it."""

    def __init__(self, name, binary, folder, certificates, origin_port):
        self.name = name
        self.binary = binary
        self.folder = folder / name
        self.folder.mkdir()
        self.certificates = certificates
        self.origin_port = origin_port
        self.port = free_port()
        self.metrics_port = free_port()
        self.store = self.folder / "edge.db"
        self.edge_file = self.folder / "edge.yml"
        self.edge_file.write_text(
            _EDGE.format(
                domain=DOMAIN,
                port=self.port,
                metrics_port=self.metrics_port,
                certificates=certificates,
            )
        )

    def start_edge(self):
        """The edge, and the seconds from its start until `/readyz` answered 200."""
        begin = time.monotonic()
        command = [self.binary, "edge", "run", "--config", self.edge_file]
        edge = Child(f"edge, {self.name}", command, self.folder / "edge.log")
        try:
            wait_until(self._is_ready, edge.name, [edge], pause_seconds=0.002)
        except BaseException:
            edge.stop()
            raise
        return edge, time.monotonic() - begin

    def start_connector(self):
        url = f"http://127.0.0.1:{self.origin_port}"
        command = self._command("tunnel", "run", TUNNEL, "--url", url)
        return Child(f"connector, {self.name}", command, self.folder / "connector.log")

    def make_tunnel(self):
        """Has the operator invite somebody, and him make the tunnel. The edge has to be running."""
        invited = self._run("edge", "invite", "ann", "--admin", "--config", self.edge_file)
        code = next((word for word in invited.replace("#", " ").split() if word[:4] == "cve_"), "")
        address = f"127.0.0.1:{self.port}"
        login = ["login", f"https://edge.{DOMAIN}:{self.port}", "--edge-address", address]
        login += ["--ca-file", self.certificates.authority]
        self._run(*login, environment={"CULVERT_ENROLMENT": code})
        self._run("tunnel", "create", TUNNEL)
        self._run("tunnel", "route", "dns", TUNNEL, VISITED_HOST)

    def run(self, *words):
        """What a command of whoever has the tunnel prints."""
        return self._run(*words)

    def _run(self, *words, environment=None):
        return command_output(self._command(*words, environment=environment), timeout_seconds=60)

    def _command(self, *words, environment=None):
        variables = {"CULVERT_HOME": self.folder / "home", **(environment or {})}
        settings = [f"{name}={value}" for name, value in variables.items()]
        return ["env", *settings, self.binary, *words]

    def _is_ready(self):
        try:
            url = f"http://127.0.0.1:{self.metrics_port}/readyz"
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status == 200
        except OSError:
            return False


def copy_tunnel(store, count):
    """Adds `count` tunnels to a store that no edge has open: copies of TUNNEL with another id, a
    key of its own and HOSTNAMES_EACH hostnames, each change with its revision and audit entry.

    Raises BenchmarkError when the store has no such tunnel.
    """
    with closing(sqlite3.connect(store)) as database, database:
        database.row_factory = sqlite3.Row
        tunnel = _row(database, "SELECT * FROM tunnel WHERE name = ?", TUNNEL)
        key = _row(database, "SELECT * FROM key WHERE tunnel = ?", tunnel["key"])
        hostname = _row(database, "SELECT * FROM hostname WHERE tunnel = ?", tunnel["key"])
        made = _row(database, "SELECT * FROM audit WHERE action = ?", "tunnel.create")
        claimed = _row(database, "SELECT * FROM audit WHERE action = ?", "hostname.claim")
        revision = _row(database, "SELECT revision FROM state")["revision"]
        for number in range(count):
            identity, name = str(uuid.uuid4()), f"tunnel-{number}"
            revision += 1
            _insert(database, "tunnel", tunnel, key=identity, name=name, revision=revision)
            bytes_of_key = os.urandom(32)
            _insert(database, "key", key, key=bytes_of_key, tunnel=identity, revision=revision)
            _insert(database, "audit", made, subject=name, revision=revision)
            for letter in "abcdefgh"[:HOSTNAMES_EACH]:
                revision += 1
                host = f"{letter}.{name}.{DOMAIN}"
                changes = {"key": host, "tunnel": identity, "revision": revision}
                _insert(database, "hostname", hostname, **changes)
                _insert(database, "audit", claimed, subject=host, revision=revision)
        database.execute("UPDATE state SET revision = ?", [revision])


def _row(database, query, *values):
    row = database.execute(query, values).fetchone()
    if row is None:
        raise BenchmarkError(f"the store has no row for: {query}")
    return row


def _insert(database, table, row, **changes):
    values = {**dict(row), **changes}
    marks = ", ".join("?" * len(values))
    columns = ", ".join(values)
    database.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(values.values()))
