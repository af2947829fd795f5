"""The check that a server gives the evaluation's predictions: it passes for the right one and for no other."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import shlex
import signal
import socket
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from headworks_serving import load_model
from headworks_serving.check import _client, _process
from headworks_serving.check._cli import main
from headworks_serving.check._compare import Difference, Served, compare
from headworks_serving.check._tables import Predictions, Split
from headworks_serving.errors import ServerFaultError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx
    from conftest import Server
    from numpy.typing import NDArray

    MakeModel = Callable[..., Path]
    Evaluated = tuple[Path, Path]
    Captured = pytest.CaptureFixture[str]


LABELS = ["zero", "one", "two \N{BLACK HEART SUIT}"]


def check(evaluated: Evaluated, *arguments: str) -> int:
    """Run the check on the dataset and the predictions."""
    return main(["--dataset", str(evaluated[0]), "--predictions", str(evaluated[1]), *arguments])


def command(evaluated: Evaluated) -> list[str]:
    """Return the command of the check as its users write it."""
    return [
        *(sys.executable, "-m", "headworks_serving.check"),
        *(f"--dataset={evaluated[0]}", f"--predictions={evaluated[1]}"),
    ]


def change(path: Path, **columns: object) -> None:
    """Write a table again with other columns; None leaves a column out."""
    table = pq.read_table(path)
    for name, values in columns.items():
        index = table.column_names.index(name)
        table = table.remove_column(index) if values is None else table.set_column(index, name, values)
    pq.write_table(table, path)


def test_the_command_passes_for_the_model_that_was_evaluated(evaluated: Evaluated, model_path: Path) -> None:
    """It starts a server, compares each row in both forms of tensors, ends the server, and says so in one line."""
    done = subprocess.run([*command(evaluated), f"--model={model_path}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        'serve-check: passed: 100 rows of the split test, sent to model "model" at 127.0.0.1:'
    )
    assert "as raw bytes and as JSON" in done.stdout
    assert done.stdout.count("\n") == 1


def answers(client: httpx.Client) -> float:
    """Return how many images the server was asked one at a time."""
    found = re.search(
        r'^headworks_serving_infer_rows_bucket\{le="1\.0"\} (\S+)', client.get("/metrics").text, re.MULTILINE
    )
    assert found is not None
    return float(found[1])


def test_latencies_of_single_rows_are_measured(
    evaluated: Evaluated, server: Server, client: httpx.Client, tmp_path: Path
) -> None:
    """As many requests as asked for reach the server, a few uncounted ones before them; the file is whole and new."""
    file = tmp_path / "new" / "latency.json"
    measured = ["--latency", str(file), "--runs", "2", "--requests", "120"]
    sent = ["--url", server.url.removeprefix("http://"), *measured]
    before = answers(client)
    assert check(evaluated, *sent) == 0
    found = json.loads(file.read_text("utf-8"))
    assert (found["format"], found["models"]) == (2, {})
    assert [it["model"] for it in found["runs"]] == ["candidate"] * 2
    for run in found["runs"]:
        assert len(run["latencies_ms"]) == 120
        assert 0 < min(run["latencies_ms"]) <= max(run["latencies_ms"]) < 10_000
        assert run["requests_per_second"] > 1
    assert answers(client) == before + 2 * (10 + 120 + 120)
    change(evaluated[1], prediction=None)
    assert check(evaluated, *sent) == 2
    assert not file.exists()


def test_two_models_take_turns(
    evaluated: Evaluated, model_path: Path, make_model: MakeModel, tmp_path: Path, capsys: Captured
) -> None:
    """The second pair of runs the other way round, each run by a new server; the same model is measured once."""
    file, base = tmp_path / "latency.json", make_model(tmp_path / "other.onnx", seed=8)
    measured = [f"--model={model_path}", f"--latency={file}", "--runs=2", "--requests=20"]
    assert check(evaluated, *measured, f"--base-model={base}") == 0
    shown = capsys.readouterr().out.splitlines()
    for line, role in zip(shown[1:], ("candidate", "base"), strict=True):
        assert re.fullmatch(rf"serve-check: {role}: 2 runs of 20 requests .* \(medians over the runs\)", line)
    found = json.loads(file.read_text("utf-8"))
    assert [it["model"] for it in found["runs"]] == ["candidate", "base", "base", "candidate"]
    files = {"candidate": model_path, "base": base}
    assert found["models"] == {role: hashlib.sha256(it.read_bytes()).hexdigest() for role, it in files.items()}
    measured[2] = "--runs=1"
    base.write_bytes(model_path.read_bytes())
    assert check(evaluated, *measured, f"--base-model={base}") == 0
    assert [it["model"] for it in json.loads(file.read_text("utf-8"))["runs"]] == ["candidate"]


def test_a_base_is_measured_beside_a_model_only(evaluated: Evaluated, model_path: Path, capsys: Captured) -> None:
    """And it has to be there."""
    for more in (["--url=127.0.0.1:1", "--latency=x"], [f"--model={model_path}"]):
        assert check(evaluated, *more, "--base-model=missing.onnx") == 2
        assert "--base-model is measured beside --model" in capsys.readouterr().err
    assert check(evaluated, f"--model={model_path}", "--latency=x", "--base-model=missing.onnx") == 2
    assert "there is no missing.onnx; restore the base's model" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "10001", "few"])
def test_the_number_of_requests_is_bounded(evaluated: Evaluated, number: str, capsys: Captured) -> None:
    """Nobody loads a server without end by a slip."""
    with pytest.raises(SystemExit, match="2"):
        check(evaluated, "--url", "127.0.0.1:1", "--latency", "x.json", "--requests", number)
    assert "is not a whole number from 1 to 10,000" in capsys.readouterr().err


def test_latencies_that_cannot_be_written_are_an_error(
    evaluated: Evaluated, server: Server, tmp_path: Path, capsys: Captured
) -> None:
    """Without a traceback, and before anything is asked where that can be known."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "taken.json.part").mkdir()
    for place in ("folder", "file/latency.json", "taken.json"):
        sent = ["--url", server.url.removeprefix("http://"), "--latency", str(tmp_path / place), "--requests", "1"]
        assert check(evaluated, *sent) == 2
        assert "the latencies cannot be written to" in capsys.readouterr().err


