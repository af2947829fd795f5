"""Cross-fitting: a prediction for every row of a dataset, by a network that was not trained on it."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from headworks_data import SPLITS, Dataset, replace_files
from headworks_model import _files
from headworks_model._evaluate import predict_test
from headworks_model._metrics import measure
from headworks_model._peers import judge_peers, require_choice
from headworks_model._predictions import Predictions, check_slices, concatenate, parquet
from headworks_model._progress import FoldProgress
from headworks_model._settings import TrainConfig
from headworks_model._training import train
from headworks_model._workers import run_all
from headworks_model.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

NUM_FOLDS = 5
FEWEST = 2
"""Rows of a fold, as many as an evaluation needs of a test split."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A network to train, and the rows to predict with it."""

    dataset: Dataset
    """Its test split is one fold."""
    config: TrainConfig
    fold: int
    folder: Path
    resume: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """The result of a task."""

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
    """Predict every row of a dataset by a network that was not trained on it.

    Writes `predictions.parquet`, `metrics.json`, and the predictions of each peer.

    An earlier result in the folder stays until the new one is finished.

    Args:
        dataset: All rows of all splits are predicted, each by the network that has not learnt its fold.
        out: Folder for the files, which are the same bytes when made again, by any number of jobs.
        config: Settings of every training; without them, the defaults.
        seeds: Number of seeds, from that of the settings on; each needs five trainings.
        jobs: Processes that train side by side. For more than one, a script must guard its main module by
            `if __name__ == "__main__":`, as Python's multiprocessing needs.
        resume: Continue the trainings of an interrupted run, with the same result as without a break.
        peers: `all`, `none`, or `auto` for all peers if fitting them takes seconds.
        progress: Receives every fold.

    Returns:
        The content of `metrics.json`: all metrics of the first seed, and the main ones of every seed.

    Raises:
        ConfigError: The network is unknown or fails, or there is no such choice of peers.
        ShapeError: A fold has less than 2 rows, or a slice has the name of another column.
        CheckpointError: An interrupted training is damaged, or has other settings, data or torch.
        TrainingError: A loss is no longer a finite number, or a process was killed.
        EvaluationError: The predictions depend on chance or on other rows.
    """
    out, config, progress = Path(out), config or TrainConfig(), progress or FoldProgress()
    require_choice(peers)
    check_slices(dataset)
    datasets, partial = fold_datasets(dataset), out / _files.PARTIAL
    if not resume:
        shutil.rmtree(partial, ignore_errors=True)
    configs = [dataclasses.replace(config, seed=config.seed + number) for number in range(seeds)]
    tasks = [
        Task(dataset=part, config=seeded, fold=fold, folder=partial / f"seed-{seeded.seed}-fold-{fold}", resume=resume)
        for seeded in configs
        for fold, part in enumerate(datasets)
    ]
    outcomes = _gather(tasks, jobs, progress)
    merged = [_merge(outcomes[first : first + NUM_FOLDS]) for first in range(0, len(outcomes), NUM_FOLDS)]
    beside = judge_peers(datasets, peers=peers)
    metrics = _summary(dataset, outcomes, merged) | {"peers": beside.metrics}
    beside.save(out)
    replace_files(out, {"predictions.parquet": parquet(merged), "metrics.json": _files.to_json(metrics)})
    shutil.rmtree(partial)
    return metrics


def _gather(tasks: Sequence[Task], jobs: int, progress: FoldProgress) -> list[Outcome]:
    """Run all tasks and return their outcomes by seed and fold."""
    progress.start(folds=len(tasks))
    outcomes = []
    for outcome in run_all(run_task, tasks, jobs=min(jobs, len(tasks))):
        outcomes.append(outcome)
        hits = outcome.predictions.probabilities.argmax(axis=1) == outcome.predictions.split.labels
        progress.fold(
            f"seed {outcome.seed}, fold {outcome.fold}: epoch {outcome.best_epoch} of {outcome.epochs} was best, "
            f"accuracy on {len(hits)} rows {hits.mean():.4f}"
        )
    return sorted(outcomes, key=lambda outcome: (outcome.seed, outcome.fold))


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


