"""The section of the report about the gate: each condition with its findings, and how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headworks._gate.as_text import number_text
from headworks._quantities import count_text
from headworks._report.judged import check, other_conditions, other_measurements, other_predictions, unjudged
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
    """Return the section about the gate's result.

    Args:
        sources: Where files are.
        path: The output of `headworks gate --format json`.
        here: Digests of the predictions that are there now and of their rows, by name.
        settings: The project's table; None where it has none.

    Raises:
        NotThereError: The gate was not asked, which is no pass where the project has a table.
        ValueError: The file is of a later form, or contradicts itself.
    """
    try:
        data = sources.json(path)
    except NotThereError:
        message = f"The gate was not asked: there is no {path}."
        raise NotThereError(message, None if settings is None else "unproven") from None
    check(data)
    outcome, reasons, doubt = _judged(data, sources, path, here, settings)
    reading = (
        f"Each end of an interval holds at {data['reliability']:.4g}; the difference, candidate less base, has to reach"
        " the bound. A condition that cannot be told is no pass unless the table of the project says so."
    )
    blocks: list[Block] = [Text(text=doubt)] if doubt else []
    blocks += [_table(data), Text(text=reading)]
    blocks += [Text(text=f"{note[:1].upper()}{note[1:]}.") for note in data["notes"]]
    return Section(title="Gate", blocks=tuple(blocks), outcome=outcome, reasons=reasons)


def _judged(
    data: Mapping[str, Any],
    sources: Sources,
    path: str,
    here: Mapping[str, tuple[str, str]],
    settings: GateSettings | None,
) -> tuple[Outcome, tuple[str, ...], str]:
    """Return the outcome, its reasons, and a doubt whether it is about the files and the table that are here now."""
    others = {"predictions": [name or "those without a name" for name in other_predictions(data, here)]}
    if settings:
        others["conditions"] = other_conditions(data, settings)
        others["measurements"] = other_measurements(data, sources.measured(settings))
    for what, names in others.items():
        if names:
            doubt = (
                f"{path} is about other {what} than those that are here now ({'; '.join(names)}). Ask the gate again."
            )
            return "cannot tell", (f"the gate judged by other {what}",), doubt
    left = unjudged(data, settings) if settings else []
    doubt = f"Not judged: {', '.join(left)}." if left else ""
    if data["outcome"] != "passes":
        reasons = []
        for condition in data["conditions"]:
            if condition["outcome"] == data["outcome"]:
                slices = ", ".join(
                    one["subject"] for one in condition["findings"] if one["outcome"] == condition["found"]
                )
                reasons.append(
                    f"gate condition {condition['name']}{f' ({slices})' if len(condition['findings']) > 1 else ''}"
                )
        return _OUTCOMES[data["outcome"]], tuple(reasons), doubt
    if left:
        return "unproven", (f"the gate did not judge {count_text(len(left), 'condition')}",), doubt
    return "passed", ("the gate",), doubt


def _table(data: Mapping[str, Any]) -> Table:
    """Return a table with a row for each finding."""
    columns = (
        *(Column(title="condition"), Column(title="metric", kind="code"), Column(title="outcome", kind="state")),
        *(Column(title=it, kind="number") for it in ("base", "candidate", "difference", "interval", "bound", "rows")),
        *(Column(title=it, kind="number") for it in ("only candidate right", "only base right", "rows to settle it")),
        Column(title="as written", kind="code"),
    )
    rows = tuple(row for condition in data["conditions"] for row in _rows(condition))
    return Table(caption="Candidate and base", columns=columns, rows=rows)


def _rows(condition: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for finding in condition["findings"]:
        interval = finding["interval"]
        on = f" on {condition['on']}" if condition["on"] else ""
        mapped = len(condition["findings"]) == 1 and condition["outcome"] != condition["found"]
        yield (
            str(condition["name"]),
            f"{finding['subject']}{on}",
            f"{finding['outcome']}, counts as {condition['outcome']}" if mapped else str(finding["outcome"]),
            "" if finding["base"] is None else number_text(finding["base"]),
            number_text(finding["candidate"]),
            "" if finding["base"] is None else number_text(finding["estimate"], "+"),
            "" if interval is None else f"{number_text(interval[0], '+')} to {number_text(interval[1], '+')}",
            number_text(finding["bound"], "+"),
            f"{finding['rows']:,}" if finding["rows"] else "",
            *("" if count is None else f"{count:,}" for count in (finding[it] for it in _COUNTS)),
            str(condition["condition"]),
        )


_COUNTS = ("wins", "losses", "rows_needed")
