"""nginx: the origin behind both chains, and the two proxies Culvert is compared with.

Each is a process with one worker and a configuration of its own.
"""

import os
import random

from .certificates import VISITED_HOST
from .processes import Child, free_port

SMALL_BYTES = 1024
LARGE_BYTES = 100 * 1024 * 1024

_FRAME = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
worker_rlimit_nofile {connections};
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"""

# A PUT is answered once its whole body is a file, so what was uploaded can be counted.
_ORIGIN = """
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16 inactive=1h;
    client_body_buffer_size 1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{ root {folder}/files; }}
        location /uploads/ {{ root {folder}; dav_methods PUT; }}
    }}
"""

# Nothing waits on a disk: bodies stream both ways.
_PROXY = """
    upstream next {{
        server 127.0.0.1:{next_port};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_protocols TLSv1.3;
        ssl_certificate {certificates.certificate};
        ssl_certificate_key {certificates.key};
        location / {{
            proxy_pass {next_scheme}://next;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_buffer_size 16k;
            proxy_buffers 16 16k;
            proxy_busy_buffers_size 64k;
            proxy_ssl_protocols TLSv1.3;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {certificates.authority};
            proxy_ssl_server_name on;
            proxy_ssl_name {host};
        }}
    }}
"""


def start_nginx(name, folder, http, prefix=(), connections=4096):
    """Starts an nginx with `http` as the contents of its http block; `prefix` is a command to run
    it under."""
    folder.mkdir()
    configuration = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(
        _FRAME.format(folder=folder, http=http, user=user, connections=connections)
    )
    command = [*prefix, "nginx", "-p", folder, "-c", configuration, "-e", folder / "error.log"]
    return Child(name, command, folder / "output.log")


class Origin:
    """Serves /small (1 KiB) and /large (100 MiB) and keeps what is PUT below /uploads/."""

    def __init__(self, folder, stack, prefix=()):
        self.port = free_port()
        root = folder / "origin"
        http = _ORIGIN.format(port=self.port, folder=root)
        self.child = start_nginx("origin", root, http, prefix)
        stack.callback(self.child.stop)
        files = root / "files"
        self.uploads = root / "uploads"
        files.mkdir()
        self.uploads.mkdir()
        contents = random.Random(1)
        (files / "small").write_bytes(contents.randbytes(SMALL_BYTES))
        self.large_file = files / "large"
        self.large_file.write_bytes(contents.randbytes(LARGE_BYTES))


def start_proxy(name, folder, certificates, next_scheme, next_port):
    """A proxy with TLS in front; returns its process and its port."""
    port = free_port()
    http = _PROXY.format(
        port=port,
        next_scheme=next_scheme,
        next_port=next_port,
        certificates=certificates,
        host=VISITED_HOST,
    )
    return start_nginx(name, folder / name, http), port
