"""The rows that a metric is about, and sums over them, weighted, of which every metric is a function.

So a bootstrap can draw the weights, and the rows of a group can be summed first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse

from headworks._nearest import suggestion
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headworks._metrics.condition import Subject
    from headworks._metrics.predictions import Predictions

    Floats: TypeAlias = NDArray[np.float64]

_BINS = 15
_FEW = 10  # rows of a class


@dataclass(frozen=True, kw_only=True)
class RowSums:
    """A metric of one training, as a function of sums over the rows.

    Attributes:
        columns: the numbers that are summed, of each kind of rows, (U, C); sparse where most are 0.
        kinds: the kind of each row, (N,).
        value: gives the metric for each of B sums, (B, C) -> (B,).
        worst: the numbers of rows that are predicted as badly as any could be, (M, C).
        best: the numbers of the same rows, predicted as well as they could be, (M, C).
        excess: by how much the metric of a sample may exceed the true one on average, given sums, (B, C); None for 0.
    """

    columns: Floats | sparse.csr_array
    value: Callable[[Floats], Floats]
    kinds: NDArray[np.intp]
    worst: Floats
    best: Floats
    excess: Callable[[Floats], float] | None = None

    def __call__(self, weights: Floats) -> Floats:
        """Return the metric for each of B weightings of the rows, (B, N) -> (B,)."""
        sums = [np.bincount(self.kinds, it, self.columns.shape[0]) @ self.columns for it in weights]
        return self.value(np.stack(sums))


def row_sums(subject: Subject, predictions: Predictions, seed: int) -> RowSums:
    """Return the sums that a metric is computed from.

    Args:
        subject: The metric.
        predictions: The rows that it is about, N of them.
        seed: The place of the seed among the predictions' seeds.

    Raises:
        ConfigurationError: The file lacks a column that the metric is computed from.
    """
    compute = subject.definition.sums
    if compute is None:
        message = f"{subject.metric} is measured, and not computed from predictions."
        raise ConfigurationError(message)
    return compute(Rows(subject, predictions, seed))


class Rows:
    """The rows of one training, and the sums that metrics are made of.

    Attributes:
        label: the class that a metric is about; empty for all.
    """

    def __init__(self, subject: Subject, predictions: Predictions, seed: int) -> None:
        self.label = subject.label
        self._subject = subject
        self._predictions = predictions
        self._seed = seed

    def _of_seed(self, values: NDArray[np.generic] | None, what: str) -> Floats:
        """Return the values of the training."""
        if values is None:
            message = f"{self._subject.metric} is computed from {what}, which {self._predictions.source} does not have."
            raise ConfigurationError(message)
        return values[self._seed]  # type: ignore[no-any-return]  # a column of numbers

    @property
    def errors(self) -> Floats:
        """The errors of a regression, (N,)."""
        errors = self._of_seed(self._predictions.errors, "an `error` column")
        self._refuse_beyond(errors, "an error of")
        return errors

    def _refuse_beyond(self, values: Floats, what: str) -> None:
        """Refuse values beyond the declared bound of errors."""
        if (beyond := np.abs(values) > self._subject.limit).any():
            row = int(beyond.argmax())
            message = (
                f"{self._predictions.source} has {what} {values[row]:g} in row {self._predictions.ids[row]},"
                f" beyond the declared error-bound of {self._subject.limit:g}. Declare the largest that there can be."
            )
            raise ConfigurationError(message)

    @property
    def labels(self) -> NDArray[np.str_]:
        """The true classes, (N,)."""
        return self._predictions.labels

    @property
    def predicted(self) -> NDArray[np.str_]:
        """The predicted classes, (N,); empty where there is no prediction."""
        is_classification = self._predictions.errors is None
        classes: NDArray[np.generic] = self._of_seed(
            self._predictions.predicted if is_classification else None, "classes"
        )
        return classes  # type: ignore[return-value]  # a column of texts

    @property
    def classes(self) -> list[str]:
        """The classes that are asked about: the declared ones, or those that have rows, in order."""
        return sorted(self._subject.classes) or np.unique(self.labels).tolist()

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Which rows are predicted right, (N,)."""
        is_right: NDArray[np.bool_] = self.predicted == self.labels
        return is_right

    @property
    def _probabilities(self) -> tuple[Floats, NDArray[np.bool_]]:
        """The probability of each class as the file has it, and which class is the true one, (N, K).

        What ranks them takes them as they are: a division would make equal numbers differ in the last bit.
        """
        probabilities = self._of_seed(self._predictions.probabilities, "`probabilities`")
        return probabilities, self.labels[:, None] == np.array(self._predictions.classes)

    @property
    def _shares(self) -> tuple[Floats, NDArray[np.bool_]]:
        """The probabilities that are 1 together in each row, and which class is the true one, (N, K)."""
        probabilities, truth = self._probabilities
        return probabilities / probabilities.sum(axis=1, keepdims=True), truth

    @property
    def squares(self) -> Floats:
        """The squared distance of the probabilities from the true class, (N,)."""
        shares, truth = self._shares
        squares: Floats = np.square(shares - truth).sum(axis=1)
        return squares

    @property
    def surprises(self) -> Floats:
        """The negative logarithm of the true class's probability in nats, (N,)."""
        shares, truth = self._shares
        limit = self._subject.limit
        # Without a clip the smallest step of a double, so that a class held impossible costs much, and not infinity.
        least = np.exp(-limit) if np.isfinite(limit) else np.finfo(float).eps
        logarithms: Floats = np.log(np.maximum(shares[truth], least))
        return -logarithms

    def is_among(self, number: int) -> NDArray[np.bool_]:
        """Return whether the true class is among the most probable ones, (N,); of equal ones, the first in order."""
        probabilities, truth = self._probabilities
        if truth.shape[1] <= number:
            message = (
                f"{self._subject.metric} is 1 for every model where there are {truth.shape[1]} classes, as in"
                f" {self._predictions.source}. Ask for fewer, or for the accuracy."
            )
            raise ConfigurationError(message)
        own = np.where(truth, probabilities, 0).sum(axis=1, keepdims=True)  # NaN where there is no prediction
        before = (probabilities > own) | (
            (probabilities == own) & (truth.argmax(axis=1)[:, None] > np.arange(truth.shape[1]))
        )
        is_among: NDArray[np.bool_] = (before.sum(axis=1) < number) & ~np.isnan(own[:, 0])
        return is_among

    def share(self, is_right: NDArray[np.bool_]) -> RowSums:
        """Return the share of rows that are right, (N,)."""
        right = is_right.astype(float)
        return RowSums(
            columns=np.stack([right, np.ones(len(right))], axis=1),
            value=lambda sums: sums[:, 0] / sums[:, 1],
            kinds=np.arange(len(right)),
            worst=np.array([[0.0, 1.0]]),
            best=np.array([[1.0, 1.0]]),
        )

    def mean(self, costs: Floats, *, is_root: bool = False) -> RowSums:
        """Return the mean of costs.

        Args:
            costs: A number for each row, (N,), the smaller the better.
            is_root: Whether the metric is the square root of the mean, as that of squares.
        """
        worst = self._subject.most**2 if is_root else self._subject.most

        def value(sums: Floats) -> Floats:
            means: Floats = sums[:, 0] / sums[:, 1]
            return np.sqrt(means) if is_root else means

        return RowSums(
            columns=np.stack([costs, np.ones(len(costs))], axis=1),
            value=value,
            kinds=np.arange(len(costs)),
            worst=np.array([[worst, 1.0]]),
            best=np.array([[0.0, 1.0]]),
        )

    def determination(self) -> RowSums:
        """Return R², the share of the labels' variance that the errors do not leave."""
        if not len(self.labels):
            message = f"r2 is computed from a `label` column, which {self._predictions.source} does not have."
            raise ConfigurationError(message)
        labels = self.labels.astype(float)
        labels -= labels[0]  # so that equal ones have no variance at all
        labels -= labels.mean()
        self._refuse_beyond(labels, "a label that differs from the mean by")
        squares, ones = self.errors**2, np.ones(len(labels))

        def value(sums: Floats) -> Floats:
            cost, total, square, weight = sums.T
            spread = square - total**2 / weight
            # Without any spread, as scikit-learn has it: 1 where all is right, else 0.
            values: Floats = 1 - np.divide(cost, spread, out=(cost > 0).astype(float), where=spread > 0)
            return values

        bound = self._subject.limit  # of any model's errors, also of one that says the mean, which R² compares with
        return RowSums(
            columns=np.stack([squares, labels, labels**2, ones], axis=1),
            value=value,
            kinds=np.arange(len(labels)),
            worst=np.array([[bound**2, 0.0, 0.0, 1.0]]),
            best=np.array([[0.0, bound, bound**2, 1.0]]),
        )

    def over_classes(self, classes: Sequence[str], *, label_weight: float) -> RowSums:
        """Return the mean over classes of hits by a mean of predictions and labels, 0 for a class without either.

        Args:
            classes: K classes, in order.
            label_weight: How much the labels of a class count in that mean: 0 for precision, a half for F1.
        """
        number = len(classes)
        label, predicted = (self._places(it, classes) for it in (self.labels, self.predicted))
        predicted = np.where(self.predicted == "", number + 1, predicted)
        known, kinds = np.unique(label * (number + 2) + predicted, return_inverse=True)
        is_label, is_predicted = (it[:, None] == np.arange(number) for it in np.divmod(known, number + 2))
        # A lost row is taken for every other class, the worst.
        is_predicted |= (known % (number + 2) == number + 1)[:, None] & ~is_label
        total = (1 - label_weight) * is_predicted + label_weight * is_label
        # The rows more are of the rarest class, where one counts most, and of every other one of few rows, since each
        # of these may lose much by itself. The rarest other class is taken for it.
        counts = np.bincount(label, minlength=number)[:number]
        order = counts.argsort(kind="stable")
        rare = order[: max(1, int((counts < _FEW).sum()))]
        hits = np.eye(number)[rare]
        taken = np.eye(number)[np.where(rare == order[0], order[min(1, number - 1)], order[0])]
        if number == 1:  # a row of the class is taken for another one, and the other way round
            hits, taken = np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]])
        missed = label_weight * hits + (1 - label_weight) * taken

        def value(sums: Floats) -> Floats:
            means: Floats = _divided(sums[:, :number], sums[:, number:]).mean(axis=1)
            return means

        return RowSums(
            columns=np.concatenate([(is_label & is_predicted).astype(float), total], axis=1),
            kinds=kinds,
            value=value,
            worst=np.concatenate([np.zeros_like(hits), missed], axis=1),
            best=np.concatenate([hits, hits], axis=1),
        )

    @staticmethod
    def _places(texts: NDArray[np.str_], classes: Sequence[str]) -> NDArray[np.intp]:
        """Return the place of each text among sorted classes; their number for another one."""
        places = np.searchsorted(np.array(classes), texts)
        is_known = np.array([*classes, ""])[places] == texts
        return np.where(is_known & (texts != ""), places, len(classes))

    def roc_area(self) -> RowSums:
        """Return the share of pairs, of a row of the class and another, that are ranked in the right order.

        Those of equal probability count half: the area under the ROC curve.
        """

        def value(others: Floats, own: Floats) -> Floats:
            right: Floats = (own * (others.cumsum(axis=0) - others / 2)).sum(axis=0)
            return _divided(right, own.sum(axis=0) * others.sum(axis=0))

        return self._ranking(value)

    def average_precision(self) -> RowSums:
        """Return the mean, over the rows of the class, of the precision among all that are ranked as high or higher."""

        def value(others: Floats, own: Floats) -> Floats:
            found, false = (it[::-1].cumsum(axis=0) for it in (own, others))
            return _divided((own[::-1] * _divided(found, found + false)).sum(axis=0), found[-1])

        return self._ranking(value)

    def _ranking(self, value: Callable[[Floats, Floats], Floats]) -> RowSums:
        """Return a metric of how high the probability of the class ranks its rows among others.

        Args:
            value: Gives it for B weightings, (B,), of the other rows and of those of the class at P places, (P, B)
                each, the lowest first.
        """
        probabilities, truth = self._probabilities
        is_own = truth[:, self._predictions.classes.index(self.label)]
        ranks = probabilities[:, self._predictions.classes.index(self.label)]
        # A lost row is ranked as badly as can be; beyond it are the rows more.
        ranks = np.concatenate([np.where(np.isnan(ranks), np.where(is_own, -1, 2), ranks), [-2, 3]])
        # Others count by the rows of the class that they are between, so that there are few places where these are few.
        levels = np.unique(np.append(ranks[:-2][is_own], [-2, 3]))
        between = sum(np.searchsorted(levels, ranks, side) for side in ("left", "right"))
        places = np.unique(between, return_inverse=True)[1]
        number = int(places.max()) + 1
        known, kinds = np.unique(places[:-2] + number * is_own, return_inverse=True)
        ends = np.zeros((4, 2 * number))
        ends[range(4), [number - 1, number, 0, 2 * number - 1]] = 1
        return RowSums(
            columns=sparse.eye_array(2 * number, format="csr")[known],
            kinds=kinds,
            value=lambda sums: value(sums.T[:number], sums.T[number:]),
            worst=ends[:2],
            best=ends[2:],
        )

    def calibration_error(self) -> RowSums:
        """Return the expected calibration error over 15 bins of equal width.

        Source:
            Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017), equation 3.
        """
        is_right = self.is_right
        confidence = self._of_seed(self._predictions.confidence, "`probabilities` or a `score` column")
        bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
        gaps = np.zeros((len(confidence), _BINS + 1))
        gaps[np.arange(len(confidence)), bins] = is_right - confidence
        gaps[:, _BINS] = 1
        last, one = np.eye(_BINS + 1)[-2:]

        def excess(sums: Floats) -> float:
            # A gap whose true value is 0 has a mean size of sqrt(2 / pi) times its standard deviation.
            return float((sums[:, :_BINS] / sums[:, _BINS:]).std(axis=0).sum() * np.sqrt(2 / np.pi))

        return RowSums(
            columns=gaps,
            value=lambda sums: np.abs(sums[:, :_BINS]).sum(axis=1) / sums[:, _BINS],
            kinds=np.arange(len(gaps)),
            worst=one - last[None],  # wrong, and as sure as can be
            best=one[None],
            excess=excess,
        )


