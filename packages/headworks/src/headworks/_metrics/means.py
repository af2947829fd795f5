"""Bounds on the mean of numbers that are known to lie in a range, such as the paired differences of two models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special

from headworks._metrics.proportions import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FLAT = 1e-9  # of the spread: a slope that is as good as none
_CLOSE = 1e-7  # of the range, to which the end of an interval is searched
_POINTS = 65  # at which a distribution is tabulated
_SURE = 1e-9  # the chance beyond either end of the table


class Mean:
    """The mean over the rows of one number for each, with bounds from above and below.

    A bound is the quantile of means in which each row has an exponential weight, and in which there is one row more, at
    the end of the range. So what no row has shown yet is not excluded: only that it is frequent.

    Attributes:
        estimate: the mean of the rows.

    Source:
        Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative variable",
        Mathematical Methods of Statistics 14 (2005) 451-467; Learned-Miller and Thomas, "A new confidence interval for
        the mean of a bounded random variable", arXiv 1905.06208. For numbers of two values it is the interval of
        Clopper and Pearson. That it holds for all others is a conjecture that no simulation has refuted.
    """

    def __init__(self, values: Floats, *, low: float, high: float, groups: NDArray[np.str_] | None = None) -> None:
        """Take the number of each row, (N,), and the range of such numbers.

        Args:
            values: The numbers.
            low: The smallest that there could be; may be infinite.
            high: The largest that there could be; may be infinite.
            groups: Rows of one group count together, (N,); the group more has as many rows as the largest.
        """
        self._sums, self._sizes = values, np.ones(len(values))
        if groups is not None:
            units = np.unique(groups, return_inverse=True)[1]
            self._sums, self._sizes = np.bincount(units, values), np.bincount(units).astype(float)
        self._low, self._high = low, high
        self.estimate = float(values.mean())

    def p_above(self, offset: float) -> float:
        """Return the chance of such high numbers if the true mean were no more than an offset."""
        return self._tail(offset, self._low, -1.0)

    def p_below(self, offset: float) -> float:
        """Return the chance of such low numbers if the true mean were no less than an offset."""
        return self._tail(offset, self._high, 1.0)

    def interval(self, error: float) -> Interval:
        """Return where the true mean lies, with a chance that it lies beyond one end."""
        return Interval(low=self._end(self.p_above, error, self._low), high=self._end(self.p_below, error, self._high))

    def draws(self, number: int) -> tuple[Floats, Floats]:
        """Return as many equally likely means for the lower end of an interval, and for the upper one."""
        return self._quantiles(self.p_above, self._low, number), self._quantiles(self.p_below, self._high, number)

    def _quantiles(self, chance: Callable[[float], float], limit: float, number: int) -> Floats:
        """Return equally likely means by their chance, interpolated; the one of the least chance is next to a limit."""
        if math.isinf(limit):
            return np.full(number, limit)
        means = np.linspace(self._end(chance, _SURE, limit), self._end(chance, 1 - _SURE, limit), _POINTS)
        return np.interp((np.arange(number) + 0.5) / number, [chance(it) for it in means], means)

    def _tail(self, offset: float, limit: float, sign: float) -> float:
        """Return the chance that the weighted mean, with the row more, lies on the limit's side of an offset."""
        if math.isinf(limit):
            return 1.0
        parts = np.append(self._sums - offset * self._sizes, (limit - offset) * self._sizes.max())
        return tail(sign * parts)

    def _end(self, chance: Callable[[float], float], error: float, limit: float) -> float:
        """Return the offset with a chance, between a limit and the other end of what was seen."""
        if math.isinf(limit):
            return limit
        furthest = self._sums / self._sizes
        other = float(furthest.max() if limit <= self.estimate else furthest.min())
        if other == limit:
            return limit
        found = optimize.brentq(
            lambda it: _normal(chance(it)) - _normal(error), limit, other, xtol=_CLOSE * abs(other - limit)
        )
        return float(found)


def _normal(chance: float) -> float:
    """Return the quantile of the normal distribution, in which a search for a chance is quick."""
    return float(special.ndtri(np.clip(chance, 1e-300, 1 - 1e-16)))


def tail(parts: Floats) -> float:
    """Return the chance that a sum is not negative whose parts have exponential weights.

    Args:
        parts: The parts, (N,).

    Source:
        Lugannani and Rice, "Saddle point approximation for the distribution of the sum of independent random
        variables", Advances in Applied Probability 12 (1980) 475-490. For random parts, 2 to 200 of them, it was from
        3% below the exact chance to 20% above it; the most above where few parts decide.
    """
    least, most = float(parts.min()), float(parts.max())
    if least >= 0 or most <= 0:
        return float(least >= 0)
    parts = parts / max(most, -least)
    below, above = 1 / float(parts.min()), 1 / float(parts.max())
    tilt, slope, spread = 0.0, float(parts.sum()), float(np.square(parts).sum())
    while abs(slope) > _FLAT * math.sqrt(spread) and below < tilt < above:
        below, above = (below, tilt) if slope > 0 else (tilt, above)
        newton = tilt - slope / spread
        tilt = newton if below < newton < above else (below + above) / 2
        tilted = parts / (1 - tilt * parts)
        slope, spread = float(tilted.sum()), float(np.square(tilted).sum())
    scaled = tilt * math.sqrt(spread)
    root = math.copysign(math.sqrt(max(0.0, 2 * float(np.log1p(-tilt * parts).sum()))), tilt)
    if abs(root) < 1e-4:  # noqa: PLR2004  # where the next terms cancel each other
        return 0.5
    density = math.exp(-root * root / 2) / math.sqrt(2 * math.pi)
    return min(1.0, max(0.0, float(special.ndtr(-root)) + density * (1 / scaled - 1 / root)))
