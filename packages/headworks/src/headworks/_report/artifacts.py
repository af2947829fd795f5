"""The sections of the report about what stages left behind: the data, the training, images, size and speed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from headworks._gate.measurements import base_measurements_of, measurements_of
from headworks._quantities import count_text, size_text
from headworks._report.charts import Lines, Series
from headworks._report.page import Block, Kind, Outcome, Section, Table
from headworks._report.source import NotThereError, Sources, check_form

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings
    from headworks._project.report_settings import ReportSettings

_MOST_ROWS = 100  # of the table of epochs
_ACROSS = ("epoch", "step")


def contract_section(sources: Sources, settings: ReportSettings) -> Section:
    """Return the section with the result of a check of the dataset."""
    data = _checked(sources.json(settings.contract, {"new": settings.dataset}))
    if violations := data["violations"]:
        return Section("Data contract", [_violations(violations)], "failed", ["the dataset breaks its contract"])
    return Section("Data contract", ["The dataset keeps its contract."], "passed", ["the data contract"])


def _checked(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse a form that is newer than this reader, and a result that contradicts itself."""
    check_form(data)
    if bool(data["passed"]) != bool(not data["violations"] or data.get("accepted")):
        message = "it says both that every limit is kept and that one is broken"
        raise ValueError(message)
    return data


def _violations(violations: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of broken rules."""
    rows = [
        (str(it["rule"]), str(it["where"]), str(it["what"]), f"{it['count']:,}", str(it["remedy"])) for it in violations
    ]
    return Table(
        "What is broken",
        {"rule": "code", "where": "text", "what": "text", "count": "number", "what to do": "text"},
        rows,
    )


def diff_section(sources: Sources, settings: ReportSettings) -> Section:
    """Return the section with the differences between the base's dataset and this one, as a session found them."""
    data = _checked(sources.json(settings.data_diff))
    doubt = _doubt(data, sources, settings)
    outcome: Outcome | None = None
    reasons: list[str] = []
    if doubt:
        outcome, reasons = "cannot tell", ["the data diff is about another dataset"]
    elif not data["passed"]:
        outcome, reasons = "failed", ["the data differ too much"]
    elif data["limits"]:
        outcome, reasons = "passed", ["the data diff"]
    blocks: list[Block] = [doubt] if doubt else []
    blocks.append(_summary(data))
    if data["violations"]:
        blocks += ["The contract accepts this very change."] if data["passed"] else []
        blocks.append(_violations(data["violations"]))
    blocks += _tables(data)
    near = data["near_duplicates"]
    counted = f"{near['base']:,} before, {near['new']:,} now, {near['added']['count']:,} of them new"
    measured = f"measured by {near['measure']}, within {near['distance']:g}"
    blocks.append(f"Rows with a near-duplicate in another split: {counted} ({measured}).")
    return Section("Data diff", blocks, outcome, reasons)


def _doubt(data: Mapping[str, Any], sources: Sources, settings: ReportSettings) -> str:
    """Return why a comparison may be about another dataset."""
    summary = f"{settings.dataset}/dataset.json"
    try:
        here = sources.json(summary)["digest"]
    except NotThereError:
        is_judged = data["limits"] or data["violations"]
        return f"There is no {summary} to hold {settings.data_diff} against." if is_judged else ""
    is_same = here == data["new"]["digest"]
    return "" if is_same else f"{settings.data_diff} is about another dataset than {settings.dataset}. Compare again."


def _summary(data: Mapping[str, Any]) -> str:
    """Return how the two compare in a sentence."""
    if data["base"]["digest"] == data["new"]["digest"]:
        return f"The dataset is the base's, {data['new']['digest'][:12]}, row for row."
    sizes = [count_text(sum(data[side]["rows"].values()), "row") for side in ("base", "new")]
    limits = f" {count_text(len(data['limits']), 'limit')} judged this." if data["limits"] else " Nothing judges this."
    return f"{sizes[0]} before ({data['base']['digest'][:12]}), {sizes[1]} now ({data['new']['digest'][:12]}).{limits}"


def _tables(data: Mapping[str, Any]) -> list[Table]:
    """Return tables of what differs: columns and classes, rows, labels of each split, and their distributions."""
    schema = [
        (str(it["what"]), *("none" if it[side] is None else str(it[side]) for side in ("base", "new")))
        for it in data["schema"]
    ]
    counts = [
        (kind, f"{it['count']:,}", ", ".join(f"{name}: {number:,}" for name, number in it["groups"].items()))
        for kind, it in data["rows"].items()
    ]
    labels = data["labels"]
    names = dict.fromkeys(name for it in labels.values() for name in (*it["base"], *it["new"]))
    classes = [
        (name, *(f"{it['base'].get(name, 0):,} to {it['new'].get(name, 0):,}" for it in labels.values()))
        for name in names
    ]
    drift = [
        (split, "labels", "Cram\N{LATIN SMALL LETTER E WITH ACUTE}r's V", *_effect(it["cramers_v"], it["p_value"]))
        for split, it in labels.items()
    ]
    drift += [
        (split, name, "Kolmogorov-Smirnov distance", *_effect(it["ks_distance"], it["p_value"]))
        for split, properties in data["pixels"].items()
        for name, it in properties.items()
    ]
    splits: dict[str, Kind] = {"class": "text", **dict.fromkeys((f"{it}: base to now" for it in labels), "number")}
    tables = (
        Table("Schema", {"what": "text", "base": "code", "now": "code"}, schema),
        Table("Rows that differ", {"rows": "text", "count": "number", "of which": "text"}, counts),
        Table("Rows of each class", splits, classes, folded=True),
        Table(
            "Drift",
            {"split": "text", "of": "text", "effect size": "text", "value": "number", "p": "number"},
            drift,
            folded=True,
        ),
    )
    return [it for it in tables if it.rows]


def _effect(size: float | None, p_value: float | None) -> tuple[str, str]:
    """Return an effect size and its p-value."""
    return ("not defined" if size is None else f"{size:.3f}", "not defined" if p_value is None else f"{p_value:.2g}")


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
    base = measurements_of("", sources.base(settings.model)) | base_measurements_of(
        "", sources.here(settings.measurements)
    )
    rows = [(name, _middle(values), _middle(base.get(name, ()))) for name, values in measured.items()]
    columns: dict[str, Kind] = {"measured": "code", "candidate": "number", "base": "number"}
    return Section("Latency and size", [Table("Medians of what was measured", columns, rows)])


def _middle(values: tuple[float, ...]) -> str:
    """Return the median of measurements; empty for none."""
    if not values:
        return ""
    middle = median(values)
    return f"{middle:,.4g}" if middle < 1e4 else f"{middle:,.0f}"  # noqa: PLR2004  # as many digits as shown
