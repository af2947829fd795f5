"""Metrics of predictions over rows that count more or less, so that a bootstrap can draw them.

Every metric here is a function of weighted sums over the rows, so that the rows of a group can be summed first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headworks._metrics.condition import ERRORS
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headworks._metrics.condition import Subject
    from headworks._metrics.predictions import Predictions

    Floats = NDArray[np.float64]

__all__ = ["Metric", "hits", "metric"]

BINS = 15
SHARES = frozenset({"accuracy", "recall"})  # of rows that are predicted right


def hits(metric_name: str, predictions: Predictions) -> NDArray[np.bool_] | None:
    """Return the rows that are predicted right, (S, N), where a metric is their share; else None."""
    return predictions.predicted == predictions.labels if metric_name in SHARES else None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of one training, as a function of sums over the rows.

    Attributes:
        columns: what is summed, (N, C).
        value: gives the metric for each of B sums, (B, C) -> (B,).
        badness: how badly each row is predicted, from 0 to 1 for the worst that was seen, (N,).
        is_count: whether a row is only right or wrong.
        worst: what a row adds that is predicted as badly as any could be, or as any was seen to be, (C,).
        best: what one adds that is predicted as well, (C,).
        most: the largest value that it can have; the smallest is 0.
        excess: by how much the metric of a sample may exceed the true one on average, given draws, (B, C).
    """

    columns: Floats
    value: Callable[[Floats], Floats]
    badness: Floats
    is_count: bool = True
    worst: Floats
    best: Floats
    most: float = 1.0
    excess: Callable[[Floats], float] = lambda _: 0.0

    def __call__(self, weights: Floats) -> Floats:
        """Return the metric for each of B weightings of the rows, (B, N) -> (B,)."""
        return self.value(weights @ self.columns)


def metric(subject: Subject, predictions: Predictions, seed: int) -> Metric:
    """Return a metric of the rows that its subject is about.

    Args:
        subject: the metric.
        predictions: the rows that it is about, N of them.
        seed: the place of the seed among the predictions' seeds.

    Raises:
        ConfigurationError: the file lacks what the metric is computed from.
    """
    name = subject.metric
    if name in ERRORS:
        errors = _needed(predictions.errors, name, "an `error` column", predictions)[seed]
        return _mean(np.abs(errors), 0.0) if name == "mae" else _mean(errors**2, 0.0, np.sqrt)
    _needed(predictions.predicted if predictions.errors is None else None, name, "classes", predictions)
    labels, predicted = predictions.labels, predictions.predicted[seed]
    is_hit = predicted == labels
    if name in {"f1", "precision", "macro_f1"}:
        # The mean is over the classes that there are rows of, so that both models are judged by the same ones.
        classes = np.unique(labels) if name == "macro_f1" else np.array([subject.label])
        is_label, is_predicted = labels[:, None] == classes, predicted[:, None] == classes
        is_predicted |= (predicted == "")[:, None] & ~is_label  # at its worst, one that is missing is taken for another
        return _of_classes(name, is_label, is_predicted, ~is_hit)
    if name == "ece":
        wanted = "`probabilities` or a `score` column"
        return _ece(_needed(predictions.confidence, name, wanted, predictions)[seed], is_hit)
    if name in SHARES:
        return _mean(is_hit.astype(float), 0.0, best=1.0)
    costs, truth = _costs(name, predictions, seed)
    return _mean(costs, truth)


def _costs(name: str, predictions: Predictions, seed: int) -> tuple[Floats, float]:
    """Return what the probabilities of each row cost, (N,): Brier's score, or the logarithmic one in nats.

    Returns:
        The costs, and the least that a row costs whose class is not the likeliest.
    """
    probabilities = _needed(predictions.probabilities, name, "`probabilities`", predictions)[seed]
    truth = predictions.labels[:, None] == np.array(predictions.classes)
    if name == "brier":
        squares: Floats = np.square(probabilities - truth).sum(axis=1)
        return squares, 0.5
    # As likely as the smallest step of a double: a class that was held impossible costs much, not everything.
    logarithms: Floats = np.log(np.maximum(probabilities[truth], np.finfo(float).eps))
    return -logarithms, float(np.log(2))


