"""What a comparison of two datasets may find: the table `diff` of the contract."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from headworks_data._expect import expect
from headworks_data._violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headworks_data._changes import Changed
    from headworks_data._diff import DatasetDiff

_ROWS = ("added", "removed", "relabelled", "moved", "resliced")
_REMEDY = "look at them, or change the limit if this is meant"


@dataclass(frozen=True, kw_only=True)
class DiffLimits:
    """Limits for what differs between two datasets; one that is left out is not judged.

    Attributes:
        max_added: How many rows may be added.
        max_removed: How many rows may be removed.
        max_relabelled: How many rows may have another class.
        max_moved: How many rows may be in another split.
        max_resliced: How many rows may have another value in a slice column.
        max_near_duplicates: How many rows may newly have a near-duplicate, or an exact copy, in another split.
        max_label_drift: Largest Cramér's V between the labels of a split. A split that has rows on one side only has
            drifted beyond any limit, and so it has for `max_pixel_drift`.
        max_pixel_drift: Largest distance of Kolmogorov and Smirnov between the images of a split, in any property.
        significance: A drift beyond its limit counts where its p-value, times the number of such tests (Bonferroni), is
            at most this: few rows differ widely by chance.
        same_schema: Whether classes and columns must be the same.
    """

    max_added: int | None = None
    max_removed: int | None = None
    max_relabelled: int | None = None
    max_moved: int | None = None
    max_resliced: int | None = None
    max_near_duplicates: int | None = None
    max_label_drift: float | None = None
    max_pixel_drift: float | None = None
    significance: float = 0.01
    same_schema: bool = False

    def __post_init__(self) -> None:
        """Refuse limits that nothing could break."""
        for it in fields(self):
            value = getattr(self, it.name)
            if it.name.endswith("_drift"):
                expect(value is None or 0 <= value < 1, f"'{it.name}' must be 0 or more and below 1, not {value}")
            elif it.name.startswith("max_"):
                expect(value is None or value >= 0, f"'{it.name}' must be 0 or more, not {value}")
        expect(0 < self.significance <= 1, f"'significance' must be above 0 and at most 1, not {self.significance}")

    def stated(self) -> dict[str, float]:
        """Return the limits that are judged."""
        found = {key: value for key, value in asdict(self).items() if key.startswith("max_") and value is not None}
        if any(key.endswith("_drift") for key in found):
            found["significance"] = self.significance
        return found | ({"same_schema": True} if self.same_schema else {})


def judge(diff: DatasetDiff, limits: DiffLimits) -> Iterator[Violation]:
    """Yield every limit that a comparison breaks."""
    for name in _ROWS:
        yield from _rows(name, getattr(diff.rows, name), getattr(limits, f"max_{name}"))
    near, most = diff.near_duplicates.added, limits.max_near_duplicates
    if most is not None and near.count > most:
        what = f"rows newly have a near-duplicate in another split, and at most {most} may"
        rows = tuple(pair.rows[1] for pair in near.pairs)
        yield Violation(rule="new-near-duplicates", where="all", what=what, count=near.count, remedy=_REMEDY, rows=rows)
    yield from _drifts(diff, limits)
    if limits.same_schema:
        for change in diff.schema:
            what = f"{change.what} changed from {change.base or 'none'} to {change.new or 'none'}"
            yield Violation(rule="schema-change", where=change.what, what=what, count=1, remedy=_REMEDY)


def _rows(name: str, found: Changed, most: int | None) -> Iterator[Violation]:
    if most is not None and found.count > most:
        groups = ", ".join(f"{group}: {count}" for group, count in found.groups.items())
        what = f"rows were {name} ({groups}), and at most {most} may be"
        yield Violation(rule=f"rows-{name}", where="all", what=what, count=found.count, remedy=_REMEDY, rows=found.rows)


def _drifts(diff: DatasetDiff, limits: DiffLimits) -> Iterator[Violation]:
    labels = [
        (name, "labels: Cramér's V", it.cramers_v, it.p_value)
        for name, it in diff.labels.items()
        if it.cramers_v is not None and it.p_value is not None
    ]
    pixels = [
        (name, f"{key}: KS distance", it.ks_distance, it.p_value)
        for name, found in diff.pixels.items()
        for key, it in found.items()
    ]
    for rule, tests, most in (
        ("label-drift", labels, limits.max_label_drift),
        ("pixel-drift", pixels, limits.max_pixel_drift),
    ):
        if most is not None:
            yield from _one_sided(rule, diff)
            yield from _beyond(rule, tests, most, limits.significance)


def _one_sided(rule: str, diff: DatasetDiff) -> Iterator[Violation]:
    """Yield each split that has rows on one side only: nothing can be tested there, and nothing differs more."""
    for name, before in diff.base.rows.items():
        now = diff.new.rows[name]
        if bool(before) != bool(now):
            what = f"{before:,} rows before and {now:,} now: there is nothing to compare"
            yield Violation(rule=rule, where=name, what=what, count=1, remedy=_REMEDY)


def _beyond(
    rule: str, tests: list[tuple[str, str, float, float]], most: float, significance: float
) -> Iterator[Violation]:
    for where, what, effect, p_value in tests:
        if effect > most and p_value * len(tests) <= significance:
            shown = f"{what} {effect:.3f} is above {most:g} (p {p_value:.2g})"
            yield Violation(rule=rule, where=where, what=shown, count=1, remedy=_REMEDY)
