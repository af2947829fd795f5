"""The file of predictions: one row for each judged row; the README of the package describes it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from headworks_model.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from headworks_data import Dataset, Split
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


def parquet(parts: Sequence[Predictions]) -> bytes:
    """Return a Parquet file with the rows of all parts, one part after the other."""
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(map(_table, parts)).combine_chunks(), buffer, compression="zstd")
    return buffer.getvalue()


def _table(part: Predictions) -> pa.Table:
    """Return id, label, prediction, probabilities, numbers and slices of every row."""
    split, num_classes = part.split, part.probabilities.shape[1]
    flat = pa.array(part.probabilities.reshape(-1))
    columns = {
        "id": pa.array(split.ids.tolist(), pa.string()),
        "label": pa.array(split.labels, pa.int64()),
        "prediction": pa.array(part.probabilities.argmax(axis=1), pa.int64()),
        "probabilities": pa.FixedSizeListArray.from_arrays(flat, num_classes),
    }
    columns |= {name: pa.array(values, pa.int64()) for name, values in part.numbers.items()}
    columns |= {name: pa.array(values.tolist(), pa.string()) for name, values in split.slices.items()}
    return pa.table(columns)
