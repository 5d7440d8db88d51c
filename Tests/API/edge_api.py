"""A client of an edge's API, for what is done besides the requests that are tested."""

import base64
import http.client
import itertools
import json
import os
import socket
import ssl

_numbers = itertools.count(1)


def next_source():
    """An address of loopback of its own for each connection: the API counts requests by address."""
    number = next(_numbers)
    return f"127.{1 + number // 62500 % 250}.{1 + number // 250 % 250}.{1 + number % 250}"


def new_key():
    """32 bytes in base64, as good as a public key for all who do not log in with it."""
    return base64.b64encode(os.urandom(32)).decode()


class EdgeAPI:
    """Requests to `https://HOST:PORT`, dialled at loopback, each over a connection of its own."""

    def __init__(self, host, port, authority):
        self.host = host
        self.port = port
        self.settings = ssl.create_default_context(cafile=authority)

    def connect(self, host, timeout_seconds=20):
        """A connection to one of the edge's hosts, not used yet."""
        plain = socket.create_connection(
            ("127.0.0.1", self.port), timeout_seconds, source_address=(next_source(), 0)
        )
        connection = http.client.HTTPSConnection(host, self.port, timeout=timeout_seconds)
        connection.sock = self.settings.wrap_socket(plain, server_hostname=host)
        return connection

    def visit(self, host):
        """The status of a GET of `/` at a hostname of a tunnel."""
        connection = self.connect(host)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def call(self, method, path, document=None, token=None):
        """Status and document of a request below `/api/v1`."""
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        body = None if document is None else json.dumps(document)
        connection = self.connect(self.host)
        try:
            connection.request(method, f"/api/v1{path}", body, fields)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def must(self, method, path, document=None, token=None):
        """The document of a request that has to succeed."""
        status, answer = self.call(method, path, document, token)
        if status >= 300:
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer

    def log_in(self, code):
        """A session token for an enrolment code."""
        return self.must("POST", "/login", {"code": code, "label": "test"})["token"]
