"""A paired bootstrap: both models are judged on the same rows, which count more in one draw and less in another."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headworks._metrics.proportions import Interval
from headworks._metrics.rows import RowSums, row_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headworks._metrics.condition import Condition, Subject
    from headworks._metrics.predictions import Predictions

    Floats = NDArray[np.float64]

_AT_ONCE = 4_000_000  # weights held at a time, 32 MB


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The draws of candidate - factor * base.

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
    """Weigh rows, or whole groups of rows, at random, and see where the difference of a metric lies.

    For each end of the interval there is one row more than in the file: one that the candidate has as wrong as a row
    can be, or was seen to be, and the base as right; for the other end the other way round. So a difference that shows
    in few rows, or in none yet, is not taken for certain.

    Args:
        condition: Gives metric, factor and offset; its subject must be about all rows of the predictions.
        candidate: Predictions of N rows.
        base: Predictions for the same rows; None where the condition does not need them.
        error: The chance that the difference lies beyond one end of the interval.
        draws: The number of draws.

    Source:
        Rubin, "The Bayesian bootstrap", Annals of Statistics 9 (1981) 130-134, for the weights, which are
        exponential; Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
        nonnegative variable", Mathematical Methods of Statistics 14 (2005) 451-467, for the row more: the bound that
        it gives for the mean of a bounded variable is that of Clopper and Pearson where there are two values.
        Where several seeds are declared, each draw also moves by what other seeds could have given: Student's t times
        the standard error of the difference of the means, with one variance for both sides.
    """
    difference = _Difference(condition, candidate, base)
    seed_error, freedom = _seed_error(condition, candidate, base)
    moved = seed_error * np.random.default_rng(1).standard_t(max(freedom, 1), draws)
    low, high = (end + moved for end in difference.draws(draws))
    estimate = difference.estimate
    return Drawn(
        interval=Interval(
            low=min(float(np.quantile(low, error)), estimate), high=max(float(np.quantile(high, 1 - error)), estimate)
        ),
        p_above=float(((low <= condition.offset).sum() + 1) / (draws + 1)),
        p_below=float(((high >= condition.offset).sum() + 1) / (draws + 1)),
        seed_error=seed_error,
    )


class _Difference:
    """A metric of the candidate, less a multiple of that of the base, as a function of the weight of each unit.

    A unit is a row, or a group of rows.
    """

    def __init__(self, condition: Condition, candidate: Predictions, base: Predictions | None) -> None:
        sides = [(1.0, candidate)]
        if base is not None:
            sides.append((-condition.factor, base))
        units: NDArray[np.intp] = np.arange(len(candidate.ids))
        if candidate.groups is not None:
            units = np.unique(candidate.groups, return_inverse=True)[1]
        self._number = int(units.max()) + 1
        trainings = [
            (factor / len(side.seeds), row_sums(condition.subject, side, seed))
            for factor, side in sides
            for seed in range(len(side.seeds))
        ]
        more = _unit_more([sums for _, sums in trainings], units, self._number)
        most = condition.subject.definition.most
        self._parts = [(factor, _Training(sums, units, self._number, more, most)) for factor, sums in trainings]
        self.estimate = sum(factor * part.estimate for factor, part in self._parts)

    def draws(self, number: int) -> tuple[Floats, Floats]:
        """Return draws for the lower end of the interval, and for the upper one."""
        columns = np.concatenate([part.sums for _, part in self._parts], axis=1)
        blocks = [(weights[:, :1].copy(), weights[:, 1:] @ columns) for weights in _weights(self._number + 1, number)]
        first, sums = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        low, high, place = np.zeros(number), np.zeros(number), 0
        for factor, part in self._parts:
            until = place + part.sums.shape[1]
            ends = part.ends(first, sums[:, place:until])
            low += factor * ends[0 if factor > 0 else 1]
            high += factor * ends[1 if factor > 0 else 0]
            place = until
        return low, high


def _unit_more(trainings: Sequence[RowSums], units: NDArray[np.intp], number: int) -> tuple[Floats, Floats]:
    """Return the numbers of one unit more that is predicted badly, and of one that is predicted well, (C,) each.

    Without groups it is a row. With groups it has as many bad rows as the worst one that was seen, and no fewer than a
    usual group has rows, if rows are only right or wrong.
    """
    value = trainings[0].value
    worst, best = max(
        ((training.worst, training.best) for training in trainings),
        key=lambda ends: abs(float(np.diff(value(np.stack(ends)))[0])),
    )
    usual = len(units) / number if trainings[0].is_count else 1.0
    rows = max(usual, *(float(_summed(it.badness, units, number).max()) for it in trainings))
    return rows * worst, rows * best


class _Training:
    """A metric of one training.

    Attributes:
        sums: the sums over the rows of each unit, (units, C).
        estimate: the metric where every row counts as much.
    """

    def __init__(
        self, rows: RowSums, units: NDArray[np.intp], number: int, more: tuple[Floats, Floats], most: float
    ) -> None:
        """Take a metric with its largest value, the unit of each row, and one unit more, predicted badly or well."""
        self._rows = rows
        self._most = most
        self._more = sorted(more, key=lambda unit: float(rows.value(unit[None])[0]))
        self.sums = _summed(rows.columns, units, number)
        self.estimate = self._with(np.zeros(self.sums.shape[1]))

    def _with(self, more: Floats) -> float:
        """Return the metric where every unit counts as much, and something is added."""
        return float(self._rows.value((self.sums.sum(axis=0) + more)[None])[0])

    def ends(self, first: Floats, sums: Floats) -> tuple[Floats, Floats]:
        """Return draws with one unit more that makes the metric small, and with one that makes it large.

        Where draws lie off on average, the metric of the sample may lie off by as much, or by the known part of it.

        Args:
            first: The weight of that unit, (draws, 1).
            sums: The sums over all others, (draws, C).
        """
        low, high = (self._rows.value(sums + first * unit) for unit in self._more)
        off_low, off_high = (
            draws.mean() - self._with(unit) for draws, unit in zip((low, high), self._more, strict=True)
        )
        low = low - max(0.0, 2 * off_low, off_low + self._rows.excess(sums))
        return np.maximum(low, 0.0), np.minimum(high + max(0.0, -2 * off_high), self._most)


def _summed(values: Floats, units: NDArray[np.intp], number: int) -> Floats:
    """Return the sums over the rows of each unit."""
    summed = np.zeros((number, *values.shape[1:]))
    np.add.at(summed, units, values)
    return summed


def _weights(units: int, draws: int) -> Iterator[Floats]:
    """Yield the weights of units, (some draws, units), until there are enough draws; always the same ones."""
    step = max(1, _AT_ONCE // units)
    for number, first in enumerate(range(0, draws, step)):
        yield _exponential(number, min(step, draws - first), units)


@functools.lru_cache(maxsize=4)
def _exponential(number: int, draws: int, units: int) -> Floats:
    """Return one block of weights; several conditions about the same rows share it."""
    return np.random.default_rng([0, number]).standard_exponential((draws, units))


def seed_values(subject: Subject, predictions: Predictions) -> list[float]:
    """Return a metric for every seed."""
    once = np.ones((1, len(predictions.ids)))
    return [float(row_sums(subject, predictions, seed)(once)[0]) for seed in range(len(predictions.seeds))]


def _seed_error(condition: Condition, candidate: Predictions, base: Predictions | None) -> tuple[float, int]:
    """Return the standard error that the choice of seeds adds, and its degrees of freedom."""
    sides = [(1.0, seed_values(condition.subject, candidate))]
    if base is not None:
        sides.append((condition.factor, seed_values(condition.subject, base)))
    freedom = sum(len(values) - 1 for _, values in sides)
    if not freedom:
        return 0.0, 0
    variance = sum((len(values) - 1) * np.var(values, ddof=1) for _, values in sides if len(values) > 1) / freedom
    return float(np.sqrt(variance * sum(factor**2 / len(values) for factor, values in sides))), freedom
