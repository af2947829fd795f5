"""Rules of the contract for one split: its columns and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._dataset import Split, content_ids
from headworks_data._files import arrow_schema, pixels, texts
from headworks_data._summary import pixel_means
from headworks_data._violation import REBUILD, Violation, about_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from headworks_data._contract import Contract
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Columns:
    """The columns of one split as they stand in its file.

    Attributes:
        ids: The ids in the file, (N,).
        hashes: The ids as they must be: the content hash of each image, (N,).
        images: Pixels, uint8 of shape (N, H, W, C).
        labels: int64 of shape (N,).
        slices: Name to (N,) strings.
    """

    ids: NDArray[np.str_]
    hashes: NDArray[np.str_]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    slices: Mapping[str, NDArray[np.str_]]

    def as_split(self) -> Split:
        """Return the columns as a split of a dataset."""
        return Split(ids=self.ids, images=self.images, labels=self.labels, slices=self.slices)


def read_columns(table: pa.Table, contract: Contract) -> Columns:
    """Return the columns of a table without a violation of `schema`."""
    images = pixels(table["image"])
    return Columns(
        ids=texts(table["id"]),
        hashes=content_ids(images),
        images=images,
        labels=table["label"].to_numpy(),
        slices={name: texts(table[name]) for name in contract.slices},
    )


def schema(name: str, table: pa.Table, contract: Contract) -> Iterator[Violation]:
    """Judge names and types of the columns, and missing values."""
    height, width, channels = contract.image_shape
    expected = arrow_schema((height, width, channels), list(contract.slices))
    names = table.schema.names
    if missing := [column for column in expected.names if column not in names]:
        what = f"columns are missing: {', '.join(missing)}"
        yield Violation(rule="schema", where=name, what=what, count=len(missing), remedy=REBUILD)
    elif names != expected.names:
        what = f"the columns are {', '.join(names)} and must be {', '.join(expected.names)}"
        yield Violation(rule="schema", where=name, what=what, count=1, remedy=REBUILD)
    for column in expected:
        if names.count(column.name) == 1:
            yield from _column(name, table, column)


def _column(name: str, table: pa.Table, expected: pa.Field) -> Iterator[Violation]:
    kind = table.schema.field(expected.name).type
    if kind != expected.type:
        rule = "shape" if expected.name == "image" else "dtype"
        what = f"column {expected.name} is {kind} and must be {expected.type}"
        yield Violation(rule=rule, where=name, what=what, count=1, remedy=REBUILD)
    elif nulls := table[expected.name].null_count:
        what = f"column {expected.name} has {nulls} missing values"
        yield Violation(rule="schema", where=name, what=what, count=nulls, remedy=REBUILD)


def rows(name: str, split: Columns, contract: Contract) -> Iterator[Violation]:
    """Judge ids, labels, slices and copies in one split."""
    wrong = split.ids[split.hashes != split.ids]
    yield from about_rows("id", name, wrong, "ids are not the content of their image", "build the dataset again")
    yield from pixel_values(name, split, contract)
    yield from labels(name, split, contract)
    _, first = np.unique(split.ids, return_index=True)
    repeated = np.delete(split.ids, first)
    if repeated.size > contract.max_duplicates:
        what, remedy = "rows repeat the content of another row of their split", "remove the copies from the source"
        yield from about_rows("duplicate", name, np.sort(repeated), what, remedy)


def pixel_values(name: str, split: Columns, contract: Contract) -> Iterator[Violation]:
    """Judge every pixel, and their mean in each channel, which finds another scale within the range of pixels."""
    remedy = "mend the source's scale, or the contract's range"
    low, high = contract.value_range
    outside = split.ids[((split.images < low) | (split.images > high)).any(axis=(1, 2, 3))]
    yield from about_rows("range", name, outside, f"images have pixels outside {low}..{high}", remedy)
    # Not strict: an empty split has no means, and a contract need not have ranges.
    for channel, (mean, (least, most)) in enumerate(zip(pixel_means(split.images), contract.mean_range, strict=False)):
        if not least <= mean <= most:
            what = f"the pixels of channel {channel} have mean {mean:.2f}, outside {least}..{most}"
            yield Violation(rule="mean", where=name, what=what, count=1, remedy=remedy)


def labels(name: str, split: Columns, contract: Contract) -> Iterator[Violation]:
    """Judge labels, the slice that repeats them, and the number of rows of each class."""
    known = (split.labels >= 0) & (split.labels < len(contract.classes))
    what = f"labels are outside 0..{len(contract.classes) - 1}"
    yield from about_rows("label", name, split.ids[~known], what, "mend the source")
    if "class" in split.slices:
        names = np.array(contract.classes, dtype=np.str_)[split.labels[known]]
        torn = split.ids[known][names != split.slices["class"][known]]
        what, remedy = "slices 'class' name another class than the label", "build the dataset again"
        yield from about_rows("slice", name, torn, what, remedy)
    least = getattr(contract.min_rows, name)
    if len(split.ids) < least:
        what, remedy = f"there are {len(split.ids)} rows and must be {least}", "add rows to the source"
        yield Violation(rule="rows", where=name, what=what, count=least - len(split.ids), remedy=remedy)
    yield from _classes(name, np.bincount(split.labels[known], minlength=len(contract.classes)).tolist(), contract)


def _classes(name: str, counts: list[int], contract: Contract) -> Iterator[Violation]:
    remedy = "add rows of each, or another salt"
    if absent := [label for label, count in zip(contract.classes, counts, strict=True) if not count]:
        what = f"classes have no row: {', '.join(absent)}"
        yield Violation(rule="classes", where=name, what=what, count=len(absent), remedy=remedy)
    least = getattr(contract.min_rows_per_class, name)
    if few := [f"{label} ({n})" for label, n in zip(contract.classes, counts, strict=True) if 0 < n < least]:
        what = f"classes have fewer than {least} rows: {', '.join(few)}"
        yield Violation(rule="rows-per-class", where=name, what=what, count=len(few), remedy=remedy)
