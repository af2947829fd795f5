"""Connections: what a server waits for, for how long, and what it makes of what is no HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import AsyncMock, Mock

import pytest
import uvicorn
from headworks_serving._config import ServingConfig
from headworks_serving._connection import Connection
from headworks_serving._reception import Reception

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Server

    Start = Callable[..., Server]

LARGE = 14 * 10**6  # bytes, of which no system keeps as many for a connection
HALF = b"GET /v2 HTTP/1.1\r\nHost: x\r\nX: "
READY = b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n"
LEAVING = READY[:-2] + b"Connection: close\r\n\r\n"
BODY = json.dumps(
    {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 4, 4, 1], "data": [7] * 16}]}
).encode()


def infer(
    *headers: str, target: str = "/v2/models/model/infer", body: bytes = BODY, length: int | None = None
) -> bytes:
    """Return a request for a prediction."""
    size = len(body) if length is None else length
    lines = [f"POST {target} HTTP/1.1", "Host: x", *headers, *([f"Content-Length: {size}"] if size else [])]
    return "\r\n".join([*lines, "", ""]).encode() + body


def connect(server: Server) -> socket.socket:
    """Return a connection to a server."""
    return socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20)


def read_all(raw: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    return b"".join(iter(lambda: raw.recv(2**16), b""))


def error_of(answer: bytes) -> str:
    """Return the message of an answer that is an error, and the last one."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/json\r\n" in head
    found = json.loads(body)
    assert list(found) == ["error"]
    return str(found["error"])


def test_a_head_that_does_not_arrive_is_given_up(start: Start, model_path: Path) -> None:
    """Byte by byte it is no better, and who never says a word gets none; a whole request is answered meanwhile."""
    server = start(model_path, "--head-seconds", "0.5")
    with connect(server) as halting, connect(server) as dripping, connect(server) as silent:
        halting.sendall(HALF)
        for byte in READY[:9]:
            dripping.sendall(bytes([byte]))
            time.sleep(0.02)
        with connect(server) as other:
            other.sendall(LEAVING)
            assert read_all(other).startswith(b"HTTP/1.1 200 ")
        for raw in (halting, dripping):
            answer = read_all(raw)
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert error_of(answer) == "the head of the request did not arrive within 0.5 s"
        assert read_all(silent) == b""
    assert server.stop() == 0
    assert server.log.count("status=408") == 1  # The next line of its kind comes a minute later, with the number.


def test_the_next_head_has_its_time_too(start: Start, model_path: Path) -> None:
    """A connection that had an answer may be idle for long, but not in the middle of a request."""
    server = start(model_path, "--head-seconds", "0.5", "--idle-seconds", "30")
    with connect(server) as raw:
        raw.sendall(READY)
        while b"true}" not in raw.recv(2**16):
            pass
        raw.sendall(b"GET")
        assert b"HTTP/1.1 408 " in read_all(raw)


def test_an_idle_connection_is_closed_in_its_time(start: Start, model_path: Path) -> None:
    """Without a word, and not before it was idle."""
    server = start(model_path, "--idle-seconds", "0.5")
    with connect(server) as raw:
        begin = time.monotonic()
        raw.sendall(READY)
        answer = read_all(raw)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert time.monotonic() - begin >= 0.5


def test_the_rest_of_a_body_is_not_awaited_for_ever(start: Start, model_path: Path) -> None:
    """A request that was answered before all of it had come may not keep the connection by a byte now and then."""
    server = start(model_path, "--body-seconds", "0.5")
    with connect(server) as raw:
        raw.sendall(infer(target="/nowhere", length=10**6))
        answer = b""
        while chunk := raw.recv(2**16):
            answer += chunk
            raw.sendall(b"x")
        assert answer.count(b"HTTP/1.1 404 ") == 1


def connect_slowly(server: Server) -> socket.socket:
    """Return a connection whose client has asked for more than lies between it and the server, and not read it yet."""
    raw = socket.socket()
    raw.settimeout(20)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
    raw.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    raw.sendall(infer(body=json.dumps({**json.loads(BODY), "id": "x" * LARGE}).encode()))
    server.wait_for("(event=infer)")
    return raw


@pytest.mark.skipif(sys.platform != "linux", reason="the open files are counted in /proc")
def test_a_client_that_does_not_take_its_answer_is_left(start: Start, model_path: Path) -> None:
    """What is kept for it is thrown away, and nothing is said about it."""
    server = start(model_path, "--answer-seconds", "0.5")
    assert server.url
    files = Path(f"/proc/{server.process.pid}/fd")
    before = len([*files.iterdir()])
    with connect_slowly(server):
        while len([*files.iterdir()]) > before:
            time.sleep(0.02)
    assert server.stop() == 0
    assert " ERROR " not in server.log


