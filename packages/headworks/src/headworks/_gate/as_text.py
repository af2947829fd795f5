"""What the gate found as text that a reviewer reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._lines import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headworks._gate.result import Comparison, Finding, GateResult, Judged

__all__ = ["as_text"]

_METHODS = {
    "bootstrap": "paired bootstrap",
    "exact": "exact interval",
    "identical": "identical predictions",
    "measured": "measured once",
    "score": "score interval",
    "t": "Student's t",
}
_MANY = 1e-4  # below which a p-value is not written out


def as_text(result: GateResult) -> str:
    """Return a result as text: the outcome, then each condition with all that was found."""
    lines = [_headline(result)]
    for it in result.conditions:
        lines += ["", *_condition(it, result.reliability)]
    more = [f"compared {_compared(it)}" for it in result.comparisons] + [f"note: {it}" for it in result.notes]
    lines += ["", *more] if more else []
    return text_of(lines)


def _headline(result: GateResult) -> str:
    """Return the outcome, with what it is due to."""
    due = [_due(it) for it in result.conditions if it.outcome == result.outcome]
    count = len(result.conditions)
    if not count:
        return "gate passes: there is no base yet, so that nothing was compared, and nothing else is asked"
    if result.outcome == "passes":
        number = f"{count} {'condition' if count == 1 else 'conditions'}, each at {result.reliability:.4g}"
        return f"gate passes: {number}{_not_compared(result)}"
    return f"gate {'fails' if result.outcome == 'fails' else 'cannot tell'}: {'; '.join(due)}"


def _not_compared(result: GateResult) -> str:
    """Return which conditions were left out, there being no base yet."""
    return f"; nothing was compared for {', '.join(result.unjudged)}: there is no base yet" if result.unjudged else ""


def _due(it: Judged) -> str:
    """Return the name of a condition, with the slices that its outcome is due to."""
    slices = [finding.subject for finding in it.findings if finding.outcome == it.found]
    return f"{it.name} ({', '.join(slices)})" if len(it.findings) > 1 else it.name


def _condition(it: Judged, reliability: float) -> Iterator[str]:
    """Yield the lines of a condition."""
    mapped = "" if it.outcome == it.found else f" (which the table has count as: {it.outcome})"
    named = f"{it.name}: " if it.name != it.condition.text else ""
    yield f"{named}{it.condition.text}{f', on {it.on}' if it.on else ''}: {it.found}{mapped}"
    for finding in it.findings:
        yield from _finding(finding, it.condition.factor, reliability, is_one_of_many=len(it.findings) > 1)


def _finding(it: Finding, factor: float, reliability: float, *, is_one_of_many: bool) -> Iterator[str]:
    """Yield what was found about one metric on one set of rows."""
    indent = "  "
    if is_one_of_many:
        yield f"  {it.subject}: {it.outcome}"
        indent = "    "
    yield f"{indent}{_values(it, factor, reliability)}"
    if counts := ", ".join(_counts(it)):
        yield indent + counts
    for whose, seeds in (("candidate", it.seeds), ("base", it.base_seeds)):
        if seeds:
            yield f"{indent}seeds of the {whose}: {' '.join(map(_number, seeds))}"
    if it.seed_error:
        yield f"{indent}seeds add a standard error of {it.seed_error:.2g}"


def _values(it: Finding, factor: float, reliability: float) -> str:
    """Return estimates, where they lie, and what they have to reach."""
    values = f"candidate {_number(it.candidate)}"
    if it.base is not None:
        difference = "difference" if factor == 1 else f"candidate - {factor:g} * base"
        values += f", base {_number(it.base)}, {difference} {_signed(it.estimate)}"
    how = _METHODS[it.method]
    if it.interval is not None and it.method != "identical":
        ends = f"{_signed(it.interval.low)} to {_signed(it.interval.high)}"
        how = f"{how} {ends}, each end at {reliability:.4g}"
    return f"{values} ({how}); bound {_signed(it.bound)}"


def _counts(it: Finding) -> Iterator[str]:
    """Yield what was counted, and how much more would settle it."""
    if it.rows:
        yield f"{it.rows:,} rows"
    if it.wins is not None and it.losses is not None:
        yield f"right only in the candidate {it.wins:,}"
        yield f"only in the base {it.losses:,}"
    if it.mcnemar is not None:
        yield f"McNemar p {_p_value(it.mcnemar)}"
    if it.outcome == "cannot tell":
        yield _needed(it)


def _needed(it: Finding) -> str:
    """Return what would settle a finding."""
    if it.rows_needed is not None:
        return f"about {it.rows_needed:,} rows like these would settle it"
    if it.seed_error:
        return "more seeds or more rows would settle it"
    return "measure it more often" if not it.rows else "no number of rows settles a difference so close to the bound"


def _compared(it: Comparison) -> str:
    """Return what was compared with what."""
    same = ", and not one prediction differs" if it.is_same else ""
    against = f" with {it.base}" if it.base else ""
    return f"{it.candidate}{against} on {it.rows:,} rows{f' and {it.seeds} seeds' if it.seeds > 1 else ''}{same}"


def _number(value: float) -> str:
    """Return a number with four decimals, fewer where it is large."""
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.0f}"  # noqa: PLR2004  # a percentage at most


def _signed(value: float) -> str:
    """Return a number with its sign."""
    return f"{value:+.4f}" if abs(value) < 100 else f"{value:+,.0f}"  # noqa: PLR2004  # a percentage at most


def _p_value(value: float) -> str:
    """Return a chance for people."""
    return f"{value:.2g}" if value >= _MANY else "< 0.0001"
