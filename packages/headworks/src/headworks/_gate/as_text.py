"""The result of the gate as text that a reviewer reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from headworks._lines import text_of
from headworks._metrics.condition import PEERS
from headworks._metrics.sizes import least_runs
from headworks._quantities import count_text, number_text

if TYPE_CHECKING:
    from headworks._gate.result import ConditionResult, Finding, GateResult
    from headworks._metrics.condition import Condition

_METHODS = {
    "bootstrap": "paired bootstrap",
    "bounds": "bounds of the mean",
    "exact": "exact interval",
    "identical": "the same model",
    "measured": "measured once",
    "runs": "median of the runs",
    "score": "score interval",
}
_LEAST = 1e-4  # below which a p-value is not written out


def as_text(result: GateResult) -> str:
    """Return a result as text: the outcome, then each condition with all findings."""
    lines = [_headline(result)]
    for judged in result.conditions:
        lines += ["", *_condition(judged, result.end_reliability(judged.condition))]
    more = []
    for compared in result.comparisons:
        against = f" with {compared.base}" if compared.base else ""
        seeds = f" and {compared.seeds} seeds" if compared.seeds > 1 else ""
        same = ", and not one prediction differs" if compared.is_same else ""
        more.append(f"compared {compared.candidate}{against} on {compared.rows:,} rows{seeds}{same}")
    more += [f"note: {note}" for note in result.notes]
    lines += ["", *more] if more else []
    return text_of(lines)


def _headline(result: GateResult) -> str:
    """Return the outcome, with the conditions that decided it."""
    count = len(result.conditions)
    if not count:
        return "gate passes: there is no base yet, so that nothing was compared, and nothing else is asked"
    if result.outcome == "passes":
        left = f"; nothing to compare with yet for {', '.join(result.unjudged)}"
        number = f"{count} {'condition' if count == 1 else 'conditions'}, each at {result.reliability:.4g}"
        number += f" for {result.budget} models together" if result.budget > 1 else ""
        return f"gate passes: {number}{left if result.unjudged else ''}"
    due = []
    for judged in result.conditions:
        if judged.outcome == result.outcome:
            slices = [finding.subject for finding in judged.findings if finding.outcome == judged.found]
            due.append(f"{judged.name} ({', '.join(slices)})" if len(judged.findings) > 1 else judged.name)
    return f"gate {'fails' if result.outcome == 'fails' else 'cannot tell'}: {'; '.join(due)}"


def _condition(judged: ConditionResult, reliability: float) -> Iterator[str]:
    mapped = "" if judged.outcome == judged.found else f" (which the table has count as: {judged.outcome})"
    named = f"{judged.name}: " if judged.name != judged.condition.text else ""
    yield f"{named}{judged.condition.text}{f', on {judged.on}' if judged.on else ''}: {judged.found}{mapped}"
    for finding in judged.findings:
        indent = "  "
        if len(judged.findings) > 1 or judged.condition.rival == PEERS:
            yield f"  {finding.subject}: {finding.outcome}"
            indent = "    "
        yield from (indent + line for line in _finding(finding, judged.condition, reliability))


def _finding(finding: Finding, condition: Condition, reliability: float) -> Iterator[str]:
    yield _values(finding, condition, reliability)
    rival = _rival(condition)
    if counts := ", ".join(_counts(finding, rival, reliability)):
        yield counts
    for whose, seeds in (("candidate", finding.seeds), (rival, finding.base_seeds)):
        if seeds:
            yield f"seeds of the {whose}: {' '.join(map(number_text, seeds))}"
    if finding.seed_error:
        yield f"seeds add a standard error of {finding.seed_error:.2g}"


def _rival(condition: Condition) -> str:
    """Return what a reader calls the model that a finding compares with."""
    return "peer" if condition.rival == PEERS else condition.rival


def _values(finding: Finding, condition: Condition, reliability: float) -> str:
    """Return estimates, with interval and bound."""
    values = f"candidate {number_text(finding.candidate)}"
    if finding.base is not None:
        factor, rival = condition.factor, _rival(condition)
        difference = "difference" if factor == 1 else f"candidate - {factor:g} * {rival}"
        values += f", {rival} {number_text(finding.base)}, {difference} {number_text(finding.estimate, '+')}"
    how = _METHODS[finding.method]
    if finding.interval is not None and finding.method != "identical":
        ends = f"{number_text(finding.interval.low, '+')} to {number_text(finding.interval.high, '+')}"
        how = f"{how} {ends}, each end at {reliability:.4g}"
    return f"{values} ({how}); bound {number_text(finding.bound, '+')}"


def _counts(finding: Finding, rival: str, reliability: float) -> Iterator[str]:
    """Yield counts of rows or runs, and those that would settle it."""
    if finding.rows:
        yield count_text(finding.rows, "row")
    if finding.runs:
        yield count_text(finding.runs, "run")
    if finding.wins is not None and finding.losses is not None:
        yield f"right only in the candidate {finding.wins:,}"
        yield f"only in the {rival} {finding.losses:,}"
    if finding.mcnemar is not None:
        yield f"McNemar p {f'{finding.mcnemar:.2g}' if finding.mcnemar >= _LEAST else '< 0.0001'}"
    if finding.outcome == "cannot tell":
        yield finding.reason or _remedy(finding, reliability)


def _remedy(finding: Finding, reliability: float) -> str:
    """Return what would settle it."""
    if finding.rows_needed is not None:
        return f"about {finding.rows_needed:,} rows like these would settle it"
    if finding.seed_error:
        return "more seeds or more rows would settle it"
    if finding.rows:
        return "no number of rows settles a difference so close to the bound"
    if finding.runs < (least := least_runs(1 - reliability)):
        return f"{least} runs are the fewest that tell anything at {reliability:.4g}"
    return "more runs settle it, unless it lies at the bound"
