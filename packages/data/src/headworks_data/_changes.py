"""Which rows and which columns differ between two datasets."""

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
        base: What it is in the base, None where there is no such column.
        new: What it is in the new dataset, likewise.
    """

    what: str
    base: str | None
    new: str | None


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Rows that differ in one way.

    Attributes:
        count: How many.
        rows: Ids of up to five.
        groups: Their number by split (added, removed), by `OLD to NEW` (moved, relabelled) or by column (resliced).
    """

    count: int
    rows: tuple[str, ...]
    groups: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class RowChanges:
    """All rows that differ, by their ids, which are the content of their images.

    Attributes:
        added: Rows that the base does not have, or does not have so often.
        removed: Rows that the new dataset does not have, or does not have so often.
        relabelled: Rows of both that have another class.
        moved: Rows of both that are in another split.
        resliced: Rows of both with another value in a slice column of both; that of `class` changes with the label.
    """

    added: Changed
    removed: Changed
    relabelled: Changed
    moved: Changed
    resliced: Changed


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What is said of an image; each in the order of its occurrences."""

    splits: list[str]
    classes: list[str]
    slices: list[dict[str, str]]


def schema_changes(base: Dataset, new: Dataset) -> Iterator[SchemaChange]:
    """Compare classes and columns."""
    sides = [schema_text(it.image_shape, it.slices) for it in (base, new)]
    texts: dict[str, list[str | None]] = {
        "classes": [", ".join(it.classes) for it in (base, new)],
        "columns": [", ".join(it) for it in sides],
        **{f"column {name}": [it.get(name) for it in sides] for name in sides[0] | sides[1]},
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
    """Return `OLD to NEW`, or nothing where an image that occurs several times is the same things as before."""
    old, new = ("+".join(sorted(set(it))) for it in (one, other))
    return [f"{old} to {new}"] if old != new else []


def _resliced(one: _Row, other: _Row, columns: list[str]) -> list[str]:
    """Return the slice columns that differ; `class` follows the label, which is told already."""
    differing = [name for name in columns if {it[name] for it in one.slices} != {it[name] for it in other.slices}]
    return [name for name in differing if name != "class" or set(one.classes) == set(other.classes)]


def _index(dataset: Dataset) -> dict[str, _Row]:
    found: defaultdict[str, _Row] = defaultdict(lambda: _Row(splits=[], classes=[], slices=[]))
    for name, split in dataset.splits.items():
        for row_id, label, *slices in split.records():
            row = found[row_id]
            row.splits.append(name)
            row.classes.append(dataset.classes[label])
            row.slices.append(dict(zip(dataset.slices, slices, strict=True)))
    return dict(found)


def _surplus(more: Mapping[str, _Row], less: Mapping[str, _Row]) -> Changed:
    """Return the rows that occur more often on the one side, each time with its split."""
    found: dict[str, list[str]] = {}
    for row_id in sorted(more):
        before = less[row_id].splits if row_id in less else []
        count = len(more[row_id].splits) - len(before)
        if count > 0:
            found[row_id] = [*(Counter(more[row_id].splits) - Counter(before)).elements()][:count]
    groups = Counter(name for names in found.values() for name in names)
    by_split = {name: groups[name] for name in SPLITS if name in groups}
    return Changed(count=groups.total(), rows=some(found), groups=by_split)


def _changed(found: Mapping[str, list[str]]) -> Changed:
    """Return the rows for which something was found, each under all that it belongs to."""
    groups = Counter(group for names in found.values() for group in names)
    rows = [row for row, names in found.items() if names]
    return Changed(count=len(rows), rows=some(rows), groups=dict(sorted(groups.items())))