def test_a_server_that_goes_away_while_it_is_measured_fails(
    evaluated: Evaluated, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """It answered the comparison, and then went away."""
    real = _client.time_requests

    def late(_: str, name: str, images: NDArray[np.uint8], *, number: int) -> tuple[list[float], float]:
        return real("127.0.0.1:1", name, images, number=number)

    monkeypatch.setattr("headworks_serving.check._latency.time_requests", late)
    sent = ["--url", server.url.removeprefix("http://"), "--latency", str(tmp_path / "x.json")]
    assert check(evaluated, *sent) == 1
    assert 'the server ceased to predict with the model "model"' in capsys.readouterr().err


def test_a_running_server_can_be_checked(server: Server, evaluated: Evaluated) -> None:
    """The server inside an image is checked by its address, and is left running."""
    assert check(evaluated, "--url", server.url.removeprefix("http://"), "--name", "model") == 0
    assert server.process.poll() is None


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"scale": 1 / 16}, " rows differ, of 100 sent as raw bytes"),
        ({"seed": 8}, "evaluation: class "),
        ({"labels": [LABELS[1], LABELS[2], LABELS[0]]}, "failed: 100 rows differ"),
    ],
)
def test_a_server_with_a_fault_is_found(
    tmp_path: Path, evaluated: Evaluated, make_model: MakeModel, capsys: Captured, fault: dict[str, Any], said: str
) -> None:
    """Scaled pixels, other weights and a shifted label map all fail."""
    metadata = {
        "headworks.labels": json.dumps(fault.pop("labels", LABELS)),
        "headworks.dataset_digest": "d1",
        "headworks.weights_digest": "w1",
    }
    model = make_model(tmp_path / "model.onnx", metadata=metadata, **fault)
    assert check(evaluated, "--model", str(model)) == 1
    printed = capsys.readouterr().out
    assert said in printed
    rows = [line for line in printed.splitlines() if line.startswith("  ")]
    assert len(rows) == 5
    assert all(len(row.split(":")[0]) == 2 + 64 for row in rows)


def test_a_renamed_label_and_another_number_of_classes_are_differences() -> None:
    """Equal probabilities are not enough: the texts count, and so does what the probabilities are about."""
    probabilities = np.array([[0.2, 0.8], [0.9, 0.1]], np.float32)
    split = Split(ids=["x", "y"], images=np.zeros((2, 1, 1, 1), np.uint8), classes=["a", "b"])
    predictions = Predictions(ids=["y", "x"], predicted=np.array([0, 1]), probabilities=probabilities[::-1])
    assert compare(split, predictions, Served(labels=["b", "a"], probabilities=probabilities)).differences == []
    renamed = compare(split, predictions, Served(labels=["B", "a"], probabilities=probabilities))
    assert renamed.differences == [Difference(id="x", expected='class 1 "b"', served='class 1 "B"')]
    wider = compare(
        split, predictions, Served(labels=["b", "a"], probabilities=np.pad(probabilities, ((0, 0), (0, 1))))
    )
    assert wider.differences[0] == Difference(id="x", expected="2 probabilities", served="3 probabilities")
    assert (wider.largest, len(wider.differences)) == (np.inf, 2)


