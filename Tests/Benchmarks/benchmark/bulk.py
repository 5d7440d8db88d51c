"""Downloads that run until they are stopped."""

import contextlib
import threading

from .visitor import Visitor

_PIECE_BYTES = 65_536


class BulkDownload:
    """Downloads of /large on connections of their own, each in a thread."""

    def __init__(self, address, context, count):
        self.counts = [0] * count
        self.is_stopped = threading.Event()
        self.visitors = [Visitor(address, context, timeout=30) for _ in range(count)]
        self.threads = [
            threading.Thread(target=self._receive, args=(number,), daemon=True)
            for number in range(count)
        ]
        for thread in self.threads:
            thread.start()

    def received_bytes(self):
        """Of the bodies, so far; a download that has failed or is done counts no further."""
        return sum(self.counts)

    def stop(self):
        self.is_stopped.set()
        for thread in self.threads:
            thread.join(timeout=1)

    def _receive(self, number):
        visitor = self.visitors[number]
        with contextlib.suppress(OSError), contextlib.closing(visitor):
            visitor.request("GET", "/large")
            response = visitor.getresponse()
            while not self.is_stopped.is_set():
                piece = response.read1(_PIECE_BYTES)
                if not piece:
                    break
                self.counts[number] += len(piece)
