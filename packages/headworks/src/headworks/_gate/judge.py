"""Judges one condition: estimates, intervals, outcomes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from headworks._gate.result import Finding
from headworks._metrics.bootstrap import bootstrap, seed_values
from headworks._metrics.condition import ERRORS, PER_CLASS
from headworks._metrics.metrics import SHARES, hits
from headworks._metrics.pair import few
from headworks._metrics.proportions import (
    Interval,
    exact_interval,
    holm,
    mcnemar,
    p_above,
    score,
    score_interval,
    share_p_above,
)
from headworks._metrics.subjects import rows_of, subjects_of
from headworks._project.gate_settings import MOST_DRAWS
from headworks.errors import CannotDecideError, ConfigurationError

if TYPE_CHECKING:
    from headworks._metrics.condition import Condition
    from headworks._metrics.predictions import Predictions
    from headworks._project.gate_settings import Outcome

__all__ = ["decided", "judge"]

_TAIL = 100  # draws that shall lie beyond the end of an interval
_MANY = 10**9  # rows that nobody has
_UNBOUNDED = ERRORS | {"brier", "log_loss"}  # how bad a row can be is known only from those that were seen
_OF_CLASSES = SHARES | PER_CLASS | {"macro_f1"}  # of which a row without a prediction is the worst that a row can be
_UNLIKE = 0.1  # share of the units that may be unlike all that were seen


def judge(
    condition: Condition,
    candidate: Predictions,
    base: Predictions | None,
    *,
    error: float,
    draws: int,
    is_same: bool = False,
) -> list[Finding]:
    """Return what is found about a condition on predictions, one finding for each value of a slice column.

    Args:
        condition: the condition.
        candidate: predictions of the candidate.
        base: those of the base for the same rows; needed where the condition is relative.
        error: how often a finding may be wrong.
        draws: how many draws of a bootstrap.
        is_same: whether the predictions of both are the same, so that what is asked about the base is known.

    Raises:
        ConfigurationError: the predictions lack what the condition asks for.
        CannotDecideError: the candidate has no prediction for a row, and the metric is not known without it.
    """
    subjects = subjects_of(condition.subject, candidate)
    findings = []
    for subject in subjects:
        part = condition.of(subject)
        rows = rows_of(subject, candidate)
        mine, theirs = candidate.take(rows), None if base is None else base.take(rows)
        _check_missing(part, mine)
        if is_same and condition.is_relative:
            findings.append(_identical(part, mine))
        elif _is_share(part, mine, theirs):
            findings.append(_shares(part, mine, theirs, error=error, count=len(subjects)))
        else:
            findings.append(_drawn(part, mine, theirs, error=error, draws=max(draws, _draws(error, len(subjects)))))
    return decided(findings, error)


def _check_missing(condition: Condition, candidate: Predictions) -> None:
    """Refuse rows without a prediction, unless they are mistakes that speak against the candidate."""
    missing = candidate.ids[candidate.missing].tolist()
    if missing and not (condition.subject.metric in _OF_CLASSES and condition.is_floor):
        message = (
            f"{candidate.source} has no prediction for {len(missing):,} rows: {few(missing)}. What they do to"
            f" {condition.subject} is not known. Let the candidate predict these rows as well."
        )
        raise CannotDecideError(message)


def _draws(error: float, count: int) -> int:
    """Return how many draws it takes to tell chances as small as Holm's procedure asks for.

    Raises:
        ConfigurationError: not even the most that can be made tell them.
    """
    if count / error >= MOST_DRAWS:
        message = (
            f"A reliability of {1 - error:.10g} for each of {count:,} values takes more than {MOST_DRAWS:,} draws."
            " Ask for less in `reliability`, or about a column with fewer values."
        )
        raise ConfigurationError(message)
    return min(MOST_DRAWS, math.ceil(_TAIL * count / error))


def decided(findings: list[Finding], error: float) -> list[Finding]:
    """Return findings with their outcomes, after Holm's adjustment over all of them."""
    passes = holm([it.p_passes for it in findings])
    fails = holm([it.p_fails for it in findings])
    found = []
    for it, p_passes, p_fails in zip(findings, passes, fails, strict=True):
        outcome: Outcome = "passes" if p_passes <= error else "fails" if p_fails <= error else "cannot tell"
        changed: dict[str, Any] = vars(it) | {"outcome": outcome, "p_passes": p_passes, "p_fails": p_fails}
        changed["rows_needed"] = it.rows_needed if outcome == "cannot tell" else None
        found.append(Finding(**changed))
    return found