def test_a_client_that_takes_its_answer_in_time_goes_on(start: Start, model_path: Path) -> None:
    """Its connection is idle from then on, like any other."""
    server = start(model_path, "--answer-seconds", "2", "--idle-seconds", "0.2")
    with connect_slowly(server) as raw:
        assert len(read_all(raw)) > LARGE
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (infer(), [200]),
        (infer() + READY + infer(), [200, 200, 200]),
        (infer() + infer(body=BODY[:9], length=len(BODY)), [200]),
        (infer() + HALF, [200]),
        (HALF, []),
        (b"", []),
        (infer("Expect: 100-continue"), [100, 200]),
    ],
)
def test_who_has_said_all_may_stop_sending(server: Server, sent: bytes, statuses: list[int]) -> None:
    """A client that closes its half of the connection gets all answers to what it has asked, and then the end."""
    with connect(server) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        answer = read_all(raw)
    found = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert [status for status in found if status != 100] == [status for status in statuses if status != 100]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://x/v2/models/model/infer", 200),
        ("HTTPS://user@[::1]:80/v2/models/model/infer?a=http://b/c", 200),
        ("http://x/v2/models/model", 405),
        ("http://x", 404),
        ("http://x?y=/v2/models/model/infer", 404),
        ("/http://x/v2/models/model/infer", 404),
        ("ftp://x/v2/models/model/infer", 404),
    ],
)
def test_a_target_may_be_a_whole_url(server: Server, target: str, status: int) -> None:
    """Proxies are asked so, and a server has to understand it."""
    with connect(server) as raw:
        raw.sendall(infer("Connection: close", target=target))
        assert read_all(raw).startswith(b"HTTP/1.1 %d " % status)


CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (b"nonsense\r\n\r\n", 400, "illegal request line"),
        (b"GET /v2 HTTP/1.1\r\n\r\n", 400, "Missing mandatory Host: header"),
        (b"GET /v2 HTTP/1.1\r\nHost: x\r\nX-\0A: b\r\n\r\n", 400, "illegal header line"),
        (infer("Content-Length: 3"), 400, "conflicting Content-Length headers"),
        (infer(CHUNKED), 400, "either Content-Length or Transfer-Encoding"),
        (infer("Transfer-Encoding: gzip, chunked", length=0), 501, "Only Transfer-Encoding: chunked is supported"),
        (infer(CHUNKED, body=b"x\r\n", length=0), 400, "illegal chunk header"),
        (infer(CHUNKED, "Expect: 100-continue", body=b"x\r\n", length=0), 400, "illegal chunk header"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2.0 is not supported"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500, 400, "illegal request line"),
        (infer("X: " + "a" * 16_384), 431, "the head of the request has more than 16384 bytes"),
        (infer("X: " + "a" * 10**6), 431, "the head of the request has more than 16384 bytes"),
        (HALF + b"a" * 2 * 10**6, 431, "the head of the request has more than 16384 bytes"),
        (READY + b"nonsense\r\n\r\n", 400, "illegal request line"),
    ],
)
def test_what_is_no_http_gets_an_error_like_any_other(server: Server, sent: bytes, status: int, said: str) -> None:
    """A JSON object, a status that fits, and the end of the connection, but not before the client could read it."""
    with connect(server) as raw:
        raw.sendall(sent)
        answer = read_all(raw)
    assert answer.count(b"\r\n\r\n") == 1 + sent.startswith(READY)
    last = answer[answer.rindex(b"HTTP/1.1 %d " % status) :]
    assert b"\r\nconnection: close\r\n" in last
    assert said in error_of(last)


def test_nothing_is_answered_twice(server: Server) -> None:
    """A body that turns out to be damaged after its request was answered ends the connection, and that is all."""
    with connect(server) as raw:
        raw.sendall(infer(CHUNKED, target="/nowhere", body=b"1\r\nx\r\n", length=0))
        answer = raw.recv(2**16)
        while not answer.endswith(b"}"):
            answer += raw.recv(2**16)
        raw.sendall(b"nonsense\r\n")
        assert read_all(raw) == b""


def test_an_offer_to_change_the_protocol_is_left_at_that(server: Server) -> None:
    """The answer comes as HTTP/1.1, and the log says no more than of another request."""
    before = len(server.log)
    with connect(server) as raw:
        raw.sendall(infer("Connection: close, Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ"))
        assert read_all(raw).startswith(b"HTTP/1.1 200 ")
    assert "event=infer" in server.log[before:]
    assert "event=log" not in server.log[before:]


def test_refusals_are_counted_and_logged_once(start: Start, model_path: Path) -> None:
    """As those of the application are, which has begun with a request before its body is found to be damaged."""
    server = start(model_path)
    for sent in (b"nonsense\r\n\r\n", infer(CHUNKED, body=b"x\r\n", length=0)):
        with connect(server) as raw:
            raw.sendall(sent)
            read_all(raw)
    with connect(server) as raw:
        raw.sendall(infer(CHUNKED, target="/nowhere", body=b"x\r\n", length=0))
        assert read_all(raw).startswith(b"HTTP/1.1 400 ")
    with connect(server) as raw:
        raw.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        found = read_all(raw)
    assert b'headworks_serving_answers_total{status="400"} 3.0\n' in found
    assert b'status="404"' not in found
    assert server.stop() == 0
    assert 'event=refused status=400 error="this is not an HTTP request: illegal request line' in server.log
    assert server.log.count("event=refused") == 3


