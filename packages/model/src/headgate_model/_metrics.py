"""How good predictions are: figures by scikit-learn, torchmetrics and SciPy, as plain values."""

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

    Score = Callable[[NDArray[np.int64], NDArray[np.int64]], float]

__all__ = ["accuracy", "macro_f1", "measure"]

BINS = 15
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
        labels: true classes, (N,).
        probabilities: of each class, (N, K).
        classes: K names.
        slices: columns that group rows, (N,) each.

    Returns:
        Accuracy and macro F1 with bootstrap intervals of 95%, log loss in nats, expected calibration error, precision
        and recall of each class, the confusion matrix (rows are true classes), and the accuracy of every slice.
    """
    exact = probabilities.astype(np.float64)
    predicted, known = probabilities.argmax(axis=1), list(range(len(classes)))
    precision, recall, _, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=known, zero_division=0
    )
    per_class = zip(classes, precision.tolist(), recall.tolist(), support.tolist(), strict=True)
    return {
        "rows": len(labels),
        "accuracy": accuracy(labels, predicted),
        "accuracy_interval": interval(labels, predicted, accuracy),
        "macro_f1": macro_f1(labels, predicted),
        "macro_f1_interval": interval(labels, predicted, macro_f1),
        "log_loss": float(metrics.log_loss(labels, exact / exact.sum(axis=1, keepdims=True), labels=known)),
        "calibration_error": calibration_error(labels, probabilities),
        "classes": {name: {"precision": p, "recall": r, "rows": n} for name, p, r, n in per_class},
        "confusion": metrics.confusion_matrix(labels, predicted, labels=known).tolist(),
        "slices": {name: by_slice(labels == predicted, values) for name, values in slices.items()},
    }


def macro_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return the mean over the classes of the harmonic mean of precision and recall."""
    return float(metrics.f1_score(labels, predicted, average="macro", zero_division=0))


def accuracy(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return the share of rows that are predicted right."""
    return float((labels == predicted).mean())


def interval(labels: NDArray[np.int64], predicted: NDArray[np.int64], score: Score) -> list[float]:
    """Return the percentile bootstrap interval of a score over rows drawn with replacement, from a fixed seed."""
    drawn = stats.bootstrap(
        (labels, predicted),
        score,
        paired=True,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return [float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)]


def calibration_error(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the expected calibration error over 15 bins of equal width.

    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (2017), equation 3.
    """
    tensors = torch.from_numpy(probabilities.copy()), torch.from_numpy(labels.copy())
    return float(multiclass_calibration_error(*tensors, num_classes=probabilities.shape[1], n_bins=BINS, norm="l1"))


def by_slice(hits: NDArray[np.bool_], values: NDArray[np.str_]) -> dict[str, dict[str, float]]:
    """Return rows and accuracy of every value of a slice column."""
    groups = {value: hits[values == value] for value in np.unique(values).tolist()}
    return {value: {"rows": len(group), "accuracy": float(group.mean())} for value, group in groups.items()}
