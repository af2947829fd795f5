"""The server as a process: how it starts, what it refuses to start with, and how it ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING
from unittest.mock import Mock

import httpx
import pytest
from headworks_serving._cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from conftest import Server
    from numpy.typing import NDArray

    Start = Callable[..., Server]

FORBIDDEN = {"torch", "pyarrow", "sklearn", "onnx", "tritonclient", "httpx", "pandas", "scipy", "gevent", "aiohttp"}
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING) (\w+=(\"([^\"\\]|\\.)*\"|\S+) ?)+")


def body(images: NDArray[np.uint8]) -> bytes:
    """Return a request."""
    image = {"name": "image", "datatype": "UINT8", "shape": images.shape, "data": images.tolist()}
    return json.dumps({"inputs": [image]}).encode()


class Load:
    """Clients that send one request after the other until the server cannot be reached, and count what is lost."""

    def __init__(self, url: str, content: bytes, *, keep_alive: bool) -> None:
        """Start four of them."""
        self.answered = 0
        self.lost: list[str] = []
        self._url, self._content = f"{url}/v2/models/model/infer", content
        self._keep = 10 if keep_alive else 0
        self.threads = [threading.Thread(target=self._run) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def _run(self) -> None:
        with httpx.Client(limits=httpx.Limits(max_keepalive_connections=self._keep), timeout=20) as client:
            while True:
                try:
                    status = client.post(self._url, content=self._content).status_code
                except httpx.ConnectError:  # Refused: the client knows that its request was not taken.
                    return
                except httpx.TransportError as error:
                    self.lost.append(repr(error))
                    return
                if status != 200:
                    self.lost.append(str(status))
                self.answered += 1
                time.sleep(0.005)  # four that never wait would only keep the processors busy


@pytest.mark.parametrize("keep_alive", [True, False])
def test_sigterm_under_load_loses_no_request(
    start: Start, model_path: Path, images: NDArray[np.uint8], *, keep_alive: bool
) -> None:
    """Each request that was taken is answered, clients are told to leave, and the exit code is 0."""
    # On a busy machine a client may be silent for longer than the half second that it gets unless told otherwise.
    server = start(model_path, "--drain-seconds", "2")
    load = Load(server.url, body(images[:20]), keep_alive=keep_alive)
    while load.answered < 50:
        time.sleep(0.01)
    begin = time.monotonic()
    assert server.stop() == 0
    seconds = time.monotonic() - begin
    for thread in load.threads:
        thread.join()
    assert load.lost == []
    assert 2 <= seconds < 10
    assert re.search(r"event=stopping connections=\d+\n.*event=stopped requests=\d+\n$", server.log, re.DOTALL)


def test_a_request_that_is_arriving_when_the_stop_comes_is_answered(
    start: Start, model_path: Path, images: NDArray[np.uint8]
) -> None:
    """While it waits for the rest of a body, the server answers others and sends them away, and then refuses them."""
    server = start(model_path, "--drain-seconds", "1")
    host = server.url.removeprefix("http://")
    content = body(images[:1])
    busy, idle = http.client.HTTPConnection(host, timeout=20), http.client.HTTPConnection(host, timeout=20)
    busy.putrequest("POST", "/v2/models/model/infer")
    busy.putheader("Content-Length", str(len(content)))
    busy.endheaders(content[:20])
    idle.request("GET", "/v2/health/ready")
    assert idle.getresponse().read() == b'{"ready":true}'
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("(event=stopping)")
    for client in (idle, http.client.HTTPConnection(host, timeout=20)):
        client.request("GET", "/v2/health/ready")
        found = client.getresponse()
        assert (found.status, found.read(), found.headers["Connection"]) == (503, b'{"ready":false}', "close")
    with contextlib.suppress(httpx.ConnectError):
        for _ in range(1000):
            assert httpx.get(server.url).headers["Connection"] == "close"
            time.sleep(0.02)
        pytest.fail("newcomers are never refused")
    time.sleep(1.2)  # longer than idle connections are listened to
    busy.send(content[20:])
    answer = busy.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert len(json.loads(answer.read())["outputs"][1]["data"]) == 1
    assert server.process.wait(10) == 0


def test_a_second_signal_ends_it_without_further_time(start: Start, model_path: Path) -> None:
    """Who presses Ctrl-C twice does not wait for clients."""
    server = start(model_path, "--drain-seconds", "60")
    assert server.url
    server.process.send_signal(signal.SIGINT)
    server.wait_for("(event=stopping)")
    assert server.stop(signal.SIGINT) == 0


def test_ctrl_c_is_a_stop_too(start: Start, model_path: Path) -> None:
    """A person at a terminal sees no traceback."""
    server = start(model_path)
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with socket.create_connection(address):  # idle all the time
        assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.log


def test_a_stop_before_the_model_is_loaded_ends_at_once(start: Start, tmp_path: Path) -> None:
    """As process 1 of a container, a server without a handler would have to be killed."""
    os.mkfifo(tmp_path / "model.onnx")  # which is read as long as nobody writes
    server = start(tmp_path / "model.onnx")
    server.wait_for("(event=loading)")
    assert server.stop() == 0
    assert "event=stopped signal=SIGTERM" in server.log


@pytest.mark.parametrize("outcome", ["swallowed", "another error"])
@pytest.mark.parametrize("place", ["headworks_serving._source.load_model", "headworks_serving.__getattr__"])
def test_a_stop_is_not_lost_in_what_is_imported_or_loaded(
    model_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str, outcome: str
) -> None:
    """Some imports swallow what a signal raises, or make another error of it; the server never begins to listen."""

    def stop_in_vain(*_arguments: object, **_options: object) -> Mock:
        with contextlib.suppress(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        return {"swallowed": Mock(labels=())}[outcome]

    monkeypatch.setattr(place, stop_in_vain)
    try:
        status: object = main([str(model_path), "--port", "0"])
    except SystemExit as error:
        status = error.code
    assert status == 0
    assert [record.getMessage() for record in caplog.records if "loading" not in record.getMessage()] == [
        "event=stopped signal=SIGTERM"
    ]


def test_connections_are_refused_until_the_model_has_predicted(start: Start, tmp_path: Path, model_path: Path) -> None:
    """A server that can be reached is a server that is ready."""
    os.mkfifo(tmp_path / "model.onnx")
    server = start(tmp_path / "model.onnx", "--port", "0")
    port = int(server.wait_for(r"event=loading .*port=(\d+)"))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    (tmp_path / "model.onnx").write_bytes(model_path.read_bytes())
    assert server.url.endswith(f":{port}")
    assert httpx.get(f"{server.url}/v2/models/model/ready").status_code == 200


def test_every_line_of_the_log_has_one_form(start: Start, model_path: Path, images: NDArray[np.uint8]) -> None:
    """Events of requests, of refusals and of broken HTTP are lines of `key=value`, whatever a client sends."""
    server = start(model_path)
    httpx.post(f"{server.url}/v2/models/model/infer", content=body(images[:3]))
    httpx.post(f"{server.url}/v2/models/a%0Aevent=forged/infer", content=b"{}")
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with socket.create_connection(address) as raw:
        raw.sendall(b"nonsense\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection(address) as raw:  # goes away in the middle of its request
        raw.sendall(b"POST /v2/models/model/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    server.wait_for("(went away)")
    assert server.stop() == 0
    lines = server.log.splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    events = [re.search(r"event=(\w+)", line) for line in lines]
    names = [event[1] for event in events if event]
    assert names == ["loading", "ready", "infer", "refused", "refused", "refused", "stopping", "stopped"]
    assert " event=infer status=200 rows=3 ms=" in server.log


def test_a_body_that_does_not_arrive_is_given_up(start: Start, model_path: Path) -> None:
    """A client that says it will send more than it does gets an answer in time, and the connection ends."""
    server = start(model_path, "--body-seconds", "0.2", "--host", "::1")
    assert server.url.startswith("http://[::1]:")  # The address in the log can be used as it stands.
    with socket.create_connection(("::1", int(server.url.rpartition(":")[2])), timeout=10) as raw:
        raw.sendall(b"POST /v2/models/model/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        answer = b"".join(iter(lambda: raw.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'{"error":"the body did not arrive within 0.2 s"}' in answer
    assert server.stop() == 0


def test_the_running_server_imports_and_leaves_only_what_it_needs(
    start: Start, model_path: Path, images: NDArray[np.uint8], tmp_path: Path
) -> None:
    """Nothing of training, data or clients is imported, and no telemetry of ONNX Runtime is kept for sending."""
    home = tmp_path / "home"
    home.mkdir()
    server = start(model_path, python=("-X", "importtime"), home=str(home))
    assert httpx.post(f"{server.url}/v2/models/model/infer", content=body(images[:3])).status_code == 200
    assert httpx.get(f"{server.url}/v2").status_code == 200
    assert server.stop() == 0
    imported = {name.partition(".")[0] for name in re.findall(r"\| +([\w.]+)$", server.log, re.MULTILINE)}
    assert {"onnxruntime", "starlette", "uvicorn", "orjson"} <= imported
    assert imported & FORBIDDEN == set()
    assert list(home.iterdir()) == []


def test_a_port_in_use_is_one_clear_error(server: Server, model_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The message names the address, the reason and the option that helps."""
    port = server.url.rpartition(":")[2]
    assert main([str(model_path), "--port", port]) == 2
    expected = f"cannot listen on 127.0.0.1 port {port}: Address already in use; give another --host or --port"
    assert capfd.readouterr().err == f"headworks_serving: error: {expected}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "host.invalid"], "cannot listen on host.invalid port 8000: "),
        (["--host", "a" * 70], "give another --host or --port"),
        (["--host", "192.0.2.1"], "Cannot assign requested address"),
        (["--port", "70000"], "port is 70000; give a number from 0 (any free port) to 65535"),
        (["--workers", "0"], "workers is 0; give a number from 1 to 1024"),
        (["--idle-seconds", "0"], "idle_seconds is 0.0; give a finite time above 0"),
    ],
)
def test_a_wrong_option_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], model_path: Path, arguments: list[str], said: str
) -> None:
    """The exit code is 2 and nothing was served."""
    assert main([str(model_path), *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file or directory"), (b"no model", "is not an ONNX model")]
)
def test_a_wrong_model_is_one_clear_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    """Neither a traceback nor lines of ONNX Runtime surround the message, and signals do what they did before."""
    before = signal.getsignal(signal.SIGTERM)
    if content is not None:
        (tmp_path / "model.onnx").write_bytes(content)
    assert main([str(tmp_path / "model.onnx"), "--port", "0"]) == 2
    printed = capfd.readouterr().err
    assert printed.startswith("headworks_serving: error: ")
    assert printed.count("\n") == 1
    assert said in printed
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_help_says_the_limits(capsys: pytest.CaptureFixture[str]) -> None:
    """Each default can be read without looking into the code."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "most images in one request (default: 1024)" in re.sub(r"\s+", " ", capsys.readouterr().out)