@pytest.fixture
def crowd() -> Iterator[Callable[[Server, int, bytes], list[socket.socket]]]:
    """Give the function that opens many connections, which are closed in the end."""
    with ExitStack() as stack:

        def open_many(server: Server, number: int, sent: bytes) -> list[socket.socket]:
            found = [stack.enter_context(connect(server)) for _ in range(number)]
            for raw in found:
                raw.sendall(sent)
            return found

        yield open_many


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of another process")
def test_heads_that_never_end_starve_nobody_for_long(
    start: Start, model_path: Path, crowd: Callable[[Server, int, bytes], list[socket.socket]]
) -> None:
    """Where no more files may be open, newcomers wait until the time of others is over; the log says so once."""
    import resource  # noqa: PLC0415 - Windows has none

    server = start(model_path, "--head-seconds", "2")
    assert server.url
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (32, 32))
    crowd(server, 60, HALF)
    server.wait_for(r"(event=crowded connections=\d+ reason=\"Too many open files\")")
    with connect(server) as raw:
        raw.sendall(LEAVING)
        assert read_all(raw).startswith(b"HTTP/1.1 200 ")
    assert server.stop() == 0
    assert server.log.count("event=crowded") == 1
    assert len(server.log.splitlines()) < 10


def test_an_idle_connection_makes_room(
    start: Start, model_path: Path, crowd: Callable[[Server, int, bytes], list[socket.socket]]
) -> None:
    """Where there are as many connections as may be, the one that is idle for longest is closed for a newcomer."""
    server = start(model_path, "--max-connections", "2")
    idle, halting = *crowd(server, 1, READY), *crowd(server, 1, HALF)
    with connect(server) as raw:
        raw.sendall(LEAVING)
        assert read_all(raw).startswith(b"HTTP/1.1 200 ")
        assert read_all(idle).endswith(b'{"ready":true}')
    halting.sendall(b"y\r\n\r\n")
    assert halting.recv(100).startswith(b"HTTP/1.1 200 ")
    assert server.stop() == 0
    assert 'event=crowded connections=2 reason="--max-connections is 2" unsaid=0' in server.log


def test_who_waits_for_room_gets_it_and_a_stop_lets_all_in(
    start: Start, model_path: Path, crowd: Callable[[Server, int, bytes], list[socket.socket]]
) -> None:
    """A connection that the kernel has made is answered, be it after another one ended or when the server stops."""
    server = start(model_path, "--max-connections", "1")
    (first,) = crowd(server, 1, infer(body=BODY[:9], length=len(BODY)))
    second, third = crowd(server, 2, infer())
    server.wait_for("(event=crowded)")
    first.sendall(BODY[9:])
    first.shutdown(socket.SHUT_WR)
    assert read_all(first).startswith(b"HTTP/1.1 200 ")
    assert second.recv(100).startswith(b"HTTP/1.1 200 ")
    server.process.send_signal(15)
    assert read_all(third).startswith(b"HTTP/1.1 200 ")
    assert server.process.wait(20) == 0
    assert " ERROR " not in server.log


def test_a_connection_that_cannot_be_set_up_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems refuse the options of a connection that was reset; its place goes to another one."""

    async def attempt() -> int:
        monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", AsyncMock(side_effect=OSError))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            reception = Reception(listener, Mock(), 1)
            with socket.create_connection(listener.getsockname()) as raw:
                await reception.close()
                raw.settimeout(20)
                assert raw.recv(1) == b""
            return len(reception._open)

    assert asyncio.run(attempt()) == 0


def test_a_refusal_is_logged_where_its_client_does_not_wait_for_it(caplog: pytest.LogCaptureFixture) -> None:
    """A connection that was reset cannot be ended in one direction any more."""

    async def refuse() -> None:
        config = uvicorn.Config(lambda _scope, _receive, _send: None, http="h11", interface="asgi3", log_config=None)
        config.load()
        connection = Connection(
            ServingConfig(),
            count=Mock(),
            on_end=Mock(),
            config=config,
            server_state=uvicorn.Server(config).server_state,
            app_state={},
        )
        transport = Mock(get_extra_info=lambda *_: None, get_write_buffer_size=lambda: 0, is_closing=lambda: False)
        transport.write_eof.side_effect = OSError
        connection.connection_made(transport)
        connection.data_received(b"nonsense\r\n\r\n")
        connection.connection_lost(None)

    asyncio.run(refuse())
    assert [it.getMessage().partition(" error")[0] for it in caplog.records] == ["event=refused status=400"]
