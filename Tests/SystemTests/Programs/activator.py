"""Holds listening sockets for a program as systemd does (sd_listen_fds(3)), and restarts it on SIGHUP.

usage: activator.py NAME=HOST:PORT… -- COMMAND…
An empty NAME is passed as systemd passes a socket without FileDescriptorName. Prints each socket's address.
Ends when the program ends by itself, and as it did; SIGTERM ends the program first.
"""

import os
import signal
import socket
import sys

FIRST = 3
split = sys.argv.index("--")
command = sys.argv[split + 1 :]
names, sockets = [], []
for word in sys.argv[1:split]:
    name, _, address = word.partition("=")
    host, _, port = address.rpartition(":")
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((host, int(port)))
    held.listen(4096)
    print("socket %s %s:%d" % (name, *held.getsockname()), flush=True)
    names.append(name or "culvert-edge.socket")
    sockets.append(held)


def start():
    child = os.fork()
    if child:
        return child
    # Above where they go, so that none is overwritten before it is moved.
    high = [os.dup2(held.fileno(), 100 + index) for index, held in enumerate(sockets)]
    for index, descriptor in enumerate(high):
        os.dup2(descriptor, FIRST + index, inheritable=True)
        os.close(descriptor)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.environ.update(
        LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=":".join(names)
    )
    os.execvp(command[0], command)


watched = {signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, watched)
child, wanted = start(), None
while True:
    number = signal.sigwait(watched)
    if number in (signal.SIGHUP, signal.SIGTERM):
        wanted = number
        os.kill(child, signal.SIGTERM)
        continue
    pid, status = os.waitpid(child, os.WNOHANG)
    if not pid:
        continue
    code = os.waitstatus_to_exitcode(status)
    print("ended with %d" % code, flush=True)
    if wanted != signal.SIGHUP:
        sys.exit(code if code >= 0 else 128 - code)
    child, wanted = start(), None
