"""The sections of the report about the data: its contract, and its differences from the base's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headworks._quantities import count_text
from headworks._report.page import Section, Table
from headworks._report.source import NotThereError, check_form

if TYPE_CHECKING:
    from headworks._project.report_settings import ReportSettings
    from headworks._report.page import Block, Kind, Outcome
    from headworks._report.source import Sources


def contract_section(sources: Sources, settings: ReportSettings) -> Section:
    """Return the section with the result of a check of the dataset."""
    data = _checked(sources.json(settings.contract, {"new": settings.dataset}))
    if violations := data["violations"]:
        return Section("Data contract", [_violations(violations)], "failed", ["the dataset breaks its contract"])
    return Section("Data contract", ["The dataset keeps its contract."], "passed", ["the data contract"])


def _checked(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse a form that is newer than this reader, and a result that contradicts itself."""
    check_form(data)
    if bool(data["passed"]) == bool(data["violations"]):
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
    """Return the section with the differences between the base's dataset and this one."""
    base = sources.base(settings.dataset)
    if not isinstance(settings.data_diff, str) and not base:
        text = f"The store has no {settings.dataset} of the base, so that there is nothing to compare with."
        return Section("Data diff", [text])
    data = _checked(sources.json(settings.data_diff, {"base": base, "new": settings.dataset}))
    doubt = _doubt(data, sources, settings)
    outcome: Outcome | None = None
    reasons: list[str] = []
    if doubt:
        outcome, reasons = "cannot tell", ["the data diff is about another dataset"]
    elif data["violations"]:
        outcome, reasons = "failed", ["the data differ too much"]
    elif data["limits"]:
        outcome, reasons = "passed", ["the data diff"]
    blocks: list[Block] = [doubt] if doubt else []
    blocks.append(_summary(data))
    if data["violations"]:
        blocks.append(_violations(data["violations"]))
    blocks += _tables(data)
    near = data["near_duplicates"]
    counted = f"{near['base']:,} before, {near['new']:,} now, {near['added']['count']:,} of them new"
    measured = f"measured by {near['measure']}, within {near['distance']:g}"
    blocks.append(f"Rows with a near-duplicate in another split: {counted} ({measured}).")
    return Section("Data diff", blocks, outcome, reasons)


def _doubt(data: Mapping[str, Any], sources: Sources, settings: ReportSettings) -> str:
    """Return why a file may be about another dataset; a command compares those that it was given."""
    if not isinstance(settings.data_diff, str):
        return ""
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
    return (
        "not defined" if size is None else f"{size:.3f}",
        "not defined" if p_value is None else f"{p_value:.2g}",
    )