def test_a_small_difference_of_probabilities_is_found(
    server: Server, evaluated: Evaluated, model_path: Path, images: NDArray[np.uint8], capsys: Captured
) -> None:
    """2e-4 is too much and 5e-5 is not, and what is no number equals nothing."""
    probabilities = load_model(model_path).predict(images)[::-1].copy()
    probabilities[0] += 5e-5
    probabilities[1, 2] += 2e-4
    probabilities[2, 0] = np.nan
    change(evaluated[1], probabilities=pa.array(probabilities.tolist(), pa.list_(pa.float32())))
    assert check(evaluated, "--url", server.url.removeprefix("http://")) == 1
    printed = capsys.readouterr().out
    assert "failed: 2 rows differ, of 100 sent as raw bytes; the largest difference of a probability is inf" in printed
    assert f"{98:064x}: evaluation: probability {probabilities[1, 2]:.6f} of class 2; server: probability" in printed
    assert f"{97:064x}: evaluation: probability nan of class 0" in printed


def test_rows_that_one_side_lacks_are_found(server: Server, evaluated: Evaluated, capsys: Captured) -> None:
    """A prediction without its row and a row without its prediction are differences."""
    rows = pq.read_table(evaluated[1])
    ids = ["f" * 64, *rows["id"].to_pylist()[1:]]
    change(evaluated[1], id=pa.array(ids))
    assert check(evaluated, "--url", server.url.removeprefix("http://")) == 1
    printed = capsys.readouterr().out
    assert "failed: 2 rows differ" in printed
    assert f"{99:064x}: evaluation: no row for this id; server: a row of the split" in printed
    assert f"{'f' * 64}: evaluation: a prediction; server: no row of the split" in printed


def test_no_rows_are_no_success(evaluated: Evaluated, model_path: Path, capsys: Captured) -> None:
    """An empty split proves nothing, even where there are no predictions either."""
    for path in (evaluated[0] / "test.parquet", evaluated[1]):
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    assert check(evaluated, "--model", str(model_path)) == 1
    assert "the split test has no rows, so nothing can be compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("test.parquet", None, "there is no {path}; make it"),
        ("test.parquet", b"PAR1 and no more", "cannot read {path}: "),
        ("dataset.json", None, "cannot read {path}: "),
        ("dataset.json", b"{", "cannot read {path}: "),
        ("dataset.json", b"[]", "{path} has no list of the names of classes"),
        ("dataset.json", b'{"classes": 10}', "{path} has no list of the names of classes"),
        ("dataset.json", b'{"classes": ["a", "b"]}', "predictions.parquet does not hold 2 probabilities for each row"),
        ("predictions.parquet", b"", "cannot read {path}: "),
    ],
)
def test_a_broken_file_is_bad_input(
    evaluated: Evaluated, model_path: Path, capsys: Captured, file: str, content: bytes | None, said: str
) -> None:
    """The message names the file; no server is started for it."""
    path = evaluated[0] / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert check(evaluated, "--model", str(model_path)) == 2
    assert said.format(path=path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "columns", "said"),
    [
        ("test.parquet", {"image": None}, "lacks the columns image; it has id"),
        (
            "test.parquet",
            {"image": pa.array([0] * 100)},
            "image of {path} is int64, not a fixed-shape tensor",
        ),
        ("test.parquet", {"id": pa.array(["a"] * 100)}, "{path} has an id twice"),
        ("predictions.parquet", {"id": pa.array([None, *map(str, range(99))])}, "{path} has gaps in id"),
        ("predictions.parquet", {"prediction": None, "id": None}, "lacks the columns id, prediction; it has prob"),
        ("predictions.parquet", {"prediction": pa.array([3] * 100)}, "predicts classes outside 0..2"),
        ("predictions.parquet", {"prediction": pa.array(["x"] * 100)}, "does not hold 3 probabilities for each row"),
        ("predictions.parquet", {"probabilities": pa.array([[0.5]] * 99 + [[1, 0]])}, "does not hold 3 probabilities"),
    ],
)
def test_a_table_of_another_form_is_bad_input(
    evaluated: Evaluated, model_path: Path, capsys: Captured, file: str, columns: dict[str, object], said: str
) -> None:
    """Missing columns, gaps, doubled ids and impossible values are named with their file."""
    change(evaluated[0] / file, **columns)
    assert check(evaluated, "--model", str(model_path)) == 2
    assert said.format(path=evaluated[0] / file) in capsys.readouterr().err


def test_a_model_that_cannot_be_served_is_bad_input(evaluated: Evaluated, tmp_path: Path, capsys: Captured) -> None:
    """The server's own message is handed on."""
    assert check(evaluated, "--model", str(tmp_path / "missing.onnx")) == 2
    assert "No such file or directory; export it again" in capsys.readouterr().err


