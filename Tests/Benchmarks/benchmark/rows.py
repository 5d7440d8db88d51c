"""What is measured, and what is wanted of it."""

from collections.abc import Callable
from dataclasses import dataclass

from . import loads
from .certificates import Certificates
from .nginx import Origin

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Measurement:
    """What a load needs besides the chain: the files, and how long a load of requests lasts."""

    folder: object
    certificates: Certificates
    origin: Origin
    seconds: int


@dataclass(frozen=True)
class Figure:
    """A line of the table: a value per round and chain, and Culvert's ratio to nginx.

    `target` and `aim` bound the ratio, from below if more is better and from above if not.
    """

    title: str
    target: float
    aim: float | None
    more_is_better: bool
    write: Callable


@dataclass(frozen=True)
class Row:
    """A load, and the figures it gives. `measure(chain, measurement)` gives a value for each."""

    name: str
    figures: tuple
    measure: Callable


def _requests(chain, measurement):
    before = chain.cpu_seconds()
    load = loads.http1_load(chain, measurement.folder, 64, measurement.seconds)
    return load.requests_per_second, (chain.cpu_seconds() - before) / load.requests


def _http2_requests(chain, measurement):
    return (loads.http2_load(chain, 1, 64, measurement.seconds).requests_per_second,)


def _latency(chain, measurement):
    return (loads.http1_load(chain, measurement.folder, 1, measurement.seconds).median_seconds,)


def _download(times):
    def measure(chain, measurement):
        return (loads.download(chain, measurement.certificates.authority, times),)

    return measure


def _upload(times):
    def measure(chain, measurement):
        authority = measurement.certificates.authority
        return (loads.upload(chain, authority, times, measurement.origin),)

    return measure


def _per_second(value):
    return f"{value:,.0f}/s"


def _microseconds(value):
    return f"{value * 1e6:,.0f} µs"


def _mebibytes_per_second(value):
    return f"{value / MEBIBYTE:,.0f} MiB/s"


def _rate(title, target, aim, write=_per_second):
    return Figure(title, target, aim, True, write)


def _cost(title, target, aim):
    return Figure(title, target, aim, False, _microseconds)


def _transfer(name, title, target, aim, measure):
    return Row(name, (_rate(title, target, aim, _mebibytes_per_second),), measure)


ROWS = (
    Row(
        "requests",
        (
            _rate("requests/s, HTTPS, 1 KiB, 64 connections", 0.8, 1.0),
            _cost("CPU per request, edge and connector", 1.4, None),
        ),
        _requests,
    ),
    Row("http2", (_rate("requests/s, HTTP/2, 1 KiB, 64 streams", 0.5, 0.8),), _http2_requests),
    Row("latency", (_cost("p50 latency, one connection", 1.8, 1.4),), _latency),
    _transfer("download", "download, 100 MiB", 0.6, 0.8, _download(1)),
    _transfer("download-8", "download, 100 MiB, eight at once", 0.6, 0.8, _download(8)),
    _transfer("upload", "upload, 100 MiB", 0.4, 0.6, _upload(1)),
    _transfer("upload-8", "upload, 100 MiB, eight at once", 0.4, 0.6, _upload(8)),
)
