"""Simpler alternatives to the network: models of scikit-learn, fitted on the same rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from headworks_data import replace_files, unknown_name
from headworks_model._metrics import accuracy, macro_f1
from headworks_model._predictions import classes_parquet, concatenate
from headworks_model._settings import PEER_CHOICES
from headworks_model.errors import ConfigError
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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


class Peers(NamedTuple):
    """The peers of a network.

    Attributes:
        metrics: For each peer `accuracy` and `macro_f1`, or the reason for leaving it out as `left_out`.
        files: The predictions of each that could be fitted, by the name of its file.
    """

    metrics: dict[str, dict[str, float | str]]
    files: dict[str, bytes]

    def save(self, folder: Path) -> None:
        """Write the files of all peers, and remove those of an earlier time of any that is left out."""
        replace_files(folder, self.files)
        for name in map(_file_name, PEERS):
            if name not in self.files:
                (folder / name).unlink(missing_ok=True)


def judge_peers(datasets: Sequence[Dataset], *, peers: str = "auto") -> Peers:
    """Fit each peer on every train split, and have it predict all test splits.

    Args:
        datasets: One, or those of all folds.
        peers: `all`, `none`, or `auto` for all peers if that takes seconds.
    """
    judged = Peers({}, {})
    if peers == "none":
        return judged
    if peers == "auto" and (reason := _too_large(datasets)):
        return Peers({name: {"left_out": reason} for name in PEERS}, {})
    split = concatenate([dataset.splits["test"] for dataset in datasets])
    order = split.order()
    for name in PEERS:
        try:
            predicted = np.concatenate([_predict_peer(name, dataset) for dataset in datasets])
        except ValueError as error:  # as for rows of one class, or for fewer rows than neighbours
            judged.metrics[name] = {"left_out": str(error).partition("\n")[0]}
        else:
            figures = {"accuracy": accuracy(split.labels, predicted), "macro_f1": macro_f1(split.labels, predicted)}
            judged.metrics[name] = {**figures}
            judged.files[_file_name(name)] = classes_parquet(split.take(order), predicted[order])
    return judged


def _file_name(peer: str) -> str:
    return f"{peer.replace(' ', '-')}.parquet"


def _too_large(datasets: Sequence[Dataset]) -> str:
    """Return the reason why peers would take long to fit, or an empty text."""
    rows, pixels = sum(len(dataset.splits["train"]) for dataset in datasets), math.prod(datasets[0].image_shape)
    if rows <= MOST_ROWS and rows * pixels <= MOST_PIXELS:
        return ""
    return f"{rows:,} rows of {pixels:,} pixels would take long; --peers all fits it regardless"


def _predict_peer(name: str, dataset: Dataset) -> NDArray[np.int64]:
    """Fit a peer on the train split and return its predictions for the test split."""
    train, test = dataset.splits["train"], dataset.splits["test"]
    predicted: NDArray[np.int64] = PEERS[name]().fit(_flat(train.images), train.labels).predict(_flat(test.images))
    return predicted


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return every image as one row of numbers, (N, H * W * C)."""
    return images.reshape(len(images), -1).astype(np.float64)
