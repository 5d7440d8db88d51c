"""What system calls a process makes on some files, counted by strace."""

import re
from collections import Counter

from .processes import Child, wait_until

READS = frozenset({"read", "pread64", "readv", "preadv", "preadv2", "mmap"})


class CallsOnFiles:
    """Counts the calls of a process, of all its threads, on the files of some paths, open already
    or opened meanwhile, from the start of the `with` to its end. Each is seen; the process is slow
    meanwhile."""

    def __init__(self, child, paths, folder):
        self.child = child
        self.paths = paths
        self.output = folder / "calls.txt"
        self.log = folder / "strace.log"

    def __enter__(self):
        named = [word for path in self.paths for word in ("-P", path)]
        command = ["strace", "-f", *named, "-o", self.output, "-p", self.child.pid]
        self.strace = Child("strace", command, self.log)
        try:
            wait_until(self._is_attached, "strace", [self.strace])
        except BaseException:
            self.strace.stop()
            raise
        return self

    def __exit__(self, *_):
        self.strace.stop()

    @property
    def counts(self):
        """How often each call was made."""
        return Counter(re.findall(r"^\d+ +(\w+)\(", self.output.read_text(), re.MULTILINE))

    @property
    def reads(self):
        return sum(count for name, count in self.counts.items() if name in READS)

    def _is_attached(self):
        return b" attached" in self.log.read_bytes()
