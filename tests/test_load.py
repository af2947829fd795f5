"""The load test measures what a server answers, and fails beyond its limits; docker/tests has it against the image."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METADATA = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 2, 2, 1]}]}


class Server(ThreadingHTTPServer):
    """Answers as the protocol says, except that each fourth request of a model ends as its name says."""

    asked = 0
    hosts: set[str]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the metadata of any model but one."""
        self.server.hosts.add(self.headers["Host"])
        self.answer(404 if self.path.endswith("unknown") else 200)

    def do_POST(self) -> None:
        """Answer a request for predictions."""
        (tensor,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        assert (tensor["shape"], len(tensor["data"])) == ([1, 2, 2, 1], 4)
        self.server.asked += 1
        kind = self.path.split("/")[-2] if self.server.asked % 4 == 0 else ""
        if kind == "lost":
            self.close_connection = True
            return
        time.sleep(0.3 if kind == "slow" else 0)
        self.answer(503 if kind == "busy" else 200)

    def answer(self, status: int) -> None:
        """Send an answer."""
        body = json.dumps(METADATA).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a running server."""
    server = Server(("127.0.0.1", 0), Handler)
    server.hosts = set()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def load(server: Server) -> Callable[..., tuple[int, str]]:
    """Return a function that runs the load test, and returns its exit code and output."""

    def run(*options: str, url: str = f"http://127.0.0.1:{server.server_address[1]}") -> tuple[int, str]:
        program = str(Path(__file__).parents[1] / "docker/load.py")
        command = [sys.executable, program, url, "--requests=40", "--timeout=5", *options]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    return run


def test_rate_times_and_errors_are_printed(load: Callable[..., tuple[int, str]], server: Server) -> None:
    """A server within the limits passes, also behind a gateway that asks for the name of the host."""
    code, output = load("--model=sound", "--header=Host: digits.example.org", "--max-p99-ms=5000", "--min-rate=1")
    assert code == 0, output
    assert "load: 40 of 40 requests answered in" in output
    assert all(word in output for word in (" a second, p50 ", " ms, p95 ", " ms, p99 ", " ms, 0 errors\n"))
    assert "digits.example.org" in server.hosts


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (
            ["--model=busy", "--max-p99-ms=5000", "--min-rate=1"],
            "10 times: status 503\nload: failed: 10 errors; at most 0",
        ),
        (["--model=lost", "--max-p99-ms=5000", "--min-rate=1"], "10 times: RemoteDisconnected\n"),
        (["--model=slow", "--min-rate=1"], "ms; at most 250 ms are allowed\n"),
        (["--model=sound", "--min-rate=1000000", "--max-p99-ms=5000"], "answers a second; 1e+06 are the least\n"),
        (["--model=unknown"], "has no model 'unknown': status 404; give --model\n"),
    ],
    ids=["errors", "lost connections", "slow answers", "few answers", "no such model"],
)
def test_a_server_beyond_a_limit_fails(load: Callable[..., tuple[int, str]], options: list[str], part: str) -> None:
    """The exit code is 1, and the limit is named."""
    code, output = load(*options)
    assert code == 1
    assert part in output


def test_a_time_ends_the_requests(load: Callable[..., tuple[int, str]]) -> None:
    """However many are left."""
    code, output = load("--requests=1000000", "--seconds=0.5", "--min-rate=1", "--max-p99-ms=5000")
    assert code == 0, output
    assert " requests answered in 0.5 s by 4 clients\n" in output


def test_no_server_and_a_wrong_call_are_told_apart(load: Callable[..., tuple[int, str]]) -> None:
    """By exit code: the first is a failure of the deployment."""
    code, output = load(url="http://127.0.0.1:9")
    assert (code, "no server of the protocol answers at http://127.0.0.1:9" in output) == (1, True)
    for options, url in ((["--clients=0"], "http://127.0.0.1:9"), ([], "127.0.0.1:9"), (["--header=Host"], "http://h")):
        assert load(*options, url=url)[0] == 2
