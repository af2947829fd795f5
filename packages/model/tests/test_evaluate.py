"""Evaluation: what is written, what is refused, and the floors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from headworks_data import Dataset, Split, write
from headworks_model import Trained, errors, evaluate, load_floors, load_trained
from headworks_model import _metrics as metrics_module
from headworks_model._cli import main
from hypothesis import given, settings, strategies
from sklearn.metrics import f1_score
from torch.nn import functional


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
    centre, factor = sum(hits) + 1.959964**2 / 2, 16 + 1.959964**2  # Wilson (1927)
    spread = 1.959964 * np.sqrt(16 * np.mean(hits) * (1 - np.mean(hits)) + 1.959964**2 / 4)
    assert [low, high] == pytest.approx([(centre - spread) / factor, (centre + spread) / factor])
    assert high - low > 0.1
    assert np.sum(metrics["confusion"]) == 16
    assert np.trace(metrics["confusion"]) == sum(hits)
    expected = -np.mean([np.log(row["probabilities"][row["label"]]) for row in rows])
    assert metrics["log_loss"] == pytest.approx(expected, rel=1e-4)
    assert set(metrics["slices"]["class"]) == {"top", "bottom"}
    assert set(metrics["peers"]) == {"support vectors", "nearest neighbours", "logistic regression"}


@given(strategies.lists(strategies.tuples(strategies.integers(0, 4), strategies.integers(0, 4)), min_size=1))
def test_macro_f1_is_that_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    """Also where classes have no row, or no prediction."""
    labels, predicted = np.array(rows).T
    assert metrics_module.macro_f1(labels, predicted) == f1_score(labels, predicted, average="macro", zero_division=0)


def test_evaluation_gives_the_same_bytes_again(stages: Path, tiny: Dataset, tmp_path: Path) -> None:
    """In another folder as well."""
    evaluate(tiny, load_trained(stages / "train"), tmp_path)
    for name in ("predictions.parquet", "train.parquet", "metrics.json"):
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


def without(dataset: Dataset, *, keep: int) -> Dataset:
    """Return a dataset with only the first rows of its test split."""
    split = dataset.splits["test"]
    columns = {name: getattr(split, name)[:keep] for name in ("ids", "images", "labels")}
    few = Split(**columns, slices={name: values[:keep] for name, values in split.slices.items()})
    return dataclasses.replace(dataset, splits={**dataset.splits, "test": few}, digest="")


def belonging(trained: Trained, dataset: Dataset, **changes: Any) -> Trained:  # noqa: ANN401 - any attribute
    """Return a network that says that it was trained on a dataset, changed at will."""
    return dataclasses.replace(trained, dataset_digest=dataset.digest, **changes)


def test_the_rows_that_were_learnt_are_predicted_as_well(stages: Path, tiny: Dataset) -> None:
    """In a file of the same form, by the same network."""
    learnt, table = tiny.splits["train"], pq.read_table(stages / "evaluate" / "train.parquet")
    assert table.schema == pq.read_schema(stages / "evaluate" / "predictions.parquet")
    assert table["id"].to_pylist() == sorted(learnt.ids.tolist())
    network = load_trained(stages / "train").network
    network.eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(learnt.take(learnt.order()).images)).softmax(1)
    assert np.array(table["probabilities"].to_pylist()) == pytest.approx(expected.numpy(), abs=1e-5)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_test_rows_are_not_judged(stages: Path, tiny: Dataset, tmp_path: Path, rows: int) -> None:
    """There must be two at least for an interval."""
    dataset = without(tiny, keep=rows)
    with pytest.raises(errors.ShapeError, match=rf"has {rows} row\(s\), at least 2 are needed"):
        evaluate(dataset, belonging(load_trained(stages / "train"), dataset), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_that_were_trained_on_are_not_judged(stages: Path, tiny: Dataset, tmp_path: Path) -> None:
    """Whether the dataset or the evaluation mixed them up."""
    for name in ("train", "validation"):
        dataset = dataclasses.replace(tiny, splits={**tiny.splits, "test": tiny.splits[name]}, digest="")
        with pytest.raises(errors.EvaluationError, match="rows to judge were trained on"):
            evaluate(dataset, belonging(load_trained(stages / "train"), dataset), tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Restless(torch.nn.Module):
    """A network whose dropout never ends."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return two of the pixels of each image, or nothing in their place."""
        return functional.dropout(image.float().flatten(1)[:, :2] / 255, 0.5, training=True)


