"""Predictions of a model, checked, one row for each id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OF_SEEDS = ("predicted", "probabilities", "confidence", "errors")


def is_among(ids: NDArray[np.str_], others: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return which of some ids are among others; quick where they are the same, as they are for most pairs of files."""
    return np.ones(len(ids), bool) if np.array_equal(ids, others) else np.isin(ids, others)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions of a model: N rows, S seeds, K classes.

    A row that a seed lacks a prediction for has an empty text as its class there, and NaN for its numbers.

    Attributes:
        source: the file, for messages.
        ids: a text for each row, in order, (N,).
        labels: the true class of each row as a text, (N,); empty for a regression.
        classes: the K classes, those of labels and predictions, in the order of the probabilities.
        predicted: the predicted class of each row as a text, (S, N); empty for a regression.
        probabilities: of each class as the file has them, (S, N, K), or None; rounded ones may miss 1 together.
        confidence: the probability of the predicted class, (S, N), or None.
        errors: prediction less label of a regression, (S, N), or None.
        slices: columns that group rows, (N,) each, by name.
        groups: rows of one group are not independent, (N,), or None where each row stands for itself.
        seeds: the S seeds, in order; one empty text where the file has none.
    """

    source: str
    ids: NDArray[np.str_]
    labels: NDArray[np.str_]
    classes: tuple[str, ...] = ()
    predicted: NDArray[np.str_]
    probabilities: NDArray[np.float64] | None = None
    confidence: NDArray[np.float64] | None = None
    errors: NDArray[np.float64] | None = None
    slices: dict[str, NDArray[np.str_]]
    groups: NDArray[np.str_] | None
    seeds: tuple[str, ...]

    def take(self, rows: NDArray[np.intp]) -> Predictions:
        """Return some of the rows."""

        def chosen(name: str, axis: int = 0) -> Any:  # noqa: ANN401  # a column, or None
            values = getattr(self, name)
            return values.take(rows, axis) if values is not None and values.size else values

        return replace(
            self,
            slices={name: values[rows] for name, values in self.slices.items()},
            **{name: chosen(name) for name in ("ids", "labels", "groups")},
            **{name: chosen(name, axis=1) for name in _OF_SEEDS},
        )

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which rows some seed has no prediction for, (N,)."""
        is_missing: NDArray[np.bool_] = self.predicted == "" if self.errors is None else np.isnan(self.errors)
        return is_missing.any(axis=0)

    def present(self) -> Predictions:
        """Return the rows that every seed has a prediction for."""
        return self.take(np.flatnonzero(~self.missing))

    def with_rows_of(self, other: Predictions) -> Predictions:
        """Return these with the rows that only another model has, which get no prediction."""
        more = other.take(np.flatnonzero(~is_among(other.ids, self.ids)))
        number = len(more.ids)
        if not number:
            return self

        def longer(name: str) -> Any:  # noqa: ANN401  # a column, or None
            values = getattr(self, name)
            if values is None or not values.size:
                return values
            pads = [(0, 0), (0, number), (0, 0)][: values.ndim]
            return np.pad(values, pads, constant_values="" if name == "predicted" else np.nan)

        new = [] if self.errors is not None else [str(it) for it in np.unique(more.labels) if it not in self.classes]
        has_labels = self.labels.size and more.labels.size  # of a regression, either may have none
        ids = np.concatenate([self.ids, more.ids])
        columns = {name: longer(name) for name in _OF_SEEDS}
        if self.probabilities is not None:
            columns["probabilities"] = np.pad(columns["probabilities"], ((0, 0), (0, 0), (0, len(new))))
        if self.groups is not None and more.groups is not None:
            columns["groups"] = np.concatenate([self.groups, more.groups])
        whole = replace(
            self,
            ids=ids,
            labels=np.concatenate([self.labels, more.labels]) if has_labels else self.labels[:0],
            classes=(*self.classes, *new),
            slices={
                name: np.concatenate([values, more.slices.get(name, np.full(number, ""))])
                for name, values in self.slices.items()
            },
            **columns,
        )
        return whole.take(np.argsort(ids, kind="stable"))

    def is_same(self, other: Predictions) -> bool:
        """Whether not one prediction differs, down to the last bit of every probability."""
        numbers = [(getattr(self, name), getattr(other, name)) for name in ("probabilities", "confidence", "errors")]
        return (
            self.seeds == other.seeds
            and self._meant == other._meant
            and np.array_equal(self.ids, other.ids)
            and np.array_equal(self.predicted, other.predicted)
            and all((a is None) == (b is None) and (a is None or np.array_equal(a, b)) for a, b in numbers)
        )

    @property
    def digest(self) -> str:
        """The SHA-256 of all predictions, whatever the format and the order of the file."""
        digest = self._hash(self.ids, self.predicted, *map(np.array, (*self.seeds, *self._meant)))
        for values in (self.probabilities, self.confidence, self.errors):
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    @property
    def _meant(self) -> tuple[str, ...]:
        """The classes that the probabilities are of; none without."""
        return () if self.probabilities is None else self.classes

    @property
    def rows_digest(self) -> str:
        """The SHA-256 of the test set: ids with their labels."""
        return self._hash(self.ids, self.labels).hexdigest()

    @staticmethod
    def _hash(*texts: NDArray[np.str_]) -> hashlib._Hash:
        """Return a hash that has read arrays of texts, each with its shape."""
        digest = hashlib.sha256()
        for array in texts:
            joined = "\0".join(array.reshape(-1).tolist())
            digest.update(f"{array.shape} {len(joined)}\0{joined}".encode())
        return digest