def _identical(condition: Condition, candidate: Predictions) -> Finding:
    """Return what is known without any chance, the base being the same."""
    value = float(np.mean(seed_values(condition.subject, candidate)))
    estimate = value - condition.factor * value
    holds = estimate >= condition.offset if condition.is_floor else estimate <= condition.offset
    is_share = hits(condition.subject.metric, candidate) is not None
    return Finding(
        subject=str(condition.subject),
        outcome="cannot tell",
        method="identical",
        candidate=value,
        base=value,
        estimate=estimate,
        bound=condition.offset,
        interval=Interval(low=estimate, high=estimate),
        p_passes=0.0 if holds else 1.0,
        p_fails=1.0 if holds else 0.0,
        rows=len(candidate.ids),
        wins=0 if is_share else None,
        losses=0 if is_share else None,
    )


def _is_share(condition: Condition, candidate: Predictions, base: Predictions | None) -> bool:
    """Tell whether a metric is a share of independent rows, trained once, so that no draws are needed."""
    sides = [candidate] if base is None or not condition.is_relative else [candidate, base]
    return (
        condition.factor in {0, 1}
        and hits(condition.subject.metric, candidate) is not None
        and all(it.groups is None and len(it.seeds) == 1 and it.errors is None for it in sides)
    )


def _shares(
    condition: Condition, candidate: Predictions, base: Predictions | None, *, error: float, count: int
) -> Finding:
    """Return what is found about a share of rows, by the score test, or the exact one where there is no base."""
    rows, bound = len(candidate.ids), condition.offset
    mine = _hits(condition, candidate)
    wins = losses = None
    if base is None or not condition.is_relative:
        right = int(mine.sum())
        above, below = share_p_above(right, rows, bound), share_p_above(rows - right, rows, 1 - bound)
        interval, value = exact_interval(right, rows, error), None
        deviation = math.sqrt(rows * max(0.0, bound * (1 - bound)))
        errors = (right - rows * bound) / deviation if deviation else 0.0
    else:
        theirs = _hits(condition, base)
        wins, losses, value = int((mine & ~theirs).sum()), int((theirs & ~mine).sum()), float(theirs.mean())
        above, below = p_above(wins, losses, rows, bound), p_above(losses, wins, rows, -bound)
        interval, errors = score_interval(wins, losses, rows, error), score(wins, losses, rows, bound)
    return Finding(
        subject=str(condition.subject),
        outcome="cannot tell",
        method="exact" if wins is None else "score",
        candidate=float(mine.mean()),
        base=value,
        estimate=float(mine.mean()) - (value or 0.0),
        bound=bound,
        interval=interval,
        p_passes=above if condition.is_floor else below,
        p_fails=below if condition.is_floor else above,
        rows=rows,
        wins=wins,
        losses=losses,
        mcnemar=None if wins is None or losses is None else mcnemar(wins, losses),
        rows_needed=_needed(rows, float(special.ndtri(1 - error / count)), abs(errors)),
    )


def _hits(condition: Condition, predictions: Predictions) -> Any:  # noqa: ANN401  # an array of truths
    """Return the rows that are predicted right, (N,)."""
    found = hits(condition.subject.metric, predictions)
    return found[0] if found is not None else None


def _needed(rows: int, wanted: float, found: float) -> int | None:
    """Return how many rows settle it, if the distance from the bound in standard errors grows as their root does."""
    if not found or not wanted / found < math.sqrt(_MANY / rows):  # nor where one of them is no number
        return None
    return max(rows + 1, math.ceil(rows * (wanted / found) ** 2))


def _drawn(
    condition: Condition, candidate: Predictions, base: Predictions | None, *, error: float, draws: int
) -> Finding:
    """Return what is found by drawing rows; nothing where so few of them cannot stand for others."""
    rows = len(candidate.ids)
    units = rows if candidate.groups is None else len(np.unique(candidate.groups))
    least = math.ceil(math.log(error) / math.log(1 - _UNLIKE)) if condition.subject.metric in _UNBOUNDED else 0
    is_few = units < least
    drawn = bootstrap(condition, candidate, base, error=error, draws=draws)
    mine = seed_values(condition.subject, candidate)
    theirs = seed_values(condition.subject, base) if base is not None and condition.is_relative else []
    value = float(np.mean(theirs)) if theirs else None
    estimate = float(np.mean(mine)) - condition.factor * (value or 0.0)
    gap = abs(estimate - condition.offset)
    end = drawn.interval.low if estimate > condition.offset else drawn.interval.high
    needed = None if drawn.seed_error else _needed(rows, abs(estimate - end), gap)
    return Finding(
        subject=str(condition.subject),
        outcome="cannot tell",
        method="bootstrap",
        candidate=float(np.mean(mine)),
        base=value,
        estimate=estimate,
        bound=condition.offset,
        interval=None if is_few else drawn.interval,
        p_passes=1.0 if is_few else drawn.p_above if condition.is_floor else drawn.p_below,
        p_fails=1.0 if is_few else drawn.p_below if condition.is_floor else drawn.p_above,
        rows=rows,
        rows_needed=math.ceil(rows * least / units) if is_few else needed,
        seeds=tuple(mine) if len(mine) > 1 else (),
        base_seeds=tuple(theirs) if len(theirs) > 1 else (),
        seed_error=drawn.seed_error,
    )
