"""The file of predictions: one row for each judged row; the README of the package describes it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from headworks_data import Split
from headworks_model.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headworks_data import Dataset
    from numpy.typing import NDArray

COLUMNS = ("id", "label", "prediction", "probabilities", "fold", "seed")
"""Names that no slice may have."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """Predictions of a network for rows that it was not trained on."""

    split: Split
    """The rows, N of them."""
    probabilities: NDArray[np.float32]
    """Of each class, (N, K)."""
    numbers: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """Further columns, (N,) each."""


def check_slices(dataset: Dataset) -> None:
    """Raise ShapeError if a slice has the name of another column."""
    if clashing := sorted(set(dataset.slices).intersection(COLUMNS)):
        message = f"a slice is called {clashing[0]!r}, as a column of the predictions is: give the slice another name"
        raise ShapeError(message)


def concatenate(splits: Sequence[Split]) -> Split:
    """Return the rows of several splits as one."""
    columns = {name: np.concatenate([getattr(split, name) for split in splits]) for name in ("ids", "images", "labels")}
    slices = {name: np.concatenate([split.slices[name] for split in splits]) for name in splits[0].slices}
    return Split(**columns, slices=slices)


def parquet(parts: Sequence[Predictions]) -> bytes:
    """Return a Parquet file with the rows of all parts, one part after the other."""
    return _file(pa.concat_tables(map(_table, parts)).combine_chunks())


def classes_parquet(split: Split, predicted: NDArray[np.int64]) -> bytes:
    """Return a Parquet file with the rows of a split and the predicted class of each, (N,), without probabilities."""
    return _file(pa.table(_classes(split, predicted) | _slices(split)))


def _file(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _classes(split: Split, predicted: NDArray[np.int64]) -> dict[str, pa.Array]:
    """Return id, label and prediction of every row."""
    return {
        "id": pa.array(split.ids.tolist(), pa.string()),
        "label": pa.array(split.labels, pa.int64()),
        "prediction": pa.array(predicted, pa.int64()),
    }


def _slices(split: Split) -> dict[str, pa.Array]:
    return {name: pa.array(values.tolist(), pa.string()) for name, values in split.slices.items()}


def _table(part: Predictions) -> pa.Table:
    """Return id, label, prediction, probabilities, numbers and slices of every row."""
    flat, num_classes = pa.array(part.probabilities.reshape(-1)), part.probabilities.shape[1]
    columns = _classes(part.split, part.probabilities.argmax(axis=1))
    columns["probabilities"] = pa.FixedSizeListArray.from_arrays(flat, num_classes)
    columns |= {name: pa.array(values, pa.int64()) for name, values in part.numbers.items()}
    return pa.table(columns | _slices(part.split))
