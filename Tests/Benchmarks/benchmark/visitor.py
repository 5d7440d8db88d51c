"""A visitor in Python, for readiness and for latencies of milliseconds; not for throughput."""

import http.client
import socket
import ssl

from .certificates import VISITED_HOST


def trusting(authority):
    """TLS settings that trust the authority's PEM file and nothing else."""
    return ssl.create_default_context(cafile=str(authority))


class Visitor(http.client.HTTPSConnection):
    """A keep-alive connection to VISITED_HOST, dialled at an address of the benchmark's own."""

    def __init__(self, address, context, timeout=10):
        super().__init__(VISITED_HOST, context=context, timeout=timeout)
        self.address = address
        self.settings = context

    def connect(self):
        plain = socket.create_connection(self.address, timeout=self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self.settings.wrap_socket(plain, server_hostname=VISITED_HOST)

    def get(self, path):
        """Status and body of a GET."""
        self.request("GET", path)
        response = self.getresponse()
        return response.status, response.read()


def answers(address, context, path="/small"):
    """True if a GET gives 200."""
    visitor = Visitor(address, context)
    try:
        return visitor.get(path)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        visitor.close()
