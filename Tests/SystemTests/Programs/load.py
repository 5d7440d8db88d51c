"""Visits through the tunnel for a while in all the ways there are, and prints what failed as JSON.

usage: load.py HOST WEBSOCKET_HOST PORT CA SECONDS KIND…
KIND: small, fresh (a small one on a connection of its own), download, upload, events, websocket, http2; each may be given as KIND=COUNT.
Prints `started` once every kind has had its first success.
"""

import asyncio
import hashlib
import http.client
import json
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time

host, websocket_host, port, ca = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
end = time.monotonic() + float(sys.argv[5])
context = ssl.create_default_context(cafile=ca)
counts, failures, lock = {}, [], threading.Lock()
slowest = {}
origins = {}


class Connection(http.client.HTTPSConnection):
    """A connection to the edge, whatever the name."""

    def __init__(self, timeout=60):
        super().__init__(host, port, context=context, timeout=timeout)

    def connect(self):
        self.sock = context.wrap_socket(
            socket.create_connection(("127.0.0.1", port), self.timeout), server_hostname=host
        )
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def body(seed, count):
    block = b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(2048))
    return (block * (count // len(block) + 1))[:count]


def check(condition, words):
    if not condition:
        raise AssertionError(words)


def small(connection, index):
    connection.request("GET", "/small/%d" % index)
    answer = connection.getresponse()
    text = answer.read()
    check(answer.status == 200, "status %d %s" % (answer.status, text[:300]))
    value = json.loads(text)
    check(value["target"] == "/small/%d" % index, "another request's answer")
    with lock:
        origins[value["origin"]] = origins.get(value["origin"], 0) + 1


def fresh(connection, index):
    connection.close()
    small(connection, index)


def download(connection, index):
    count = random.randrange(1 << 20, 6 << 20)
    way = "chunked" if index % 2 else "bytes"
    connection.request("GET", "/%s/%d?seed=%d" % (way, count, index))
    answer = connection.getresponse()
    check(answer.status == 200, "status %d" % answer.status)
    data = answer.read()
    check(len(data) == count, "%d of %d bytes" % (len(data), count))
    check(data == body(index, count), "other bytes")


def upload(connection, index):
    data = body(index, random.randrange(1 << 20, 6 << 20))
    if index % 2:
        pieces = (data[at : at + 30000] for at in range(0, len(data), 30000))
        connection.request("POST", "/upload", pieces, encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
    else:
        connection.request("PUT", "/upload", data)
    answer = connection.getresponse()
    text = answer.read()
    check(answer.status == 200, "status %d %s" % (answer.status, text[:300]))
    value = json.loads(text)
    check(value["bodyBytes"] == len(data), "%d of %d bytes" % (value["bodyBytes"], len(data)))
    check(value["bodySHA256"] == hashlib.sha256(data).hexdigest(), "another SHA-256")


def events(connection, index):
    count = 200
    connection.request("GET", "/ticks/%d?pause=0.02" % count)
    answer = connection.getresponse()
    check(answer.status == 200, "status %d" % answer.status)
    for number in range(count):
        line = answer.readline()
        check(line == b"data: %d\n" % number, "event %d came as %r" % (number, line))
        answer.readline()
    check(answer.read() == b"", "more events than were sent")


def http2(connection, index):
    """Eight requests at once on one HTTP/2 connection."""
    count = 300000
    urls = []
    for one in range(8):
        urls += ["-o", "-", "https://%s:%d/bytes/%d?seed=%d" % (host, port, count, index)]
    result = subprocess.run(
        ["curl", "-sS", "--fail", "--http2", "--cacert", ca, "--resolve",
         "%s:%d:127.0.0.1" % (host, port), "--max-time", "60"] + urls,
        capture_output=True,
    )
    check(result.returncode == 0, "curl %d: %s" % (result.returncode, result.stderr.decode()))
    check(result.stdout == body(index, count) * 8, "other bytes")


async def echo_websocket(index):
    import websockets

    async with websockets.connect(
        "wss://%s:%d/" % (websocket_host, port), host="127.0.0.1", port=port, ssl=context,
        server_hostname=websocket_host, max_size=None, compression=None, ping_interval=None,
    ) as ws:
        sent, number = [], 0

        async def send():
            nonlocal number
            while time.monotonic() < end:
                size = random.choice([1, 100, 1000, 70000])
                message = (b"%d " % number) + b"w" * size
                sent.append(message)
                number += 1
                await ws.send(message)
                await asyncio.sleep(0.005)

        async def receive():
            at = 0
            while time.monotonic() < end or at < number:
                message = await asyncio.wait_for(ws.recv(), 30)
                check(at < len(sent) and message == sent[at], "echo %d is another" % at)
                sent[at] = None
                at += 1
                note("websocket")

        await asyncio.gather(send(), receive())


def websocket(connection, index):
    asyncio.run(echo_websocket(index))


def note(kind):
    with lock:
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] == 1 and len(counts) == len(kinds):
            print("started", flush=True)


def visit(kind, worker):
    connection, index = Connection(), worker * 1000000
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            globals()[kind](connection, index)
            if kind != "websocket":
                note(kind)
        except Exception as error:
            with lock:
                failures.append("%s %d at %.2f s (port %s): %s: %s" % (
                    kind, index, time.monotonic() - zero,
                    connection.sock.getsockname()[1] if connection.sock else None,
                    type(error).__name__, error))
                if len(failures) > 100:
                    return
            connection.close()
            connection = Connection()
            time.sleep(0.05)
        with lock:
            slowest[kind] = max(slowest.get(kind, 0), round(time.monotonic() - began, 2))
        index += 1
    connection.close()


zero = time.monotonic()
kinds = {}
for word in sys.argv[6:]:
    kind, _, number = word.partition("=")
    kinds[kind] = int(number or 1)
threads = [
    threading.Thread(target=visit, args=(kind, worker), daemon=True)
    for kind, number in kinds.items() for worker in range(number)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(max(0, end - time.monotonic()) + 70)
    if thread.is_alive():
        failures.append("a request never ended")
print(json.dumps({"counts": counts, "failures": failures, "slowest": slowest, "origins": origins}), flush=True)
