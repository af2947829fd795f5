"""Predictions of a model, checked, one row for each id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headworks._metrics.pair import check_asked
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from headworks._metrics.condition import Subject

__all__ = ["Pair", "Predictions", "pair"]


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
        probabilities: of each class, (S, N, K), or None.
        confidence: the probability of the predicted class, (S, N), or None.
        errors: prediction less label of a regression, (S, N), or None.
        slices: columns that group rows, (N,) each, by name.
        groups: rows of one group are not independent, (N,), or None where each row stands for itself.
        seeds: the S seeds, in order; one empty text where the file has none.
    """

    source: str
    ids: NDArray[np.str_]
    labels: NDArray[np.str_]
    classes: tuple[str, ...]
    predicted: NDArray[np.str_]
    probabilities: NDArray[np.float64] | None
    confidence: NDArray[np.float64] | None
    errors: NDArray[np.float64] | None
    slices: dict[str, NDArray[np.str_]]
    groups: NDArray[np.str_] | None
    seeds: tuple[str, ...]

    def take(self, rows: NDArray[np.intp]) -> Predictions:
        """Return some of the rows."""
        changed = dict(vars(self))
        changed |= {"ids": self.ids[rows], "slices": {name: values[rows] for name, values in self.slices.items()}}
        changed["groups"] = None if self.groups is None else self.groups[rows]
        changed["labels"] = self.labels[rows] if self.labels.size else self.labels
        changed["predicted"] = self.predicted[:, rows] if self.predicted.size else self.predicted
        for name in ("probabilities", "confidence", "errors"):
            values = getattr(self, name)
            changed[name] = None if values is None else values[:, rows]
        return Predictions(**changed)

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
        more = other.take(np.flatnonzero(~np.isin(other.ids, self.ids)))
        number = len(more.ids)
        if not number:
            return self
        nothing = np.full(number, "")
        ids = np.concatenate([self.ids, more.ids])
        new = [] if self.errors is not None else [it for it in np.unique(more.labels) if it not in self.classes]
        changed = dict(vars(self))
        changed |= {"ids": ids, "classes": (*self.classes, *map(str, new))}
        has_labels = self.labels.size and more.labels.size  # of a regression, either may have none
        changed["labels"] = np.concatenate([self.labels, more.labels]) if has_labels else self.labels[:0]
        changed["slices"] = {
            name: np.concatenate([values, more.slices.get(name, nothing)]) for name, values in self.slices.items()
        }
        if self.groups is not None and more.groups is not None:
            changed["groups"] = np.concatenate([self.groups, more.groups])
        if self.errors is None:
            changed["predicted"] = np.pad(self.predicted, ((0, 0), (0, number)), constant_values="")
        for name in ("probabilities", "confidence", "errors"):
            values = getattr(self, name)
            rows = np.full((len(self.seeds), number, *np.shape(values)[2:]), np.nan)
            changed[name] = None if values is None else np.concatenate([values, rows], axis=1)
        if self.probabilities is not None:
            changed["probabilities"] = np.pad(changed["probabilities"], ((0, 0), (0, 0), (0, len(new))))
        return Predictions(**changed).take(np.argsort(ids, kind="stable"))

    @property
    def is_telling(self) -> bool:
        """Whether another model would hardly say the same to the last bit.

        Labels, and probabilities that say no more than labels do, as one for each class, are the same for many models.
        """
        numbers = self.confidence if self.errors is None else self.errors
        broken = np.empty(0) if numbers is None else np.unique(numbers[numbers % 1 != 0])
        return len(broken) > len(np.unique(self.predicted))

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


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Predictions of two models for the rows of the base, in the same order.

    Attributes:
        candidate: those of the candidate, among them rows that it lost, without a prediction.
        base: those of the base.
        whole: all rows of the candidate, and those that it lost.
        only_candidate: how many rows only the candidate has.
        lost: the ids of the rows that only the base has.
        is_same_model: whether both models are known to be the same from elsewhere.
    """

    candidate: Predictions
    base: Predictions
    whole: Predictions
    only_candidate: int
    lost: tuple[str, ...]
    is_same_model: bool = False

    @property
    def is_level(self) -> bool:
        """Whether the predictions of both are the same."""
        return not self.only_candidate and not self.lost and self.candidate.is_same(self.base)

    @property
    def is_same(self) -> bool:
        """Whether the two models are the same."""
        return self.is_level and (self.is_same_model or self.candidate.is_telling)

    def both(self) -> tuple[Predictions, Predictions]:
        """Return the predictions of both for the rows that both have."""
        rows = np.flatnonzero(~self.candidate.missing)
        return self.candidate.take(rows), self.base.take(rows)


def pair(candidate: Predictions, base: Predictions, *, least: float, subjects: Iterable[Subject] = ()) -> Pair:
    """Return the rows of the base as both have them; one that the candidate lacks is lost.

    Args:
        candidate: Predictions of the candidate.
        base: Predictions of the base.
        least: The share of the larger of the two that has to be shared.
        subjects: The subjects that are judged, in whose slices both have to have the same rows.

    Raises:
        CannotDecideError: Too few rows are shared, or labels, groups or slices differ.
    """
    base = base.present()
    whole = candidate.with_rows_of(base)
    is_of_base, is_missing = np.isin(whole.ids, base.ids), whole.missing
    lost = tuple(whole.ids[is_of_base & is_missing].tolist())
    only_candidate = int((~is_of_base & ~is_missing).sum())
    shared = len(base.ids) - len(lost)
    rows = shared + max(only_candidate, len(lost))
    if shared < least * rows or not shared:
        message = (
            f"{candidate.source} and {base.source} share {shared:,} of {rows:,} rows, which is less than"
            f" min-shared = {least:g}. Let both models predict the same rows."
        )
        raise CannotDecideError(message)
    mine = whole.take(np.flatnonzero(is_of_base))
    check_asked(subjects, mine, base, lost)
    return Pair(candidate=mine, base=base, whole=whole, only_candidate=only_candidate, lost=lost)
