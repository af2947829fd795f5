"""Peers: simple models beside the network, where they can be fitted and where that does not take long."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from headworks_data import Dataset, Split, content_ids
from headworks_model import Floors, _peers, crossfit, errors, evaluate, load_trained, shortfalls
from headworks_model._cli import main, table
from headworks_model._metrics import measure
from headworks_model._peers import PEERS, judge_peers

if TYPE_CHECKING:
    from pathlib import Path


def with_train(dataset: Dataset, labels: list[int]) -> Dataset:
    """Return a dataset that has other rows to learn from."""
    rows = np.random.default_rng(0).integers(0, 256, (len(labels), *dataset.image_shape), np.uint8)
    names = np.array(dataset.classes)[labels]
    split = Split(ids=content_ids(rows), images=rows, labels=np.array(labels, np.int64), slices={"class": names})
    return dataclasses.replace(dataset, splits={**dataset.splits, "train": split}, digest="")


@pytest.mark.parametrize(("labels", "left_out"), [([0] * 8, 2), ([0, 1], 1)])
def test_a_peer_that_cannot_be_fitted_is_left_out(tiny: Dataset, labels: list[int], left_out: int) -> None:
    """There may be one class to learn from, or fewer rows than neighbours; the reason stands in its place."""
    found = judge_peers([with_train(tiny, labels)]).metrics
    assert list(found) == list(PEERS)
    reasons = [it["left_out"] for it in found.values() if "left_out" in it]
    assert len(reasons) == left_out
    assert all(isinstance(it, str) and it and "\n" not in it for it in reasons)


def test_peers_that_take_long_are_not_fitted_unasked(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all folds together, so that no cross-fitting waits minutes for them."""
    assert "accuracy" in judge_peers([tiny]).metrics["support vectors"]
    monkeypatch.setattr(_peers, "MOST_ROWS", 79)
    found = judge_peers([tiny, tiny]).metrics
    assert {it["left_out"] for it in found.values()} == {
        "80 rows of 30 pixels would take long; --peers all fits it regardless"
    }
    assert "accuracy" in judge_peers([tiny, tiny], peers="all").metrics["support vectors"]
    monkeypatch.undo()
    monkeypatch.setattr(_peers, "MOST_PIXELS", 40 * 30 - 1)
    assert "left_out" in judge_peers([tiny]).metrics["support vectors"]


def test_peers_can_be_switched_off(stages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the command line as from Python; nothing else changes."""
    command = ["evaluate", str(stages / "dataset"), str(stages / "train"), str(tmp_path), "--peers", "none"]
    assert main(command) == 0
    assert "nearest neighbours" not in capsys.readouterr().out
    before = json.loads((stages / "evaluate" / "metrics.json").read_text())
    assert json.loads((tmp_path / "metrics.json").read_text()) == before | {"peers": {}}


def test_the_predictions_of_each_peer_are_kept(tiny: Dataset, stages: Path, tmp_path: Path) -> None:
    """For the same rows as the network's, so that a gate can compare them; those of an earlier time are removed."""
    network = load_trained(stages / "train")
    metrics = evaluate(tiny, network, tmp_path)
    rows = pq.read_table(tmp_path / "predictions.parquet", columns=["id", "label", "class"]).sort_by("id")
    for name, figures in metrics["peers"].items():
        peer = pq.read_table(tmp_path / f"{name.replace(' ', '-')}.parquet")
        assert peer.select(["id", "label", "class"]).sort_by("id") == rows
        assert np.mean(peer["label"].to_numpy() == peer["prediction"].to_numpy()) == figures["accuracy"]
    evaluate(tiny, network, tmp_path, peers="none")
    assert {it.name for it in tmp_path.iterdir()} == {"predictions.parquet", "train.parquet", "metrics.json"}


def test_a_choice_of_peers_that_there_is_not_is_told_at_once(tiny: Dataset, out: Path) -> None:
    """Before anything is trained or predicted; the command line knows no other choice either."""
    with pytest.raises(errors.ConfigError, match="there is no choice of peers 'nome': did you mean 'none'"):
        crossfit(tiny, out, peers="nome")
    assert not out.exists()


def test_the_table_says_why_a_peer_is_left_out(stages: Path, tiny: Dataset, tmp_path: Path) -> None:
    """In its own line."""
    metrics = evaluate(tiny, load_trained(stages / "train"), tmp_path)
    metrics["peers"]["support vectors"] = {"left_out": "one class"}
    assert "support vectors      left out: one class" in table(metrics, what="rows").splitlines()


def test_a_class_without_rows_has_no_recall() -> None:
    """A floor of recall cannot be held for it, and the line says why; no floor asks nothing."""
    labels = np.array([0, 1] * 10)
    probabilities = np.tile(np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], np.float32), (10, 1))
    metrics = measure(labels, probabilities, classes=["a", "b", "c"], slices={})
    assert metrics["classes"]["c"] == {"precision": 0.0, "recall": None, "rows": 0}
    assert shortfalls(metrics, Floors()) == []
    assert shortfalls(metrics, Floors(recall=0.5)) == ["recall of c is unknown, since c has no test row"]
