"""Proportions of rows: intervals and tests that hold at few rows and at few differences.

Two models predict the same rows. `wins` counts the rows that only the candidate has right, `losses` those that only the
base has right, and the difference of their accuracies is (wins - losses) / rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 60  # halvings of a bracket of length 2, after which it is shorter than a double's precision
_NUISANCE = 60  # points at which the chance of a loss is tried
_REACH = 9.0  # standard deviations beyond which no probability is left


class Interval(NamedTuple):
    """An interval, both ends included."""

    low: float
    high: float


def score(wins: float, losses: float, rows: float, difference: float) -> float:
    """Return how many standard errors the difference of paired proportions lies above a supposed one.

    The standard error is that under the supposed difference, so that it does not vanish where no row is discordant.

    Source:
        Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
        design", Statistics in Medicine 17 (1998) 891-908; the same statistic as in Nam, "Establishing equivalence of
        two treatments and sample size requirements in matched-pairs design", Biometrics 53 (1997) 1422-1430.
    """
    return float(_scores(np.float64(wins), np.float64(losses), rows, difference))


def _scores(
    wins: NDArray[np.float64] | np.float64, losses: NDArray[np.float64] | np.float64, rows: float, difference: float
) -> NDArray[np.float64]:
    """Return `score` for many counts."""
    linear = (2 * rows - wins + losses) * difference - wins - losses
    constant = -losses * difference * (1 - difference)
    root = np.sqrt(np.maximum(linear**2 - 8 * rows * constant, 0))
    # The chance of a loss that is most likely under the supposed difference; no less than that difference allows.
    loss = np.maximum((root - linear) / (4 * rows), max(0.0, -difference))
    variance = rows * (2 * loss + difference * (1 - difference))
    excess = wins - losses - rows * difference
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(excess) < 1e-12 * rows, 0.0, excess / np.sqrt(np.maximum(variance, 0)))


@cache
def score_interval(wins: float, losses: float, rows: float, error: float) -> Interval:
    """Return the score interval of a difference of paired proportions.

    Args:
        wins: Rows that only the candidate has right.
        losses: Rows that only the base has right.
        rows: All rows.
        error: The chance that the difference lies beyond one end; twice that for both.

    Source:
        Tango (1998), see `score`: all differences that the score test does not reject.
    """
    bound = float(special.ndtri(1 - error))
    estimate = (wins - losses) / rows
    low = _crossing(lambda value: score(wins, losses, rows, value) > bound, -1.0, estimate)
    high = _crossing(lambda value: score(wins, losses, rows, value) >= -bound, estimate, 1.0)
    return Interval(low=low, high=high)


def _crossing(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return where a condition that holds for small values ceases to."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2


@cache
def p_above(wins: int, losses: int, rows: int, difference: float) -> float:
    """Return the chance of a score as high as this one if the true difference were no more than a supposed one.

    It is 1 for a score that is not above 0, which decides nothing. Else it is the larger of two: that of the normal
    distribution, which the interval goes by, and the exact one, at the chance of a loss for which that is largest. The
    latter alone holds at few rows, where scores take few values.

    Args:
        wins: Rows that only the candidate has right.
        losses: Rows that only the base has right.
        rows: All rows.
        difference: The supposed difference.

    Source:
        Hsueh, Liu and Chen, "Unconditional exact tests for equivalence or noninferiority for paired binary endpoints",
        Biometrics 57 (2001) 478-483: the score falls with every loss and rises with every win, so that the largest
        chance is found where the true difference equals the supposed one.
    """
    seen = score(wins, losses, rows, difference)
    if seen <= 0:
        return 1.0
    least, most = max(0.0, -difference), (1 - difference) / 2
    chances = least + (most - least) * np.linspace(0, 1, _NUISANCE) ** 3
    possible = np.arange(_ends(rows, min(1.0, most + difference))[1] + 1)
    limits = _most_losses(seen, possible, rows, difference)
    exact = max(_tail(limits, rows, difference, float(loss)) for loss in chances)
    return min(1.0, max(exact, float(special.ndtr(-seen))))


def _ends(rows: int, win: float) -> tuple[int, int]:
    """Return the fewest and the most wins that have any chance, given the chance of one."""
    middle, reach = rows * win, _REACH * math.sqrt(rows * win * (1 - win)) + 2 * _REACH
    return max(0, math.floor(middle - reach)), min(rows, math.ceil(middle + reach))


def _tail(limits: NDArray[np.int64], rows: int, difference: float, loss: float) -> float:
    """Return the chance of no more losses than a limit for each number of wins, given the chance of a loss."""
    win = min(1.0, max(0.0, loss + difference))
    first, last = _ends(rows, win)
    wins, most = np.arange(first, last + 1), limits[first : last + 1]
    chance = min(1.0, loss / (1 - win)) if win < 1 else 0.0
    until = np.concatenate([[special.bdtr(first - 1, rows, win) if first else 0.0], special.bdtr(wins, rows, win)])
    below = np.where(most >= 0, special.bdtr(np.maximum(most, 0), rows - wins, chance), 0)
    return float((np.diff(until) * below).sum())


def _most_losses(least: float, wins: NDArray[np.int64], rows: int, difference: float) -> NDArray[np.int64]:
    """Return the most losses with which the score is still at least `least`, for each number of wins; -1 for none."""
    # The variance of a row is no more than 1, which keeps the limit near the number of wins.
    middle, reach = wins - rows * difference, abs(least) * math.sqrt(rows) + 1
    low = np.clip(np.floor(middle - reach), -1, rows - wins).astype(int)
    high = np.clip(np.ceil(middle + reach), -1, rows - wins).astype(int)
    while (low < high).any():
        middle = -((-low - high) // 2)
        is_high = _scores(wins.astype(float), middle.astype(float), rows, difference) >= least - 1e-9
        low, high = np.where(is_high, middle, low), np.where(is_high, high, middle - 1)
    return low


def mcnemar(wins: int, losses: int) -> float:
    """Return the exact two-sided p-value for two models that are equally often right.

    Source:
        McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
        Psychometrika 12 (1947) 153-157, with the binomial distribution in place of the normal one.
    """
    return min(1.0, 2 * float(special.bdtr(min(wins, losses), wins + losses, 0.5)))


def exact_interval(hits: float, rows: float, error: float) -> Interval:
    """Return the exact interval of a proportion.

    Args:
        hits: Rows that count.
        rows: All rows.
        error: The chance that the proportion lies beyond one end; twice that for both.

    Source:
        Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
        Biometrika 26 (1934) 404-413. Unlike the score interval of one proportion (Wilson 1927) it never errs more
        often than stated, also close to 1, where the recall of a good model is.
    """
    low = float(special.betaincinv(hits, rows - hits + 1, error)) if hits > 0 else 0.0
    high = float(special.betaincinv(hits + 1, rows - hits, 1 - error)) if hits < rows else 1.0
    return Interval(low=low, high=high)


def share_p_above(hits: int, rows: int, share: float) -> float:
    """Return the chance of that many hits or more if the true proportion were no more than a supposed one."""
    if hits <= 0 or share >= 1:
        return 1.0
    return float(special.bdtrc(hits - 1, rows, max(share, 0.0)))


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the chance of any wrong rejection is that of one.

    Source:
        Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979)
        65-70.
    """
    adjusted = [0.0] * len(values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=lambda it: values[it])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = largest
    return adjusted
