"""The metrics that a condition can name, a row each, with all that its readers have to know of one.

Conditions are read without NumPy, so that it is needed only where a metric is computed, by `headworks._metrics.rows`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headworks._metrics.rows import Rows, RowSums


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The properties of a metric, whose smallest value is 0 unless it says otherwise.

    Attributes:
        sums: computes it from the rows of one training; None where it is measured of the model.
        least: the smallest value that it can have.
        most: the largest value that it can have.
        takes_class: whether it is about one class, as `recall["7"]` is.
        is_of_class: whether only rows of that class count.
        is_share: whether it is the share of rows that are predicted right, so that exact tests hold.
        is_worst_if_lost: whether no prediction at all is the worst that a model can say of a row.
        is_mean: whether it is the mean of a number for each row.
        compares_labels: whether it is defined only where labels differ, or some rows are of its class and some are not.
        limit: the setting that declares the most that a row can cost, where nothing else bounds it; empty for none.
    """

    sums: Callable[[Rows], RowSums] | None = None
    least: float = 0.0
    most: float = math.inf
    takes_class: bool = False
    is_of_class: bool = False
    is_share: bool = False
    is_worst_if_lost: bool = False
    is_mean: bool = False
    compares_labels: bool = False
    limit: str = ""


_share = partial(Metric, most=1, is_worst_if_lost=True)

METRICS: Final[dict[str, Metric]] = {
    "accuracy": _share(sums=lambda rows: rows.share(rows.is_right), is_share=True, is_mean=True),
    "average_precision": _share(sums=lambda rows: rows.average_precision(), takes_class=True, compares_labels=True),
    "brier": Metric(sums=lambda rows: rows.mean(rows.squares), most=2, is_mean=True),
    "ece": Metric(sums=lambda rows: rows.calibration_error(), most=1),
    "f1": _share(sums=lambda rows: rows.over_classes([rows.label], label_weight=0.5), takes_class=True),
    "log_loss": Metric(sums=lambda rows: rows.mean(rows.surprises), is_mean=True, limit="log-loss-clip"),
    "macro_f1": _share(sums=lambda rows: rows.over_classes(rows.classes, label_weight=0.5), limit="classes"),
    "mae": Metric(sums=lambda rows: rows.mean(abs(rows.errors)), is_mean=True, limit="error-bound"),
    "precision": _share(sums=lambda rows: rows.over_classes([rows.label], label_weight=0), takes_class=True),
    "r2": Metric(
        sums=lambda rows: rows.determination(), least=-math.inf, most=1, compares_labels=True, limit="error-bound"
    ),
    "recall": _share(
        sums=lambda rows: rows.share(rows.is_right), takes_class=True, is_of_class=True, is_share=True, is_mean=True
    ),
    "rmse": Metric(sums=lambda rows: rows.mean(rows.errors**2, is_root=True), limit="error-bound"),
    "roc_auc": _share(sums=lambda rows: rows.roc_area(), takes_class=True, compares_labels=True),
    "top2_accuracy": _share(sums=lambda rows: rows.share(rows.is_among(2)), is_share=True, is_mean=True),
    "top3_accuracy": _share(sums=lambda rows: rows.share(rows.is_among(3)), is_share=True, is_mean=True),
    "top5_accuracy": _share(sums=lambda rows: rows.share(rows.is_among(5)), is_share=True, is_mean=True),
    "latency_p50_ms": Metric(),
    "latency_p95_ms": Metric(),
    "latency_p99_ms": Metric(),
    "model_bytes": Metric(),
    "requests_per_second": Metric(),
}
