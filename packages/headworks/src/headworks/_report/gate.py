"""The section of the report about the gate: each condition, what was found, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headworks._quantities import count_text
from headworks._report.judged import check, other_conditions, other_measurements, other_predictions, unjudged
from headworks._report.measured import measured_here
from headworks._report.page import Column, Section, Table, Text
from headworks._report.source import NotThereError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headworks._project.gate_settings import GateSettings
    from headworks._report.page import Block, Outcome
    from headworks._report.source import Sources

__all__ = ["gate_section"]

_OUTCOMES: dict[str, Outcome] = {"passes": "passed", "fails": "failed", "cannot tell": "cannot tell"}


def gate_section(
    sources: Sources, path: str, here: Mapping[str, tuple[str, str]], settings: GateSettings | None
) -> Section:
    """Return what the gate found.

    Args:
        sources: where files are.
        path: what `headworks gate --format json` wrote.
        here: digests of the predictions that are there now and of the rows they are of, by name.
        settings: the project's table; None where it has none.

    Raises:
        NotThereError: the gate was not asked, which is no pass where the project has a table.
        ValueError: the file is of a later form, or contradicts itself.
    """
    try:
        data = sources.json(path)
    except NotThereError:
        message = f"The gate was not asked: there is no {path}."
        raise NotThereError(message, None if settings is None else "unproven") from None
    check(data)
    outcome, reasons, doubt = _judged(data, sources, path, here, settings)
    blocks: list[Block] = [Text(text=doubt)] if doubt else []
    blocks += [_table(data), Text(text=_reading(data["reliability"]))]
    blocks += [Text(text=f"{it[:1].upper()}{it[1:]}.") for it in data["notes"]]
    return Section(title="Gate", blocks=tuple(blocks), outcome=outcome, reasons=reasons)


def _judged(
    data: Mapping[str, Any],
    sources: Sources,
    path: str,
    here: Mapping[str, tuple[str, str]],
    settings: GateSettings | None,
) -> tuple[Outcome, tuple[str, ...], str]:
    """Return the outcome, what it is due to, and what speaks against taking it for that of what is here now."""
    others = {"predictions": [it or "those without a name" for it in other_predictions(data, here)]}
    if settings:
        others["conditions"] = other_conditions(data, settings)
        others["measurements"] = other_measurements(data, measured_here(sources, settings))
    for what, names in others.items():
        if names:
            doubt = (
                f"{path} is about other {what} than those that are here now ({'; '.join(names)}). Ask the gate again."
            )
            return "cannot tell", (f"the gate judged by other {what}",), doubt
    outcome, reasons = _OUTCOMES[data["outcome"]], _reasons(data)
    left = unjudged(data, settings) if settings else []
    doubt = f"Not judged: {', '.join(left)}." if left else ""
    if left and outcome == "passed":
        return "unproven", (f"the gate did not judge {count_text(len(left), 'condition')}",), doubt
    return outcome, reasons, doubt


def _reading(reliability: float) -> str:
    """Return how the table is to be read."""
    return (
        f"Each end of an interval holds at {reliability:.4g}; the difference, candidate less base, has to reach the"
        " bound. A condition that cannot be told is no pass unless the table of the project says so."
    )


def _reasons(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the outcome is due to: the conditions with the slices that are to blame."""
    if data["outcome"] == "passes":
        return ("the gate",)
    due = [it for it in data["conditions"] if it["outcome"] == data["outcome"]]
    return tuple(f"gate condition {it['name']}{_slices(it)}" for it in due)


def _slices(condition: Mapping[str, Any]) -> str:
    """Return the findings that decided a condition with several."""
    findings = condition["findings"]
    named = ", ".join(it["subject"] for it in findings if it["outcome"] == condition["found"])
    return f" ({named})" if len(findings) > 1 else ""


def _table(data: Mapping[str, Any]) -> Table:
    """Return one row for each finding."""
    columns = (
        *(Column(title="condition"), Column(title="metric", kind="code"), Column(title="outcome", kind="state")),
        *(Column(title=it, kind="number") for it in ("base", "candidate", "difference", "interval", "bound", "rows")),
        *(Column(title=it, kind="number") for it in ("only candidate right", "only base right", "rows to settle it")),
        Column(title="as written", kind="code"),
    )
    rows = tuple(row for it in data["conditions"] for row in _rows(it))
    return Table(caption="Candidate and base", columns=columns, rows=rows)


def _rows(condition: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each finding of a condition."""
    for it in condition["findings"]:
        interval = it["interval"]
        on = f" on {condition['on']}" if condition["on"] else ""
        mapped = len(condition["findings"]) == 1 and condition["outcome"] != condition["found"]
        yield (
            str(condition["name"]),
            f"{it['subject']}{on}",
            f"{it['outcome']}, counts as {condition['outcome']}" if mapped else str(it["outcome"]),
            "" if it["base"] is None else _value(it["base"]),
            _value(it["candidate"]),
            "" if it["base"] is None else _value(it["estimate"], "+"),
            "" if interval is None else f"{_value(interval[0], '+')} to {_value(interval[1], '+')}",
            _value(it["bound"], "+"),
            f"{it['rows']:,}" if it["rows"] else "",
            _count(it["wins"]),
            _count(it["losses"]),
            _count(it["rows_needed"]),
            str(condition["condition"]),
        )


def _value(value: float, sign: str = "") -> str:
    """Return a number with four decimals, fewer where it is large."""
    return f"{value:{sign}.4f}" if abs(value) < 100 else f"{value:{sign},.0f}"  # noqa: PLR2004  # a percentage at most


def _count(value: int | None) -> str:
    """Return a count, if there is one."""
    return "" if value is None else f"{value:,}"
