"""Simpler alternatives to the network: models of scikit-learn, fitted on the same rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from headworks_data import unknown_name
from headworks_model._metrics import accuracy, macro_f1
from headworks_model._settings import PEER_CHOICES
from headworks_model.errors import ConfigError
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headworks_data import Dataset
    from numpy.typing import NDArray

# Settings are the defaults of scikit-learn except for C, neighbours and iterations.
PEERS = {
    "support vectors": lambda: make_pipeline(MinMaxScaler(), SVC(C=10)),
    "nearest neighbours": lambda: KNeighborsClassifier(3),
    "logistic regression": lambda: make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=2000)),
}
# Over all fits together; within both, all peers took at most 40 s on one busy core. The time of support vectors grows
# with the square of the rows, that of a regression with the number of pixels.
MOST_ROWS = 10_000
MOST_PIXELS = 1_000_000


def require_choice(peers: str) -> None:
    """Raise ConfigError for an unknown choice of peers, before anything takes long."""
    if peers not in PEER_CHOICES:
        raise ConfigError(unknown_name("choice of peers", peers, PEER_CHOICES))


def judge_peers(datasets: Sequence[Dataset], *, peers: str = "auto") -> dict[str, dict[str, float | str]]:
    """Fit each peer on every train split, and measure it on all test splits together.

    Args:
        datasets: One, or those of all folds.
        peers: `all`, `none`, or `auto` for all peers if that takes seconds.

    Returns:
        For each peer `accuracy` and `macro_f1`, or the reason for leaving it out as `left_out`.
    """
    if peers == "none":
        return {}
    reason = _too_large(datasets) if peers == "auto" else ""
    return {name: {"left_out": reason} if reason else _judge_peer(name, datasets) for name in PEERS}


def _too_large(datasets: Sequence[Dataset]) -> str:
    """Return the reason why peers would take long to fit, or an empty text."""
    rows, pixels = sum(len(dataset.splits["train"]) for dataset in datasets), math.prod(datasets[0].image_shape)
    if rows <= MOST_ROWS and rows * pixels <= MOST_PIXELS:
        return ""
    return f"{rows:,} rows of {pixels:,} pixels would take long; --peers all fits it regardless"


def _judge_peer(name: str, datasets: Sequence[Dataset]) -> dict[str, float | str]:
    """Return the metrics of a peer, or the reason why it cannot be fitted."""
    labels = np.concatenate([dataset.splits["test"].labels for dataset in datasets])
    try:
        predicted = np.concatenate([_predict_peer(name, dataset) for dataset in datasets])
    except ValueError as error:  # as for rows of one class, or for fewer rows than neighbours
        return {"left_out": str(error).partition("\n")[0]}
    return {"accuracy": accuracy(labels, predicted), "macro_f1": macro_f1(labels, predicted)}


def _predict_peer(name: str, dataset: Dataset) -> NDArray[np.int64]:
    """Fit a peer on the train split and return its predictions for the test split."""
    train, test = dataset.splits["train"], dataset.splits["test"]
    predicted: NDArray[np.int64] = PEERS[name]().fit(_flat(train.images), train.labels).predict(_flat(test.images))
    return predicted


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return every image as one row of numbers, (N, H * W * C)."""
    return images.reshape(len(images), -1).astype(np.float64)