def _divided(parts: Floats, wholes: Floats) -> Floats:
    """Return shares, 0 of what is nothing."""
    shares: Floats = np.divide(parts, wholes, out=np.zeros_like(wholes), where=wholes > 0)
    return shares


def parts_of(subject: Subject, predictions: Predictions) -> list[tuple[Subject, NDArray[np.intp]]]:
    """Return a subject with the places of its rows, or one for each value of its slice column that has any.

    Raises:
        ConfigurationError: There is no such class, slice column or value, or no row of them.
    """
    label, of_class = subject.label, ""
    rows = np.arange(len(predictions.ids))
    if label and label not in predictions.classes:
        _refuse(predictions, f"no class {label!r}", label, predictions.classes)
    if subject.definition.is_of_class:
        rows, of_class = np.flatnonzero(predictions.labels == label), f" of class {label!r}"
    if not subject.column:
        if not rows.size:
            _refuse(predictions, f"no row{of_class}", "", ())
        return [(subject, rows)]
    values = _slice_of(subject.column, predictions)
    order = np.argsort(values[rows], kind="stable")
    names, first = np.unique(values[rows][order], return_index=True)
    parts = dict(zip(names.tolist(), np.split(rows[order], first[1:]), strict=False))  # without rows, one empty part
    if subject.value is not None:
        parts = {it: rows for it, rows in parts.items() if it == subject.value}
    if not parts:
        known = [] if subject.value is None or subject.value in values else np.unique(values).tolist()
        where = "" if subject.value is None else f" with {subject.column}={subject.value}"
        _refuse(predictions, f"no row{'' if known else of_class}{where}", subject.value or "", known)
    return [(replace(subject, value=value), rows) for value, rows in parts.items()]


def _slice_of(column: str, predictions: Predictions) -> NDArray[np.str_]:
    if column not in predictions.slices:
        kinds = "" if predictions.slices else " of short texts, whole numbers or booleans"
        _refuse(predictions, f"no slice column {column!r}{kinds}", column, tuple(predictions.slices))
    return predictions.slices[column]


def _refuse(predictions: Predictions, what: str, name: str, known: tuple[str, ...] | list[str]) -> None:
    message = f"{predictions.source} has {what}.{suggestion(name, known) if known else ''}"
    raise ConfigurationError(message)
