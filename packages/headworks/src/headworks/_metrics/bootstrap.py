"""Where the difference of a metric of two models lies, who are judged on the same rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from headworks._metrics.means import Mean
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
    """The place of candidate - factor * base.

    Attributes:
        interval: where it lies.
        p_above: the chance of such data if it were not above the bound's offset.
        p_below: the same if it were not below.
        seed_error: the standard error that the choice of seeds adds; 0 where it is about these trainings alone.
    """

    interval: Interval
    p_above: float
    p_below: float
    seed_error: float = 0.0


def located(
    condition: Condition, candidate: Predictions, base: Predictions | None, *, error: float, draws: int
) -> list[Drawn]:
    """Return where the difference of a metric lies for these trainings; and for all seeds, where several are declared.

    Args:
        condition: Gives metric, factor and offset; its subject must be about all rows of the predictions.
        candidate: Predictions of N rows.
        base: Predictions for the same rows; None where the condition does not need them.
        error: The chance that the difference lies beyond one end of the interval.
        draws: The number of draws.

    Source:
        The mean of a bounded number for each row by `Mean`; any other metric by `_Bootstrap`. For all seeds, each draw
        also moves by what other seeds could have given: Student's t times the standard error of the difference of the
        means, with one variance for both sides.
    """
    offset = condition.offset
    seed_error, freedom = _seed_error(condition, candidate, base)
    if condition.subject.definition.is_mean:
        mean = _mean(condition, candidate, base)
        ends = mean.draws(draws) if freedom else None
        places = [Drawn(interval=mean.interval(error), p_above=mean.p_above(offset), p_below=mean.p_below(offset))]
    else:
        ends = _Bootstrap(condition, candidate, base).draws(draws)
        places = [_drawn(ends, offset, error)]
    if freedom and ends is not None:
        moved = seed_error * np.random.default_rng(1).standard_t(freedom, draws)
        low, high = (end + moved for end in ends)
        places.append(replace(_drawn((low, high), offset, error), seed_error=seed_error))
    return places


def _drawn(ends: tuple[Floats, Floats], offset: float, error: float) -> Drawn:
    """Return the place that draws for both ends of an interval give."""
    low, high = ends
    return Drawn(
        interval=Interval(
            low=float(np.quantile(low, error, method="lower")),
            high=float(np.quantile(high, 1 - error, method="higher")),
        ),
        p_above=float(((low <= offset).sum() + 1) / (len(low) + 1)),
        p_below=float(((high >= offset).sum() + 1) / (len(high) + 1)),
    )


def _mean(condition: Condition, candidate: Predictions, base: Predictions | None) -> Mean:
    """Return the mean over the rows of candidate - factor * base."""
    most, factor = condition.subject.most, condition.factor if base is not None else 0.0
    values = _row_means(condition.subject, candidate)
    if base is not None:
        values = values - factor * _row_means(condition.subject, base)
    return Mean(values, low=-factor * most if factor else 0.0, high=most, groups=candidate.groups)


def _row_means(subject: Subject, predictions: Predictions) -> Floats:
    """Return the number of each row, the mean over the seeds, (N,)."""
    values = [row_sums(subject, predictions, seed).columns[:, 0] for seed in range(len(predictions.seeds))]
    means: Floats = np.mean(values, axis=0)
    return means


class _Bootstrap:
    """A metric of the candidate, less a multiple of that of the base, where rows, or groups of rows, weigh by chance.

    For each end of the interval there are more rows than in the files, as many as the metric asks for: rows that the
    candidate has as wrong as can be, and the base as right; for the other end the other way round. So a difference that
    shows in few rows, or in none yet, is not taken for certain. With groups each is a group of the largest size.

    Source:
        Rubin, "The Bayesian bootstrap", Annals of Statistics 9 (1981) 130-134, for the weights, which are exponential;
        the rows more are those of `Mean`.
    """

    def __init__(self, condition: Condition, candidate: Predictions, base: Predictions | None) -> None:
        sides = [(1.0, candidate)]
        if base is not None:
            sides.append((-condition.factor, base))
        trainings = [
            (factor / len(side.seeds), row_sums(condition.subject, side, seed))
            for factor, side in sides
            for seed in range(len(side.seeds))
        ]
        size, units = 1, np.zeros(len(candidate.ids), np.intp)
        if candidate.groups is None:
            for _, sums in trainings:  # rows that are alike in all trainings are of one kind
                units = np.unique(units * sums.columns.shape[0] + sums.kinds, return_inverse=True)[1]
            first, counts = np.unique(units, return_index=True, return_counts=True)[1:]
            columns = [sums.columns[sums.kinds[first]] for _, sums in trainings]
        else:
            units, sizes = np.unique(candidate.groups, return_inverse=True, return_counts=True)[1:]
            size, counts = int(sizes.max()), np.ones(len(sizes), np.intp)
            # of which groups are sums of rows
            members = sparse.csr_array((np.ones(len(units)), (units, np.arange(len(units)))))
            columns = [members @ sums.columns[sums.kinds] for _, sums in trainings]
        self._shapes = np.concatenate([np.ones(len(trainings[0][1].worst)), counts])
        self._parts = [
            (factor, _Training(sums, it, counts, size, condition.subject))
            for (factor, sums), it in zip(trainings, columns, strict=True)
        ]

    def draws(self, number: int) -> tuple[Floats, Floats]:
        """Return draws for the lower end of the interval, and for the upper one."""
        is_many = bool((self._shapes > 1).any())
        units = len(self._shapes)
        step = max(1, _AT_ONCE // units)
        for count, start in enumerate(range(0, number, step)):
            generator, size = np.random.default_rng([0, count]), (units, min(step, number - start))
            # Where each kind is one unit, the same in a quarter of the time.
            exponential = generator.standard_exponential
            weights = generator.standard_gamma(self._shapes[:, None], size) if is_many else exponential(size)
            for _, part in self._parts:
                part.draw(weights)
        low, high = np.zeros(number), np.zeros(number)
        for factor, part in self._parts:
            ends = part.ends()
            low += factor * ends[0 if factor > 0 else 1]
            high += factor * ends[1 if factor > 0 else 0]
        return low, high


class _Training:
    """A metric of one training, drawn with the rows more that make it small, and with those that make it large."""

    def __init__(
        self, rows: RowSums, sums: Floats | sparse.csr_array, counts: NDArray[np.intp], size: int, subject: Subject
    ) -> None:
        """Take a metric, its sums, the number of units of each kind, the rows of one more, and the subject."""
        self._rows = rows
        self._range = subject.definition.least, subject.most
        more = sorted((size * rows.worst, size * rows.best), key=lambda it: float(rows.value(it.sum(0)[None])[0]))
        ends = (*more, 0 * rows.worst)
        self._columns = [sparse.hstack([sparse.csr_array(it.T) for it in (end, sums)], format="csr") for end in ends]
        self._drawn: tuple[list[Floats], ...] = ([], [], [])
        self._values = [float(rows.value((counts @ sums + units.sum(0))[None])[0]) for units in more]

    def draw(self, weights: Floats) -> None:
        """Note the metric for each of B weightings of the rows more and the units, (M + U, B)."""
        low, high, whole = self._drawn
        for drawn, columns in zip((low, high), self._columns[:2], strict=True):
            drawn.append(self._rows.value((columns @ weights).T))
        if self._rows.excess is not None:
            whole.append((self._columns[2] @ weights).T)

    def ends(self) -> tuple[Floats, Floats]:
        """Return draws of the metric for the lower end of the interval, and for the upper one.

        Where draws lie off on average, the metric of the sample may lie off by as much, or by the known part of it.
        """
        low, high = (np.concatenate(drawn) for drawn in self._drawn[:2])
        off_low, off_high = (float(drawn.mean()) - it for drawn, it in zip((low, high), self._values, strict=True))
        excess = 0.0 if self._rows.excess is None else self._rows.excess(np.concatenate(self._drawn[2]))
        low = low - max(0.0, 2 * off_low, off_low + excess)
        least, most = self._range
        return np.maximum(low, least), np.minimum(high + max(0.0, -2 * off_high), most)


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
