"""A TCP service that is no HTTP; the first byte of a connection says what it does.

    U...      reads to the end, then answers "COUNT SHA256\n"
    D<n>\n    sends n bytes of a fixed pattern, and ends
    R<n>\n    the same, and breaks off with a reset
    S...      reads no more
    E...      echoes until the end
    F...      ends its own half at once, reads to the end, and prints "took COUNT SHA256", or "lost COUNT"
    C...      ends the connection at once
    L...      reads to the end, and answers "late COUNT\n" after 45 seconds

Prints its port.
"""
import asyncio
import hashlib
import socket
import struct


async def serve(reader, writer):
    try:
        await {b"U": take, b"D": give, b"R": give, b"S": stall, b"E": echo,
               b"F": end_first, b"C": leave, b"L": late}[
            kind := await reader.readexactly(1)
        ](reader, writer)
        if kind == b"R":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.close()


async def take(reader, writer):
    digest, count = hashlib.sha256(), 0
    while piece := await reader.read(65536):
        digest.update(piece)
        count += len(piece)
    writer.write(f"{count} {digest.hexdigest()}\n".encode())
    await writer.drain()


async def give(reader, writer):
    rest = int(await reader.readline())
    pattern = bytes(range(256)) * 256
    while rest > 0:
        piece = pattern[:rest]
        writer.write(piece)
        await writer.drain()
        rest -= len(piece)


async def stall(reader, writer):
    writer.transport.pause_reading()
    await asyncio.Event().wait()


async def echo(reader, writer):
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()


async def end_first(reader, writer):
    writer.write_eof()
    digest, count = hashlib.sha256(), 0
    try:
        while piece := await reader.read(65536):
            digest.update(piece)
            count += len(piece)
        print("took", count, digest.hexdigest(), flush=True)
    except ConnectionError:
        print("lost", count, flush=True)


async def late(reader, writer):
    count = len(await reader.read())
    await asyncio.sleep(45)
    writer.write(f"late {count}\n".encode())
    await writer.drain()


async def leave(reader, writer):
    pass


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
