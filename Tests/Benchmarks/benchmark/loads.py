"""The load generators: wrk, h2load and curl, and what each of them says.

wrk makes the HTTP/1.1 load, h2load the HTTP/2 load, each with one thread. On a small machine what a
generator uses is missing from both chains and pulls their ratio towards 1.
"""

import re
import subprocess
import time
from dataclasses import dataclass

from .certificates import VISITED_HOST
from .nginx import LARGE_BYTES
from .processes import BenchmarkError, command_output

TRANSFER_TIMEOUT_SECONDS = 120

# wrk has no --connect-to; its resolver can be replaced.
_WRK_RESOLVE = """
function wrk.resolve(host, service) wrk.addrs = wrk.lookup("127.0.0.1", service) end
"""

_UNIT_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class RequestLoad:
    """What a load of many small requests gave."""

    requests: int
    requests_per_second: float
    median_seconds: float = 0.0


def http1_load(chain, folder, connections, seconds):
    """Requests for /small one after the other on each of some keep-alive connections, by wrk."""
    script = folder / "resolve.lua"
    script.write_text(_WRK_RESOLVE)
    text = command_output(
        [
            *["wrk", "--threads", "1", "--connections", connections, "--duration", f"{seconds}s"],
            *["--latency", "--timeout", "10s", "--script", script],
            f"https://{VISITED_HOST}:{chain.port}/small",
        ],
        timeout_seconds=seconds + 30,
    )
    for failure in ("Non-2xx", "Socket errors"):
        if failure in text:
            raise BenchmarkError(_find(rf"({failure}.*)", text)[0])
    median, unit = _find(r"50%\s+([\d.]+)(us|ms|s)\b", text)
    return RequestLoad(
        requests=int(_find(r"(\d+) requests in", text)[0]),
        requests_per_second=float(_find(r"Requests/sec:\s+([\d.]+)", text)[0]),
        median_seconds=float(median) * _UNIT_SECONDS[unit],
    )


def http2_load(chain, connections, streams, seconds):
    """Requests for /small on some connections with so many streams open on each, by h2load."""
    text = command_output(
        [
            *["h2load", "--threads", "1", "--clients", connections],
            *["--max-concurrent-streams", streams],
            *["--duration", seconds, "--warm-up-time", 1],
            *["--connect-to", f"127.0.0.1:{chain.port}", f"https://{VISITED_HOST}/small"],
        ],
        timeout_seconds=seconds + 30,
    )
    done, good = _find(r"requests: .*?(\d+) done, (\d+) succeeded", text)
    if done != good or int(good) == 0:
        raise BenchmarkError(_find(r"(requests: .*)", text)[0])
    if "Application protocol: h2" not in text:
        raise BenchmarkError("h2load did not get HTTP/2")
    return RequestLoad(int(good), float(_find(r"([\d.]+) req/s", text)[0]))


def download(chain, authority, times):
    """Bytes per second of `times` downloads of /large at once, by as many curls."""
    seconds = _transfers(chain, authority, [["--output", "/dev/null"]] * times, "large")
    return times * LARGE_BYTES / seconds


def upload(chain, authority, times, origin):
    """Bytes per second of `times` uploads at once; what the origin has of each is counted."""
    options = ["--upload-file", origin.large_file, "--header", "Expect:", "--output", "/dev/null"]
    seconds = _transfers(chain, authority, [options] * times, "uploads/{}")
    for number in range(times):
        file = origin.uploads / str(number)
        size = file.stat().st_size
        file.unlink()
        if size != LARGE_BYTES:
            raise BenchmarkError(f"the origin got {size} bytes of {LARGE_BYTES}")
    return times * LARGE_BYTES / seconds


def _transfers(chain, authority, options, path):
    """Seconds until all of some curls, started together, are done."""
    begin = time.monotonic()
    curls = []
    try:
        for number, more in enumerate(options):
            curls.append(_start_curl(chain, authority, path.format(number), more))
        for curl in curls:
            output, _ = curl.communicate(timeout=TRANSFER_TIMEOUT_SECONDS)
            _check_transfer(curl.returncode, output)
        return time.monotonic() - begin
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"curl took more than {TRANSFER_TIMEOUT_SECONDS} s") from None
    finally:
        for curl in curls:
            if curl.poll() is None:
                curl.kill()
                curl.communicate()


def _start_curl(chain, authority, path, options):
    command = [
        *["curl", "--silent", "--show-error", "--http1.1", "--cacert", authority, "--noproxy", "*"],
        *["--resolve", f"{VISITED_HOST}:{chain.port}:127.0.0.1"],
        *["--write-out", "%{http_code} %{size_download} %{size_upload}"],
        *options,
        f"https://{VISITED_HOST}:{chain.port}/{path}",
    ]
    return subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _check_transfer(code, output):
    words = output.split()
    is_good = code == 0 and len(words) == 3 and words[0].startswith("2")
    if not is_good or str(LARGE_BYTES) not in words[1:]:
        raise BenchmarkError(f"curl ended with {code}: {output.strip()}")


def _find(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise BenchmarkError(f"no {pattern!r} in the load generator's output:\n{text[-800:]}")
    return found.groups()
