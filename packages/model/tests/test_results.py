"""Evaluation and export: what is written, what is refused, and the command line around them."""

from __future__ import annotations

import dataclasses
import json
import runpy
import shutil
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import headgate_model
import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet as pq
import pytest
import torch
from headgate_data import Dataset, Split, content_ids, write
from headgate_model import (
    Probabilities,
    TrainConfig,
    Trained,
    errors,
    evaluate,
    export,
    load_floors,
    load_trained,
    predict,
    train,
)
from headgate_model import _export as export_module
from headgate_model import _metrics as metrics_module
from headgate_model._cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHORT = ["--set", "epochs=3", "--set", "width=4"]


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read what a process writes to standard error up to a line with a text."""
    assert process.stderr is not None
    while text not in process.stderr.readline():
        assert process.poll() is None


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    """Draw the intervals from fewer resamples: that takes most of an evaluation, and says no more about it here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(metrics_module, "RESAMPLES", 50)
        yield


@pytest.fixture(scope="module")
def stages(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the three commands on a tiny dataset and return the folder that holds all results."""
    folder = tmp_path_factory.mktemp("stages")
    write(folder / "dataset", tiny)
    data, trained = str(folder / "dataset"), str(folder / "train")
    assert main(["train", data, trained, "--set", "epochs=20", "--set", "width=8", "--set", "batch_size=16"]) == 0
    assert main(["evaluate", data, trained, str(folder / "evaluate")]) == 0
    assert main(["export", data, trained, str(folder / "export")]) == 0
    return folder


def test_predictions_are_written_for_every_test_row(stages: Path, tiny: Dataset) -> None:
    """Sorted by id, with label, prediction, probabilities and slices."""
    table = pq.read_table(stages / "evaluate" / "predictions.parquet")
    assert table.column_names == ["id", "label", "prediction", "probabilities", "class"]
    split = tiny.splits["test"]
    assert table["id"].to_pylist() == sorted(split.ids.tolist())
    labels = dict(zip(split.ids.tolist(), split.labels.tolist(), strict=True))
    assert table["label"].to_pylist() == [labels[it] for it in table["id"].to_pylist()]
    for row in table.to_pylist():
        assert sum(row["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert row["prediction"] == int(np.argmax(row["probabilities"]))


def test_metrics_are_those_of_the_predictions(stages: Path) -> None:
    """Each figure can be computed again from the rows."""
    metrics = json.loads((stages / "evaluate" / "metrics.json").read_text())
    rows = pq.read_table(stages / "evaluate" / "predictions.parquet").to_pylist()
    hits = [row["label"] == row["prediction"] for row in rows]
    assert metrics["rows"] == len(rows) == 16
    assert metrics["accuracy"] == np.mean(hits)
    low, high = metrics["accuracy_interval"]
    assert 0 <= low <= metrics["accuracy"] <= high <= 1
    assert np.sum(metrics["confusion"]) == 16
    assert np.trace(metrics["confusion"]) == sum(hits)
    expected = -np.mean([np.log(row["probabilities"][row["label"]]) for row in rows])
    assert metrics["log_loss"] == pytest.approx(expected, rel=1e-4)
    assert set(metrics["slices"]["class"]) == {"top", "bottom"}
    assert set(metrics["peers"]) == {"support vectors", "nearest neighbours", "logistic regression"}


def test_evaluation_gives_the_same_bytes_again(stages: Path, tiny: Dataset, tmp_path: Path) -> None:
    """In another folder as well."""
    evaluate(tiny, load_trained(stages / "train"), tmp_path)
    for name in ("predictions.parquet", "metrics.json"):
        assert (tmp_path / name).read_bytes() == (stages / "evaluate" / name).read_bytes()


def test_a_model_below_its_floors_fails_by_name(
    stages: Path, tiny: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Permuted labels in training, say, turn the evaluation red."""
    train_split = tiny.splits["train"]
    permuted = dataclasses.replace(train_split, labels=1 - train_split.labels)
    fooled = dataclasses.replace(tiny, splits={**tiny.splits, "train": permuted}, digest="")
    write(tmp_path / "data", fooled)
    (tmp_path / "floors.toml").write_text("accuracy = 0.9\nrecall = 0.5\n")
    data, out = str(tmp_path / "data"), str(tmp_path / "train")
    assert main(["train", data, out, "--set", "epochs=6", "--set", "width=8"]) == 0
    command = ["evaluate", data, out, str(tmp_path / "evaluate"), "--floors", str(tmp_path / "floors.toml")]
    assert main(command) == 1
    assert "too low: accuracy is 0." in capsys.readouterr().err
    data, out = str(stages / "dataset"), str(stages / "train")
    assert main(["evaluate", data, out, str(tmp_path / "again"), "--floors", str(tmp_path / "floors.toml")]) == 0


def test_the_committed_floors_can_be_read() -> None:
    """And they ask for something."""
    floors = load_floors(Path(__file__).parents[1] / "evaluate.toml")
    assert floors.accuracy > 0.9
    assert floors.recall > 0.5


def test_the_exported_model_predicts_as_torch_does(stages: Path, tiny: Dataset) -> None:
    """From raw pixels, for any batch size."""
    trained = load_trained(stages / "train")
    session = onnxruntime.InferenceSession(stages / "export" / "model.onnx", providers=["CPUExecutionProvider"])
    images = tiny.splits["test"].images
    expected = predict(Probabilities(trained.network), images, threads=1)
    for rows in (1, 5, 16):
        (probabilities,) = session.run(None, {"image": images[:rows]})
        assert np.abs(probabilities - expected[:rows]).max() <= 1e-5
    assert session.get_inputs()[0].type == "tensor(uint8)"


def test_the_exported_model_describes_itself(stages: Path, tiny: Dataset) -> None:
    """Labels and digests are in its metadata; no path and no stack trace is."""
    content = (stages / "export" / "model.onnx").read_bytes()
    about = {it.key: it.value for it in onnx.load_from_string(content).metadata_props}
    assert json.loads(about["headgate.labels"]) == ["top", "bottom"]
    assert about["headgate.dataset_digest"] == tiny.digest
    assert about["headgate.weights_digest"] == load_trained(stages / "train").weights_digest
    assert b".py" not in content
    assert str(stages).encode() not in content


def test_a_reformatted_source_gives_the_same_model(
    stages: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """The bytes depend on graph, weights and metadata, not on lines, comments or folders; no warning, no telemetry."""
    source = Path(str(resources.files(headgate_model)))
    shutil.copytree(source, tmp_path / "headgate_model")
    network = tmp_path / "headgate_model" / "_network.py"
    network.write_text(
        "# Reformatted.\n\n\n" + network.read_text().replace("    def forward", "    # Why.\n\n    def forward")
    )
    folders = [str(stages / "dataset"), str(stages / "train"), str(tmp_path / "export")]
    home = tmp_path / "home"
    home.mkdir()
    with start("export", *folders, PYTHONPATH=str(tmp_path), HOME=str(home)) as process:
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 0
    assert list(home.rglob("*onnxruntime*")) == []
    assert (tmp_path / "export" / "model.onnx").read_bytes() == (stages / "export" / "model.onnx").read_bytes()


def test_a_graph_that_computes_something_else_is_not_written(
    stages: Path, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the weights change between export and comparison."""
    trained = load_trained(stages / "train")
    content = export_module.to_onnx(trained)
    monkeypatch.setattr(export_module, "to_onnx", lambda _: content)
    with torch.no_grad():
        next(iter(trained.network.parameters())).add_(0.5)
    with pytest.raises(errors.ExportError, match="differs from the network by"):
        export(tiny, trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_metadata_of_nested_graphs_are_stripped_as_well() -> None:
    """A network of another team may branch, and its branches are graphs of their own."""
    branch = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["a"], ["b"], doc_string="a.py")], "g", [], [])
    node = onnx.helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], []), producer_version="1", doc_string="a.py")
    content = export_module.strip(model).SerializeToString()
    assert b"a.py" not in content
    assert b"Identity" in content
    assert not model.producer_version


class Moody(torch.nn.Module):
    """A network that branches on what it sees, which no graph of a fixed form can express."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return two of the pixels of each image, or of its negative."""
        pixels = image.float().flatten(1)[:, :2]
        return pixels if pixels.sum() > 0 else -pixels


def test_a_network_that_torch_cannot_export_is_named(stages: Path, tiny: Dataset, tmp_path: Path) -> None:
    """In one line, and nothing is written."""
    trained = dataclasses.replace(load_trained(stages / "train"), network=Moody())
    with pytest.raises(errors.ExportError, match="torch cannot export network 'conv'") as raised:
        export(tiny, trained, tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def no_test_rows(tiny: Dataset, tmp_path: Path) -> tuple[Dataset, Trained]:
    """Give a dataset without test rows, and a network that was trained on it."""
    none = np.zeros((0, 6, 5, 1), np.uint8)
    empty = Split(
        ids=content_ids(none), images=none, labels=np.zeros(0, np.int64), slices={"class": np.array([], "U1")}
    )
    dataset = dataclasses.replace(tiny, splits={**tiny.splits, "test": empty}, digest="")
    return dataset, train(dataset, tmp_path / "train", config=TrainConfig(epochs=1, width=4))


def test_without_test_rows_nothing_is_judged(no_test_rows: tuple[Dataset, Trained], tmp_path: Path) -> None:
    """Neither evaluation nor export passes on no rows."""
    for stage in (evaluate, export):
        with pytest.raises(errors.ShapeError, match="the test split has no rows"):
            stage(*no_test_rows, tmp_path / "out")


def test_another_dataset_is_refused(stages: Path, digits: Dataset, tmp_path: Path) -> None:
    """Its test rows may have been trained on."""
    for stage in (evaluate, export):
        with pytest.raises(errors.TrainedError, match="was trained on dataset"):
            stage(digits, load_trained(stages / "train"), tmp_path)


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["train", "{none}", "{out}"], 2, "there is no dataset in"),
        (["train", "{data}", "{out}", "--set", "epoch=3"], 2, "did you mean 'epochs'"),
        (["evaluate", "{data}", "{none}", "{out}"], 2, "holds no finished training"),
        (["train", "{data}", "{file}", *SHORT], 2, "free space or choose another folder"),
        (["train", "{data}", "{out}", *SHORT, "--set", "learning_rate=1e30", "--set", "warmup=0"], 1, "learning_rate"),
    ],
)
def test_bad_input_is_one_clear_line(
    stages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], code: int, message: str
) -> None:
    """No traceback, and the exit code tells what kind it is."""
    (tmp_path / "file").touch()
    names = {"none": tmp_path / "none", "out": tmp_path / "out", "file": tmp_path / "file", "data": stages / "dataset"}
    assert main([word.format(**names) for word in command]) == code
    assert message in capsys.readouterr().err.splitlines()[-1]


