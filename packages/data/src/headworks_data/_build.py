"""From a source to a dataset in three splits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._dataset import Dataset, Split, content_ids, is_text
from headworks_data._files import FILES, write_files
from headworks_data._settings import expect, validate
from headworks_data._source import read_source
from headworks_data._splits import Shares, assign
from headworks_data._staging import staged

if TYPE_CHECKING:
    import os

    from headworks_data._source import Rows
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """Settings of a build; a TOML file gives these keys.

    Attributes:
        source: Name of a source, with an argument after a colon where it takes one.
        salt: Text that the splits depend on.
        shares: Share of the rows for each split.
    """

    source: str = "digits"
    salt: str = "headworks"
    shares: Shares = field(default_factory=Shares)

    def __post_init__(self) -> None:
        """Refuse a salt that cannot be hashed or written down."""
        validate(self)
        expect(is_text(self.salt), f"'salt' must be text, not bytes that are not UTF-8: {self.salt!r}")


def split_rows(rows: Rows, settings: BuildSettings) -> Dataset:
    """Split rows by their content, each with its id and the slice `class`.

    Args:
        rows: Rows of a source.
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
    classes = np.array(rows.classes, dtype=np.str_)[rows.labels]
    return Split(ids=ids, images=rows.images, labels=rows.labels, slices={"class": classes, **rows.slices}).take(chosen)


def build(folder: str | os.PathLike[str], settings: BuildSettings) -> Dataset:
    """Read a source, split its rows, and write the dataset to a folder in one step.

    Args:
        folder: The dataset's folder; an earlier dataset there is replaced only when the new one is whole.
        settings: Source, salt and shares.

    Returns:
        The dataset as written.

    Raises:
        SourceError: The source is unknown, or its data cannot become a dataset.
        WriteError: The folder cannot be written.
    """
    with staged(Path(folder), FILES) as stage:  # A folder that cannot be written is refused before a source is read.
        dataset = split_rows(read_source(settings.source), settings)
        write_files(stage, dataset)
    return dataset
