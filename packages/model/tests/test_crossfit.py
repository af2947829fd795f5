"""Cross-fitting: every row is predicted out of its fold, by any number of processes, and what stops it loses little."""

from __future__ import annotations

import dataclasses
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import headworks_model
import numpy as np
import pyarrow.parquet as pq
import pytest
from headworks_data import SPLITS, Dataset, write
from headworks_model import TrainConfig, crossfit, errors
from headworks_model import _crossfit as crossfit_module
from headworks_model._cli import main
from headworks_model._crossfit import NUM_FOLDS, fold_datasets, fold_numbers
from headworks_model._progress import ConsoleProgress
from headworks_model._workers import run_all
from hypothesis import given, strategies
from rich.console import Console

if TYPE_CHECKING:
    from pathlib import Path

QUICK = TrainConfig(epochs=2, width=4, batch_size=16)
SHORT = ["--set", "epochs=2", "--set", "width=4", "--set", "batch_size=16"]


@pytest.fixture(scope="module")
def fitted(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cross-fit a tiny dataset with two seeds, in this process."""
    folder = tmp_path_factory.mktemp("fitted")
    crossfit(tiny, folder / "out", config=QUICK, seeds=2)
    write(folder / "dataset", tiny)
    return folder


def test_every_row_is_predicted_once_for_each_seed(fitted: Path, tiny: Dataset) -> None:
    """In the form of the evaluation, with fold and seed."""
    table = pq.read_table(fitted / "out" / "predictions.parquet")
    assert table.column_names == ["id", "label", "prediction", "probabilities", "fold", "seed", "class"]
    assert [str(table.schema.field(name).type) for name in ("label", "prediction", "fold", "seed")] == 4 * ["int64"]
    ids = sorted(np.concatenate([split.ids for split in tiny.splits.values()]).tolist())
    assert table["id"].to_pylist() == ids + ids
    assert table["seed"].to_pylist() == [0] * 72 + [1] * 72
    assert table["fold"].to_pylist() == fold_numbers(np.array(ids + ids), salt=tiny.salt).tolist()
    labels = {it: n for split in tiny.splits.values() for it, n in zip(split.ids.tolist(), split.labels, strict=True)}
    rows = table.to_pylist()
    assert all(row["label"] == labels[row["id"]] for row in rows)
    assert all(row["class"] == ("top", "bottom")[row["label"]] for row in rows)
    assert all(row["prediction"] == int(np.argmax(row["probabilities"])) for row in rows)


def test_no_row_is_predicted_by_a_network_that_was_trained_on_it(tiny: Dataset) -> None:
    """Each fold is held out once, and neither learnt nor used to stop in that training."""
    datasets = fold_datasets(tiny)
    for fold, dataset in enumerate(datasets):
        held_out, learnt, stopping = (set(dataset.splits[name].ids) for name in ("test", "train", "validation"))
        assert not held_out & (learnt | stopping)
        assert len(held_out | learnt | stopping) == 72
        assert set(fold_numbers(dataset.splits["test"].ids, salt=tiny.salt)) == {fold}
    assert len(datasets) == NUM_FOLDS


@given(strategies.sets(strategies.text("0123456789abcdef", min_size=1), min_size=1), strategies.text(max_size=5))
def test_adding_rows_moves_no_other_row_between_folds(ids: set[str], salt: str) -> None:
    """A fold is a function of the row and the salt."""
    rows = np.array(sorted(ids))
    together = fold_numbers(rows, salt=salt)
    assert np.array_equal(together, [fold_numbers(rows[n : n + 1], salt=salt)[0] for n in range(len(rows))])
    assert set(together.tolist()) <= set(range(NUM_FOLDS))


def test_folds_are_apart_from_splits_and_nearly_equal(digits: Dataset) -> None:
    """Each fold has rows of all splits, and about a fifth of all."""
    for dataset in fold_datasets(digits):
        ids = dataset.splits["test"].ids
        assert 0.17 < len(ids) / 1797 < 0.23
        assert all(np.isin(digits.splits[name].ids, ids).sum() > 50 for name in SPLITS)


def test_the_metrics_are_those_of_the_first_seed(fitted: Path) -> None:
    """And the main ones of every seed, and how each network came about."""
    metrics = json.loads((fitted / "out" / "metrics.json").read_text())
    rows = pq.read_table(fitted / "out" / "predictions.parquet").to_pylist()
    for seed, found in enumerate(metrics["seeds"]):
        hits = [row["label"] == row["prediction"] for row in rows if row["seed"] == seed]
        assert found["accuracy"] == np.mean(hits)
    assert metrics["rows"] == 72
    assert metrics["seed"] == metrics["seeds"][0]["seed"] == 0
    assert metrics["accuracy"] == metrics["seeds"][0]["accuracy"]
    assert [(it["seed"], it["fold"]) for it in metrics["folds"]] == [(n // 5, n % 5) for n in range(10)]
    assert len({it["weights_digest"] for it in metrics["folds"]}) == 10
    assert set(metrics["peers"]) == {"support vectors", "nearest neighbours", "logistic regression"}


@pytest.mark.usefixtures("start")
def test_several_processes_write_the_same_bytes(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As one does, and the command shows table, spread and progress."""
    command = ["crossfit", str(fitted / "dataset"), str(tmp_path / "out"), *SHORT, "--seeds", "2", "--jobs", "2"]
    assert main(command) == 0
    names = ["logistic-regression.parquet", "metrics.json", "nearest-neighbours.parquet", "predictions.parquet"]
    names += ["support-vectors.parquet"]
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (fitted / "out" / name).read_bytes()
    assert sorted(it.name for it in (tmp_path / "out").iterdir()) == names
    shown = capsys.readouterr()
    assert "accuracy on 72 rows, each out of its fold: " in shown.out
    assert "accuracy of 2 seeds: " in shown.out.splitlines()[-1]
    assert shown.err.splitlines()[-1].startswith("10/10: seed ")


def test_one_seed_has_no_spread_and_the_number_of_jobs_follows_the_machine(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one processor is granted, trainings go one after the other."""
    monkeypatch.setattr("headworks_model._cli.granted", lambda: 1)
    command = ["crossfit", str(fitted / "dataset"), str(tmp_path / "out"), *SHORT, "--peers", "none"]
    assert main(command) == 0
    assert "seeds" not in capsys.readouterr().out
    assert pq.read_table(tmp_path / "out" / "predictions.parquet").num_rows == 72


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds a process to processors")
def test_only_the_processors_that_are_granted_are_counted() -> None:
    """A container or a scheduler may grant one of many."""
    code = "import os, headworks_model._cli as cli; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    done = subprocess.run([sys.executable, "-c", f"{code}print(cli.granted())"], check=True, capture_output=True)
    assert done.stdout.strip() == b"1"


@pytest.mark.parametrize("value", ["0", "x", "-1", "1001"])
def test_a_number_of_seeds_that_is_none_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is loaded."""
    with pytest.raises(SystemExit) as raised:
        main(["crossfit", "data", "out", "--seeds", value])
    assert raised.value.code == 2
    assert f"--seeds: '{value}' is not a whole number from 1 to 1,000" in capsys.readouterr().err


def test_an_interrupted_cross_fitting_goes_on(
    fitted: Path, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No finished fold is trained again, the result is the same, and an earlier one stays until then."""
    folds: list[int] = []

    def run(task: crossfit_module.Task) -> crossfit_module.Outcome:
        if len(folds) == 3:
            raise KeyboardInterrupt
        folds.append(task.fold)
        return run_task(task)

    run_task = crossfit_module.run_task
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "metrics.json").write_text("earlier")
    with monkeypatch.context() as patched:
        patched.setattr(crossfit_module, "run_task", run)
        with pytest.raises(KeyboardInterrupt):
            crossfit(tiny, tmp_path / "out", config=QUICK, seeds=2)
    assert (tmp_path / "out" / "metrics.json").read_text() == "earlier"
    kept = tmp_path / "out" / "partial" / "seed-0-fold-1" / "weights.safetensors"
    written = kept.stat().st_mtime_ns

    def unchanged(task: crossfit_module.Task) -> crossfit_module.Outcome:
        outcome = run_task(task)
        assert kept.stat().st_mtime_ns == written
        return outcome

    monkeypatch.setattr(crossfit_module, "run_task", unchanged)
    crossfit(tiny, tmp_path / "out", config=QUICK, seeds=2, resume=True)
    for name in ("predictions.parquet", "metrics.json"):
        assert (tmp_path / "out" / name).read_bytes() == (fitted / "out" / name).read_bytes()


def test_what_another_run_left_is_refused_or_replaced(tiny: Dataset, tmp_path: Path) -> None:
    """With other settings it can be no part of this one."""
    task = crossfit_module.Task(
        dataset=fold_datasets(tiny)[0],
        config=dataclasses.replace(QUICK, epochs=1),
        fold=0,
        folder=tmp_path / "partial" / "seed-0-fold-0",
        resume=False,
    )
    crossfit_module.run_task(task)
    with pytest.raises(errors.CheckpointError, match="epochs was 1 and is 2"):
        crossfit(tiny, tmp_path, config=QUICK, resume=True, peers="none")
    crossfit(tiny, tmp_path, config=QUICK, peers="none")
    assert (tmp_path / "metrics.json").is_file()


@pytest.mark.usefixtures("start")
def test_ctrl_c_ends_all_processes_and_says_how_to_go_on(
    fitted: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """At once, with the usual code and no traceback."""

    def press() -> None:
        while len([*tmp_path.glob("out/partial/*/partial/checkpoint.safetensors")]) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    # What is started in the background of a shell ignores Ctrl-C; for the time of this test, it does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=press, daemon=True).start()
    chosen = [*SHORT, "--set", "epochs=5000", "--set", "patience=5000", "--jobs", "2"]
    assert main(["crossfit", str(fitted / "dataset"), str(tmp_path / "out"), *chosen]) == 130
    signal.signal(signal.SIGINT, before)
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert "the same command with --resume" in said.splitlines()[-1]
    assert not multiprocessing.active_children()


@pytest.mark.usefixtures("start")
def test_a_killed_process_is_named_as_such() -> None:
    """The system kills what takes too much memory."""
    with pytest.raises(errors.TrainingError, match="fewer --jobs"):
        list(run_all(os._exit, [1, 1], jobs=2))


def test_a_dataset_that_is_too_small_is_refused(tiny: Dataset, tmp_path: Path) -> None:
    """Each fold must have rows to judge."""
    few = {}
    for name, split in tiny.splits.items():
        columns = {it: getattr(split, it)[:2] for it in ("ids", "images", "labels")}
        few[name] = dataclasses.replace(split, **columns, slices={"class": split.slices["class"][:2]})
    dataset = dataclasses.replace(tiny, splits=few, digest="")
    with pytest.raises(errors.ShapeError, match=r"fold \d has \d row\(s\), at least 2 are needed"):
        crossfit(dataset, tmp_path / "out", config=QUICK)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_over_folds_is_shown(*, terminal: bool) -> None:
    """A line for each fold with the time left, and on a terminal a bar as well."""
    shown = io.StringIO()
    with ConsoleProgress(Console(file=shown, force_terminal=terminal, width=120)) as progress:
        progress.start(folds=2)
        progress.fold("seed 0, fold 0: fine")
        progress.fold("seed 0, fold 1: fine")
    assert "seed 0, fold 1: fine" in shown.getvalue()
    assert "2/2: " in shown.getvalue()
    assert "; about 0 s left" in shown.getvalue()
    assert ("folds" in shown.getvalue()) == terminal


def test_cross_fitting_needs_nobody_who_listens(tiny: Dataset, tmp_path: Path) -> None:
    """The public progress shows nothing and can be given as it is."""
    with headworks_model.FoldProgress() as progress:
        config = dataclasses.replace(QUICK, epochs=1)
        metrics = crossfit(tiny, tmp_path / "out", config=config, peers="none", progress=progress)
    assert metrics["split"] == "all, out of fold"
