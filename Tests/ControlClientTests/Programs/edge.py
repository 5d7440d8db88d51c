"""An HTTPS server that answers as a script says, and writes down what it was asked.

usage: edge.py CERTIFICATE KEY SCRIPT LOG

The script is a JSON object: "METHOD /target" to a list of answers, each used once but for the last. An
answer has status, type, body (text, or JSON to be written), headers, bytes (a body of so many zeros), or
hang (no answer at all). What is not in it is answered 404 in HTML. It is read anew for each request. The log has
a JSON object a line.
The first line on standard output is the port. It ends when its standard input does, if that is a pipe.
"""
import json
import os
import ssl
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

certificate, key, script, log = sys.argv[1:]
counts = {}
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        # Here, and not where connections are accepted, so that one client holds up no other.
        self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode()
        name = f"{self.command} {self.path}"
        with open(script) as file:
            answers = json.load(file).get(name) or [{"status": 404, "type": "text/html", "body": "no"}]
        with lock:
            index = counts.get(name, 0)
            counts[name] = index + 1
            fields = {field.lower(): value for field, value in self.headers.items()}
            with open(log, "a") as file:
                entry = {"request": name, "headers": fields, "body": body}
                file.write(json.dumps(entry) + "\n")
        self.send(answers[min(index, len(answers) - 1)])

    def send(self, answer):
        if answer.get("hang"):
            threading.Event().wait()
        body = answer.get("body", "")
        text = body if isinstance(body, str) else json.dumps(body)
        data = bytes(answer["bytes"]) if "bytes" in answer else text.encode()
        self.send_response(answer.get("status", 200))
        self.send_header("content-type", answer.get("type", "application/json"))
        if answer.get("status") != 204:
            self.send_header("content-length", str(len(data)))
        for field, value in answer.get("headers", {}).items():
            self.send_header(field, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # Clients that do not trust the certificate leave in the middle.
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
if stat.S_ISFIFO(os.fstat(0).st_mode):
    sys.stdin.read()
    os._exit(0)
threading.Event().wait()
