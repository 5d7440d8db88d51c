"""Many visitors that are connected and do nothing more."""

import base64
import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

from .certificates import VISITED_HOST
from .processes import BenchmarkError
from .visitor import Visitor

_DIALLING_AT_ONCE = 32


class Crowd:
    """So many TLS connections, each with one exchange behind it and then idle.

    `gather` raises BenchmarkError, with how far it came, when one is not served.
    """

    def __init__(self, address, context, enter):
        self.address = address
        self.context = context
        self.enter = enter
        self.visitors = []

    def gather(self, count):
        with ThreadPoolExecutor(_DIALLING_AT_ONCE) as pool:
            try:
                for visitor in pool.map(self._come, range(count)):
                    self.visitors.append(visitor)
            except (OSError, BenchmarkError) as error:
                pool.shutdown(cancel_futures=True)
                raise BenchmarkError(f"after {len(self.visitors)} connections: {error}") from None

    def leave(self):
        for visitor in self.visitors:
            with contextlib.suppress(OSError):
                visitor.close()
        self.visitors = []

    def _come(self, _number):
        visitor = Visitor(self.address, self.context, timeout=60)
        visitor.connect()
        self.enter(visitor)
        return visitor


def ask_once(visitor):
    """A GET of 1 KiB; the connection stays open."""
    status, _ = visitor.get("/small")
    if status != 200:
        raise BenchmarkError(f"a request was answered with {status}")


def open_websocket(visitor):
    """An upgrade to WebSocket; not a frame follows."""
    key = base64.b64encode(os.urandom(16)).decode()
    visitor.sock.sendall(
        (
            f"GET /socket HTTP/1.1\r\nHost: {VISITED_HOST}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ).encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        piece = visitor.sock.recv(4096)
        if not piece:
            raise BenchmarkError("an upgrade was not answered")
        head += piece
    if not head.startswith(b"HTTP/1.1 101 "):
        raise BenchmarkError(f"an upgrade was answered with {head.splitlines()[0].decode()}")
