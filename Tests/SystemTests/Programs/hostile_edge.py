#!/usr/bin/env python3
"""An edge that breaks WebSocket before the login: hostile_edge.py CERTIFICATE KEY MODE.

Prints its port, then a line for each connection that has got its dose. Every connection gets a
101, a CHALLENGE as MODE wants it, and then bytes for as long as it takes them, two MiB at most.
"""

import base64
import hashlib
import os
import socket
import ssl
import struct
import sys
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
DOSE = 2 << 20
CHUNK = b"x" * 16_000


def header(first, length):
    return bytes([first, 127]) + struct.pack(">Q", length)


def challenge():
    payload = b"\1\1" + os.urandom(32)
    frame = bytes([1, 0]) + struct.pack(">HQ", len(payload), 0) + payload
    return bytes([0x82, len(frame)]) + frame


OPENINGS = {
    # One binary frame that is as long as an integer gets.
    "endless-frame": lambda: header(0x82, (1 << 63) - 1),
    # The same after a fragment, so that the sum is longer still.
    "endless-fragment": lambda: bytes([0x02, 5]) + b"hello" + header(0x80, (1 << 63) - 1),
    "endless-text": lambda: header(0x81, (1 << 63) - 1),
    "long-message": lambda: header(0x82, DOSE),
    "bad-challenge": lambda: bytes([0x82, 4]) + b"\1\0\0\0" + header(0x82, (1 << 63) - 1),
    "unknown-version": lambda: challenge()[:14] + b"\x09\x0a" + challenge()[16:] + header(0x82, DOSE),
    "frame-after-challenge": lambda: challenge() + header(0x82, (1 << 63) - 1),
    "control-too-long": lambda: bytes([0x89, 126]) + struct.pack(">H", 60_000),
    "reserved-bits": lambda: bytes([0xF2, 126]) + struct.pack(">H", 60_000),
    "close-then-more": lambda: bytes([0x88, 2]) + b"\x03\xe8" + header(0x82, (1 << 63) - 1),
}


def serve(raw, context, mode):
    try:
        connection = context.wrap_socket(raw, server_side=True)
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(4_096)
            if not piece:
                return
            request += piece
        lines = request.split(b"\r\n")
        key = next(l.split(b": ")[1] for l in lines if l.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: culvert.v1\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            + OPENINGS[mode]()
        )
        for _ in range(DOSE // len(CHUNK)):
            connection.sendall(CHUNK)
    except (OSError, StopIteration):
        pass
    finally:
        print("dosed", flush=True)
        raw.close()


def main():
    certificate, key, mode = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=serve, args=(raw, context, mode), daemon=True).start()


main()
