"""Limits for the differences between two datasets: the table `diff` of the contract."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from headworks_data._settings import Range, expect, validate
from headworks_data._violation import Violation
from headworks_data.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headworks_data._changes import Changed
    from headworks_data._diff import DatasetDiff

_ROWS = ("added", "removed", "relabelled", "moved", "resliced")
_REMEDY = "look at them, and accept the dataset if they are meant"
_ACCEPTS = re.compile(r"([0-9a-f]{64}(\.\.[0-9a-f]{64})*)?")
_Count = Annotated[int | None, Range(least=0)]
_Drift = Annotated[float | None, Range(least=0, below=1)]


@dataclass(frozen=True, kw_only=True)
class DiffLimits:
    """Limits for the differences between two datasets; a limit that is left out is not judged.

    Attributes:
        max_added: Most rows that may be added.
        max_removed: Most rows that may be removed.
        max_relabelled: Most rows that may have another class.
        max_moved: Most rows that may be in another split.
        max_resliced: Most rows that may have another value in a slice column.
        max_near_duplicates: Most rows that may newly have a near-duplicate, or an exact copy, in another split.
        max_label_drift: Largest Cramér's V between the labels of a split. A split with rows on one side only breaks
            any limit, also that of `max_pixel_drift`.
        max_pixel_drift: Largest distance of Kolmogorov and Smirnov between the images of a split, in any property.
        significance: A drift beyond its limit counts where its p-value, times the number of such tests (Bonferroni), is
            at most this: few rows differ widely by chance.
        same_schema: Whether classes and columns must be the same.
        accepts: Digests of datasets that followed one another, with `..` between them. The last one may break these
            limits where it is compared with one of those before; empty for none.
    """

    max_added: _Count = None
    max_removed: _Count = None
    max_relabelled: _Count = None
    max_moved: _Count = None
    max_resliced: _Count = None
    max_near_duplicates: _Count = None
    max_label_drift: _Drift = None
    max_pixel_drift: _Drift = None
    significance: Annotated[float, Range(above=0, most=1)] = 0.01
    same_schema: bool = False
    accepts: str = ""

    def __post_init__(self) -> None:
        """Refuse limits that nothing could break, and digests that no dataset could have."""
        validate(self)
        expected = "'accepts' must be the digests of the dataset before and of the new one, as BEFORE..NEW"
        expect(bool(_ACCEPTS.fullmatch(self.accepts)), f"{expected}, not {self.accepts!r}")

    def stated(self) -> dict[str, float]:
        """Return the limits that are judged."""
        limits = {key: value for key, value in asdict(self).items() if key.startswith("max_") and value is not None}
        if any(key.endswith("_drift") for key in limits):
            limits["significance"] = self.significance
        return limits | ({"same_schema": True} if self.same_schema else {})

    def is_accepted(self, base: str, new: str) -> bool:
        """Tell whether the change from one dataset to another, by their digests, may break these limits.

        Raises:
            SettingsError: A new dataset is accepted whatever it is compared with, and so also at a later return to it.
        """
        *before, last = self.accepts.split("..")
        if last and not before:
            remedy = "Remove it: nothing changed." if base == new else f"Accept this one by {self.accepting(base, new)}"
            message = f"'accepts' in the table `diff` of the contract names the new dataset alone, {last}, and so would"
            message += f" accept any change to it. {remedy}"
            raise SettingsError(message)
        return last == new and base in before

    def accepting(self, base: str, new: str) -> str:
        """Return the line that accepts a change, after those that are accepted, as a comparison with a release sums."""
        earlier = self.accepts if ".." in self.accepts and self.accepts.endswith(base) else base
        return f'accepts = "{earlier}..{new}"'


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


def _rows(name: str, rows: Changed, most: int | None) -> Iterator[Violation]:
    if most is not None and rows.count > most:
        groups = ", ".join(f"{group}: {count}" for group, count in rows.groups.items())
        what = f"rows were {name} ({groups}), and at most {most} may be"
        yield Violation(rule=f"rows-{name}", where="all", what=what, count=rows.count, remedy=_REMEDY, rows=rows.rows)


def _drifts(diff: DatasetDiff, limits: DiffLimits) -> Iterator[Violation]:
    labels = [
        (name, "labels: Cramér's V", drift.cramers_v, drift.p_value)
        for name, drift in diff.labels.items()
        if drift.cramers_v is not None and drift.p_value is not None
    ]
    pixels = [
        (name, f"{key}: KS distance", drift.ks_distance, drift.p_value)
        for name, drifts in diff.pixels.items()
        for key, drift in drifts.items()
    ]
    for rule, tests, most in (
        ("label-drift", labels, limits.max_label_drift),
        ("pixel-drift", pixels, limits.max_pixel_drift),
    ):
        if most is not None:
            yield from _one_sided(rule, diff)
            yield from _beyond(rule, tests, most, limits.significance)


def _one_sided(rule: str, diff: DatasetDiff) -> Iterator[Violation]:
    """Yield each split with rows on one side only: no test applies there, and no difference is larger."""
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
