"""Judges one condition: estimates, intervals, outcomes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from headworks._gate.result import Finding
from headworks._metrics.bootstrap import Drawn, located, seed_values
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
from headworks._metrics.rows import parts_of, row_sums
from headworks._project.gate_settings import MOST_DRAWS, Outcome
from headworks._quantities import few
from headworks.errors import CannotDecideError, ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headworks._metrics.condition import Condition, Subject
    from headworks._metrics.predictions import Predictions

_TAIL = 100  # draws that shall lie beyond the end of an interval
_MANY = 10**9  # rows that nobody has


def judge(
    condition: Condition,
    candidate: Predictions,
    base: Predictions | None,
    *,
    error: float,
    draws: int,
    is_same: bool = False,
) -> list[Finding]:
    """Return the findings about a condition on predictions: one, or one for each value of a slice column.

    Args:
        condition: The condition.
        candidate: Predictions of the candidate.
        base: Those of the base for the same rows; needed where the condition is relative.
        error: How often a finding may be wrong.
        draws: The number of draws of a bootstrap.
        is_same: Whether both are the same model, so that no relative condition is left to chance.

    Raises:
        ConfigurationError: The predictions lack a class, a slice or a column that the condition names.
        CannotDecideError: The candidate has no prediction for a row, and the metric is not known without it.
    """
    if not condition.is_relative:
        base = None
    missing = candidate.missing
    # A share of independent rows, trained once, needs no draws.
    sides = [side for side in (candidate, base) if side is not None]
    is_exact = condition.factor in {0, 1} and condition.subject.definition.is_share and candidate.errors is None
    is_exact &= all(side.groups is None and len(side.seeds) == 1 for side in sides)
    right = [row_sums(condition.subject, side, 0).columns[:, 0] > 0 for side in sides] if is_exact else []
    findings = []
    parts = parts_of(condition.subject, candidate)
    is_drawn = not condition.subject.definition.is_mean or any(len(side.seeds) > 1 for side in sides)
    for subject, rows in parts:
        part = replace(condition, subject=subject)
        _check_missing(part, candidate, rows[missing[rows]])
        if is_same and condition.is_relative:
            findings.append(_identical(part, candidate.take(rows)))
        elif is_exact:
            findings.append(_share(part, *(side[rows] for side in right), error=error, count=len(parts)))
        else:
            drawn = [side.take(rows) for side in sides]
            number = max(draws, _draws(error, len(parts))) if is_drawn else draws
            findings.extend(_drawn(part, *drawn, error=error, draws=number))
    return decided(findings, error)


def _check_missing(condition: Condition, candidate: Predictions, missing: NDArray[np.intp]) -> None:
    """Refuse rows without a prediction, unless they are mistakes that speak against the candidate."""
    if missing.size and not (condition.subject.definition.is_worst_if_lost and condition.is_floor):
        message = (
            f"{candidate.source} has no prediction for {len(missing):,} rows: {few(candidate.ids[missing].tolist())}."
            f" What they do to {condition.subject} is not known. Let the candidate predict these rows as well."
        )
        raise CannotDecideError(message)


def _draws(error: float, count: int) -> int:
    """Return the number of draws that tells chances as small as Holm's procedure asks for."""
    if count / error >= MOST_DRAWS:
        message = (
            f"A reliability of {1 - error:.10g} for each of {count:,} values takes more than {MOST_DRAWS:,} draws."
            " Ask for less in `reliability`, or about a column with fewer values."
        )
        raise ConfigurationError(message)
    return min(MOST_DRAWS, math.ceil(_TAIL * count / error))


def decided(findings: list[Finding], error: float) -> list[Finding]:
    """Return findings with their outcomes.

    All have to pass, so that a pass needs no adjustment; each may fail, so that fails are adjusted by Holm's procedure.

    Source:
        Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982) 295-300: a test
        that rejects where each of several does (intersection-union) errs no more often than the one of a false one.
    """
    judged = []
    for finding, p_fails in zip(findings, holm([it.p_fails for it in findings]), strict=True):
        outcome: Outcome = "passes" if finding.p_passes <= error else "fails" if p_fails <= error else "cannot tell"
        needed = finding.rows_needed if outcome == "cannot tell" else None
        reason = finding.reason if outcome == "cannot tell" else ""
        judged.append(replace(finding, outcome=outcome, p_fails=p_fails, rows_needed=needed, reason=reason))
    return judged


def _identical(condition: Condition, candidate: Predictions) -> Finding:
    """Return the finding about a model that is its own base, which no chance decides."""
    value = float(np.mean(seed_values(condition.subject, candidate)))
    estimate = value - condition.factor * value
    holds = estimate >= condition.offset if condition.is_floor else estimate <= condition.offset
    changed_rows = 0 if condition.subject.definition.is_share else None
    return Finding(
        subject=str(condition.subject),
        method="identical",
        candidate=value,
        base=value,
        estimate=estimate,
        bound=condition.offset,
        interval=Interval(low=estimate, high=estimate),
        p_passes=0.0 if holds else 1.0,
        p_fails=1.0 if holds else 0.0,
        rows=len(candidate.ids),
        wins=changed_rows,
        losses=changed_rows,
    )


