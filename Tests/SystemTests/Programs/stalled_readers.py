"""Asks for a large body on many TLS connections and reads none of it; prints `ready`, then waits.

usage: stalled_readers.py COUNT HOST PORT CA PATH
"""

import resource
import socket
import ssl
import sys
import time

count, host, port, ca, path = sys.argv[1:6]
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
context = ssl.create_default_context(cafile=ca)
context.set_alpn_protocols(["http/1.1"])
readers = []
for _ in range(int(count)):
    sock = socket.socket()
    # The edge, not the kernel, is to hold what is not read.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", int(port)))
    reader = context.wrap_socket(sock, server_hostname=host)
    reader.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    readers.append(reader)
print("ready", flush=True)
time.sleep(600)