def interrupt(*_: object, **__: object) -> None:
    """Act like Ctrl-C, at once."""
    raise KeyboardInterrupt


def test_an_interrupted_training_says_how_to_go_on(
    stages: Path,
    tmp_path: Path,
    start: Callable[..., subprocess.Popen[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real Ctrl-C ends it with the usual code and no traceback, and what it advises works."""
    command = ["train", str(stages / "dataset"), str(tmp_path / "out"), "--set", "epochs=30", "--set", "width=4"]
    with start(*command) as process:
        wait_for(process, "epoch 2/30")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "the same command with --resume" in rest.splitlines()[-1]
    with monkeypatch.context() as patched:
        patched.setattr(headgate_model, "train", interrupt)
        assert main([*command, "--resume"]) == 130
    assert "the same command with --resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0


@pytest.mark.parametrize(
    ("command", "name", "message"),
    [
        (["train", "{data}", "{out}"], "train", "there is nothing to go on with"),
        (["export", "{data}", "{trained}", "{out}"], "export", "nothing was written"),
    ],
)
def test_an_early_interruption_promises_nothing(
    stages: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    name: str,
    message: str,
) -> None:
    """Nothing was kept, and that is what it says."""
    monkeypatch.setattr(headgate_model, name, interrupt)
    names = {"data": stages / "dataset", "trained": stages / "train", "out": tmp_path / "out"}
    assert main([word.format(**names) for word in command]) == 130
    assert message in capsys.readouterr().err


def test_an_interruption_while_starting_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports take seconds, in which one may give up as well."""

    class Slow(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "headgate_model._cli", Slow("slow"))
    with pytest.raises(SystemExit) as raised:
        runpy.run_module("headgate_model", run_name="__main__")
    assert raised.value.code == 130


def test_torch_is_not_loaded_before_it_is_needed() -> None:
    """Help and wrong usage are answered at once; every public name is there all the same."""
    code = (
        "import sys, headgate_model, headgate_model._cli; print('torch' in sys.modules, 'train' in dir(headgate_model))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False True\n"
    assert all(hasattr(headgate_model, name) for name in headgate_model.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        headgate_model.trian  # type: ignore[attr-defined]  # noqa: B018 - wrong on purpose


def test_the_module_is_a_command() -> None:
    """`python -m headgate_model` lists its commands."""
    done = subprocess.run([sys.executable, "-m", "headgate_model", "-h"], check=True, capture_output=True, text=True)
    assert "train a network on a dataset" in done.stdout
