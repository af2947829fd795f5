"""Predictions of a model, checked, one row for each id."""

from __future__ import annotations

import hashlib

import numpy as np

from headworks._gate.asked import check_asked
from headworks._record import Record
from headworks.errors import CannotDecideError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from numpy.typing import NDArray

    from headworks._gate.condition import Subject

__all__ = ["Pair", "Predictions", "pair"]


class Predictions(Record):
    """What a model predicted; N rows, S seeds, K classes.

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
        changed: dict[str, Any] = {name: getattr(self, name) for name in self.fields()}
        changed |= {"ids": self.ids[rows], "slices": {name: values[rows] for name, values in self.slices.items()}}
        changed["groups"] = None if self.groups is None else self.groups[rows]
        changed["labels"] = self.labels[rows] if self.labels.size else self.labels
        changed["predicted"] = self.predicted[:, rows] if self.predicted.size else self.predicted
        for name in ("probabilities", "confidence", "errors"):
            values = getattr(self, name)
            changed[name] = None if values is None else values[:, rows]
        return Predictions(**changed)

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
        """The SHA-256 of all that the model said, whatever the format and the order of the file."""
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
        """The SHA-256 of what was asked: ids with their labels."""
        return self._hash(self.ids, self.labels).hexdigest()

    @staticmethod
    def _hash(*texts: NDArray[np.str_]) -> hashlib._Hash:
        """Return a hash that has read arrays of texts, each with its shape."""
        digest = hashlib.sha256()
        for array in texts:
            joined = "\0".join(array.reshape(-1).tolist())
            digest.update(f"{array.shape} {len(joined)}\0{joined}".encode())
        return digest


class Pair(Record):
    """Predictions of two models for the same rows, in the same order.

    Attributes:
        candidate: those of the candidate.
        base: those of the base.
        only_candidate: how many rows only the candidate has.
        only_base: how many rows only the base has.
    """

    candidate: Predictions
    base: Predictions
    only_candidate: int
    only_base: int

    @property
    def is_same(self) -> bool:
        """Whether the two models say the same of the same rows."""
        return not self.only_candidate and not self.only_base and self.candidate.is_same(self.base)


def pair(candidate: Predictions, base: Predictions, *, least: float, subjects: Iterable[Subject] = ()) -> Pair:
    """Return the rows that both have.

    Args:
        candidate: predictions of the candidate.
        base: predictions of the base.
        least: the share of the larger of the two that has to be shared.
        subjects: what is judged, in whose slices both have to have the same rows.

    Raises:
        CannotDecideError: too few rows are shared, or labels, groups or slices differ.
    """
    _, mine, theirs = np.intersect1d(candidate.ids, base.ids, assume_unique=True, return_indices=True)
    rows = max(len(candidate.ids), len(base.ids))
    if len(mine) < least * rows or not len(mine):
        message = (
            f"{candidate.source} and {base.source} share {len(mine):,} of {rows:,} rows, which is less than"
            f" min-shared = {least:g}. Let both models predict the same rows."
        )
        raise CannotDecideError(message)
    found = Pair(
        candidate=candidate.take(mine),
        base=base.take(theirs),
        only_candidate=len(candidate.ids) - len(mine),
        only_base=len(base.ids) - len(mine),
    )
    check_asked(subjects, found.candidate, found.base, base)
    return found
