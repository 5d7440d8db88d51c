"""Sends the bytes of a file over TLS and prints what comes back as JSON: {text, closed}.

usage: tls_visitor.py HOST PORT CA FILE SECONDS [PAUSE_AFTER_BYTES]
Reads until the other side closes or has been silent for so many seconds.
"""

import json
import socket
import ssl
import sys

host, port, ca, file, seconds = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca)
context.set_alpn_protocols(["http/1.1"])
sock = context.wrap_socket(socket.create_connection(("127.0.0.1", int(port))), server_hostname=host)
received, closed = b"", False
try:
    sock.sendall(open(file, "rb").read())
    sock.settimeout(float(seconds))
    while data := sock.recv(1 << 16):
        received += data
    closed = True
except (TimeoutError, socket.timeout):
    pass
except (ConnectionError, ssl.SSLError) as error:
    closed = True
print(json.dumps({"text": received.decode("latin-1"), "closed": closed}))
