"""Judges a trained network on the test split, beside what one would pick instead."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from headgate_model import _files, _settings
from headgate_model._metrics import accuracy, macro_f1, measure
from headgate_model._network import Probabilities
from headgate_model._runtime import predict
from headgate_model._settings import Range
from headgate_model.errors import ShapeError
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

if TYPE_CHECKING:
    from headgate_data import Dataset, Split
    from headgate_model._trained import Trained
    from numpy.typing import NDArray

__all__ = ["Floors", "evaluate", "load_floors", "shortfalls"]

PROBABILITY = Range(least=0, most=1)
# Fitted on the same rows as the network, with the settings that scikit-learn has by default but for the scale of C.
PEERS = {
    "support vectors": lambda: make_pipeline(MinMaxScaler(), SVC(C=10)),
    "nearest neighbours": lambda: KNeighborsClassifier(3),
    "logistic regression": lambda: make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=2000)),
}


@dataclass(frozen=True, kw_only=True)
class Floors:
    """What a model must reach to be worth exporting.

    Raises:
        ConfigError: a value is of the wrong type or no share.
    """

    accuracy: Annotated[float, PROBABILITY] = 0.0
    """Least accuracy over all test rows."""
    recall: Annotated[float, PROBABILITY] = 0.0
    """Least recall of any class."""

    def __post_init__(self) -> None:
        """Refuse values of the wrong type or out of range."""
        _settings.validate(self)


def load_floors(path: str | Path | None) -> Floors:
    """Read the floors from a TOML file, or return those that everything reaches.

    Raises:
        ConfigError: the file cannot be read, or a value in it is wrong.
    """
    return _settings.read(Floors, None if path is None else Path(path))


def shortfalls(metrics: dict[str, Any], floors: Floors) -> list[str]:
    """Return a line for every metric that is below its floor."""
    found = {"accuracy": (metrics["accuracy"], floors.accuracy)}
    found |= {f"recall of {name}": (it["recall"], floors.recall) for name, it in metrics["classes"].items()}
    return [f"{name} is {value:.4f} and must be {least:.4f}" for name, (value, least) in found.items() if value < least]


def evaluate(dataset: Dataset, trained: Trained, out: str | Path) -> dict[str, Any]:
    """Predict the test split and write `predictions.parquet` and `metrics.json`.

    Args:
        dataset: the one that the network was trained on.
        trained: the network.
        out: folder for both files, which are the same bytes when made again.

    Returns:
        What `metrics.json` holds: the metrics of the network, and accuracy and macro F1 of its peers.

    Raises:
        TrainedError: the network was trained on another dataset.
        ShapeError: the test split has no rows.
    """
    trained.check_dataset(dataset)
    split = dataset.splits["test"]
    if not len(split.labels):
        msg = "the test split has no rows: build a dataset that has some."
        raise ShapeError(msg)
    # In the order of ids, in which rows are stored: the drawing of the intervals depends on it.
    split = by_id(split)
    probabilities = predict(Probabilities(trained.network), split.images, threads=trained.config.threads)
    metrics = measure(split.labels, probabilities, classes=dataset.classes, slices=split.slices)
    metrics |= {"dataset_digest": dataset.digest, "weights_digest": trained.weights_digest}
    metrics["peers"] = {name: judge_peer(name, dataset) for name in PEERS}
    contents = {"predictions.parquet": parquet(split, probabilities), "metrics.json": _files.to_json(metrics)}
    _files.replace(Path(out), contents)
    return metrics


def judge_peer(name: str, dataset: Dataset) -> dict[str, float]:
    """Fit a peer on the train split and return its accuracy and macro F1 on the test split."""
    train, test = dataset.splits["train"], dataset.splits["test"]
    fitted = PEERS[name]().fit(flat(train.images), train.labels)
    predicted = fitted.predict(flat(test.images))
    return {"accuracy": accuracy(test.labels, predicted), "macro_f1": macro_f1(test.labels, predicted)}


def by_id(split: Split) -> Split:
    """Return the rows of a split in the order of their ids."""
    order = np.argsort(split.ids, kind="stable")
    columns = {name: getattr(split, name)[order] for name in ("ids", "images", "labels")}
    return dataclasses.replace(split, **columns, slices={name: values[order] for name, values in split.slices.items()})


def flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return every image as one row of numbers, (N, H * W * C)."""
    return images.reshape(len(images), -1).astype(np.float64)


def parquet(split: Split, probabilities: NDArray[np.float32]) -> bytes:
    """Return a Parquet file with id, label, prediction, probabilities and slices of every row."""
    num_classes = probabilities.shape[1]
    columns = {
        "id": pa.array(split.ids.tolist(), pa.string()),
        "label": pa.array(split.labels, pa.int64()),
        "prediction": pa.array(probabilities.argmax(axis=1), pa.int64()),
        "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probabilities.reshape(-1)), num_classes),
    }
    columns |= {name: pa.array(values.tolist(), pa.string()) for name, values in split.slices.items()}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()
