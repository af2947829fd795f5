"""Datasets as folders: one Parquet file for each split, and dataset.json."""

from __future__ import annotations

import math
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from headworks_data._advice import advice
from headworks_data._dataset import SPLITS, Dataset, Split, require, verify_ids
from headworks_data._staging import staged
from headworks_data._summary import SUMMARY, describe, read_summary, write_summary
from headworks_data.errors import DatasetInvalidError, DatasetMissingError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from headworks_data._summary import Summary
    from numpy.typing import NDArray

FILES = (SUMMARY, *(f"{name}.parquet" for name in SPLITS))
# Pixels in a row group (4 MiB), and pixels that are read at once: Parquet has no type for a single byte, so that Arrow
# takes ten times as much memory while it packs and unpacks them.
GROUP_BYTES, READ_BYTES = 2**22, 2**19


def write(folder: str | os.PathLike[str], dataset: Dataset) -> None:
    """Write a dataset to a folder, in one step that replaces an earlier dataset there.

    Args:
        folder: The dataset's folder; it is made, or must be empty or hold a dataset.
        dataset: The dataset. Its rows are stored in the order of their ids.

    Raises:
        DatasetInvalidError: An id is not the content hash of its image.
        WriteError: The folder cannot be written, or holds something else than a dataset.
    """
    with staged(Path(folder), FILES) as stage:
        write_files(stage, dataset)


def write_files(folder: Path, dataset: Dataset) -> None:
    """Write the files of a dataset into an empty folder."""
    verify_ids(dataset)
    schema = arrow_schema(dataset.image_shape, dataset.slices)
    for name, split in dataset.splits.items():
        _write_split(folder / f"{name}.parquet", split, schema)
    write_summary(folder / SUMMARY, dataset)


def arrow_schema(shape: tuple[int, int, int], slices: list[str]) -> pa.Schema:
    """Return names and types of the columns of a split."""
    image = pa.fixed_shape_tensor(pa.uint8(), shape)
    fixed = [("id", pa.string()), ("image", image), ("label", pa.int64())]
    return pa.schema([*fixed, *((name, pa.string()) for name in slices)])


def _write_split(path: Path, split: Split, schema: pa.Schema) -> None:
    order = split.order()
    step = _rows_of(GROUP_BYTES, schema)
    # Only columns with repeated values gain by a dictionary.
    repeated = ["label", *split.slices]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeated) as writer:
        for start in range(0, max(1, len(order)), step):
            writer.write_table(_table(split, order[start : start + step], schema))


def _rows_of(size: int, schema: pa.Schema) -> int:
    """Return the number of rows with about so many pixels, at least one."""
    sizes: list[int] = [
        math.prod(field.type.shape) for field in schema if isinstance(field.type, pa.FixedShapeTensorType)
    ]
    return max(1, size // max([1, *sizes]))


def _table(split: Split, rows: NDArray[np.intp], schema: pa.Schema) -> pa.Table:
    pixels = pa.array(np.ascontiguousarray(split.images[rows]).reshape(-1))
    size = int(np.prod(split.images.shape[1:]))
    image = pa.ExtensionArray.from_storage(schema.field("image").type, pa.FixedSizeListArray.from_arrays(pixels, size))
    texts = [pa.array(values[rows].tolist(), pa.string()) for values in split.slices.values()]
    ids = pa.array(split.ids[rows].tolist(), pa.string())
    return pa.Table.from_arrays([ids, image, pa.array(split.labels[rows]), *texts], schema=schema)


def load(folder: str | os.PathLike[str]) -> Dataset:
    """Read a dataset from a folder and verify it.

    Every id is computed again from its image, and dataset.json must say what the rows say.

    Args:
        folder: The folder that `write` or ``headworks_data build`` wrote.

    Returns:
        The dataset, its rows in the order of their ids.

    Raises:
        DatasetMissingError: There is no dataset, or a file of it is gone.
        DatasetInvalidError: A file cannot be read, or dataset.json disagrees with its rows.
    """
    folder = Path(folder)
    summary = read_summary(folder)
    splits = {name: _read_split(folder / f"{name}.parquet", summary) for name in SPLITS}
    return join(folder, summary, splits)


def join(folder: Path, summary: Summary, splits: Mapping[str, Split]) -> Dataset:
    """Return the splits of a folder as a dataset, verified against its dataset.json.

    Raises:
        DatasetInvalidError: dataset.json disagrees with the rows.
    """
    try:
        return _join(summary, splits)
    except DatasetInvalidError as error:
        message = f"{folder} was changed after it was built: {error}; build it again"
        raise DatasetInvalidError(message) from error


def _join(summary: Summary, splits: Mapping[str, Split]) -> Dataset:
    dataset = Dataset(
        classes=summary.classes,
        image_shape=summary.image_shape,
        source=summary.source,
        salt=summary.salt,
        splits=splits,
        digest=summary.digest,
    )
    verify_ids(dataset)
    differing = differences(summary, dataset)
    require(not differing, f"{SUMMARY} does not agree with the rows in {', '.join(differing)}")
    return dataset


def differences(summary: Summary, dataset: Dataset) -> list[str]:
    """Return the keys of dataset.json that disagree with the rows."""
    computed = describe(dataset)
    return sorted(key for key in computed.keys() | summary.raw.keys() if computed.get(key) != summary.raw.get(key))


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file as it is.

    Raises:
        DatasetMissingError: There is no such file.
        DatasetInvalidError: It cannot be read as Parquet.
    """
    try:
        # A ParquetFile is one file, so that the name of its folder is never taken for a partition.
        with pq.ParquetFile(path) as file:
            step = _rows_of(READ_BYTES, file.schema_arrow)
            # Arrow keeps all that an iteration has read, so each row group has an iteration of its own.
            groups = (file.iter_batches(step, row_groups=[group]) for group in range(file.num_row_groups))
            return pa.Table.from_batches(chain.from_iterable(groups), file.schema_arrow)
    except FileNotFoundError as error:
        message = f"{path} is missing; build the dataset again"
        raise DatasetMissingError(message) from error
    except (OSError, pa.ArrowException) as error:
        why = " ".join(str(error).split())
        message = f"cannot read {path}: {why}; {advice(error, 'build the dataset again')}"
        raise DatasetInvalidError(message) from error


def _read_split(path: Path, summary: Summary) -> Split:
    table = read_table(path)
    expected = arrow_schema(summary.image_shape, list(summary.slices))
    fits = table.schema.equals(expected) and not any(column.null_count for column in table.columns)
    if not fits:
        message = f"the columns of {path} are not those of {SUMMARY}, or have missing values; build the dataset again"
        raise DatasetInvalidError(message)
    return Split(
        ids=texts(table["id"]),
        images=pixels(table["image"]),
        labels=table["label"].to_numpy(),
        slices={name: texts(table[name]) for name in summary.slices},
    )


def texts(column: pa.ChunkedArray) -> NDArray[np.str_]:
    """Return a column of strings without missing values as an array."""
    return np.array(column.to_pylist(), dtype=np.str_)


def pixels(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column of fixed-shape tensors without missing values as one array (N, *shape)."""
    flat = [pa.array([], column.type.value_type).to_numpy(zero_copy_only=False)]
    flat += [chunk.storage.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(flat).reshape(-1, *column.type.shape)
