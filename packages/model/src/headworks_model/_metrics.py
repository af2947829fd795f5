"""Metrics of predictions by scikit-learn, torchmetrics and SciPy, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import stats
from sklearn import metrics
from torchmetrics.functional.classification import multiclass_calibration_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

BINS = 15
"""As many as in the paper that the calibration error is from."""
RESAMPLES = 1000
CONFIDENCE = 0.95


def measure(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    *,
    classes: Sequence[str],
    slices: Mapping[str, NDArray[np.str_]],
) -> dict[str, Any]:
    """Return the metrics of predictions.

    Args:
        labels: True classes, (N,).
        probabilities: Of each class, (N, K).
        classes: K names.
        slices: Columns that group rows, (N,) each.

    Returns:
        Accuracy with Wilson's interval of 95%, macro F1 and log loss (in nats) with those of a bootstrap, expected
        calibration error with the bins it was computed from, precision and recall of each class, the confusion matrix
        (rows are true classes), and the accuracy of every slice. The README of the package explains each key.
    """
    predicted, known = probabilities.argmax(axis=1), list(range(len(classes)))
    shares = probabilities.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    return {
        "rows": len(labels),
        "accuracy": accuracy(labels, predicted),
        "accuracy_interval": _score_interval(labels == predicted),
        "macro_f1": macro_f1(labels, predicted),
        "macro_f1_interval": _interval(macro_f1, labels, predicted),
        "log_loss": float(metrics.log_loss(labels, shares, labels=known)),
        "log_loss_interval": _interval(np.mean, _row_losses(labels, shares)),
        "calibration_error": calibration_error(labels, probabilities),
        "calibration_bins": calibration_bins(labels, probabilities),
        "classes": _by_class(labels, predicted, classes),
        "confusion": metrics.confusion_matrix(labels, predicted, labels=known).tolist(),
        "slices": {name: _by_slice(labels == predicted, values) for name, values in slices.items()},
    }


def macro_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return the mean over the classes of the harmonic mean of precision and recall."""
    # As scikit-learn's, which checks its arguments a thousand times for an interval: 3 seconds in place of 0.03.
    count = max(labels.max(), predicted.max()) + 1
    hits, *rows = (np.bincount(each, minlength=count) for each in (labels[labels == predicted], labels, predicted))
    either = rows[0] + rows[1]
    return float((2 * hits[either > 0] / either[either > 0]).mean())


def accuracy(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return the share of rows with a correct prediction."""
    return float((labels == predicted).mean())


def _row_losses(labels: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log loss of each row; a share of 0 counts as the smallest step, as in scikit-learn."""
    return -np.log(np.clip(shares[np.arange(len(labels)), labels], np.finfo(np.float64).eps, None))


def _score_interval(hits: NDArray[np.bool_]) -> list[float]:
    """Return the score interval of a share of rows, which has a width even where all rows are hits.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927), without correction.
    """
    bounds = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(CONFIDENCE, method="wilson")
    return [float(bounds.low), float(bounds.high)]


def _interval(score: Callable[..., Any], *columns: NDArray[Any]) -> list[float]:
    """Return the percentile bootstrap interval of a score over rows drawn with replacement, from a fixed seed.

    Args:
        score: Takes the columns of drawn rows; `numpy.mean` is computed for many drawings at once.
        columns: One value for each row, (N,), N at least 2.
    """
    drawn = stats.bootstrap(
        columns,
        score,
        paired=True,
        vectorized=score is np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return [float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)]


def _below_one(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities below 1: a bin includes its lower edge only, so that 1 would be outside the last one."""
    return np.minimum(probabilities, np.nextafter(np.float32(1), np.float32(0)))


def calibration_error(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the expected calibration error over 15 bins of equal width.

    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (2017), equation 3.
    """
    tensors = torch.from_numpy(_below_one(probabilities)), torch.tensor(labels)
    return float(multiclass_calibration_error(*tensors, num_classes=probabilities.shape[1], n_bins=BINS, norm="l1"))


def calibration_bins(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, list[Any]]:
    """Return the bins of a reliability diagram, from which the calibration error is computed.

    Guo and others (2017), as above, equations 1 and 2.

    Returns:
        Edges of the 15 bins (16 values); for each bin the number of rows with their highest probability in it, the mean
        of that probability, and the accuracy; None without rows.
    """
    edges = torch.linspace(0, 1, BINS + 1).numpy()  # as in torchmetrics
    confidence, hits = _below_one(probabilities).max(axis=1), probabilities.argmax(axis=1) == labels
    counts = stats.binned_statistic(confidence, hits, "count", edges).statistic.astype(np.int64)
    bins: dict[str, list[Any]] = {"edges": edges.tolist(), "rows": counts.tolist()}
    for name, values in {"confidence": confidence, "accuracy": hits}.items():
        totals = stats.binned_statistic(confidence, values.astype(np.float64), "sum", edges).statistic
        bins[name] = [total / rows if rows else None for total, rows in zip(totals.tolist(), counts, strict=True)]
    return bins


def _by_class(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Return precision, recall and rows of every class.

    A class that is never predicted has precision 0, as in scikit-learn; one without rows has no recall.
    """
    precision, recall, _, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=list(range(len(classes))), zero_division=0
    )
    columns = zip(classes, precision.tolist(), recall.tolist(), support.tolist(), strict=True)
    return {name: {"precision": p, "recall": r if n else None, "rows": n} for name, p, r, n in columns}


def _by_slice(hits: NDArray[np.bool_], values: NDArray[np.str_]) -> dict[str, dict[str, Any]]:
    """Return rows and accuracy of every value of a slice column."""
    rows = {}
    for value in np.unique(values).tolist():
        group = hits[values == value]
        figures = {"accuracy": float(group.mean()), "accuracy_interval": _score_interval(group)}
        rows[value] = {"rows": len(group), **figures}
    return rows
