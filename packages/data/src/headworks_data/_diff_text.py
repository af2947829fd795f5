"""A comparison of two datasets, for people to read."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headworks_data._diff import DatasetDiff, Side


def text(diff: DatasetDiff) -> Iterator[str]:
    """Yield the lines that show a comparison."""
    yield f"base  {_side(diff.base)}"
    yield f"new   {_side(diff.new)}"
    if diff.base.digest == diff.new.digest:
        yield "the rows are the same"
    for change in diff.schema:
        yield f"schema: {change.what}: {change.base or 'none'} -> {change.new or 'none'}"
    yield ""
    yield from _rows(diff)
    yield ""
    yield from _labels(diff)
    yield ""
    yield from _pixels(diff)
    yield ""
    yield from _near(diff)


def _side(side: Side) -> str:
    rows = ", ".join(f"{count:,} {name}" for name, count in side.rows.items())
    return f"{side.digest}: {rows} rows from {side.source} with salt {side.salt!r}"


def _rows(diff: DatasetDiff) -> Iterator[str]:
    for field in fields(diff.rows):
        changed = getattr(diff.rows, field.name)
        groups = ", ".join(f"{group}: {count:,}" for group, count in changed.groups.items())
        yield f"{changed.count:,} rows {field.name}" + (f" ({groups})" if changed.count else "")
        yield from (f"  {row}" for row in changed.rows)
        if changed.rows and changed.count > len(changed.rows):
            yield "  ..."


def _labels(diff: DatasetDiff) -> Iterator[str]:
    """Show the histograms side by side."""
    names = list(diff.labels)
    width = max(8, *map(len, diff.labels[names[0]].base))
    yield f"{'label':<{width}}" + "".join(f"  {f'{name}: base':>16} {'new':>8}" for name in names)
    for label in diff.labels[names[0]].base:
        counts = "".join(f"  {drift.base[label]:>16,} {drift.new[label]:>8,}" for drift in diff.labels.values())
        yield f"{label:<{width}}{counts}"
    for name, drift in diff.labels.items():
        if drift.cramers_v is not None:
            chi = f"chi-squared {drift.chi_squared:.2f} at {drift.degrees_of_freedom} degrees of freedom"
            yield f"{name}: Cramér's V {drift.cramers_v:.3f} ({chi}, p {drift.p_value:.2g})"


def _pixels(diff: DatasetDiff) -> Iterator[str]:
    yield f"{'pixels':<24}{'base mean':>10}{'new mean':>10}{'KS':>7}{'p':>9}{'d':>8}"
    for name, drifts in diff.pixels.items():
        for key, drift in drifts.items():
            means = f"{drift.base_mean:>10.3f}{drift.new_mean:>10.3f}{drift.ks_distance:>7.3f}{drift.p_value:>9.2g}"
            shown = "none" if drift.cohens_d is None else f"{drift.cohens_d:.3f}"
            yield f"{name + ' ' + key:<24}{means}{shown:>8}"


def _near(diff: DatasetDiff) -> Iterator[str]:
    near = diff.near_duplicates
    bound = f"by {near.measure}, at most {near.distance:g} apart"
    yield f"near-duplicates across splits, {bound}: {near.base:,} -> {near.new:,}, {near.added.count:,} new"
    for pair in near.added.pairs:
        yield f"  {pair.rows[0]} ({pair.splits[0]}) and {pair.rows[1]} ({pair.splits[1]}): {pair.distance:.3g}"
    if near.closest:
        yield f"the closest pair is {near.closest.distance:.3g} apart, in {' and '.join(near.closest.splits)}"
