"""A paired bootstrap: both models are judged on the same rows of every draw."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from headgate._gate_metrics import metric
from headgate._gate_proportions import Interval
from headgate._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from headgate._gate_condition import Condition, Subject
    from headgate._gate_predictions import Predictions

    Floats = NDArray[np.float64]

__all__ = ["Drawn", "bootstrap", "seed_values"]

_AT_ONCE = 4_000_000  # weights held at a time, 32 MB
_BLOCKS = 1_000  # that are left out one at a time
_LEAST = 1e-3  # for a denominator that far out of the range of the draws


class Drawn(Record):
    """What the draws say about candidate - factor * base.

    Attributes:
        interval: where it lies.
        p_above: how often it is not above the bound's offset.
        p_below: how often it is not below.
        seed_error: the standard error that the choice of seeds adds; 0 where none is declared.
    """

    interval: Interval
    p_above: float
    p_below: float
    seed_error: float


def bootstrap(
    condition: Condition, candidate: Predictions, base: Predictions | None, *, error: float, draws: int
) -> Drawn:
    """Draw rows, or whole groups of rows, and see where the difference of a metric lies.

    Args:
        condition: gives metric, factor and offset; its subject must be about all rows of the predictions.
        candidate: predictions of N rows.
        base: predictions for the same rows; None where the condition does not need them.
        error: the chance that the difference lies beyond one end of the interval.
        draws: how many.

    Source:
        Efron, "Better bootstrap confidence intervals", Journal of the American Statistical Association 82 (1987)
        171-185: percentiles, moved by the bias and the skewness (`acceleration`) of the draws, which counts where few
        rows differ. Where several seeds are declared, each draw also moves by what other seeds could have given:
        Student's t times the standard error of the difference of the means, with one variance for both sides.
    """
    generator = np.random.default_rng(0)
    units = _units(candidate)

    def value(weights: Floats) -> Floats:
        return _mean(condition.subject, candidate, weights) - condition.factor * _base_mean(condition, base, weights)

    values = np.concatenate([value(it) for it in _weights(units, draws, generator)])
    estimate = float(value(np.ones((1, len(units))))[0])
    spread, acceleration = float(values.std()), _acceleration(value, units, generator)
    seed_error, freedom = _seed_error(condition, candidate, base)
    if seed_error:
        values = values + seed_error * generator.standard_t(freedom, draws)
        acceleration = 0.0  # the tails are those of Student's t now, which is not skewed
    corrected = _Corrected(values, estimate, acceleration, math.hypot(spread, seed_error))
    return Drawn(
        interval=Interval(low=corrected.quantile(error), high=corrected.quantile(1 - error)),
        p_above=corrected.chance(condition.offset, int((values <= condition.offset).sum())),
        p_below=1 - corrected.chance(condition.offset, int((values < condition.offset).sum())),
        seed_error=seed_error,
    )


class _Corrected:
    """Draws whose percentiles are corrected for bias and skewness."""

    def __init__(self, values: Floats, estimate: float, acceleration: float, spread: float) -> None:
        """Take draws, what they should lie around, how skewed they are, and their standard deviation."""
        below = (values < estimate).sum() + (values == estimate).sum() / 2
        self._values = values
        self._estimate = estimate
        self._bias = float(special.ndtri((below + 0.5) / (len(values) + 1)))
        self._acceleration = acceleration
        self._spread = spread

    def quantile(self, level: float) -> float:
        """Return the end of an interval below which the true value lies with a chance."""
        normal = self._bias + float(special.ndtri(level))
        moved = self._bias + normal / max(1 - self._acceleration * normal, _LEAST)
        return float(np.quantile(self._values, special.ndtr(moved)))

    def chance(self, bound: float, count: int) -> float:
        """Return the chance that the true value is no more than a bound which so many draws do not exceed.

        Beyond the last draw, the normal distribution goes on.
        """
        if 0 < count < len(self._values):
            normal = float(special.ndtri((count + 0.5) / (len(self._values) + 1)))
        else:
            normal = (bound - self._estimate) / max(self._spread, 1e-12)
        moved = normal - self._bias
        return float(special.ndtr(moved / max(1 + self._acceleration * moved, _LEAST) - self._bias))


def _acceleration(value: Callable[[Floats], Floats], units: NDArray[np.intp], generator: np.random.Generator) -> float:
    """Return a sixth of the skewness of a value, from leaving out one unit, or one block of units, at a time."""
    number = int(units.max()) + 1
    blocks = units if number <= _BLOCKS else (generator.permutation(number) % _BLOCKS)[units]
    step = max(1, _AT_ONCE // len(units))
    places = np.arange(int(blocks.max()) + 1)
    parts = [places[first : first + step, None] != blocks for first in range(0, len(places), step)]
    left = np.concatenate([value(it.astype(float)) for it in parts if it.any(axis=1).all()] or [np.zeros(1)])
    gaps = left.mean() - left
    spread = float((gaps**2).sum())
    return float((gaps**3).sum() / (6 * spread**1.5)) if spread > 0 else 0.0


def seed_values(subject: Subject, predictions: Predictions) -> list[float]:
    """Return a metric for every seed."""
    once = np.ones((1, len(predictions.ids)))
    return [float(metric(subject, predictions, seed)(once)[0]) for seed in range(len(predictions.seeds))]


def _mean(subject: Subject, predictions: Predictions, weights: Floats) -> Floats:
    """Return the mean of a metric over the seeds for every weighting."""
    each = [metric(subject, predictions, seed)(weights) for seed in range(len(predictions.seeds))]
    mean: Floats = np.mean(each, axis=0)
    return mean


def _base_mean(condition: Condition, base: Predictions | None, weights: Floats) -> Floats | float:
    """Return the same of the base, or 0 where it does not count."""
    return 0.0 if base is None or not condition.is_relative else _mean(condition.subject, base, weights)


def _units(predictions: Predictions) -> NDArray[np.intp]:
    """Return the number of the unit that each row is drawn with: its group, or the row itself, (N,)."""
    if predictions.groups is None:
        return np.arange(len(predictions.ids))
    numbers: NDArray[np.intp] = np.unique(predictions.groups, return_inverse=True)[1]
    return numbers


def _weights(units: NDArray[np.intp], draws: int, generator: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each row was drawn, (some draws, N), until there are enough draws."""
    total = int(units.max()) + 1
    step = max(1, _AT_ONCE // len(units))
    for first in range(0, draws, step):
        number = min(step, draws - first)
        drawn = generator.integers(total, size=(number, total)) + total * np.arange(number)[:, None]
        counts = np.bincount(drawn.reshape(-1), minlength=number * total).reshape(number, total)
        yield counts[:, units].astype(float)


def _seed_error(condition: Condition, candidate: Predictions, base: Predictions | None) -> tuple[float, int]:
    """Return the standard error that the choice of seeds adds, and its degrees of freedom."""
    sides = [(1.0, seed_values(condition.subject, candidate))]
    if base is not None and condition.is_relative:
        sides.append((condition.factor, seed_values(condition.subject, base)))
    freedom = sum(len(values) - 1 for _, values in sides)
    if not freedom:
        return 0.0, 0
    variance = sum((len(values) - 1) * np.var(values, ddof=1) for _, values in sides if len(values) > 1) / freedom
    return float(np.sqrt(variance * sum(factor**2 / len(values) for factor, values in sides))), freedom