def _share(
    condition: Condition, mine: NDArray[np.bool_], theirs: NDArray[np.bool_] | None = None, *, error: float, count: int
) -> Finding:
    """Judge a share of rows by which of them are right, by the score test, or the exact one where there is no base."""
    rows, bound = len(mine), condition.offset
    wins = losses = None
    if theirs is None:
        right = int(mine.sum())
        above, below = share_p_above(right, rows, bound), share_p_above(rows - right, rows, 1 - bound)
        interval, value = exact_interval(right, rows, error), None
        deviation = math.sqrt(rows * max(0.0, bound * (1 - bound)))
        distance = (right - rows * bound) / deviation if deviation else 0.0
    else:
        wins, losses, value = int((mine & ~theirs).sum()), int((theirs & ~mine).sum()), float(theirs.mean())
        above, below = p_above(wins, losses, rows, bound), p_above(losses, wins, rows, -bound)
        interval, distance = score_interval(wins, losses, rows, error), score(wins, losses, rows, bound)
    needed = 1 if (distance > 0) == condition.is_floor else count  # only fails are adjusted
    return Finding(
        subject=str(condition.subject),
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
        rows_needed=_rows_needed(rows, float(-special.ndtri(error / needed)), abs(distance)),
    )


def _unknown(subject: Subject, candidate: Predictions) -> str:
    """Return what a metric needs that neither the rows nor the table say; empty where nothing is missing."""
    setting = subject.definition.limit
    if setting == "classes":
        if subject.classes and (others := sorted({*candidate.classes} - {*subject.classes})):
            return f"`classes` in the table does not name class {few(others)}: name all that there are"
        named = subject.classes or (candidate.classes if candidate.probabilities is not None else ())
        if lacking := sorted({*named} - {*candidate.labels.tolist()}):
            return f"no row is of class {few(lacking)}: judge by rows of every class"
        return "" if named else "a class may have no row yet: name all that there are in `classes` of the table"
    if subject.definition.compares_labels:
        kinds = candidate.labels == subject.label if subject.label else candidate.labels
        if len(np.unique(kinds)) < 2:  # noqa: PLR2004  # one kind
            what = f"rows of class {subject.label} and others" if subject.label else "rows of different labels"
            return f"{subject.metric} takes {what}: judge by more rows"
    if setting and math.isinf(subject.limit):
        return f"a row that was not seen yet may cost more: declare the most in `{setting}` of the table"
    return ""


def _rows_needed(rows: int, wanted: float, distance: float) -> int | None:
    """Return the rows that settle it, if the distance from the bound grows, in standard errors, as their root does."""
    if not distance or not wanted / distance < math.sqrt(_MANY / rows):  # nor where one of them is no number
        return None
    return max(rows + 1, math.ceil(rows * (wanted / distance) ** 2))


def _drawn(
    condition: Condition, candidate: Predictions, base: Predictions | None = None, *, error: float, draws: int
) -> list[Finding]:
    """Judge what is no share of independent rows; where several seeds are declared, these and all that there could be.

    Where something is unknown that a declaration would bound, no outcome is certain.
    """
    subject, rows = condition.subject, len(candidate.ids)
    reason = _unknown(subject, candidate)
    if reason and not subject.definition.is_mean:
        places = [Drawn(interval=Interval(low=-math.inf, high=math.inf), p_above=1.0, p_below=1.0)]
    else:
        places = located(condition, candidate, base, error=error, draws=draws)
    mine = seed_values(subject, candidate)
    theirs = [] if base is None else seed_values(subject, base)
    value = float(np.mean(theirs)) if theirs else None
    estimate = float(np.mean(mine)) - condition.factor * (value or 0.0)
    findings = []
    for drawn, what in zip(places, ("", " for any seeds"), strict=False):
        end = drawn.interval.low if estimate > condition.offset else drawn.interval.high
        needed = None if drawn.seed_error else _rows_needed(rows, abs(estimate - end), abs(estimate - condition.offset))
        passes, fails = (drawn.p_above, drawn.p_below) if condition.is_floor else (drawn.p_below, drawn.p_above)
        findings.append(
            Finding(
                subject=f"{subject}{what}",
                method="bounds" if subject.definition.is_mean else "bootstrap",
                candidate=float(np.mean(mine)),
                base=value,
                estimate=estimate,
                bound=condition.offset,
                interval=drawn.interval if math.isfinite(drawn.interval.high - drawn.interval.low) else None,
                p_passes=passes,
                p_fails=fails,
                rows=rows,
                rows_needed=needed,
                seeds=tuple(mine) if len(mine) > 1 else (),
                base_seeds=tuple(theirs) if len(theirs) > 1 else (),
                seed_error=drawn.seed_error,
                reason=reason,
            )
        )
    return findings
