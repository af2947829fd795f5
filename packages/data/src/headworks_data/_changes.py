"""Differences between two datasets in rows and columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks_data._dataset import SPLITS
from headworks_data._summary import schema_text
from headworks_data._violation import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headworks_data._dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class SchemaChange:
    """A difference in form.

    Attributes:
        what: `classes`, `columns` (their names and order) or `column NAME`.
        base: Its value in the base, None where there is no such column.
        new: Its value in the new dataset, likewise.
    """

    what: str
    base: str | None
    new: str | None


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Rows that differ in one way.

    Attributes:
        count: Number of rows.
        rows: Ids of up to five.
        groups: Their number by split (added, removed), by `OLD to NEW` (moved, relabelled) or by column (resliced).
    """

    count: int
    rows: tuple[str, ...]
    groups: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class RowChanges:
    """All rows that differ, told apart by their ids, which are the content of their images.

    Attributes:
        added: Rows that the base lacks, or has fewer times.
        removed: Rows that the new dataset lacks, or has fewer times.
        relabelled: Rows of both with another class.
        moved: Rows of both in another split.
        resliced: Rows of both with another value in a slice column of both; that of `class` changes with the label.
    """

    added: Changed
    removed: Changed
    relabelled: Changed
    moved: Changed
    resliced: Changed


@dataclass(frozen=True, kw_only=True)
class _Row:
    """All occurrences of one image, in order."""

    splits: list[str]
    classes: list[str]
    slices: list[dict[str, str]]


def schema_changes(base: Dataset, new: Dataset) -> Iterator[SchemaChange]:
    """Compare classes and columns."""
    sides = [schema_text(side.image_shape, side.slices) for side in (base, new)]
    texts: dict[str, list[str | None]] = {
        "classes": [", ".join(side.classes) for side in (base, new)],
        "columns": [", ".join(side) for side in sides],
        **{f"column {name}": [side.get(name) for side in sides] for name in sides[0] | sides[1]},
    }
    for what, (one, other) in texts.items():
        if one != other:
            yield SchemaChange(what=what, base=one, new=other)


def row_changes(base: Dataset, new: Dataset) -> RowChanges:
    """Compare the rows."""
    one, other = _index(base), _index(new)
    both = sorted(one.keys() & other.keys())
    columns = [name for name in base.slices if name in new.slices]

    return RowChanges(
        added=_surplus(other, one),
        removed=_surplus(one, other),
        relabelled=_changed({row: _between(one[row].classes, other[row].classes) for row in both}),
        moved=_changed({row: _between(one[row].splits, other[row].splits) for row in both}),
        resliced=_changed({row: _resliced(one[row], other[row], columns) for row in both}),
    )


def _between(one: list[str], other: list[str]) -> list[str]:
    """Return `OLD to NEW`, or nothing where all occurrences of an image together have the same values as before."""
    old, new = ("+".join(sorted(set(side))) for side in (one, other))
    return [f"{old} to {new}"] if old != new else []


def _resliced(one: _Row, other: _Row, columns: list[str]) -> list[str]:
    """Return the slice columns that differ; `class` follows the label, which is reported already."""
    differing = [name for name in columns if {row[name] for row in one.slices} != {row[name] for row in other.slices}]
    return [name for name in differing if name != "class" or set(one.classes) == set(other.classes)]


def _index(dataset: Dataset) -> dict[str, _Row]:
    rows: defaultdict[str, _Row] = defaultdict(lambda: _Row(splits=[], classes=[], slices=[]))
    for name, split in dataset.splits.items():
        for row_id, label, *slices in split.records():
            row = rows[row_id]
            row.splits.append(name)
            row.classes.append(dataset.classes[label])
            row.slices.append(dict(zip(dataset.slices, slices, strict=True)))
    return dict(rows)


def _surplus(more: Mapping[str, _Row], less: Mapping[str, _Row]) -> Changed:
    """Return the rows that occur more often on one side, with the split of each extra occurrence."""
    extra: dict[str, list[str]] = {}
    for row_id in sorted(more):
        before = less[row_id].splits if row_id in less else []
        count = len(more[row_id].splits) - len(before)
        if count > 0:
            extra[row_id] = [*(Counter(more[row_id].splits) - Counter(before)).elements()][:count]
    groups = Counter(name for names in extra.values() for name in names)
    by_split = {name: groups[name] for name in SPLITS if name in groups}
    return Changed(count=groups.total(), rows=some(extra), groups=by_split)


def _changed(changes: Mapping[str, list[str]]) -> Changed:
    """Return the rows with changes, counted by the names of their changes."""
    groups = Counter(change for names in changes.values() for change in names)
    rows = [row for row, names in changes.items() if names]
    return Changed(count=len(rows), rows=some(rows), groups=dict(sorted(groups.items())))