class Sociable(torch.nn.Module):
    """A network that looks at the rest of a batch, as batch normalisation does in training."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return two of the pixels of each image, less those of the first image."""
        pixels = image.float().flatten(1)[:, :2] / 255
        return pixels - pixels[:1]


@pytest.mark.parametrize("network", [Restless(), Sociable()])
def test_predictions_that_depend_on_chance_or_on_other_rows_are_not_judged(
    stages: Path, tiny: Dataset, tmp_path: Path, network: torch.nn.Module
) -> None:
    """Dropout left on at inference, say, turns the evaluation red."""
    with pytest.raises(errors.EvaluationError, match="when rows are predicted in another order"):
        evaluate(tiny, belonging(load_trained(stages / "train"), tiny, network=network), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_slice_cannot_have_the_name_of_another_column(stages: Path, tiny: Dataset, tmp_path: Path) -> None:
    """Of the file of predictions, that is; the dataset sees to its own."""
    renamed = {
        name: dataclasses.replace(split, slices={"fold": split.slices["class"]}) for name, split in tiny.splits.items()
    }
    dataset = dataclasses.replace(tiny, splits=renamed, digest="")
    with pytest.raises(errors.ShapeError, match="a slice is called 'fold'"):
        evaluate(dataset, belonging(load_trained(stages / "train"), dataset), tmp_path / "out")


def test_the_table_shows_peers_and_slices(stages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every value of every slice with accuracy, rows and interval."""
    assert main(["evaluate", str(stages / "dataset"), str(stages / "train"), str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    (shown,) = [line.split() for line in lines if line.startswith("class=top ")]
    found = metrics["slices"]["class"]["top"]
    assert shown[1:3] == [f"{found['accuracy']:.4f}", str(found["rows"])]
    assert [float(shown[3]), float(shown[5])] == pytest.approx(found["accuracy_interval"], abs=1e-4)
    assert any(line.startswith("nearest neighbours ") for line in lines)
    low, high = metrics["accuracy_interval"]
    assert lines[-1] == f"accuracy on 16 test rows: {low:.4f} to {high:.4f} (95% score interval)"


def test_a_dataset_without_slices_has_no_table_of_them(
    stages: Path, tiny: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor a column in the predictions."""
    bare = {name: dataclasses.replace(split, slices={}) for name, split in tiny.splits.items()}
    write(tmp_path / "data", dataclasses.replace(tiny, splits=bare, digest=""))
    about = json.loads((stages / "train" / "train.json").read_text())
    about["dataset_digest"] = json.loads((tmp_path / "data" / "dataset.json").read_text())["digest"]
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "train.json").write_text(json.dumps(about))
    weights = (stages / "train" / "weights.safetensors").read_bytes()
    (tmp_path / "train" / "weights.safetensors").write_bytes(weights)
    assert main(["evaluate", str(tmp_path / "data"), str(tmp_path / "train"), str(tmp_path / "out")]) == 0
    assert "slice" not in capsys.readouterr().out
    names = pq.read_table(tmp_path / "out" / "predictions.parquet").column_names
    assert names == ["id", "label", "prediction", "probabilities"]


@given(strategies.data())
@settings(max_examples=30)
def test_the_calibration_error_is_that_of_its_bins(data: strategies.DataObject) -> None:
    """The mean over the rows of how far the accuracy of their bin is from its confidence, sure rows included."""
    rows = data.draw(strategies.lists(strategies.tuples(strategies.floats(0.5, 1), strategies.booleans()), min_size=1))
    first = np.array([probability for probability, _ in rows], np.float32)
    labels = np.array([label for _, label in rows], np.int64)
    probabilities = np.stack([first, 1 - first], axis=1)
    bins = metrics_module.calibration_bins(labels, probabilities)
    assert len(bins["edges"]) == len(bins["rows"]) + 1 == 16
    assert sum(bins["rows"]) == len(rows)
    columns = zip(bins["rows"], bins["confidence"], bins["accuracy"], strict=True)
    gaps = [count * abs(confidence - accuracy) for count, confidence, accuracy in columns if count]
    assert metrics_module.calibration_error(labels, probabilities) == pytest.approx(sum(gaps) / len(rows), abs=1e-5)