def _merge(outcomes: Sequence[Outcome]) -> Predictions:
    """Return the predictions of all folds of a seed, in the order in which a dataset stores rows."""
    split = concatenate([outcome.predictions.split for outcome in outcomes])
    order = split.order()
    folds = np.concatenate([np.full(len(outcome.predictions.split), outcome.fold) for outcome in outcomes])
    return Predictions(
        split=split.take(order),
        probabilities=np.concatenate([outcome.predictions.probabilities for outcome in outcomes])[order],
        numbers={"fold": folds[order], "seed": np.full(len(split), outcomes[0].seed)},
    )


def _summary(dataset: Dataset, outcomes: Iterable[Outcome], merged: Sequence[Predictions]) -> dict[str, Any]:
    """Return the metrics of the first seed, the main ones of every seed, and the figures of each training."""
    each = [
        measure(part.split.labels, part.probabilities, classes=dataset.classes, slices=part.split.slices)
        for part in merged
    ]
    seeds = [int(part.numbers["seed"][0]) for part in merged]
    folds = [
        {name: getattr(outcome, name) for name in ("seed", "fold", "epochs", "best_epoch", "weights_digest")}
        for outcome in outcomes
    ]
    main = ("accuracy", "macro_f1", "log_loss", "calibration_error")
    digests = "\n".join(outcome.weights_digest for outcome in outcomes)
    return each[0] | {
        "split": "all, out of fold",
        "seed": seeds[0],
        "dataset_digest": dataset.digest,
        "weights_digest": hashlib.sha256(digests.encode()).hexdigest(),
        "seeds": [
            {"seed": seed, **{name: metrics[name] for name in main}} for seed, metrics in zip(seeds, each, strict=True)
        ],
        "folds": folds,
    }


def fold_numbers(ids: NDArray[np.str_], *, salt: str) -> NDArray[np.int64]:
    """Return the fold of every row, from 0: SHA-256 over the word fold, salt and id, modulo the number of folds.

    Other rows have no influence: adding or removing rows never moves one between folds, and both copies of an image are
    in the same fold. The price is that the sizes of folds are only nearly equal.

    Args:
        ids: Content hash of each row, (N,).
        salt: Salt of the dataset; the word in front keeps folds independent of splits.
    """
    digests = (hashlib.sha256(f"fold\n{salt}\n{row_id}".encode()).digest() for row_id in ids)
    return np.array([int.from_bytes(digest, "big") % NUM_FOLDS for digest in digests], dtype=np.int64)


def fold_datasets(dataset: Dataset) -> list[Dataset]:
    """Return a dataset for each fold, with the fold as test split and the next one as validation split.

    The other three are the train split: the shares are those of the committed splits, so that each network is trained
    like the exported one.

    Raises:
        ShapeError: A fold would have less than 2 rows.
    """
    rows = concatenate(list(dataset.splits.values()))
    folds = fold_numbers(rows.ids, salt=dataset.salt)
    sizes = np.bincount(folds, minlength=NUM_FOLDS)
    if sizes.min() < FEWEST:
        message = (
            f"fold {sizes.argmin()} has {sizes.min()} row(s), at least {FEWEST} are needed: build a larger dataset"
        )
        raise ShapeError(message)
    datasets = []
    for fold in range(NUM_FOLDS):
        masks = {"test": folds == fold, "validation": folds == (fold + 1) % NUM_FOLDS}
        masks["train"] = ~(masks["test"] | masks["validation"])
        splits = {name: rows.take(masks[name]) for name in SPLITS}
        about = {name: getattr(dataset, name) for name in ("classes", "image_shape", "source", "salt")}
        datasets.append(Dataset(**about, splits=splits))
    return datasets
