"""The sections of the report about the data: its contract, and its differences from the base's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headworks._quantities import count_text
from headworks._report.page import Column, Section, Table, Text
from headworks._report.source import NotThereError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headworks._project.report_settings import ReportSettings
    from headworks._report.page import Block, Outcome
    from headworks._report.source import Sources

__all__ = ["contract_section", "diff_section"]

_FORM = 1


def contract_section(sources: Sources, settings: ReportSettings) -> Section:
    """Return the section with the result of a check of the dataset."""
    data = sources.json(settings.contract, {"new": settings.dataset})
    _check_form(data)
    violations = data["violations"]
    if bool(data["passed"]) == bool(violations):
        message = "it says both that the contract is kept and that it is broken"
        raise ValueError(message)
    if not violations:
        text = Text(text="The dataset keeps its contract.")
        return Section(title="Data contract", blocks=(text,), outcome="passed", reasons=("the data contract",))
    table = _violations(violations)
    return Section(
        title="Data contract", blocks=(table,), outcome="failed", reasons=("the dataset breaks its contract",)
    )


def _check_form(data: Mapping[str, Any]) -> None:
    """Refuse a form that is newer than this reader."""
    if data["format"] != _FORM:
        message = f"its format is {data['format']!r}, and this version of headworks reads {_FORM}"
        raise ValueError(message)


def _violations(violations: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of broken rules."""
    columns = (
        *(Column(title="rule", kind="code"), Column(title="where"), Column(title="what")),
        *(Column(title="count", kind="number"), Column(title="what to do")),
    )
    rows = tuple(
        (
            str(violation["rule"]),
            str(violation["where"]),
            str(violation["what"]),
            f"{violation['count']:,}",
            str(violation["remedy"]),
        )
        for violation in violations
    )
    return Table(caption="What is broken", columns=columns, rows=rows)


def diff_section(sources: Sources, settings: ReportSettings) -> Section:
    """Return the section with the differences between the base's dataset and this one."""
    base = sources.base.find(settings.dataset)
    if not isinstance(settings.data_diff, str) and not base:
        text = f"The store has no {settings.dataset} of the base, so that there is nothing to compare with."
        return Section(title="Data diff", blocks=(Text(text=text),))
    data = sources.json(settings.data_diff, {"base": base, "new": settings.dataset})
    _check_form(data)
    outcome, reasons, doubt = _judged(data, sources, settings)
    blocks: list[Block] = [Text(text=it) for it in (doubt, _summary(data)) if it]
    if data["violations"]:
        blocks.append(_violations(data["violations"]))
    blocks += [*_schema(data["schema"]), _rows(data["rows"]), *_labels(data["labels"]), *_drift(data)]
    near = data["near_duplicates"]
    counted = f"{near['base']:,} before, {near['new']:,} now, {near['added']['count']:,} of them new"
    measured = f"measured by {near['measure']}, within {near['distance']:g}"
    blocks.append(Text(text=f"Rows with a near-duplicate in another split: {counted} ({measured})."))
    return Section(title="Data diff", blocks=tuple(blocks), outcome=outcome, reasons=reasons)


def _judged(
    data: Mapping[str, Any], sources: Sources, settings: ReportSettings
) -> tuple[Outcome | None, tuple[str, ...], str]:
    """Return the outcome, its reasons, and a doubt whether it is about the dataset that is here."""
    if bool(data["passed"]) == bool(data["violations"]):
        message = "it says both that the limits are kept and that they are broken"
        raise ValueError(message)
    if doubt := _doubt(data, sources, settings):
        return "cannot tell", ("the data diff is about another dataset",), doubt
    if data["violations"]:
        return "failed", ("the data differ too much",), ""
    return ("passed", ("the data diff",), "") if data["limits"] else (None, (), "")


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


def _schema(changes: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return a table of changes in classes and columns."""
    columns = (Column(title="what"), Column(title="base", kind="code"), Column(title="now", kind="code"))
    rows = tuple(
        (str(change["what"]), *("none" if value is None else str(value) for value in (change["base"], change["new"])))
        for change in changes
    )
    return [Table(caption="Schema", columns=columns, rows=rows)] if rows else []


def _rows(rows: Mapping[str, Any]) -> Table:
    """Return a table of counts of rows that differ, by kind."""
    columns = (Column(title="rows"), Column(title="count", kind="number"), Column(title="of which"))
    counts = tuple(
        (kind, f"{it['count']:,}", ", ".join(f"{name}: {number:,}" for name, number in it["groups"].items()))
        for kind, it in rows.items()
    )
    return Table(caption="Rows that differ", columns=columns, rows=counts)


def _labels(labels: Mapping[str, Any]) -> list[Table]:
    """Return the classes of each split side by side."""
    columns = [Column(title="class"), *(Column(title=f"{it}: base to now", kind="number") for it in labels)]
    classes = list(dict.fromkeys(name for it in labels.values() for name in (*it["base"], *it["new"])))
    rows = tuple(
        (name, *(f"{it['base'].get(name, 0):,} to {it['new'].get(name, 0):,}" for it in labels.values()))
        for name in classes
    )
    return [Table(caption="Rows of each class", columns=tuple(columns), rows=rows, folded=True)] if rows else []


def _drift(data: Mapping[str, Any]) -> list[Table]:
    """Return tests and effect sizes of labels and pixels."""
    columns = (
        *(Column(title="split"), Column(title="of"), Column(title="effect size")),
        *(Column(title="value", kind="number"), Column(title="p", kind="number")),
    )
    rows = [
        (split, "labels", "Cram\N{LATIN SMALL LETTER E WITH ACUTE}r's V", _number(it["cramers_v"]), _p(it["p_value"]))
        for split, it in data["labels"].items()
    ]
    rows += [
        (split, name, "Kolmogorov-Smirnov distance", _number(it["ks_distance"]), _p(it["p_value"]))
        for split, properties in data["pixels"].items()
        for name, it in properties.items()
    ]
    return [Table(caption="Drift", columns=columns, rows=tuple(rows), folded=True)] if rows else []


def _number(value: float | None) -> str:
    """Return an effect size."""
    return "not defined" if value is None else f"{value:.3f}"


def _p(value: float | None) -> str:
    """Return a p-value."""
    return "not defined" if value is None else f"{value:.2g}"
