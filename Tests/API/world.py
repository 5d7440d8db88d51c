"""An edge with accounts, tunnels and connectors in every state that the API shows."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Benchmarks"))

from benchmark.certificates import CONNECT_HOST, DOMAIN, make_certificates
from benchmark.processes import Child, command_output, free_port, wait_until
from edge_api import EdgeAPI

HOST = f"edge.{DOMAIN}"
SUFFIX = f"bob.{DOMAIN}"
VISITED = SUFFIX

_EDGE = """
domain: {domain}
store: edge.db
listen: {{https: "127.0.0.1:0", http: off, metrics: off}}
tls: [{{certificate: {certificates.certificate}, key: {certificates.key}}}]
"""

_CONNECTOR = """
tunnel: {tunnel}
credentials-file: {tunnel}.json
edge: {connect}:{port}
edge-address: 127.0.0.1:{port}
ca-file: {authority}
"""

# The second rule's origin is never there: the connector reports its hostname as unhealthy.
_RULES = """
ingress:
  - {{hostname: {visited}, service: hello_world}}
  - hostname: ill.{suffix}
    service: http://127.0.0.1:{closed}
    originRequest: {{healthCheck: {{path: /}}}}
  - service: http_status:404
"""

_MANAGED = "ingress: [{service: hello_world}]\n"


class World:
    """The accounts `root` (an admin, for what is done besides), `ann` (an admin) and `bob` (a
    member); bob's tunnels `web`, with hostnames and a connector one of whose origins is ill, and
    `managed`, whose connector runs the configuration that the edge has."""

    def __init__(self, binary, folder, stack):
        self.binary = binary
        self.folder = folder
        self.certificates = make_certificates(folder)
        self.stack = stack
        self._start_edge()
        self.api = EdgeAPI(HOST, self.port, str(self.certificates.authority))
        codes = {
            "root": self._invite("root", "--admin"),
            "ann": self._invite("ann", "--admin"),
            "bob": self._invite("bob", "--suffix", SUFFIX, "--tunnels", "100000", "--hostnames", "100000"),
        }
        self.tokens = {name: self.api.log_in(code) for name, code in codes.items()}
        self._start_web()
        self._start_managed()

    def write(self, file, account):
        """What the tests of an account's answers have to know."""
        text = json.dumps(
            {
                "host": HOST,
                "port": self.port,
                "authority": str(self.certificates.authority),
                "account": account,
                "token": self.tokens[account],
                "root": self.tokens["root"],
                "bob": self.tokens["bob"],
                "tunnel": self.tunnel["id"],
                "key": self.tunnel["keys"][0]["public_key"],
                "suffix": SUFFIX,
                "visited": VISITED,
            }
        )
        file.write_text(text)

    def _start_edge(self):
        file = self.folder / "edge.yml"
        file.write_text(_EDGE.format(domain=DOMAIN, certificates=self.certificates))
        self.edge_file = file
        command = [self.binary, "edge", "run", "--config", file]
        self.edge = Child("edge", command, self.folder / "edge.log")
        self.stack.callback(self.edge.stop)
        started = re.compile(rb"Edge started.* https=\S*:(\d+)|https=\S*:(\d+).*Edge started")
        wait_until(lambda: started.search(self.edge.log.read_bytes()), "the edge", [self.edge])
        found = started.search(self.edge.log.read_bytes())
        self.port = int(found[1] or found[2])

    def _invite(self, name, *options):
        command = [self.binary, "edge", "invite", name, "--config", self.edge_file, *options]
        return re.search(r"cve_[A-Za-z0-9_-]+", command_output(command, timeout_seconds=20))[0]

    def _start_web(self):
        self.tunnel = self._create("web")
        for name in (VISITED, f"*.wild.{SUFFIX}", f"ill.{SUFFIX}"):
            self.api.must("PUT", f"/tunnels/web/hostnames/{name}", None, self.tokens["bob"])
        rules = _RULES.format(visited=VISITED, suffix=SUFFIX, closed=free_port())
        self._start_connector("web", rules, shows="unhealthy_hostnames")

    def _start_managed(self):
        self._create("managed")
        token = self.tokens["bob"]
        document = {"version": 0, "text": _MANAGED}
        self.api.must("PUT", "/tunnels/managed/configuration", document, token)
        self.api.must("PUT", f"/tunnels/managed/hostnames/managed.{SUFFIX}", None, token)
        self._start_connector("managed", "", shows="configuration_version")

    def _create(self, name):
        """A tunnel of bob's with a key of its own in `NAME.json`."""
        out = self.folder / f"{name}.json"
        command = [self.binary, "tunnel", "keygen", name, "--out", out]
        line = command_output(command, timeout_seconds=20)
        key = re.search(r"public-key: ([^,}\s]+)", line)[1]
        document = {"name": name, "public_key": key}
        return self.api.must("POST", "/tunnels", document, self.tokens["bob"])

    def _start_connector(self, tunnel, rules, shows):
        """Starts a connector, and waits until the API says of it what it is there for."""
        frame = _CONNECTOR.format(
            tunnel=tunnel,
            connect=CONNECT_HOST,
            port=self.port,
            authority=self.certificates.authority,
        )
        file = self.folder / f"{tunnel}.yml"
        file.write_text(frame + rules)
        home = f"CULVERT_HOME={self.folder / tunnel}"
        command = ["env", home, self.binary, "tunnel", "run", "--config", file]
        connector = Child(tunnel, command, self.folder / f"{tunnel}.log")
        self.stack.callback(connector.stop)

        def is_there():
            document = self.api.must("GET", f"/tunnels/{tunnel}", None, self.tokens["bob"])
            return any(shows in connector for connector in document["connectors"])

        wait_until(is_there, f"the connector of {tunnel}", [self.edge, connector])
