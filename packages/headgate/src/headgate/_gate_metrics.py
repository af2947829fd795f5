"""Metrics of predictions over rows that count more or less often, so that a bootstrap can draw them."""

from __future__ import annotations

import numpy as np

from headgate._gate_condition import ERRORS
from headgate._nearest import suggestion
from headgate.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headgate._gate_condition import Subject
    from headgate._gate_predictions import Predictions

    Floats = NDArray[np.float64]
    Metric = Callable[[Floats], Floats]

__all__ = ["hits", "metric", "rows_of"]

BINS = 15
SHARES = frozenset({"accuracy", "recall"})  # of rows that are predicted right


def rows_of(subject: Subject, predictions: Predictions) -> NDArray[np.intp]:
    """Return the places of the rows that a subject with one slice at most is about.

    Raises:
        ConfigurationError: there is no such class, slice column or value.
    """
    chosen = np.ones(len(predictions.ids), bool)
    if subject.column:
        chosen &= slice_of(subject.column, predictions) == subject.value
        if not chosen.any():
            known = np.unique(predictions.slices[subject.column]).tolist()
            _refuse(predictions, f"no row with {subject.column}={subject.value}", str(subject.value), known)
    if subject.label:
        if subject.label not in predictions.classes:
            _refuse(predictions, f"no class {subject.label!r}", subject.label, predictions.classes)
        if subject.metric == "recall":
            chosen &= predictions.labels == subject.label
    return np.flatnonzero(chosen)


def slice_of(column: str, predictions: Predictions) -> NDArray[np.str_]:
    """Return a slice column.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if column not in predictions.slices:
        _refuse(predictions, f"no slice column {column!r}", column, tuple(predictions.slices))
    return predictions.slices[column]


def _refuse(predictions: Predictions, what: str, name: str, known: tuple[str, ...] | list[str]) -> None:
    """Raise an error about what predictions do not have."""
    message = f"{predictions.source} has {what}.{suggestion(name, known)}"
    raise ConfigurationError(message)


def hits(metric_name: str, predictions: Predictions) -> NDArray[np.bool_] | None:
    """Return the rows that are predicted right, (S, N), where a metric is their share; else None."""
    return predictions.predicted == predictions.labels if metric_name in SHARES else None


def metric(subject: Subject, predictions: Predictions, seed: int) -> Metric:
    """Return a function of weights, (B, N), that gives a metric for each of B weightings of the rows, (B,).

    Args:
        subject: the metric.
        predictions: the rows that it is about, N of them.
        seed: the place of the seed among the predictions' seeds.

    Raises:
        ConfigurationError: the file lacks what the metric is computed from.
    """
    name = subject.metric
    if name in ERRORS:
        return _error(name, _needed(predictions.errors, name, "an `error` column", predictions)[seed])
    _needed(predictions.predicted if predictions.errors is None else None, name, "classes", predictions)
    labels, predicted = predictions.labels, predictions.predicted[seed]
    if name in {"f1", "precision", "macro_f1"}:
        # The mean is over the classes that there are rows of, so that both models are judged by the same ones.
        classes = np.unique(labels) if name == "macro_f1" else np.array([subject.label])
        return _of_classes(name, labels[:, None] == classes, predicted[:, None] == classes)
    if name == "ece":
        wanted = "`probabilities` or a `score` column"
        return _ece(_needed(predictions.confidence, name, wanted, predictions)[seed], predicted == labels)
    return _mean((predicted == labels).astype(float) if name in SHARES else _costs(name, predictions, seed))


def _costs(name: str, predictions: Predictions, seed: int) -> Floats:
    """Return what the probabilities of each row cost, (N,): Brier's score, or the logarithmic one in nats."""
    probabilities = _needed(predictions.probabilities, name, "`probabilities`", predictions)[seed]
    truth = predictions.labels[:, None] == np.array(predictions.classes)
    if name == "brier":
        squares: Floats = np.square(probabilities - truth).sum(axis=1)
        return squares
    # As likely as the smallest step of a double: a class that was held impossible costs much, not everything.
    logarithms: Floats = np.log(np.maximum(probabilities[truth], np.finfo(float).eps))
    return -logarithms


def _needed(values: NDArray[np.generic] | None, name: str, what: str, predictions: Predictions) -> Floats:
    """Return values that have to be there."""
    if values is None:
        message = f"{name} is computed from {what}, which {predictions.source} does not have."
        raise ConfigurationError(message)
    return values  # type: ignore[return-value]  # the caller knows which


def _mean(values: Floats) -> Metric:
    """Return the weighted mean of values of the rows, (N,)."""
    return lambda weights: weights @ values / weights.sum(axis=1)


def _error(name: str, errors: Floats) -> Metric:
    """Return the mean absolute error, or the root of the mean squared one."""
    if name == "mae":
        return _mean(np.abs(errors))
    mean = _mean(errors**2)

    def root(weights: Floats) -> Floats:
        rooted: Floats = np.sqrt(mean(weights))
        return rooted

    return root


def _of_classes(name: str, is_label: NDArray[np.bool_], is_predicted: NDArray[np.bool_]) -> Metric:
    """Return the mean over classes, (N, K), of precision or F1; 0 where no label and no prediction is of a class."""
    both, label, predicted = (it.astype(float) for it in (is_label & is_predicted, is_label, is_predicted))
    counted = predicted if name == "precision" else (predicted + label) / 2

    def value(weights: Floats) -> Floats:
        total = weights @ counted
        shares: Floats = np.divide(weights @ both, total, out=np.zeros_like(total), where=total > 0)
        return shares.mean(axis=1)

    return value


def _ece(confidence: Floats, is_hit: NDArray[np.bool_]) -> Metric:
    """Return the expected calibration error over 15 bins of equal width.

    Source:
        Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017), equation 3.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.zeros((len(confidence), BINS))
    gaps[np.arange(len(confidence)), bins] = is_hit - confidence
    return lambda weights: np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)
