"""The section of the report about the gate: each condition with its findings, and how sure they are.

A result counts only if it agrees with itself, and is about the files and conditions that are here now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from headworks._gate.result import together
from headworks._metrics.condition import ANCHOR
from headworks._quantities import count_text, number_text
from headworks._report.page import Block, Kind, Outcome, Section, Table
from headworks._report.source import NotThereError, Sources, check_form

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings, NamedCondition
    from headworks._project.gate_settings import Outcome as GateOutcome

_OUTCOMES: dict[str, Outcome] = {"passes": "passed", "fails": "failed", "cannot tell": "cannot tell"}
_KNOWN: dict[str, GateOutcome] = {"passes": "passes", "fails": "fails", "cannot tell": "cannot tell"}
_COLUMNS: dict[str, Kind] = {
    "condition": "text",
    "metric": "code",
    "outcome": "state",
    **dict.fromkeys(("base", "candidate", "difference", "interval", "bound", "rows"), "number"),
    **dict.fromkeys(("only candidate right", "only base right", "rows to settle it"), "number"),
    "as written": "code",
}


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
        KeyError: A key is missing, or an outcome is unknown.
    """
    try:
        data = sources.json(path)
    except NotThereError:
        message = f"The gate was not asked: there is no {path}."
        raise NotThereError(message, None if settings is None else "unproven") from None
    check_form(data)
    _check_outcomes(data)
    others = {"predictions": _other_predictions(data, here)}
    left: list[str] = []
    if settings:
        judged, asked = data["conditions"], settings.conditions
        left = [
            named.name
            for named in asked
            if not any(_is_of(it, named, settings) for it in judged)
            # Before the first release there is no anchor, which nobody can mend.
            and (named.condition.rival != ANCHOR or named.name not in data["unjudged"])
        ]
        is_sure = data["reliability"] == settings.reliability
        others["conditions"] = [
            it["condition"]
            for it in judged
            if not is_sure or not any(_is_of(it, named, settings) for named in settings.conditions)
        ]
        others["measurements"] = _other_measurements(data, sources.measured(settings))
    doubt = f"Not judged: {', '.join(left)}." if left else ""
    other = next((what for what, names in others.items() if names), "")
    outcome, reasons = _OUTCOMES[data["outcome"]], list(_due(data))
    if other:
        names = "; ".join(others[other])
        doubt = f"{path} is about other {other} than those that are here now ({names}). Ask the gate again."
        outcome, reasons = "cannot tell", [f"the gate judged by other {other}"]
    elif outcome == "passed":
        outcome, reasons = "passed", ["the gate"]
        if left:
            outcome, reasons = "unproven", [f"the gate did not judge {count_text(len(left), 'condition')}"]
    budget = data.get("budget", 1)
    shared = f" for {budget:,} models together" if budget > 1 else ""
    reading = (
        f"Each end of an interval holds at {data['reliability']:.4g}{shared}; the difference, candidate less base,"
        " has to reach the bound. A condition that cannot be told is no pass unless the table of the project says so."
    )
    rows = [row for condition in data["conditions"] for row in _rows(condition)]
    blocks: list[Block] = [doubt] if doubt else []
    blocks += [Table("Candidate and base", _COLUMNS, rows), reading]
    blocks += [f"{note[:1].upper()}{note[1:]}." for note in data["notes"]]
    return Section("Gate", blocks, outcome, reasons)


def _check_outcomes(data: Mapping[str, Any]) -> None:
    """Refuse an outcome that is not the worst of the findings."""
    outcomes = []
    for condition in data["conditions"]:
        findings = [_KNOWN[finding["outcome"]] for finding in condition["findings"]]
        worst, counted = _KNOWN[condition["found"]], _KNOWN[condition["outcome"]]
        # A condition that cannot be told may count as another outcome.
        if not findings or worst != together(findings) or worst not in {counted, "cannot tell"}:
            message = f"the outcome of its condition {condition['name']!r} is not what was found about it"
            raise ValueError(message)
        outcomes.append(counted)
    if _KNOWN[data["outcome"]] != together(outcomes):
        message = f"it says that the gate {data['outcome']}, and the worst of its conditions {together(outcomes)}"
        raise ValueError(message)


def _other_predictions(data: Mapping[str, Any], here: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the names of predictions that were judged and are not those that are here."""
    judged = {comparison["on"]: (comparison["model"], comparison["test_set"]) for comparison in data["comparisons"]}
    names = [*judged, *(condition["on"] for condition in data["conditions"] if condition["on"] is not None)]
    others = [it for it in dict.fromkeys(names) if it not in judged or judged[it] != here.get(it)]
    return [it or "those without a name" for it in others]


def _other_measurements(data: Mapping[str, Any], here: Mapping[str, tuple[float, ...]]) -> list[str]:
    """Return the measurements that differ from those that are here."""
    judged = [it for condition in data["conditions"] if condition["on"] is None for it in condition["findings"]]
    return [
        it["subject"] for it in judged if it["subject"] not in here or it["candidate"] != median(here[it["subject"]])
    ]


def _is_of(judged: Mapping[str, Any], named: NamedCondition, settings: GateSettings) -> bool:
    """Tell whether a condition that was judged is one of the table; their names do not matter."""
    on = None if named.condition.subject.is_measurement else settings.reads(named) or None
    outcome = named.cannot_tell if judged["found"] == "cannot tell" else judged["found"]
    return (judged["condition"], judged["on"], judged["outcome"]) == (named.condition.text, on, outcome)


def _due(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the conditions that decided the outcome, with their slices that did."""
    for condition in data["conditions"]:
        if condition["outcome"] == data["outcome"]:
            slices = [it["subject"] for it in condition["findings"] if it["outcome"] == condition["found"]]
            of_slices = f" ({', '.join(slices)})" if len(condition["findings"]) > 1 else ""
            yield f"gate condition {condition['name']}{of_slices}"


def _rows(condition: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each finding."""
    mapped = len(condition["findings"]) == 1 and condition["outcome"] != condition["found"]
    for finding in condition["findings"]:
        interval, has_base = finding["interval"], finding["base"] is not None
        yield (
            str(condition["name"]),
            f"{finding['subject']} on {condition['on']}" if condition["on"] else str(finding["subject"]),
            f"{finding['outcome']}, counts as {condition['outcome']}" if mapped else str(finding["outcome"]),
            number_text(finding["base"]) if has_base else "",
            number_text(finding["candidate"]),
            number_text(finding["estimate"], "+") if has_base else "",
            "" if interval is None else f"{number_text(interval[0], '+')} to {number_text(interval[1], '+')}",
            number_text(finding["bound"], "+"),
            f"{finding['rows']:,}" if finding["rows"] else "",
            *("" if finding[it] is None else f"{finding[it]:,}" for it in ("wins", "losses", "rows_needed")),
            str(condition["condition"]),
        )
