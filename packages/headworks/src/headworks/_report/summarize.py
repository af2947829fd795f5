"""Takes what a comment says of a report from the report's facts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from headworks._report.model import all_classes, confusions, squared
from headworks._report.source import ODD
from headworks._report.summary import (
    FORM,
    LONGEST_TEXT,
    MOST,
    MOST_CLASSES,
    ConditionFact,
    ConfusionFact,
    CoverageFact,
    DataFact,
    FindingFact,
    SessionFact,
    Summary,
    cut,
    picked,
    shortened,
)
from headworks.errors import HeadworksError, UsageError

if TYPE_CHECKING:
    from headworks._metrics.predictions import Predictions
    from headworks._report.page import Section
    from headworks._report.plan import SessionFacts

    Pair = tuple[Predictions, Predictions]

_T = TypeVar("_T")


def planned_reasons(path: str) -> dict[str, list[str]]:
    """Return why each session of a plan was to run.

    Args:
        path: The plan, as `headworks plan --format json` wrote it.

    Raises:
        UsageError: There is no such file, or it is not of this form.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return {it["name"]: list(it["reasons"]) for it in json.load(file)["sessions"]}
    except ODD as error:
        message = f"{path} is no plan ({error}): write it with `headworks plan --format json --output {path}`."
        raise UsageError(message) from None


def summarized(
    *,
    compared_with: str,
    sections: Sequence[Section],
    sessions: Sequence[SessionFacts],
    reasons: Mapping[str, Sequence[str]],
    gate: Callable[[], Any],
    predicted: Mapping[str, tuple[Predictions | Exception, Pair | None]],
    data_diff: Callable[[], Any],
    coverage: Callable[[], Any],
) -> Summary:
    """Return what a comment says; what is missing or cannot be read is left out, and the page says so.

    Args:
        compared_with: The base.
        sections: Those of the page.
        sessions: Those of the plan.
        reasons: Why sessions ran, by name.
        gate: Returns the gate's result.
        predicted: By name, the candidate's predictions or why there are none, and those of both.
        data_diff: Returns the data diff.
        coverage: Returns the report of coverage.py.
    """
    return Summary(
        format=FORM,
        compared_with=cut(compared_with),
        sections={cut(it.title): it.outcome for it in sections[:MOST] if it.outcome is not None},
        sessions=[_session(it, reasons.get(it.name, ())) for it in sessions[:MOST]],
        conditions=_readable(lambda: [_condition(it) for it in gate()["conditions"][:MOST]]) or [],
        predictions=[
            _confusion(name, *(both or (mine.present(), None)))
            for name, (mine, both) in [*predicted.items()][:MOST]
            if not isinstance(mine, Exception) and mine.errors is None
        ],
        data=_readable(lambda: _data(data_diff())),
        coverage=_readable(lambda: _coverage(coverage()["totals"])),
    )


def _readable(make: Callable[[], _T]) -> _T | None:
    """Return facts, or None where they are not there or not in their form."""
    try:
        return make()
    except (HeadworksError, *ODD, msgspec.ValidationError):
        return None


def _session(facts: SessionFacts, reasons: Sequence[str]) -> SessionFact:
    why = shortened(facts.planned.reasons or reasons)
    own = {
        "name": cut(facts.name, LONGEST_TEXT),
        "state": facts.state,
        "basis": facts.planned.basis,
        "seconds": facts.seconds,
    }
    return picked(SessionFact, own, why=why)


def _condition(data: Mapping[str, Any]) -> ConditionFact:
    findings = [picked(FindingFact, it, subject=cut(it["subject"])) for it in data["findings"][:MOST]]
    return picked(ConditionFact, data, name=cut(data["name"]), findings=msgspec.to_builtins(findings))


def _confusion(name: str, mine: Predictions, base: Predictions | None) -> ConfusionFact:
    """Return the confusions of the candidate and of the base."""
    sides = [mine, *([] if base is None else [base])]
    classes = all_classes(sides)
    if len(classes) > MOST_CLASSES:
        classes = []
    counts = [squared(confusions(it), classes) for it in sides]
    return ConfusionFact(
        name=cut(name),
        rows=len(mine.ids),
        classes=[cut(it) for it in classes],
        candidate=counts[0],
        base=None if base is None else counts[1],
    )


def _data(data: Mapping[str, Any]) -> DataFact:
    """Return what differs between two datasets, of all splits together."""
    sums = {side: Counter[str]() for side in ("base", "new")}
    for split in data["labels"].values():
        for side, counts in sums.items():
            counts.update(split[side])
    names = sorted({*sums["base"], *sums["new"]})
    labels = [(cut(it), sums["base"][it], sums["new"][it]) for it in names]
    return picked(
        DataFact,
        data,
        limits=len(data["limits"]),
        violations=len(data["violations"]),
        rows={kind: it["count"] for kind, it in data["rows"].items()},
        labels=labels if len(labels) <= MOST_CLASSES else [],
    )


def _coverage(totals: Mapping[str, Any]) -> CoverageFact:
    return picked(
        CoverageFact,
        {},
        statements=totals["num_statements"],
        branches=totals.get("num_branches", 0),
        percent=totals["percent_covered"],
    )
