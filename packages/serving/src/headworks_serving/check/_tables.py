"""Reads the two tables to compare: a split, and the predictions of the evaluation for it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from headworks_serving.errors import CheckInputError
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Split:
    """The rows of a split, ids (N,) and images (N, H, W, C), and the names of the dataset's classes (K,)."""

    ids: list[str]
    images: NDArray[np.uint8]
    classes: list[str]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions by id: ids (N,), indices of the predicted classes (N,) and probabilities (N, K)."""

    ids: list[str]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float32]


def read_split(dataset: Path, split: str) -> Split:
    """Read a split of a dataset folder.

    Args:
        dataset: The folder, with `dataset.json` and a Parquet file for each split.
        split: Its name, such as `test`.

    Raises:
        CheckInputError: A file is missing, broken or not of the form of a dataset.
    """
    path, about = dataset / f"{split}.parquet", dataset / "dataset.json"
    table = _read(path, ["id", "image"])
    try:
        document = json.loads(about.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        message = f"cannot read {about}: {error}; build the dataset again"
        raise CheckInputError(message) from error
    classes = document.get("classes") if isinstance(document, dict) else None
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        message = f"{about} has no list of the names of classes; build the dataset again"
        raise CheckInputError(message)
    column = table["image"]
    if not isinstance(column.type, pa.FixedShapeTensorType) or column.type.value_type != pa.uint8():
        message = (
            f"the column image of {path} is {column.type}, not a fixed-shape tensor of uint8; build the dataset again"
        )
        raise CheckInputError(message)
    shape = tuple(column.type.shape)
    images = np.empty((0, *shape), np.uint8) if not len(column) else column.combine_chunks().to_numpy_ndarray()
    return Split(ids=table["id"].to_pylist(), images=images, classes=classes)


def read_labels(dataset: Path, split: str, *, num_classes: int) -> NDArray[np.int64]:
    """Read the indices of the classes of a split's rows, shape (N,).

    Args:
        dataset: The folder.
        split: The name of the split.
        num_classes: Number of classes of the dataset.

    Raises:
        CheckInputError: The file is missing or broken, or has other classes.
    """
    path = dataset / f"{split}.parquet"
    labels = _read(path, ["id", "label"])["label"].to_pylist()
    if not all(type(label) is int and 0 <= label < num_classes for label in labels):
        message = f"{path} has labels outside 0..{num_classes - 1}; build the dataset again"
        raise CheckInputError(message)
    return np.array(labels, np.int64)


def read_predictions(path: Path, *, num_classes: int) -> Predictions:
    """Read the predictions of an evaluation.

    Args:
        path: The Parquet file.
        num_classes: Number of classes of the dataset.

    Raises:
        CheckInputError: The file is missing, broken, or has other classes.
    """
    table = _read(path, ["id", "prediction", "probabilities"])
    try:
        predicted = np.array(table["prediction"].to_pylist(), np.int64)
        flat = np.array(table["probabilities"].to_pylist(), np.float32)
        probabilities = flat.reshape(len(predicted), num_classes)
    except (ValueError, TypeError, OverflowError) as error:
        message = (
            f"{path} does not hold {num_classes} probabilities for each row ({error}); evaluate on this dataset again"
        )
        raise CheckInputError(message) from error
    if ((predicted < 0) | (predicted >= num_classes)).any():
        message = f"{path} predicts classes outside 0..{num_classes - 1}; evaluate on this dataset again"
        raise CheckInputError(message)
    return Predictions(ids=table["id"].to_pylist(), predicted=predicted, probabilities=probabilities)


def _read(path: Path, columns: list[str]) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Return columns of a Parquet file, all without gaps, and `id` without a repetition."""
    try:
        # A ParquetFile is one file; read_table would also take names of folders above it as columns.
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            missing = [name for name in columns if name not in names]
            table = None if missing else file.read(columns)
    except FileNotFoundError as error:
        message = f"there is no {path}; make it, or name another place"
        raise CheckInputError(message) from error
    except (OSError, pa.ArrowException) as error:
        message = f"cannot read {path}: {error}; make it again"
        raise CheckInputError(message) from error
    if table is None:
        message = f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(names)}: name another file"
        raise CheckInputError(message)
    gaps = [name for name in columns if table[name].null_count]
    if gaps or len(set(table["id"].to_pylist())) < len(table):
        message = f"{path} has " + (f"gaps in {', '.join(gaps)}" if gaps else "an id twice") + "; make it again"
        raise CheckInputError(message)
    return table
