"""An HTTP/1.1 origin that behaves as its path says, well or badly.

usage: origin.py NAME PORT|unix:PATH [CERTIFICATE KEY]

Prints `listening PORT`. Whatever arrives is kept in a log that `/_log` shows as JSON; paths that begin
with `/_` are for the tests themselves and are asked for directly, not through a tunnel.
"""

import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

name = sys.argv[1]
log = []
lock = threading.Condition()
released = set()
open_requests = {}


def body_bytes(seed, count):
    """The same bytes for the same seed, 64 KiB at a time."""
    block = b"".join(
        hashlib.sha256(b"%d %d" % (seed, index)).digest() for index in range(2048)
    )
    while count > 0:
        piece = block[: min(count, len(block))]
        yield piece
        count -= len(piece)


class Gone(Exception):
    """The other side closed the connection."""


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def fill(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise Gone
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("latin-1")

    def exactly(self, count):
        """Yields `count` bytes in pieces."""
        while count > 0:
            if not self.buffer:
                self.fill()
            piece, self.buffer = self.buffer[:count], self.buffer[count:]
            count -= len(piece)
            yield piece

    def send(self, data):
        self.sock.sendall(data)

    def abort(self):
        """Closes with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Request:
    def __init__(self, connection):
        self.connection = connection
        self.method, self.target, self.version = connection.line().split(" ", 2)
        self.fields = self.read_fields()
        self.trailers = []
        self.count = 0
        self.digest = hashlib.sha256()
        parts = urlsplit(self.target)
        self.path = parts.path
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}

    def read_fields(self):
        fields = []
        while line := self.connection.line():
            field, value = line.split(":", 1)
            fields.append([field, value.strip()])
        return fields

    def first(self, field):
        for key, value in self.fields:
            if key.lower() == field:
                return value
        return None

    def body(self):
        if (self.first("transfer-encoding") or "").lower() == "chunked":
            while size := int(self.connection.line().split(";")[0], 16):
                yield from self.connection.exactly(size)
                self.connection.line()
            self.trailers = self.read_fields()
        else:
            yield from self.connection.exactly(int(self.first("content-length") or 0))

    def read_body(self):
        for piece in self.body():
            self.count += len(piece)
            self.digest.update(piece)

    def as_json(self):
        return {
            "origin": name,
            "method": self.method,
            "target": self.target,
            "version": self.version,
            "fields": self.fields,
            "bodyBytes": self.count,
            "bodySHA256": self.digest.hexdigest(),
            "trailers": self.trailers,
        }


class Answer:
    def __init__(self, connection, request):
        self.connection, self.request = connection, request

    def head(self, status, *fields):
        lines = ["HTTP/1.1 %s" % status] + ["%s: %s" % field for field in fields]
        self.connection.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def whole(self, status, data, *fields):
        if isinstance(data, str):
            data = data.encode()
        self.head(status, *fields, ("Content-Length", len(data)), ("X-Origin", name))
        if self.request.method != "HEAD":
            self.connection.send(data)

    def json(self, value):
        self.whole("200 OK", json.dumps(value), ("Content-Type", "application/json"))

    def chunk(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.connection.send(b"%x\r\n%s\r\n" % (len(data), data))

    def last_chunk(self, *trailers):
        lines = "".join("%s: %s\r\n" % trailer for trailer in trailers)
        self.connection.send(("0\r\n" + lines + "\r\n").encode())


CHUNKED = ("Transfer-Encoding", "chunked")


def wait_for(token, seconds=60):
    with lock:
        return lock.wait_for(lambda: token in released, seconds)


def release(token):
    with lock:
        released.add(token)
        lock.notify_all()


def echo(request, answer):
    if (request.first("expect") or "").lower() == "100-continue":
        answer.head("100 Continue")
    request.read_body()
    answer.json(request.as_json())


def download(request, answer):
    """/bytes/COUNT?seed=S, with a length; /chunked/COUNT?seed=S, with a trailer."""
    count, seed = int(request.path.split("/")[2]), int(request.query.get("seed", 0))
    pause = float(request.query.get("pause", 0))
    digest = hashlib.sha256()
    if request.path.startswith("/bytes/"):
        answer.head("200 OK", ("Content-Length", count), ("X-Origin", name))
        send = answer.connection.send
    else:
        answer.head("200 OK", CHUNKED, ("Trailer", "X-Checksum"), ("X-Origin", name))
        send = answer.chunk
    if request.method == "HEAD":
        return
    for piece in body_bytes(seed, count):
        digest.update(piece)
        send(piece)
        time.sleep(pause)
    if request.path.startswith("/chunked/"):
        answer.last_chunk(("X-Checksum", digest.hexdigest()), ("X-Second", "two"))


def early(request, answer):
    """Answers before it has read the body, then says what the body was."""
    answer.head("200 OK", CHUNKED)
    answer.chunk("early\n")
    request.read_body()
    answer.chunk(request.digest.hexdigest() + "\n")
    answer.last_chunk()


def status(request, answer):
    code = request.path.split("/")[2]
    request.read_body()
    if code in ("204", "304"):
        answer.head(code + " Whatever", ("X-Origin", name), ("ETag", '"x"'))
    else:
        answer.whole(code + " Whatever", "status " + code)


def hints(request, answer):
    answer.head("103 Early Hints", ("Link", "</style.css>; rel=preload"))
    answer.whole("200 OK", "hinted")


def long_head(request, answer):
    """/long-head/BYTES/BYTES: a field, and a trailer, that HPACK cannot make shorter."""
    size, after = (int(word) for word in request.path.split("/")[2:4])
    answer.head("200 OK", ("X-Long", "~" * size), CHUNKED, ("Trailer", "X-After"))
    answer.chunk("long")
    answer.connection.send(("0\r\nX-After: %s\r\n\r\n" % ("~" * after)).encode())


def fields(request, answer):
    """Repeated fields, hop-by-hop ones, ones that Connection names, a long one."""
    answer.whole(
        "200 OK",
        "fields",
        ("Set-Cookie", "a=1"),
        ("X-Repeated", "one"),
        ("Set-Cookie", "b=2"),
        ("X-Repeated", "two"),
        ("Connection", "x-hop"),
        ("X-Hop", "secret"),
        ("Keep-Alive", "timeout=5"),
        ("X-Under_score", "kept"),
        ("X-Latin", "caf\xe9"),
        ("X-UTF-8", "café €".encode().decode("latin-1")),
        ("X-Long", "l" * 20000),
    )


def events(request, answer):
    """/events/COUNT?run=TOKEN: event N+1 is not sent before /_ack of event N."""
    count, run = int(request.path.split("/")[2]), request.query.get("run")
    answer.head("200 OK", ("Content-Type", "text/event-stream"), CHUNKED)
    for index in range(count):
        answer.chunk("id: %d\ndata: event %d\n\n" % (index, index))
        if not wait_for("%s.%d" % (run, index), 20):
            answer.chunk("data: nobody acknowledged event %d\n\n" % index)
            break
    answer.last_chunk()


def ticks(request, answer):
    """/ticks/COUNT?pause=SECONDS: numbered events at their own pace."""
    count, pause = int(request.path.split("/")[2]), float(request.query.get("pause", 0.02))
    answer.head("200 OK", ("Content-Type", "text/event-stream"), CHUNKED)
    for index in range(count):
        answer.chunk("data: %d\n\n" % index)
        time.sleep(pause)
    answer.last_chunk()


def hold(request, answer):
    """/hold/TOKEN: answers when /_release/TOKEN was asked for."""
    request.read_body()
    wait_for(request.path.split("/")[2])
    answer.whole("200 OK", "held by " + name)


def stall(request, answer):
    """/stall/TOKEN: does not read the body until it is released."""
    wait_for(request.path.split("/")[2], 120)
    request.read_body()
    answer.json(request.as_json())


def broken(request, answer):
    """/broken/HOW: breaks off, or is no HTTP."""
    how = request.path.split("/")[2]
    connection = answer.connection
    if how == "length":
        answer.head("200 OK", ("Content-Length", 200000))
        connection.send(b"x" * 100000)
    elif how == "chunked":
        answer.head("200 OK", CHUNKED)
        answer.chunk("x" * 100000)
    elif how == "reset":
        answer.head("200 OK", CHUNKED)
        answer.chunk("x" * 100000)
        connection.abort()
    elif how == "chunk-size":
        answer.head("200 OK", CHUNKED)
        answer.chunk("x" * 1000)
        connection.send(b"zz\r\nhello\r\n0\r\n\r\n")
    elif how == "late":
        answer.head("200 OK", ("Content-Length", 1 << 30))
        connection.send(b"x" * 3_000_000)
    elif how == "before-answer":
        request.read_body()
    elif how == "head":
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    elif how == "not-http":
        connection.send(b"220 mail.example.com ESMTP\r\n\r\n")
    elif how == "two-lengths":
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
    elif how == "both-framings":
        connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\n"
        )
    elif how == "folded":
        connection.send(b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok")
    elif how == "space-before-colon":
        connection.send(b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 2\r\n\r\nok")
    elif how == "huge-head":
        connection.send(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200000 + b"\r\n")
    elif how == "unasked-101":
        connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n\r\nhello"
        )
    raise Gone


def refuse(request, answer):
    """Refuses a body without reading it."""
    answer.whole("417 Expectation Failed", "no", ("Connection", "close"))
    raise Gone


def cancelled(request, answer):
    """/cancelled/TOKEN: an endless answer; `TOKEN gone` is released when the reader leaves."""
    token = request.path.split("/")[2]
    answer.head("200 OK", CHUNKED)
    try:
        while True:
            answer.chunk("x" * 10000)
            time.sleep(0.005)
    except OSError:
        release(token + " gone")
        raise Gone


def silent(request, answer):
    """/silent/TOKEN: no answer at all; `TOKEN gone` is released when the reader leaves."""
    request.read_body()
    try:
        request.connection.sock.recv(1)
    except OSError:
        pass
    release(request.path.split("/")[2] + " gone")
    raise Gone


def page(request, answer):
    """/page/NAME: a file beside this program."""
    path = os.path.join(os.path.dirname(__file__), os.path.basename(request.path))
    with open(path, "rb") as file:
        answer.whole("200 OK", file.read(), ("Content-Type", "text/html; charset=utf-8"))


def own(request, answer):
    """What the tests ask for directly."""
    words = request.path.split("/")
    request.read_body()
    if words[1] == "_log":
        with lock:
            answer.json(list(log))
    elif words[1] == "_forget":
        with lock:
            log.clear()
        answer.json([])
    elif words[1] in ("_release", "_ack"):
        release("/".join(words[2:]))
        answer.json(True)
    elif words[1] == "_wait":
        answer.json(bool(wait_for(words[2] + " gone", 10)))
    elif words[1] == "_open":
        with lock:
            answer.json(sorted(open_requests.values()))


ROUTES = {
    "bytes": download, "chunked": download, "early": early, "status": status, "hints": hints,
    "fields": fields, "events": events, "ticks": ticks, "hold": hold, "stall": stall,
    "broken": broken, "refuse": refuse, "cancelled": cancelled, "silent": silent,
    "long-head": long_head, "page": page,
}


def serve(sock):
    connection = Connection(sock)
    try:
        while True:
            request = Request(connection)
            word = request.path.split("/")[1] if "/" in request.path else ""
            if word.startswith("_"):
                own(request, Answer(connection, request))
                continue
            with lock:
                log.append({"method": request.method, "target": request.target})
                open_requests[id(request)] = request.target
                lock.notify_all()
            try:
                ROUTES.get(word, echo)(request, Answer(connection, request))
            finally:
                with lock:
                    del open_requests[id(request)]
    except (Gone, OSError, ValueError):
        pass
    finally:
        sock.close()


def main():
    where = sys.argv[2]
    if where.startswith("unix:"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(where[5:])
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(where)))
    listener.listen(1024)
    print("listening", listener.getsockname()[1] if not where.startswith("unix:") else 0, flush=True)
    context = None
    if len(sys.argv) > 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])

    def begin(sock):
        try:
            if context:
                sock = context.wrap_socket(sock, server_side=True)
            serve(sock)
        except OSError:
            pass

    while True:
        sock, _ = listener.accept()
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=begin, args=(sock,), daemon=True).start()


main()
