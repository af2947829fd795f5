"""Hashes of the rows of a test set by their content, so that another id makes no other row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._metrics.predictions import Predictions

_ROWS = 8_192  # that are read at a time
_BYTES = 8  # of a hash


def row_hashes(predictions: Predictions, files: Iterable[str]) -> Iterator[str]:
    """Yield a hash of each row: of its label, and of its content in the dataset's Parquet files, or else of its id.

    Raises:
        ConfigurationError: A Parquet file cannot be read, or has no column `id`.
    """
    contents: dict[str, bytes] = {}
    for path in (it for it in files if it.endswith(".parquet")):
        try:
            contents |= _contents(path)
        except (pa.ArrowException, OSError) as error:
            message = f"{path} cannot be read: {error}. Run the session that writes it."
            raise ConfigurationError(message) from None
    labels = predictions.labels.tolist() or [""] * len(predictions.ids)  # of a regression, there may be none
    for name, label in zip(predictions.ids.tolist(), labels, strict=True):
        content = contents.get(name, name.encode())
        yield blake2b(f"{label}\0".encode() + content, digest_size=_BYTES).hexdigest()


def _contents(path: str) -> Iterator[tuple[str, bytes]]:
    """Yield the ids of a file's rows with a hash of all other columns; of arrays and bytes alone, where it has any."""
    file = parquet.ParquetFile(path)
    if "id" not in file.schema_arrow.names:
        message = (
            f"{path} has no column `id`, by which `rows` and `predict` in [tool.headworks.gate] know its rows. Have the"
            " session that writes it add the column, or name another file there."
        )
        raise ConfigurationError(message)
    for batch in file.iter_batches(_ROWS):
        columns = {name: _storage(batch.column(name)) for name in sorted(batch.schema.names)}
        ids = [str(it) for it in columns.pop("id").to_pylist()]
        # Beside an image, what stands in other columns is about it, and may change.
        whole = {name: it for name, it in columns.items() if pa.types.is_nested(it.type) or pa.types.is_binary(it.type)}
        cells = [_cells(it) for it in (whole or columns).values()]
        for number, name in enumerate(ids if cells else ()):
            digest = blake2b()
            for cell in cells:
                digest.update(f"{len(cell[number])} ".encode() + cell[number])
            yield name, digest.digest()


def _storage(column: pa.Array) -> pa.Array:
    return column.storage if isinstance(column, pa.ExtensionArray) else column


def _cells(column: pa.Array) -> list[bytes]:
    """Return the value of each row as bytes; a number is the same in whatever width."""
    values = column
    while pa.types.is_fixed_size_list(values.type):
        values = values.flatten()
    is_number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if is_number and not values.null_count and not len(values) % len(column):
        return [it.tobytes() for it in values.to_numpy().astype(np.float64).reshape(len(column), -1)]
    return [it if isinstance(it, bytes) else repr(it).encode() for it in column.to_pylist()]