def test_a_model_for_other_images_fails(
    evaluated: Evaluated, tmp_path: Path, make_model: MakeModel, capsys: Captured
) -> None:
    """A server that refuses the rows of the split does not serve the model that was evaluated."""
    model = make_model(tmp_path / "model.onnx", image=("image", 2, ["batch", 2, 8, 1]))
    assert check(evaluated, "--model", str(model)) == 1
    assert (
        'the server does not predict with the model "model": InferenceServerException: [400]' in capsys.readouterr().err
    )


def test_no_server_at_the_address_fails_in_time(evaluated: Evaluated, capsys: Captured) -> None:
    """Waiting ends, and the message says what to look at."""
    assert check(evaluated, "--url", "127.0.0.1:1", "--timeout", "0.2") == 1
    assert 'no server at 127.0.0.1:1 is ready to predict with a model "model" after 0.2 s' in capsys.readouterr().err


def test_ctrl_c_ends_the_check_without_a_verdict(evaluated: Evaluated) -> None:
    """A check that was stopped has neither passed nor failed, and shows no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # The check connects, and waits for an answer.
        arguments = [f"--url=127.0.0.1:{silent.getsockname()[1]}"]
        process = subprocess.Popen([*command(evaluated), *arguments], stderr=subprocess.PIPE, text=True)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, printed = process.communicate(timeout=20)
    assert process.returncode == 130
    assert printed == "serve-check: stopped before every row was compared\n"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "localhost", "127.0.0.1:http", "h:0", "h:65536", "h:999999"])
def test_an_address_of_another_form_is_a_usage_error(evaluated: Evaluated, url: str, capsys: Captured) -> None:
    """The form that is wanted is shown."""
    with pytest.raises(SystemExit, match="2"):
        check(evaluated, "--url", url)
    assert "is not of the form HOST:PORT, such as 127.0.0.1:8000" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "x"])
def test_a_timeout_that_never_ends_is_a_usage_error(evaluated: Evaluated, seconds: str, capsys: Captured) -> None:
    """A wait is always bounded."""
    with pytest.raises(SystemExit, match="2"):
        check(evaluated, "--url", "127.0.0.1:1", f"--timeout={seconds}")
    assert f"{seconds!r} is not a number of seconds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("closed", "status", "said"),
    [
        (">&-", 0, ""),
        (">/dev/full", 2, "serve-check: error: cannot write the report: No space left on device; write it elsewhere\n"),
    ],
)
def test_a_report_that_cannot_be_written_leaves_no_traceback(
    server: Server, evaluated: Evaluated, closed: str, status: int, said: str
) -> None:
    """A full disk is an error, and no failure of the server; a closed output is nobody's."""
    words = shlex.join([*command(evaluated), f"--url={server.url.removeprefix('http://')}"])
    done = subprocess.run(["sh", "-c", f"{words} {closed}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, said)


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("exit 7", 1, "the server ended with exit code 7 before it was ready"),
        ("exec sleep 60", 1, "the server was not ready after 1 s"),
        (
            "trap 'exit 3' TERM; ready; while :; do sleep 0.1; done",
            1,
            "ended with exit code 3 after SIGTERM",
        ),
        ("trap '' TERM; ready; while :; do sleep 0.1; done", 1, "still ran 0.3 s after SIGTERM"),
    ],
)
def test_a_server_that_does_not_start_or_end_as_it_should_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, status: int, said: str
) -> None:
    """A server that predicts well but cannot be stopped is not fit to be deployed."""
    program = tmp_path / "python"
    ready = 'ready() { echo "x INFO event=ready model=model url=http://127.0.0.1:1 classes=3" >&2; }'
    program.write_text(f"#!/bin/sh\n{ready}\n{script}\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(_process, "_STOP_SECONDS", 0.3 if "still ran" in said else 30)
    with pytest.raises(ServerFaultError, match=said) as caught, _process.started_server(tmp_path, seconds=1) as address:
        assert address == "127.0.0.1:1"
    assert caught.value.exit_code == status


def test_the_extra_is_named_where_it_is_missing() -> None:
    """Without it the command says what to install, not where an import failed."""
    code = (
        "import runpy, sys; sys.modules['tritonclient'] = None; "
        "runpy.run_module('headworks_serving.check', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("; install headworks-serving[check]\n")
    assert done.stderr.count("\n") == 1


def test_ctrl_c_while_the_check_starts_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports take a second."""

    class Slow(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "headworks_serving.check._cli", Slow("slow"))
    with pytest.raises(SystemExit, match="130"):
        runpy.run_module("headworks_serving.check", run_name="__main__")