def _needed(values: NDArray[np.generic] | None, name: str, what: str, predictions: Predictions) -> Floats:
    """Return values that have to be there."""
    if values is None:
        message = f"{name} is computed from {what}, which {predictions.source} does not have."
        raise ConfigurationError(message)
    return values  # type: ignore[return-value]  # the caller knows which


def _same(values: Floats) -> Floats:
    """Return values as they are."""
    return values


def _mean(
    values: Floats, bad: float, finish: Callable[[Floats], Floats] = _same, *, best: float | None = None
) -> Metric:
    """Return the mean of values of the rows, (N,).

    Args:
        values: what is averaged.
        bad: the least that a badly predicted row has, or the most where `best` is given.
        finish: makes the metric of the mean.
        best: the value of a row that is predicted well; the smallest that was seen unless given.
    """
    low = float(values.min()) if best is None else best
    worst = max(bad, float(values.max())) if best is None else bad
    return Metric(
        columns=np.stack([values, np.ones(len(values))], axis=1),
        value=lambda sums: finish(sums[:, 0] / sums[:, 1]),
        badness=(values - low) / (worst - low) if worst != low else np.zeros(len(values)),
        is_count=best is not None,
        most=float("inf") if best is None else 1.0,
        worst=np.array([worst, 1.0]),
        best=np.array([low, 1.0]),
    )


def _of_classes(
    name: str, is_label: NDArray[np.bool_], is_predicted: NDArray[np.bool_], is_wrong: NDArray[np.bool_]
) -> Metric:
    """Return the mean over classes, (N, K), of precision or F1; 0 where no label and no prediction is of a class."""
    both, label, predicted = (it.astype(float) for it in (is_label & is_predicted, is_label, is_predicted))
    counted = predicted if name == "precision" else (predicted + label) / 2
    number = both.shape[1]
    order = label.sum(axis=0).argsort(kind="stable")  # a row counts most where there are fewest
    rarest, missed = np.zeros(number), np.zeros(number)
    rarest[order[:1]], missed[order[:2]] = 1.0, 1.0 if name == "precision" else 0.5

    def value(sums: Floats) -> Floats:
        total = sums[:, number:]
        shares: Floats = np.divide(sums[:, :number], total, out=np.zeros_like(total), where=total > 0)
        return shares.mean(axis=1)

    return Metric(
        columns=np.concatenate([both, counted], axis=1),
        value=value,
        badness=is_wrong.astype(float),
        worst=np.concatenate([np.zeros(number), missed]),
        best=np.concatenate([rarest, rarest]),
    )


def _ece(confidence: Floats, is_hit: NDArray[np.bool_]) -> Metric:
    """Return the expected calibration error over 15 bins of equal width.

    Source:
        Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017), equation 3.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.zeros((len(confidence), BINS + 1))
    gaps[np.arange(len(confidence)), bins] = is_hit - confidence
    gaps[:, BINS] = 1
    last, one = np.arange(BINS + 1) == bins.max(), np.arange(BINS + 1) == BINS

    def excess(sums: Floats) -> float:
        # A gap whose true value is 0 has a mean size of sqrt(2 / pi) times its standard deviation.
        return float((sums[:, :BINS] / sums[:, BINS:]).std(axis=0).sum() * np.sqrt(2 / np.pi))

    return Metric(
        columns=gaps,
        value=lambda sums: np.abs(sums[:, :BINS]).sum(axis=1) / sums[:, BINS],
        badness=(~is_hit).astype(float),
        worst=one - last * confidence.max(),
        best=one.astype(float),
        excess=excess,
    )
