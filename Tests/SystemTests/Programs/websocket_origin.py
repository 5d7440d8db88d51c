"""A WebSocket origin: echoes; /close/CODE closes with it; /subprotocol agrees on `chat`; /who says NAME
and the cookies that came.

usage: websocket_origin.py [NAME]

Prints `listening PORT`.
"""

import asyncio
import json
import sys

import websockets


async def serve(socket, path):
    if path.startswith("/close/"):
        await socket.close(int(path.split("/")[2]), "as asked")
        return
    if path == "/who":
        name = sys.argv[1] if len(sys.argv) > 1 else "origin"
        await socket.send(json.dumps([name, socket.request_headers.get_all("Cookie")]))
    if path.startswith("/ping"):
        pong = await socket.ping(b"are you there")
        await asyncio.wait_for(pong, 10)
        await socket.send("pong came")
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed as closed:
        print("closed", closed.code, closed.reason, flush=True)
    else:
        print("closed", socket.close_code, socket.close_reason, flush=True)


async def main():
    async with websockets.serve(
        serve, "127.0.0.1", 0, max_size=None, compression=None, subprotocols=["chat"],
        ping_interval=None,
    ) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
