"""A paired bootstrap: both models are judged on the same rows of every draw."""

from __future__ import annotations

import numpy as np

from headgate._gate_metrics import metric
from headgate._gate_proportions import Interval
from headgate._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from headgate._gate_condition import Condition, Subject
    from headgate._gate_predictions import Predictions

    Floats = NDArray[np.float64]

__all__ = ["Drawn", "bootstrap", "seed_values"]

_AT_ONCE = 4_000_000  # weights held at a time, 32 MB


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
        Efron and Tibshirani, "An introduction to the bootstrap" (1993), the percentile interval, section 13.3. Where
        several seeds are declared, each draw also moves by what other seeds could have given: Student's t times the
        standard error of the difference of the means over seeds, with one variance for both sides.
    """
    generator = np.random.default_rng(0)
    values = np.concatenate(
        [
            _mean(condition.subject, candidate, it) - condition.factor * _base_mean(condition, base, it)
            for it in _weights(candidate, draws, generator)
        ]
    )
    seed_error, freedom = _seed_error(condition, candidate, base)
    if seed_error:
        values = values + seed_error * generator.standard_t(freedom, draws)
    low, high = np.quantile(values, [error, 1 - error])
    return Drawn(
        interval=Interval(low=float(low), high=float(high)),
        p_above=(1 + int((values <= condition.offset).sum())) / (1 + draws),
        p_below=(1 + int((values >= condition.offset).sum())) / (1 + draws),
        seed_error=seed_error,
    )


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


def _weights(predictions: Predictions, draws: int, generator: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each row was drawn, (some draws, N), until there are enough draws."""
    rows = len(predictions.ids)
    of_row = np.arange(rows) if predictions.groups is None else np.unique(predictions.groups, return_inverse=True)[1]
    units = int(of_row.max()) + 1
    step = max(1, _AT_ONCE // rows)
    for first in range(0, draws, step):
        number = min(step, draws - first)
        drawn = generator.integers(units, size=(number, units)) + units * np.arange(number)[:, None]
        counts = np.bincount(drawn.reshape(-1), minlength=number * units).reshape(number, units)
        yield counts[:, of_row].astype(float)


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
