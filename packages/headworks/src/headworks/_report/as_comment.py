"""The page of a comment on a pull request, all sentences of which are written here."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from headworks._quantities import count_text, duration_text, number_text
from headworks._report.escape import one_line
from headworks._report.page import OUTCOMES, Bars, Block, Code, Kind, Matrix, Outcome, Page, Section, Table

if TYPE_CHECKING:
    from headworks._report.summary import ConditionFact, ConfusionFact, DataFact, SessionFact, Summary

_TITLE: Final = "Gate"
_PLAN: Final = "Plan"
_RED: Final = ("failed", "flaky")
_LEFT: Final = ("not run", "waiting")
_MOST_RED: Final = 20
_SHOWN: Final = 4
_FINDING: dict[str, Kind] = {
    "condition": "text",
    "metric": "code",
    "outcome": "state",
    **dict.fromkeys(("base", "candidate", "difference", "interval", "bound", "rows"), "number"),
}


def comment_page(summary: Summary) -> Page:
    """Return the page of a comment that says first whether the model is worse."""
    outcomes = {*summary.sections.values()}
    outcome: Outcome = next((it for it in OUTCOMES if it in outcomes), "unproven")
    sections = [
        *_red(summary.sessions),
        *_gate(summary),
        *(it for confusion in summary.predictions for it in _confusion(confusion)),
        *_data(summary.data),
        _sessions(summary),
    ]
    return Page("Headworks", {"compared with": summary.compared_with}, outcome, _verdict(summary, outcome), sections)


def _verdict(summary: Summary, outcome: Outcome) -> str:
    """Return the first line: what the gate says of the model, then what else is not as it should be."""
    worst = [
        title
        for title, its in summary.sections.items()
        if its == outcome and not (title == _TITLE and summary.conditions)
    ]
    others = [name for title in worst for name in (_open(summary.sessions, outcome) if title == _PLAN else [title])]
    words = f"{OUTCOMES[outcome]}: {_few(others)}" if outcome != "passed" and others else ""
    return "; ".join(filter(None, (_model(summary), words))) or OUTCOMES[outcome]


def _open(sessions: Sequence[SessionFact], outcome: Outcome) -> list[str]:
    """Return the sessions that the outcome of the plan is due to."""
    states = _RED if outcome == "failed" else _LEFT
    return [it.name for it in sessions if it.state in states] or [_PLAN]


def _model(summary: Summary) -> str:
    """Return what the gate says of the model; empty where it was not asked."""
    judged = summary.conditions
    if not judged:
        return ""
    found = {outcome: [it.name for it in judged if it.found == outcome] for outcome in ("fails", "cannot tell")}
    if summary.sections.get(_TITLE) not in {"passed", "failed"}:
        of_all = "" if found["cannot tell"] else "the gate's result is not about all that is here"
        return f"Cannot tell whether the model is worse: {of_all or _few(found['cannot tell'])}"
    if found["fails"]:
        return f"The model is worse: {_few(found['fails'])}"
    if found["cannot tell"]:
        return f"Cannot tell whether the model is worse: {_few(found['cannot tell'])}"
    return f"The model is no worse: {count_text(len(judged), 'condition')} passed"


def _few(names: Sequence[str]) -> str:
    """Return the first of some names, and how many there are besides."""
    more = len(names) - _SHOWN
    return ", ".join([*names[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _red(sessions: Sequence[SessionFact]) -> Iterator[Section]:
    """Yield the section with the commands that reproduce what is red."""
    red = [it for it in sessions if it.state in _RED]
    if red:
        lines = [f"nox -s {shlex.quote(one_line(it.name))}" for it in red[:_MOST_RED]]
        more = f", the first {_MOST_RED} of {len(red)}" if len(red) > _MOST_RED else ""
        yield Section("How to reproduce", [Code(f"{count_text(len(red), 'session')} red{more}", "\n".join(lines))])


def _gate(summary: Summary) -> Iterator[Section]:
    """Yield the section with what the gate found."""
    rows = [row for condition in summary.conditions for row in _findings(condition)]
    if rows:
        yield Section(_TITLE, [Table("Candidate and base", _FINDING, rows)])


def _findings(condition: ConditionFact) -> Iterator[tuple[str, ...]]:
    for it in condition.findings:
        yield (
            *(condition.name, it.subject, it.outcome),
            *("" if value is None else number_text(value) for value in (it.base, it.candidate)),
            "" if it.estimate is None or it.base is None else number_text(it.estimate, "+"),
            " to ".join(number_text(end, "+") for end in it.interval or ()),
            "" if it.bound is None else number_text(it.bound, "+"),
            f"{it.rows:,}" if it.rows else "",
        )


def _confusion(facts: ConfusionFact) -> Iterator[Section]:
    """Yield the section with a confusion matrix and its difference from the base's."""
    shape = {len(facts.classes)}
    if not facts.classes or {len(facts.candidate), *map(len, facts.candidate)} != shape:
        return
    blocks: list[Block] = ["Rows are labels and columns are predictions."]
    blocks.append(Matrix(f"Confusion matrix of the candidate, {facts.rows:,} rows", facts.classes, facts.candidate))
    if facts.base is not None and {len(facts.base), *map(len, facts.base)} == shape:
        pairs = zip(facts.candidate, facts.base, strict=True)
        less = [[mine - other for mine, other in zip(*its, strict=True)] for its in pairs]
        blocks.append(Matrix("Difference: candidate less base", facts.classes, less, signed=True))
    yield Section(f"Predictions of {facts.name}" if facts.name else "Predictions", blocks)


