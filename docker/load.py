"""Sends requests to a deployed server, several at a time, and holds rate, times and errors against limits.

python docker/load.py http://127.0.0.1:8000

It speaks the Open Inference Protocol V2 and needs the standard library only. Behind a gateway that tells services apart
by the host, as KServe's does, add `--header "Host: headworks-serving.default.example.com"`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_REQUESTS, MAX_CLIENTS, MAX_SECONDS = 1_000_000, 256, 3600.0


class Client:
    """Requests on a connection that is kept open, as long as the server keeps it."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Prepare; the first request connects."""
        address = urlsplit(options.url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(str(address.hostname), address.port, timeout=options.timeout)
        self._path = f"{address.path.rstrip('/')}/v2/models/{options.model}"
        self._headers = dict(options.header)

    def ask(self, path: str = "", body: bytes | None = None) -> tuple[int, bytes]:
        """Return the status and the body of an answer.

        Raises:
            OSError, http.client.HTTPException: There was none.
        """
        try:
            self._connection.request("GET" if body is None else "POST", f"{self._path}{path}", body, self._headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise


def blank(metadata: dict[str, Any]) -> bytes:
    """Return a request of one row of random bytes, in the form of a model's inputs."""
    source = random.Random(0)  # noqa: S311 - the same request in every run
    inputs = []
    for tensor in metadata["inputs"]:
        shape = [1 if size < 0 else size for size in tensor["shape"]]
        data = [source.randrange(128) for _ in range(math.prod(shape))]
        inputs.append({"name": tensor["name"], "datatype": tensor["datatype"], "shape": shape, "data": data})
    return json.dumps({"inputs": inputs}).encode()


def send(options: argparse.Namespace, body: bytes) -> tuple[list[float], dict[str, int], float]:
    """Return the seconds of each request that was answered by 200, the number of other ends, and the seconds of all."""
    numbers, start = count(), time.monotonic()

    def client(_number: int) -> tuple[list[float], list[str]]:
        asking, times, errors = Client(options), [], []
        while next(numbers) < options.requests and time.monotonic() < start + options.seconds:
            before = time.perf_counter()
            try:
                status, _ = asking.ask("/infer", body)
            except (OSError, http.client.HTTPException) as error:
                errors.append(type(error).__name__)
                continue
            if status == http.client.OK:
                times.append(time.perf_counter() - before)
            else:
                errors.append(f"status {status}")
        return times, errors

    with ThreadPoolExecutor(options.clients) as pool:
        ends = list(pool.map(client, range(options.clients)))
    kinds = [kind for _, errors in ends for kind in errors]
    times = sorted(seconds for answered, _ in ends for seconds in answered)
    return times, {kind: kinds.count(kind) for kind in sorted(set(kinds))}, time.monotonic() - start


def judged(options: argparse.Namespace, times: list[float], errors: dict[str, int], seconds: float) -> int:
    """Print what was measured and each limit that it is beyond; return the exit code."""
    rate, failed = len(times) / seconds, sum(errors.values())
    p50, p95, p99 = (
        1000 * times[math.ceil(share * len(times)) - 1] if times else math.inf for share in (0.5, 0.95, 0.99)
    )
    print(
        f"load: {len(times)} of {len(times) + failed} requests answered in {seconds:.1f} s by {options.clients} clients"
    )
    print(f"load: {rate:.1f} a second, p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, {failed} errors")
    for kind, number in errors.items():
        print(f"load: {number} times: {kind}")
    beyond = [
        message
        for is_beyond, message in (
            (failed > options.max_errors, f"{failed} errors; at most {options.max_errors} are allowed"),
            (p99 > options.max_p99_ms, f"p99 is {p99:.1f} ms; at most {options.max_p99_ms:g} ms are allowed"),
            (rate < options.min_rate, f"{rate:.1f} answers a second; {options.min_rate:g} are the least"),
        )
        if is_beyond
    ]
    for message in beyond:
        print(f"load: failed: {message}")
    return 1 if beyond else 0


def number_to(most: float, kind: type[int | float]) -> Any:  # noqa: ANN401 - a type for argparse
    """Return a reader of numbers above 0, up to a limit."""

    def read(text: str) -> float:
        value = kind(text)
        if not 0 < value <= most:
            raise ValueError
        return value

    read.__name__ = f"number from 0 to {most:g}"
    return read


def header(text: str) -> tuple[str, str]:
    """Read `NAME: VALUE`."""
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError
    return name.strip(), value.strip()


def address(text: str) -> str:
    """Read the address of a server."""
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
        raise ValueError
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 within the limits, 1 beyond one or no such server, 2 a mistake in the call."""
    parser = argparse.ArgumentParser(prog="load", description="Send requests to a deployed server.")
    add = parser.add_argument
    add("url", type=address, help="such as http://127.0.0.1:8000")
    add("--model", default="model", help="the name of the model (default: model)")
    add("--requests", type=number_to(MAX_REQUESTS, int), default=1000, help="how many at most (default: 1000)")
    add("--seconds", type=number_to(MAX_SECONDS, float), default=60.0, help="how long at most (default: 60)")
    add("--clients", type=number_to(MAX_CLIENTS, int), default=4, help="how many at a time (default: 4)")
    add("--timeout", type=number_to(MAX_SECONDS, float), default=10.0, help="seconds for an answer (default: 10)")
    add("--header", type=header, action="append", default=[], help='such as "Host: example.org"; may be repeated')
    add("--max-errors", type=int, default=0, help="limit of requests without an answer of 200 (default: 0)")
    add("--max-p99-ms", type=float, default=250.0, help="limit of the slowest hundredth (default: 250)")
    add("--min-rate", type=float, default=10.0, help="least answers a second (default: 10)")
    options = parser.parse_args(arguments)
    try:
        status, answer = Client(options).ask()
        body = blank(json.loads(answer)) if status == http.client.OK else b""
    except (OSError, http.client.HTTPException, KeyError, TypeError, ValueError) as error:
        sys.stderr.write(f"load: error: no server of the protocol answers at {options.url}: {error}\n")
        return 1
    if not body:
        sys.stderr.write(f"load: error: {options.url} has no model {options.model!r}: status {status}; give --model\n")
        return 1
    return judged(options, *send(options, body))


if __name__ == "__main__":
    sys.exit(main())
