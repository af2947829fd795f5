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
    return f"{side.digest[:12]}: {rows} rows from {side.source} with salt {side.salt!r}"


def _rows(diff: DatasetDiff) -> Iterator[str]:
    for it in fields(diff.rows):
        found = getattr(diff.rows, it.name)
        groups = (
            f" ({', '.join(f'{group}: {count:,}' for group, count in found.groups.items())})" if found.count else ""
        )
        yield f"{found.count:,} rows {it.name}{groups}"
        yield from (f"  {row}" for row in found.rows)
        if found.rows and found.count > len(found.rows):
            yield "  ..."


def _labels(diff: DatasetDiff) -> Iterator[str]:
    """Show the histograms side by side."""
    names = list(diff.labels)
    width = max(8, *(len(it) for it in diff.labels[names[0]].base))
    yield f"{'label':<{width}}" + "".join(f"  {f'{name}: base':>16} {'new':>8}" for name in names)
    for label in diff.labels[names[0]].base:
        counts = "".join(f"  {it.base[label]:>16,} {it.new[label]:>8,}" for it in diff.labels.values())
        yield f"{label:<{width}}{counts}"
    for name, found in diff.labels.items():
        if found.cramers_v is not None:
            chi = f"chi-squared {found.chi_squared:.2f} at {found.degrees_of_freedom} degrees of freedom"
            yield f"{name}: Cramér's V {found.cramers_v:.3f} ({chi}, p {found.p_value:.2g})"


def _pixels(diff: DatasetDiff) -> Iterator[str]:
    yield f"{'pixels':<24}{'base mean':>10}{'new mean':>10}{'KS':>7}{'p':>9}{'d':>8}"
    for name, found in diff.pixels.items():
        for key, it in found.items():
            means = f"{it.base_mean:>10.3f}{it.new_mean:>10.3f}{it.ks_distance:>7.3f}{it.p_value:>9.2g}"
            shown = "none" if it.cohens_d is None else f"{it.cohens_d:.3f}"
            yield f"{name + ' ' + key:<24}{means}{shown:>8}"


def _near(diff: DatasetDiff) -> Iterator[str]:
    found = diff.near_duplicates
    bound = f"by {found.measure}, at most {found.distance:g} apart"
    yield f"near-duplicates across splits, {bound}: {found.base:,} -> {found.new:,}, {found.added.count:,} new"
    for pair in found.added.pairs:
        yield f"  {pair.rows[0]} ({pair.splits[0]}) and {pair.rows[1]} ({pair.splits[1]}): {pair.distance:.3g}"
    if found.closest:
        yield f"the closest pair is {found.closest.distance:.3g} apart, in {' and '.join(found.closest.splits)}"
