"""Visits a WebSocket through the tunnel and says what went as it should.

usage: websocket_visitor.py HOST PORT CA WHAT
"""

import asyncio
import json
import os
import ssl
import sys

import websockets

host, port, ca, what = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
context = ssl.create_default_context(cafile=ca)


def connect(path="/", **options):
    return websockets.connect(
        "wss://%s:%d%s" % (host, port, path), host="127.0.0.1", port=port, ssl=context,
        server_hostname=host, max_size=None, compression=None, ping_interval=None, **options
    )


async def echo():
    sizes = [0, 1, 125, 126, 127, 16000, 65535, 65536, 70000, 1 << 20]
    async with connect() as socket:
        for size in sizes:
            data = os.urandom(size)
            await socket.send(data)
            assert await socket.recv() == data, "binary of %d" % size
            text = "ü" * (size // 2)
            await socket.send(text)
            assert await socket.recv() == text, "text of %d" % size
        # In fragments, empty ones too.
        await socket.send([b"one", b"", b"two", b"x" * 100000])
        assert await socket.recv() == b"onetwo" + b"x" * 100000, "fragments"
        # Many at once.
        for index in range(2000):
            await socket.send(str(index))
        for index in range(2000):
            assert await socket.recv() == str(index), "order at %d" % index
        pong = await socket.ping(b"x" * 125)
        await asyncio.wait_for(pong, 10)
        await socket.close(4321, "done")
        assert socket.close_code == 4321, "close code %s" % socket.close_code


async def close():
    for code in (1000, 1001, 1008, 1011, 3000, 4999):
        async with connect("/close/%d" % code) as socket:
            await socket.wait_closed()
            assert socket.close_code == code, "%d came as %s" % (code, socket.close_code)
            assert socket.close_reason == "as asked", socket.close_reason


async def ping():
    async with connect("/ping", subprotocols=["chat"]) as socket:
        assert socket.subprotocol == "chat", "subprotocol %s" % socket.subprotocol
        assert await asyncio.wait_for(socket.recv(), 10) == "pong came"


async def abort():
    """Leaves without a word."""
    socket = await connect()
    await socket.send("here")
    assert await socket.recv() == "here"
    socket.transport.abort()


async def sticky():
    """Sticks to the origin it came to first, which does not see by what."""
    async with connect("/who") as socket:
        first, cookies = json.loads(await socket.recv())
        assert cookies == [], cookies
        (cookie,) = socket.response_headers.get_all("Set-Cookie")
        assert "; HttpOnly" in cookie and "; Secure" in cookie, cookie
    pair = cookie.split(";")[0]
    for _ in range(6):
        headers = {"Cookie": "a=1; %s; b=2" % pair}
        async with connect("/who", extra_headers=headers) as socket:
            name, cookies = json.loads(await socket.recv())
            assert name == first, "%s after %s" % (name, first)
            assert cookies == ["a=1; b=2"], cookies
            assert socket.response_headers.get_all("Set-Cookie") == []
    # Whoever makes one up is a new visitor.
    async with connect("/who", extra_headers={"Cookie": pair + "x"}) as socket:
        assert len(socket.response_headers.get_all("Set-Cookie")) == 1


async def idle():
    """Stays connected until it is ended."""
    async with connect() as socket:
        await socket.send("here")
        await socket.recv()
        print("connected", flush=True)
        await socket.wait_closed()
        print("closed", socket.close_code, flush=True)


asyncio.run(globals()[what]())
print("good", flush=True)
