"""The sections of the report about the training, and about size and speed of images and model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

from headworks._gate.measurements import measurements_of
from headworks._quantities import size_text
from headworks._report.charts import Lines, Series
from headworks._report.page import Section, Table
from headworks._report.source import NotThereError, check_form

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings
    from headworks._report.page import Block, Kind
    from headworks._report.source import Sources

_MOST_ROWS = 100  # of the table of epochs
_ACROSS = ("epoch", "step")


def training_section(sources: Sources, path: str) -> Section:
    """Return the section with the curves of the training, the base's beside them."""
    mine, base_path = _log(sources.path(path)), sources.base(path)
    theirs = _log(base_path) if base_path else []
    across = next((it for it in _ACROSS if it in mine[0]), "")
    names = [it for it, value in mine[0].items() if it != across and isinstance(value, (int, float))]
    losses = [name for name in names if "loss" in name]
    blocks: list[Block] = []
    for some in (losses, [it for it in names if it not in losses]):
        series = [_series(it, across, mine, is_base=False) for it in some]
        series += [_series(it, across, theirs, is_base=True) for it in some if theirs]
        if series:
            is_log = some is losses and all(up > 0 for line in series for _, up in line.points)
            words = ", ".join(it.replace("_", " ") for it in some)
            blocks.append(
                Lines(
                    caption=f"Training: {words}",
                    series=series,
                    across=across or "line",
                    up=f"{'loss' if some is losses else 'value'}{' (logarithmic)' if is_log else ''}",
                    is_log=is_log,
                )
            )
    blocks.append(_epochs(mine, across, names))
    if not theirs:
        blocks.append("The store has no training log of the base.")
    return Section("Training", blocks)


def _log(path: str) -> list[dict[str, Any]]:
    """Return the lines of a log, each an object."""
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    if not lines:
        message = "The log of the training has no lines."
        raise NotThereError(message)
    return lines


def _series(name: str, across: str, log: list[dict[str, Any]], *, is_base: bool) -> Series:
    """Return one value of a log as a line of the chart; values that are not finite are left out."""
    points = [(float(it.get(across, number)), float(it.get(name, math.nan))) for number, it in enumerate(log, 1)]
    kept = tuple(point for point in points if math.isfinite(point[1]))
    shown = name.replace("_", " ")
    return Series(name=f"{shown} (base)" if is_base else shown, points=kept, is_base=is_base)


def _epochs(log: list[dict[str, Any]], across: str, names: list[str]) -> Table:
    """Return the log as a table, its last lines where it is long."""
    shown = {it.replace("_", " "): it for it in names}
    columns: dict[str, Kind] = dict.fromkeys((across or "line", *shown), "number")
    rows = [
        (str(it.get(across, number)), *(f"{float(it.get(name, math.nan)):.5g}" for name in shown.values()))
        for number, it in enumerate(log, 1)
    ]
    more = f", the last {_MOST_ROWS} of {len(rows):,} lines" if len(rows) > _MOST_ROWS else ""
    return Table(f"Training in numbers{more}", columns, rows[-_MOST_ROWS:], folded=True)


def images_section(sources: Sources, pattern: str) -> Section:
    """Return the section with the sizes of the container images, layer by layer.

    Raises:
        NotThereError: None was built.
    """
    names = sources.names(pattern)
    if not names:
        message = f"No image was built: there is no {pattern}."
        raise NotThereError(message)
    blocks: list[Block] = []
    for name in names:
        before = sources.base(name)
        blocks += _image(sources.json(name), sources.json(before) if before else {})
    return Section("Container images", blocks)


def _image(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[Block]:
    """Return the size of one image and its layers."""
    check_form(mine)
    budget = f", of {size_text(mine['budget'])} that it may take" if mine["budget"] else ""
    before = f"; the base's takes {size_text(theirs['size'])}" if theirs else ""
    rows = [
        (str(it["name"]), "not known" if it["size"] is None else size_text(it["size"]), str(it["digest"])[:19])
        for it in mine["layers"]
    ]
    return [
        f"{mine['image']}: {size_text(mine['size'])}{budget}{before}. It is {mine['id'][:19]}.",
        Table(
            f"Layers of {mine['image']}, from the lowest", {"layer": "text", "size": "number", "digest": "code"}, rows
        ),
    ]


def measurements_section(sources: Sources, settings: GateSettings) -> Section:
    """Return the section with latencies and sizes that were measured.

    Raises:
        NotThereError: None were.
    """
    files = [it for it in (settings.measurements, settings.model) if it]
    measured = sources.measured(settings)
    if not measured:
        message = (
            f"Nothing was measured: there is no {' and no '.join(files)}." if files else "No measurements are declared."
        )
        raise NotThereError(message)
    base = measurements_of(sources.base(settings.measurements), sources.base(settings.model))
    rows = [(name, _mean(values), _mean(base.get(name, ()))) for name, values in measured.items()]
    columns: dict[str, Kind] = {"measured": "code", "candidate": "number", "base": "number"}
    return Section("Latency and size", [Table("Means of what was measured", columns, rows)])


def _mean(values: tuple[float, ...]) -> str:
    """Return the mean of measurements; empty for none."""
    if not values:
        return ""
    mean = fmean(values)
    return f"{mean:,.4g}" if mean < 1e4 else f"{mean:,.0f}"  # noqa: PLR2004  # as many digits as shown
