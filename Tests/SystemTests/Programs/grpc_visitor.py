"""A gRPC client that calls grpc_origin.py through the edge, and checks what comes of it.

usage: grpc_visitor.py HOST PORT CA WHAT...
Prints `good` when everything in WHAT, names of the functions below, went as it should.
"""

import queue
import sys
import threading
import time
from concurrent import futures

import grpc

host, port, ca = sys.argv[1:4]
channel = grpc.secure_channel(
    f"127.0.0.1:{port}",
    grpc.ssl_channel_credentials(open(ca, "rb").read()),
    options=[
        ("grpc.ssl_target_name_override", host),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
    ],
)


def method(kind, name):
    return getattr(channel, kind)(f"/test.Test/{name}")


def expect(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


def code(call):
    """The status of a call that has to fail."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call went well")


def unary():
    answer, call = method("unary_unary", "Unary").with_call(b"hello", timeout=20)
    expect(answer, b"hello")
    expect(call.code(), grpc.StatusCode.OK)
    expect(dict(call.initial_metadata())["x-initial"], "yes")
    expect(dict(call.trailing_metadata())["x-trailing-bin"], b"\0\xff")
    expect(method("unary_unary", "Unary")(b"", timeout=20), b"")


def client_streaming():
    pieces = [b"%d" % number for number in range(1000)]
    expect(method("stream_unary", "Collect")(iter(pieces), timeout=20), b",".join(pieces))
    expect(method("stream_unary", "Collect")(iter([]), timeout=20), b"")


def server_streaming():
    answers = list(method("unary_stream", "Count")(b"1000", timeout=20))
    expect(answers, [b"%d" % number for number in range(1000)])
    expect(list(method("unary_stream", "Count")(b"0", timeout=20)), [])


def bidirectional():
    """Each message is answered before the next is sent; the client's side ends first."""
    requests = queue.Queue()
    answers = method("stream_stream", "Chat")(iter(requests.get, None), timeout=20)
    for number in range(100):
        requests.put(b"%d" % number)
        expect(next(answers), b"<%d>" % number)
    requests.put(None)
    expect(list(answers), [b"late"])
    expect(answers.code(), grpc.StatusCode.OK)


def long_conversation():
    requests = queue.Queue()
    answers = method("stream_stream", "Chat")(iter(requests.get, None), timeout=80)
    for number in range(2000):
        requests.put(b"%d" % number)
        expect(next(answers), b"<%d>" % number)
        if number == 100:
            print("under way", flush=True)
    requests.put(None)
    expect(list(answers), [b"late"])


def server_ends_first():
    requests = queue.Queue()
    answers = method("stream_stream", "Chat")(iter(requests.get, None), timeout=20)
    requests.put(b"a")
    expect(next(answers), b"<a>")
    requests.put(b"stop")
    expect(list(answers), [])
    expect(answers.code(), grpc.StatusCode.OK)
    requests.put(None)


def quiet():
    """Silent for several deadlines before the first message, which the server begins its answer with."""
    requests = queue.Queue()
    answers = method("stream_stream", "Chat")(iter(requests.get, None), timeout=60)
    ended = threading.Event()
    answers.add_done_callback(lambda _: ended.set())
    assert not ended.wait(4), answers.details()
    requests.put(b"0")
    expect(next(answers), b"<0>")
    requests.put(None)
    expect(list(answers), [b"late"])


def refused(status, culvert_error, words):
    error = code(lambda: method("unary_unary", "Unary")(b"hello", timeout=20))
    expect(error.code(), status)
    assert words in error.details(), error.details()
    expect(dict(error.trailing_metadata()).get("culvert-error"), culvert_error)


def unknown():
    words = "There is no site at this name: No tunnel of this edge has the hostname " + host
    refused(grpc.StatusCode.UNIMPLEMENTED, "hostname-unknown", words)


def away():
    refused(grpc.StatusCode.UNAVAILABLE, "no-connector", "no connector for it is online")


def down():
    words = "The site's server cannot be reached"
    refused(grpc.StatusCode.UNAVAILABLE, "origin-unreachable", words)


def not_let_in():
    words = "This asks for a user name and a password."
    refused(grpc.StatusCode.UNAUTHENTICATED, None, words)


def unavailable():
    error = code(lambda: method("unary_unary", "Unary")(b"hello", timeout=20))
    expect(error.code(), grpc.StatusCode.UNAVAILABLE)


def status():
    error = code(lambda: method("unary_unary", "Fail")(b"", timeout=20))
    expect(error.code(), grpc.StatusCode.NOT_FOUND)
    expect(error.details(), "no such thing: \u00fc")
    expect(dict(error.trailing_metadata())["x-why"], "because")
    answers = method("unary_stream", "FailLate")(b"", timeout=20)
    expect(next(answers), b"one")
    expect(code(lambda: next(answers)).code(), grpc.StatusCode.DATA_LOSS)
    error = code(lambda: method("unary_unary", "Nothing")(b"", timeout=20))
    expect(error.code(), grpc.StatusCode.UNIMPLEMENTED)


def deadline():
    left = float(method("unary_unary", "Deadline")(b"", timeout=100))
    assert 50 < left <= 100, left
    answers = method("unary_stream", "Hang")(b"deadline", timeout=2)
    expect(next(answers), b"hanging")
    expect(code(lambda: next(answers)).code(), grpc.StatusCode.DEADLINE_EXCEEDED)


def cancel():
    answers = method("unary_stream", "Hang")(b"cancel", timeout=20)
    expect(next(answers), b"hanging")
    answers.cancel()
    expect(code(lambda: next(answers)).code(), grpc.StatusCode.CANCELLED)


def large():
    message = bytes(range(256)) * (8 << 20 >> 8)
    answer = method("unary_unary", "Unary")(message, timeout=60)
    assert answer == message, len(answer)


def rotation():
    """Calls from eight threads for five seconds, while the server sends its connections away."""
    call = method("unary_unary", "Unary")
    end = time.monotonic() + 5

    def calls(number):
        count = 0
        while time.monotonic() < end:
            expect(call(b"%d" % number, timeout=20), b"%d" % number)
            count += 1
        return count

    with futures.ThreadPoolExecutor(8) as pool:
        print("calls", sum(pool.map(calls, range(8))), file=sys.stderr)


def concurrent():
    """None is answered before all have come."""
    calls = [
        method("unary_unary", "Meet").future(b"%d" % number, timeout=30) for number in range(100)
    ]
    expect([call.result() for call in calls], [b"%d" % number for number in range(100)])


def broken():
    """The origin is killed while it answers."""
    answers = method("unary_stream", "Hang")(b"broken", timeout=20)
    expect(next(answers), b"hanging")
    print("answering", flush=True)
    error = code(lambda: next(answers))
    assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL), error
    error = code(lambda: method("unary_unary", "Unary")(b"", timeout=20))
    expect(error.code(), grpc.StatusCode.UNAVAILABLE)


for name in sys.argv[4:]:
    started = time.monotonic()
    globals()[name]()
    print(name, round(time.monotonic() - started, 3), file=sys.stderr)
print("good")
