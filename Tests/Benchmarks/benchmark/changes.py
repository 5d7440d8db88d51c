"""What it takes until a change that the API has carried out is in force for visitors, and what
the edge spends on it."""

import contextlib
import http.client
import json
import socket
import time

from .certificates import DOMAIN
from .processes import BenchmarkError
from .visitor import trusting

SERVED_SECONDS = 10
# The API lets an address ask so often before it slows it down.
REQUESTS_AT_ONCE = 100


class Changes:
    """Claims hostnames for a tunnel by the API, and visits each at once."""

    def __init__(self, tunnel, name):
        self.port = tunnel.port
        self.settings = trusting(tunnel.certificates.authority)
        self.path = f"/api/v1/tunnels/{name}/hostnames/"
        login = json.loads((tunnel.folder / "home" / "login.json").read_text())
        self.fields = {"Authorization": f"Bearer {login['token']}", "Connection": "close"}

    def claim(self, host):
        """Seconds from the request to the API until a visit was served, and how many visits were
        turned away in between, though the API had answered.

        Raises BenchmarkError when the API refuses, or no visit is served within SERVED_SECONDS.
        """
        begin = time.monotonic()
        status = self._ask(f"edge.{DOMAIN}", "PUT", self.path + host, self.fields)
        if status != 201:
            raise BenchmarkError(f"the claim of {host} was answered with {status}")
        refused = 0
        while self._ask(host, "GET", "/small", {"Connection": "close"}) != 200:
            refused += 1
            if time.monotonic() > begin + SERVED_SECONDS:
                raise BenchmarkError(f"{host} is not served after {SERVED_SECONDS} s")
        return time.monotonic() - begin, refused

    def cpu_seconds_each(self, edge, hosts):
        """What the edge spends on the claim of a host: the mean of all `hosts`, over few connections.

        Raises BenchmarkError when the API refuses.
        """
        fields = {"Authorization": self.fields["Authorization"]}
        begin = edge.cpu_seconds()
        for start in range(0, len(hosts), REQUESTS_AT_ONCE):
            source = f"127.0.0.{2 + start // REQUESTS_AT_ONCE}"
            with self._connect(f"edge.{DOMAIN}", source) as connection:
                for host in hosts[start : start + REQUESTS_AT_ONCE]:
                    status = self._exchange(connection, "PUT", self.path + host, fields)
                    if status != 201:
                        raise BenchmarkError(f"the claim of {host} was answered with {status}")
        return (edge.cpu_seconds() - begin) / len(hosts)

    def _ask(self, host, method, path, fields):
        with self._connect(host) as connection:
            return self._exchange(connection, method, path, fields)

    @contextlib.contextmanager
    def _connect(self, host, source="127.0.0.1"):
        address = ("127.0.0.1", self.port)
        plain = socket.create_connection(address, SERVED_SECONDS, source_address=(source, 0))
        with self.settings.wrap_socket(plain, server_hostname=host) as protected:
            connection = http.client.HTTPConnection(host, self.port)
            connection.sock = protected
            yield connection

    def _exchange(self, connection, method, path, fields):
        connection.request(method, path, headers=fields)
        response = connection.getresponse()
        response.read()
        return response.status
