"""An origin that accepts every WebSocket and keeps it open without a word (RFC 6455 §4.2.2).

Run as a program with the port of 127.0.0.1 to listen at; ends with SIGTERM.
"""

import asyncio
import base64
import hashlib
import sys

_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def _serve(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    key = next((value.strip() for name, value in fields.items() if _is_key(name)), b"")
    accept = base64.b64encode(hashlib.sha1(key + _KEY_SUFFIX).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    await writer.drain()
    await reader.read()
    writer.close()


def _is_key(name):
    return name.strip().lower() == b"sec-websocket-key"


async def _run(port):
    server = await asyncio.start_server(_serve, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1])))
