"""Cross-fitting: a prediction for every row of a dataset, by a network that was not trained on it."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from headworks_model import _files
from headworks_model._config import TrainConfig
from headworks_model._evaluate import predict_test
from headworks_model._folds import NUM_FOLDS, fold_datasets, joined
from headworks_model._metrics import measure
from headworks_model._peers import judge_peers, require_choice
from headworks_model._predictions import Predictions, check_slices, parquet
from headworks_model._progress import FoldProgress
from headworks_model._training import train
from headworks_model._workers import run_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headworks_data import Dataset


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A network to train, and the rows to predict with it."""

    dataset: Dataset
    """That of one fold, which is the test split."""
    config: TrainConfig
    fold: int
    folder: Path
    """For the training."""
    resume: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What became of a task."""

    predictions: Predictions
    seed: int
    fold: int
    epochs: int
    best_epoch: int
    weights_digest: str


def crossfit(
    dataset: Dataset,
    out: str | Path,
    *,
    config: TrainConfig | None = None,
    seeds: int = 1,
    jobs: int = 1,
    resume: bool = False,
    peers: str = "auto",
    progress: FoldProgress | None = None,
) -> dict[str, Any]:
    """Predict every row of a dataset out of its fold, and write `predictions.parquet` and `metrics.json`.

    An earlier result in the folder stays until the new one is finished.

    Args:
        dataset: All rows of all splits are predicted, and learnt in the folds that they are not in.
        out: Folder for both files, which are the same bytes when made again, by any number of jobs.
        config: Settings of every training; without them, the defaults.
        seeds: How many seeds, from that of the settings on; there are five trainings for each.
        jobs: Processes that train side by side. For more than one, a script must guard its main module by
            `if __name__ == "__main__":`, as Python's multiprocessing asks for.
        resume: Go on with the trainings that an interrupted run left, with the same result as without a break.
        peers: `all`, `none`, or `auto` for all where fitting them takes seconds.
        progress: Is told of every fold.

    Returns:
        What `metrics.json` holds: the metrics of the first seed, and the main ones of every seed.

    Raises:
        ConfigError: The settings name an unknown network or one that fails, or there is no such choice of peers.
        ShapeError: A fold has less than 2 rows, or a slice has the name of another column.
        CheckpointError: An interrupted training is damaged, or was done with other settings, data or torch.
        TrainingError: A loss is no longer a finite number, or a process was killed.
        EvaluationError: The predictions depend on chance or on what is beside a row.
    """
    out, config, progress = Path(out), config or TrainConfig(), progress or FoldProgress()
    require_choice(peers)
    check_slices(dataset)
    datasets, partial = fold_datasets(dataset), out / _files.PARTIAL
    if not resume:
        shutil.rmtree(partial, ignore_errors=True)
    configs = [dataclasses.replace(config, seed=config.seed + number) for number in range(seeds)]
    tasks = [
        Task(dataset=it, config=chosen, fold=fold, folder=partial / f"seed-{chosen.seed}-fold-{fold}", resume=resume)
        for chosen in configs
        for fold, it in enumerate(datasets)
    ]
    outcomes = gather(tasks, jobs, progress)
    merged = [merge(outcomes[first : first + NUM_FOLDS]) for first in range(0, len(outcomes), NUM_FOLDS)]
    metrics = summary(dataset, outcomes, merged) | {"peers": judge_peers(datasets, peers=peers)}
    _files.replace(out, {"predictions.parquet": parquet(merged), "metrics.json": _files.to_json(metrics)})
    shutil.rmtree(partial)
    return metrics


def gather(tasks: Sequence[Task], jobs: int, progress: FoldProgress) -> list[Outcome]:
    """Run all tasks and return what became of them, by seed and fold."""
    progress.start(folds=len(tasks))
    outcomes = []
    for outcome in run_all(run_task, tasks, jobs=min(jobs, len(tasks))):
        outcomes.append(outcome)
        hits = outcome.predictions.probabilities.argmax(axis=1) == outcome.predictions.split.labels
        progress.fold(
            f"seed {outcome.seed}, fold {outcome.fold}: epoch {outcome.best_epoch} of {outcome.epochs} was best, "
            f"accuracy on {len(hits)} rows {hits.mean():.4f}"
        )
    return sorted(outcomes, key=lambda it: (it.seed, it.fold))


def run_task(task: Task) -> Outcome:
    """Train a network on all folds but one, and predict that one."""
    trained = train(task.dataset, task.folder, config=task.config, resume=task.resume)
    return Outcome(
        predictions=predict_test(task.dataset, trained),
        seed=task.config.seed,
        fold=task.fold,
        epochs=trained.epochs,
        best_epoch=trained.best_epoch,
        weights_digest=trained.weights_digest,
    )


def merge(outcomes: Sequence[Outcome]) -> Predictions:
    """Return the predictions of all folds of a seed, in the order in which a dataset stores rows."""
    parts = [it.predictions for it in outcomes]
    split = joined([it.split for it in parts])
    order = split.order()
    columns = {name: getattr(split, name)[order] for name in ("ids", "images", "labels")}
    folds = np.concatenate([np.full(len(it.predictions.split), it.fold) for it in outcomes])
    return Predictions(
        split=dataclasses.replace(split, **columns, slices={key: it[order] for key, it in split.slices.items()}),
        probabilities=np.concatenate([it.probabilities for it in parts])[order],
        numbers={"fold": folds[order], "seed": np.full(len(split), outcomes[0].seed)},
    )


def summary(dataset: Dataset, outcomes: Iterable[Outcome], merged: Sequence[Predictions]) -> dict[str, Any]:
    """Return the metrics of the first seed, the main ones of every seed, and how each network came about."""
    each = [
        measure(it.split.labels, it.probabilities, classes=dataset.classes, slices=it.split.slices) for it in merged
    ]
    seeds = [int(it.numbers["seed"][0]) for it in merged]
    folds = [
        {name: getattr(it, name) for name in ("seed", "fold", "epochs", "best_epoch", "weights_digest")}
        for it in outcomes
    ]
    main = ("accuracy", "macro_f1", "log_loss", "calibration_error")
    digests = "\n".join(str(it["weights_digest"]) for it in folds)
    return each[0] | {
        "split": "all, out of fold",
        "seed": seeds[0],
        "dataset_digest": dataset.digest,
        "weights_digest": hashlib.sha256(digests.encode()).hexdigest(),
        "seeds": [{"seed": seed, **{name: it[name] for name in main}} for seed, it in zip(seeds, each, strict=True)],
        "folds": folds,
    }
