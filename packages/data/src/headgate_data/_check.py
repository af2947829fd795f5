"""The data contract: what must hold for a dataset before anything is trained on it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from headgate_data._content import content_ids
from headgate_data._dataset import SPLITS
from headgate_data._files import arrow_schema, load, pixels, read_table, texts
from headgate_data._splits import Shares, assign
from headgate_data._summary import SUMMARY, read_summary
from headgate_data.errors import DatasetInvalidError, SettingsError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

MAX_ROWS_SHOWN = 5
BYTE = 255


@dataclass(frozen=True, kw_only=True)
class Counts:
    """A smallest number for each split."""

    train: int = 1
    validation: int = 1
    test: int = 1


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What must hold for a dataset; a TOML file gives these keys.

    Attributes:
        classes: Names of all classes, in order; each must occur in every split.
        image_shape: (H, W, C) of every image.
        value_range: Smallest and largest value a pixel may have.
        slices: Names of the slice columns, in order.
        shares: Share of the rows that each split has.
        share_tolerance: How far a share may be off.
        min_rows: Smallest number of rows in each split.
        min_rows_per_class: Smallest number of rows of each class in each split.
        max_duplicates: How many rows may repeat the content of an earlier one of their split.
        split_by_content: Whether every row must be in the split that its content, the salt and the shares give it.
    """

    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    value_range: tuple[int, ...] = (0, BYTE)
    slices: tuple[str, ...] = ("class",)
    shares: Shares = field(default_factory=Shares)
    share_tolerance: float = 0.05
    min_rows: Counts = field(default_factory=Counts)
    min_rows_per_class: Counts = field(default_factory=Counts)
    max_duplicates: int = 0
    split_by_content: bool = True

    def __post_init__(self) -> None:
        """Refuse a contract that nothing could meet."""
        if len(self.image_shape) != len("HWC") or min(self.image_shape) < 1:
            message = f"'image_shape' must be [H, W, C], not {list(self.image_shape)}"
            raise SettingsError(message)
        if len(self.value_range) != len(("low", "high")) or not 0 <= self.value_range[0] <= self.value_range[1] <= BYTE:
            message = f"'value_range' must be [low, high] within 0 and {BYTE}, not {list(self.value_range)}"
            raise SettingsError(message)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A rule that does not hold.

    Attributes:
        rule: Name of the rule.
        where: The split or file.
        what: What was found, in words.
        count: How many rows, classes or values break the rule.
        remedy: What to do.
        rows: Ids of up to five of the rows.
    """

    rule: str
    where: str
    what: str
    count: int
    remedy: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Columns:
    """The columns of one split as they stand in its file: ids (N,), images (N, H, W, C), labels (N,)."""

    ids: NDArray[np.str_]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def check(folder: str | os.PathLike[str], contract: Contract) -> list[Violation]:
    """Hold a dataset against a contract.

    The rows are read as they are; dataset.json is believed in nothing, and must agree with them. Where a file has
    other columns than the contract says, that is the violation, and rules about its rows are not judged.

    Args:
        folder: The dataset.
        contract: What must hold.

    Returns:
        Every violation, an empty list if the contract holds.

    Raises:
        DatasetMissingError: There is no dataset, or a file of it is gone.
        DatasetInvalidError: A file cannot be read.
    """
    folder = Path(folder)
    summary = read_summary(folder)
    tables = {name: read_table(folder / f"{name}.parquet") for name in SPLITS}
    violations = [it for name, table in tables.items() for it in _schema(name, table, contract)]
    broken = {it.where for it in violations}
    columns = {name: _columns(table) for name, table in tables.items() if name not in broken}
    for name, split in columns.items():
        violations += _rows(name, split, contract)
    violations += [*_shares(columns, contract), *_between(columns)]
    if contract.split_by_content:
        violations += [it for name, split in columns.items() for it in _moved(name, split, summary.salt, contract)]
    if summary.classes != contract.classes:
        what = f"the classes are {', '.join(summary.classes)} and must be {', '.join(contract.classes)}"
        violations.append(Violation(rule="classes", where=SUMMARY, what=what, count=1, remedy=_REBUILD))
    return violations + list(_summary(folder, violations))


_REBUILD = "build the dataset again, or change the contract if this is meant"


def _schema(name: str, table: pa.Table, contract: Contract) -> Iterator[Violation]:
    height, width, channels = contract.image_shape
    expected = arrow_schema((height, width, channels), list(contract.slices))
    if missing := [it for it in expected.names if it not in table.schema.names]:
        what = f"columns are missing: {', '.join(missing)}"
        yield Violation(rule="schema", where=name, what=what, count=len(missing), remedy=_REBUILD)
    elif table.schema.names != expected.names:
        what = f"the columns are {', '.join(table.schema.names)} and must be {', '.join(expected.names)}"
        yield Violation(rule="schema", where=name, what=what, count=1, remedy=_REBUILD)
    for column in expected:
        if column.name not in table.schema.names:
            continue
        found = table.schema.field(column.name).type
        if found != column.type:
            rule = "shape" if column.name == "image" else "dtype"
            what = f"column {column.name} is {found} and must be {column.type}"
            yield Violation(rule=rule, where=name, what=what, count=1, remedy=_REBUILD)
        elif nulls := table[column.name].null_count:
            what = f"column {column.name} has {nulls} missing values"
            yield Violation(rule="schema", where=name, what=what, count=nulls, remedy=_REBUILD)


def _columns(table: pa.Table) -> _Columns:
    return _Columns(ids=texts(table["id"]), images=pixels(table["image"]), labels=table["label"].to_numpy())


def _some(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(it) for it in list(ids)[:MAX_ROWS_SHOWN])


def _rows(name: str, split: _Columns, contract: Contract) -> Iterator[Violation]:
    """Judge the rows of one split by themselves."""
    wrong = split.ids[content_ids(split.images) != split.ids]
    if wrong.size:
        what, remedy = "ids are not the content of their image", "build the dataset again"
        yield Violation(rule="id", where=name, what=what, count=wrong.size, remedy=remedy, rows=_some(wrong))
    low, high = contract.value_range
    outside = split.ids[((split.images < low) | (split.images > high)).any(axis=(1, 2, 3))]
    if outside.size:
        what, remedy = f"images have pixels outside {low}..{high}", "mend the source's scale, or the contract's range"
        yield Violation(rule="range", where=name, what=what, count=outside.size, remedy=remedy, rows=_some(outside))
    yield from _labels(name, split, contract)
    _, first = np.unique(split.ids, return_index=True)
    repeated = np.delete(split.ids, first)
    if repeated.size > contract.max_duplicates:
        what, remedy = "rows repeat the content of another row of their split", "remove the copies from the source"
        rows = _some(sorted(set(repeated.tolist())))
        yield Violation(rule="duplicate", where=name, what=what, count=repeated.size, remedy=remedy, rows=rows)


def _labels(name: str, split: _Columns, contract: Contract) -> Iterator[Violation]:
    known = (split.labels >= 0) & (split.labels < len(contract.classes))
    if not known.all():
        unknown = split.ids[~known]
        what = f"labels are outside 0..{len(contract.classes) - 1}"
        yield Violation(
            rule="label", where=name, what=what, count=unknown.size, remedy="mend the source", rows=_some(unknown)
        )
    least = getattr(contract.min_rows, name)
    if len(split.ids) < least:
        what, remedy = f"there are {len(split.ids)} rows and must be {least}", "add rows to the source"
        yield Violation(rule="rows", where=name, what=what, count=least - len(split.ids), remedy=remedy)
    counts = np.bincount(split.labels[known], minlength=len(contract.classes))
    if absent := [it for it, count in zip(contract.classes, counts, strict=True) if not count]:
        what, remedy = f"classes have no row: {', '.join(absent)}", "add rows of each, or another salt"
        yield Violation(rule="classes", where=name, what=what, count=len(absent), remedy=remedy)
    least = getattr(contract.min_rows_per_class, name)
    few = [f"{it} ({n})" for it, n in zip(contract.classes, counts, strict=True) if 0 < n < least]
    if few:
        what, remedy = f"classes have fewer than {least} rows: {', '.join(few)}", "add rows of each, or another salt"
        yield Violation(rule="rows-per-class", where=name, what=what, count=len(few), remedy=remedy)


def _shares(columns: Mapping[str, _Columns], contract: Contract) -> Iterator[Violation]:
    total = sum(len(split.ids) for split in columns.values())
    if len(columns) < len(SPLITS) or not total:
        return
    for name, split in columns.items():
        wanted, found = getattr(contract.shares, name), len(split.ids) / total
        if abs(found - wanted) > contract.share_tolerance:
            bounds = f"{wanted:.1%}, give or take {contract.share_tolerance:.1%}"
            what = f"it has {found:.1%} of the rows and must have {bounds}"
            remedy = "mend what assigns rows to splits, or change the contract"
            yield Violation(rule="share", where=name, what=what, count=1, remedy=remedy)


def _between(columns: Mapping[str, _Columns]) -> Iterator[Violation]:
    """Find content that is in two splits, or that has two labels."""
    places: defaultdict[str, set[str]] = defaultdict(set)
    labels: defaultdict[str, set[int]] = defaultdict(set)
    for name, split in columns.items():
        # The content is hashed again: an id that was tampered with must not hide a copy.
        for row, label in zip(content_ids(split.images).tolist(), split.labels.tolist(), strict=True):
            places[row].add(name)
            labels[row].add(label)
    for pair in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if shared := sorted(row for row, found in places.items() if found.issuperset(pair)):
            what, remedy = (
                "images are in both splits",
                "remove the copies: the model would be judged on what it has seen",
            )
            where = " and ".join(pair)
            yield Violation(rule="leak", where=where, what=what, count=len(shared), remedy=remedy, rows=_some(shared))
    if torn := sorted(row for row, found in labels.items() if len(found) > 1):
        what, remedy = "images have two different labels", "decide which label is right, in the source"
        yield Violation(rule="conflict", where="all", what=what, count=len(torn), remedy=remedy, rows=_some(torn))


def _moved(name: str, split: _Columns, salt: str, contract: Contract) -> Iterator[Violation]:
    """Find rows that were moved here from the split that their content gives them."""
    ids = content_ids(split.images)
    stray = np.delete(ids, assign(ids, salt=salt, shares=contract.shares)[name])
    if stray.size:
        what, remedy = (
            "rows belong to another split by their content",
            "build the dataset again, with the contract's shares",
        )
        yield Violation(rule="moved", where=name, what=what, count=stray.size, remedy=remedy, rows=_some(stray))


def _summary(folder: Path, violations: list[Violation]) -> Iterator[Violation]:
    """Say that dataset.json disagrees with the rows, unless something worse explains it."""
    if violations:
        return
    try:
        load(folder)
    except DatasetInvalidError as error:
        yield Violation(rule="summary", where=SUMMARY, what=str(error), count=1, remedy="build the dataset again")
