"""From a source to a dataset in three splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from headworks_data._content import content_ids
from headworks_data._dataset import Dataset, Split
from headworks_data._files import write
from headworks_data._source import read_source
from headworks_data._splits import assign

if TYPE_CHECKING:
    import os

    from headworks_data._settings import BuildSettings
    from headworks_data._source import Rows
    from numpy.typing import NDArray


def split_rows(rows: Rows, settings: BuildSettings) -> Dataset:
    """Split rows by their content, each with its id and the slice `class`.

    Args:
        rows: What a source gave.
        settings: The source's name, the salt and the shares.
    """
    ids = content_ids(rows.images)
    assigned = assign(ids, salt=settings.salt, shares=settings.shares)
    height, width, channels = rows.images.shape[1:]
    return Dataset(
        classes=rows.classes,
        image_shape=(height, width, channels),
        source=rows.source or settings.source,
        salt=settings.salt,
        splits={name: _take(rows, ids, chosen) for name, chosen in assigned.items()},
    )


def _take(rows: Rows, ids: NDArray[np.str_], chosen: NDArray[np.intp]) -> Split:
    columns = {"class": np.array(rows.classes, dtype=np.str_)[rows.labels], **rows.slices}
    return Split(
        ids=ids[chosen],
        images=rows.images[chosen],
        labels=rows.labels[chosen],
        slices={name: values[chosen] for name, values in columns.items()},
    )


def build(folder: str | os.PathLike[str], settings: BuildSettings) -> Dataset:
    """Read a source, split its rows, and write the dataset to a folder in one step.

    Args:
        folder: Where to; an earlier dataset there is replaced only when the new one is whole.
        settings: What to build.

    Returns:
        What was written.

    Raises:
        SourceError: The source is unknown, or what it holds cannot become a dataset.
        WriteError: The folder cannot be written.
    """
    dataset = split_rows(read_source(settings.source), settings)
    write(folder, dataset)
    return dataset
