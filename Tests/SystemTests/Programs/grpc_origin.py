"""A gRPC server whose messages are bare bytes: no generated code.

usage: grpc_origin.py LISTEN AGE [CERTIFICATE KEY]
LISTEN is `127.0.0.1:0` or `unix:PATH`. AGE is the time in milliseconds after which a connection is told to
go away, 0 for never. Prints `listening PORT`, `peer ADDRESS` for each connection that calls Unary, and
`cancelled TOKEN` for each call of Hang that its client gives up.
"""

import sys
import threading
import time
from concurrent import futures

import grpc

CALLS = 100
everybody = threading.Barrier(CALLS)
peers = set()


def unary(request, context):
    if context.peer() not in peers:
        peers.add(context.peer())
        print("peer", context.peer(), flush=True)
    context.send_initial_metadata((("x-initial", "yes"),))
    context.set_trailing_metadata((("x-trailing-bin", b"\0\xff"),))
    return request


def collect(requests, context):
    return b",".join(requests)


def count(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def chat(requests, context):
    """Answers each message before it reads the next; `stop` ends the call, whatever follows."""
    for request in requests:
        if request == b"stop":
            return
        yield b"<" + request + b">"
    yield b"late"


def fail(request, context):
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: \u00fc")


def fail_late(request, context):
    yield b"one"
    context.abort(grpc.StatusCode.DATA_LOSS, "lost")


def hang(request, context):
    ended = threading.Event()
    context.add_callback(ended.set)
    yield b"hanging"
    ended.wait(30)
    print("cancelled", request.decode(), flush=True)


def meet(request, context):
    everybody.wait(20)
    return request


def deadline(request, context):
    """What is left of the deadline, in seconds."""
    return b"%f" % context.time_remaining()


class Handlers(grpc.GenericRpcHandler):
    kinds = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Meet": grpc.unary_unary_rpc_method_handler(meet),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Deadline": grpc.unary_unary_rpc_method_handler(deadline),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "FailLate": grpc.unary_stream_rpc_method_handler(fail_late),
        "Hang": grpc.unary_stream_rpc_method_handler(hang),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
    }

    def service(self, call):
        return self.kinds.get(call.method.removeprefix("/test.Test/"))


server = grpc.server(
    futures.ThreadPoolExecutor(max_workers=CALLS + 20),
    handlers=(Handlers(),),
    options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    + ([("grpc.max_connection_age_ms", int(sys.argv[2]))] if sys.argv[2] != "0" else []),
)
if len(sys.argv) > 3:
    certificate, key = (open(path, "rb").read() for path in sys.argv[3:5])
    credentials = grpc.ssl_server_credentials([(key, certificate)])
    port = server.add_secure_port(sys.argv[1], credentials)
else:
    port = server.add_insecure_port(sys.argv[1])
server.start()
print("listening", port, flush=True)
while True:
    time.sleep(3600)
