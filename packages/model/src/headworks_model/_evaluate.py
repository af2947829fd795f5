"""Judges a trained network on the test split, beside simpler models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from headworks_data import replace_files
from headworks_model import _files
from headworks_model._metrics import measure
from headworks_model._network import Probabilities
from headworks_model._peers import judge_peers, require_choice
from headworks_model._predictions import Predictions, check_slices, parquet
from headworks_model._runtime import predict
from headworks_model._training import learnt_rows
from headworks_model.errors import EvaluationError, ShapeError

if TYPE_CHECKING:
    from headworks_data import Dataset
    from headworks_model._settings import Floors
    from headworks_model._trained import Trained
    from numpy.typing import NDArray

TOLERANCE = 1e-5


def shortfalls(metrics: dict[str, Any], floors: Floors) -> list[str]:
    """Return a line for every metric that is below its floor."""
    judged = {"accuracy": (metrics["accuracy"], floors.accuracy)}
    recalls = {name: figures["recall"] for name, figures in metrics["classes"].items()}
    judged |= {f"recall of {name}": (value, floors.recall) for name, value in recalls.items() if value is not None}
    low = [f"{name} is {value:.4f} and must be {least:.4f}" for name, (value, least) in judged.items() if value < least]
    unknown = [name for name, value in recalls.items() if value is None and floors.recall]
    return low + [f"recall of {name} is unknown, since {name} has no test row" for name in unknown]


def evaluate(dataset: Dataset, trained: Trained, out: str | Path, *, peers: str = "auto") -> dict[str, Any]:
    """Predict the test split, and write `predictions.parquet`, `metrics.json` and the predictions of each peer.

    Beside them `train.parquet` has the predictions of the train split, by which overfit shows.

    Args:
        dataset: The dataset that the network was trained on.
        trained: The network.
        out: Folder for the files, which are the same bytes when made again.
        peers: `all`, `none`, or `auto` for all peers if fitting them takes seconds.

    Returns:
        The content of `metrics.json`: the metrics of the network, and accuracy and macro F1 of its peers.

    Raises:
        ConfigError: There is no such choice of peers, or the network fails.
        TrainedError: The network was trained on another dataset.
        ShapeError: The test split has less than 2 rows, or a slice has the name of another column.
        EvaluationError: Rows were trained on, or the predictions depend on chance or on other rows.
    """
    require_choice(peers)
    check_slices(dataset)
    predictions = predict_test(dataset, trained)
    split = predictions.split
    metrics = measure(split.labels, predictions.probabilities, classes=dataset.classes, slices=split.slices)
    metrics |= {"split": "test", "seed": trained.config.seed}
    metrics |= {"dataset_digest": dataset.digest, "weights_digest": trained.weights_digest}
    beside = judge_peers([dataset], peers=peers)
    metrics["peers"] = beside.metrics
    beside.save(Path(out))
    learnt = learnt_rows(dataset)
    probabilities = predict(Probabilities(trained.network), learnt.images, threads=trained.config.threads)
    files = {
        "predictions.parquet": parquet([predictions]),
        "train.parquet": parquet([Predictions(split=learnt, probabilities=probabilities)]),
        "metrics.json": _files.to_json(metrics),
    }
    replace_files(Path(out), files)
    return metrics


def predict_test(dataset: Dataset, trained: Trained) -> Predictions:
    """Predict the test split of the dataset that a network was trained on, in the order of ids.

    Raises:
        ConfigError, TrainedError, ShapeError, EvaluationError: As `evaluate` does.
    """
    trained.check_dataset(dataset)
    test = dataset.splits["test"]
    split = test.take(test.order())
    if len(split) < 2:  # noqa: PLR2004 - an interval needs no less
        message = f"the test split has {len(split)} row(s), at least 2 are needed: build a dataset with more"
        raise ShapeError(message)
    learnt = np.concatenate([dataset.splits[name].ids for name in ("train", "validation")])
    if seen := int(np.isin(split.ids, learnt).sum()):
        message = f"{seen} of the {len(split)} rows to judge were trained on: judge the test split, and see that the "
        message += "dataset keeps its contract (`python -m headworks_data check`)"
        raise EvaluationError(message)
    return Predictions(split=split, probabilities=_steady(trained, split.images))


def _steady(trained: Trained, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probabilities of images, (N, K), after predicting them once more in another order.

    Raises:
        EvaluationError: The two differ by more than 1e-5.
    """
    network = Probabilities(trained.network)
    threads = trained.config.threads
    there, back = predict(network, images, threads=threads), predict(network, images[::-1].copy(), threads=threads)
    difference = float(np.abs(there - back[::-1]).max())
    if not difference <= TOLERANCE:  # this way round, so that NaN fails as well
        message = f"a probability differs by {difference:.2g} when rows are predicted in another order: at inference, "
        message += "dropout and batch normalisation must be off"
        raise EvaluationError(message)
    return there
