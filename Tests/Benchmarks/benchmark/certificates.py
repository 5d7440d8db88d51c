"""A certificate authority of the benchmark's own."""

from dataclasses import dataclass
from pathlib import Path

from .processes import command_output

DOMAIN = "benchmark.test"
VISITED_HOST = f"app.{DOMAIN}"
CONNECT_HOST = f"connect.{DOMAIN}"


@dataclass(frozen=True)
class Certificates:
    """PEM files: the authority's certificate, and one for every name below DOMAIN (ECDSA P-256)."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder):
    authority, authority_key = folder / "ca.pem", folder / "ca-key.pem"
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    _openssl(
        *["req", "-x509", *new_key, "-subj", "/CN=Benchmark CA"],
        *["-keyout", authority_key, "-out", authority],
    )
    request, extensions = folder / "request.pem", folder / "extensions.txt"
    extensions.write_text(f"subjectAltName=DNS:{DOMAIN},DNS:*.{DOMAIN}\n")
    _openssl("req", *new_key, "-subj", f"/CN={DOMAIN}", "-keyout", key, "-out", request)
    _openssl(
        *["x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key],
        *["-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate],
    )
    return Certificates(authority, certificate, key)


def _openssl(*arguments):
    command_output(["openssl", *arguments], timeout_seconds=20)
