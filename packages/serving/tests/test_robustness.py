"""The measured robustness of a served model: rates are those of the model, and no limit is passed over."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from headworks_serving import load_model
from headworks_serving.check._cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Server
    from numpy.typing import NDArray

    Captured = pytest.CaptureFixture[str]

LENIENT: dict[str, Any] = {
    "noise": 30.0,
    "noise_loss": 1,
    "shift": 1,
    "shift_loss": 1.0,
    "blank": [0, 255],
    "blank_confidence": 1,
}


@pytest.fixture
def labelled(evaluated: tuple[Path, Path], model_path: Path, images: NDArray[np.uint8]) -> Path:
    """Give the dataset, with the label of each row that the sound model predicts."""
    path = evaluated[0] / "test.parquet"
    labels = load_model(model_path).predict(images).argmax(axis=1)
    pq.write_table(pq.read_table(path).append_column("label", pa.array(labels)), path)
    return evaluated[0]


def check(dataset: Path, *server: str, text: str = "", **changed: object) -> int:
    """Run the check with settings."""
    settings = dataset / "robustness.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in (LENIENT | changed).items() if value is not None]
    settings.write_text(text or "\n".join(lines), "utf-8")
    return main([f"--dataset={dataset}", f"--robustness={settings}", *server])


def test_rates_are_those_of_the_model(
    labelled: Path, model_path: Path, images: NDArray[np.uint8], capsys: Captured
) -> None:
    """What the server answers gives the same rates as the file does in this process."""
    assert check(labelled, f"--model={model_path}", "--format=json") == 0
    found = json.loads(capsys.readouterr().out)
    rates = {(it["check"], it["input"]): it for it in found.pop("rates")}
    assert found == {"format": 1, "passed": True, "rows": 100, "accuracy": 1.0, "taken": []}
    model = load_model(model_path)
    labels = model.predict(images).argmax(axis=1)
    wide = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    moved = {
        "down by 1 px": wide[:, :4, 1:5],
        "up by 1 px": wide[:, 2:, 1:5],
        "right by 1 px": wide[:, 1:5, :4],
        "left by 1 px": wide[:, 1:5, 2:],
    }
    for words, disturbed in moved.items():
        lost = (model.predict(disturbed).argmax(axis=1) != labels).mean()
        assert rates.pop(("shift", words))["measured"] == pytest.approx(lost)
    assert len({int(model.predict(it).argmax(axis=1).sum()) for it in moved.values()}) > 1
    for level in (0, 255):
        highest = model.predict(np.full((1, 4, 4, 1), level, np.uint8)).max()
        assert rates.pop(("blank", f"level {level}"))["measured"] == pytest.approx(highest)
    assert 0 < rates.pop(("noise", "deviation 30, 5 draws"))["measured"] < 0.5
    assert list(rates.values()) == [
        {"check": "hostile", "input": "33 requests", "measured": 0.0, "limit": 0.0, "passed": True}
    ]


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"noise_loss": 0}, ["noise"]),
        ({"shift_loss": 0}, ["shift"] * 4),
        ({"blank_confidence": 0.3}, ["blank"] * 2),
        ({"noise": 0, "noise_loss": 0, "shift": 0, "shift_loss": 0}, []),
    ],
)
def test_each_limit_is_held(
    labelled: Path, server: Server, changed: dict[str, Any], failed: list[str], capsys: Captured
) -> None:
    """A rate above its limit fails, and is marked; without disturbance nothing is lost."""
    assert check(labelled, f"--url={server.url.removeprefix('http://')}", **changed) == bool(failed)
    printed = capsys.readouterr().out
    assert printed.startswith(f"robustness: {'failed' if failed else 'passed'}: plain rates over 100 rows")
    assert re.findall(r"^  (\w+) .*  FAILED$", printed, re.MULTILINE) == failed


class Altered(BaseHTTPRequestHandler):
    """Passes requests on to a server, and alters the answers; the class of each test says how."""

    protocol_version = "HTTP/1.1"
    address: str
    after: str | None  # the server after the first refusal, None for none
    status: int
    is_late = False

    def do_GET(self) -> None:
        """Pass a question about readiness on."""
        self._pass_on(b"")

    def do_POST(self) -> None:
        """Pass a request for predictions on; of a length that lies, nothing more is read."""
        length = self.headers["Content-Length"]
        self._pass_on(self.rfile.read(int(length)) if length.isdecimal() and int(length) < 2**30 else b"")

    def _pass_on(self, body: bytes) -> None:
        kind = type(self)
        to = kind.after if kind.is_late else kind.address
        if to is None:
            self.close_connection = True
            return
        connection = HTTPConnection(to)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content, is_refused = answer.read(), 400 <= answer.status < 500
        kind.is_late |= is_refused
        self.send_response(kind.status if is_refused else answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def altered(address: str, *, after: str | None, status: int = 400) -> Iterator[str]:
    """Run a server that alters the answers of another, and give its address."""
    kind = type("Altering", (Altered,), {"address": address, "after": after, "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{proxy.server_port}"
        finally:
            proxy.shutdown()


@pytest.mark.parametrize("status", [200, 500])
def test_a_hostile_request_that_is_not_refused_fails(
    labelled: Path, server: Server, status: int, capsys: Captured
) -> None:
    """Neither a prediction from nonsense nor an error of the server is a refusal; each is named."""
    address = server.url.removeprefix("http://")
    with altered(address, after=address, status=status) as url:
        assert check(labelled, f"--url={url}", "--name=model") == 1
    printed = capsys.readouterr().out
    assert re.search(r"^  hostile  33 requests .* 1\.0000, at most 0\.0000  FAILED$", printed, re.MULTILINE)
    assert f"  not refused: NaN as a pixel: status {status}\n" in printed


def test_a_server_that_ceases_to_answer_after_a_hostile_request_fails(
    labelled: Path, server: Server, capsys: Captured
) -> None:
    """The request that did it is named."""
    with altered(server.url.removeprefix("http://"), after=None) as url:
        assert check(labelled, f"--url={url}", "--name=model") == 1
    assert "after a hostile request (NaN as a pixel), the server does not predict" in capsys.readouterr().err


def test_a_server_that_predicts_otherwise_after_a_hostile_request_fails(
    labelled: Path,
    server: Server,
    start: Callable[..., Server],
    make_model: Callable[..., Path],
    tmp_path: Path,
    capsys: Captured,
) -> None:
    """Whatever a request leaves behind in the server is no state that the next one may see."""
    other = start(make_model(tmp_path / "model.onnx", seed=8)).url.removeprefix("http://")
    with altered(server.url.removeprefix("http://"), after=other) as url:
        assert check(labelled, f"--url={url}", "--name=model") == 1
    assert "(NaN as a pixel), the server predicts otherwise than before" in capsys.readouterr().err


def test_a_request_without_an_answer_is_not_refused(labelled: Path, server: Server, capsys: Captured) -> None:
    """A connection that is closed tells a client nothing."""
    with altered(server.url.removeprefix("http://"), after=server.url.removeprefix("http://"), status=99) as url:
        assert check(labelled, f"--url={url}", "--name=model") == 1
    assert "  not refused: NaN as a pixel: no answer\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"noise": None}, "add or remove noise"),
        ({"nois": 1}, "add or remove nois"),
        ({"noise": "much"}, "noise must be a number from 0 to 255, got 'much'"),
        ({"noise_loss": 2}, "noise_loss must be a number from 0 to 1, got 2"),
        ({"noise_loss": True}, "noise_loss must be a number from 0 to 1, got True"),
        ({"shift": 0.5}, "shift must be a whole number from 0 to 255, got 0.5"),
        ({"blank": []}, "blank must be a list of whole numbers from 0 to 255, got []"),
        ({"blank": [0, 256]}, "blank must be a list of whole numbers from 0 to 255, got [0, 256]"),
        ({"blank": 0}, "blank must be a list of whole numbers from 0 to 255, got 0"),
        ({"text": "noise ="}, "cannot read"),
        ({"text": "noise_loss = nan"}, "add or remove"),
    ],
)
def test_settings_are_strict(labelled: Path, changed: dict[str, Any], said: str, capsys: Captured) -> None:
    """No limit is left out or misread; the message names the file and the key."""
    assert check(labelled, "--url=127.0.0.1:1", **changed) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "robustness.toml" in printed


def test_labels_outside_the_classes_are_bad_input(labelled: Path, capsys: Captured) -> None:
    """They would count as mistakes of the model."""
    path = labelled / "test.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, "label", pa.array([3] * 100)), path)
    assert check(labelled, "--url=127.0.0.1:1") == 2
    assert "has labels outside 0..2; build the dataset again" in capsys.readouterr().err