def _data(facts: DataFact | None) -> Iterator[Section]:
    """Yield the section with what differs in the data."""
    if facts is None:
        return
    broken = "no limit is broken" if not facts.violations else f"{count_text(facts.violations, 'limit')} broken"
    accepted = ", which the contract accepts" if facts.violations and facts.passed else ""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in facts.rows.items() if count)
    blocks: list[Block] = [f"Rows: {kinds or 'the same'}. Of {count_text(facts.limits, 'limit')}, {broken}{accepted}."]
    if facts.labels:
        names, base, now = (list(it) for it in zip(*facts.labels, strict=True))
        blocks.append(Bars("Rows of each class, of the base as bars and of this commit as a line", names, base, now))
        rows = [
            (name, f"{old:,}", f"{new:,}", f"{new - old:+,}" if new != old else "") for name, old, new in facts.labels
        ]
        columns: dict[str, Kind] = {"class": "text", **dict.fromkeys(("base", "now", "difference"), "number")}
        blocks.append(Table("Rows of each class", columns, rows, folded=True))
    yield Section("Data", blocks)


def _sessions(summary: Summary) -> Section:
    """Return the section with what ran, what was covered and why, and what that saved."""
    sessions = summary.sessions
    states = _listed(it.state for it in sessions)
    bases = _listed(it.basis for it in sessions if it.basis)
    took, saved = (
        duration_text(sum(it.seconds or 0.0 for it in sessions if it.state in those))
        for those in (("passed", *_RED), ("covered",))
    )
    blocks: list[Block] = [
        f"{count_text(len(sessions), 'session')}: {states or 'none'}. Verdicts: {bases or 'none'}.",
        f"Those of this commit took {took}, and earlier verdicts saved {saved}, added up over sessions.",
    ]
    if facts := summary.coverage:
        blocks.append(
            f"Coverage: {facts.percent:.4g}% of {facts.statements:,} statements and {facts.branches:,} branches."
        )
    for caption, those in (("Not proven", (*_RED, *_LEFT)), ("Ran for this commit", ("passed", "not recorded"))):
        columns: dict[str, Kind] = {"session": "code", "state": "state", "why": "text"}
        rows = [(it.name, it.state, "; ".join(it.why)) for it in sessions if it.state in those]
        if rows:
            blocks.append(Table(caption, columns, rows, folded=those[0] != _RED[0]))
    covered = [(it.name, it.basis) for it in sessions if it.state == "covered"]
    if covered:
        blocks.append(
            Table("Covered by earlier verdicts", {"session": "code", "rests on": "text"}, covered, folded=True)
        )
    return Section("Sessions", blocks)


def _listed(words: Iterable[str]) -> str:
    """Return words with how often each occurs, the most frequent first."""
    return ", ".join(f"{number:,} {word}" for word, number in Counter(words).most_common())
