"""Two sets of predictions for the same rows, and checks that both models were asked the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headworks._metrics.predictions import is_among
from headworks._quantities import few
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headworks._metrics.condition import Subject
    from headworks._metrics.predictions import Predictions

_SOURCE = "Let both files have that column from the same source"


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
        return self.is_level and self.is_same_model

    def both(self) -> tuple[Predictions, Predictions]:
        """Return the predictions of both for the rows that both have."""
        rows = np.flatnonzero(~self.candidate.missing)
        return self.candidate.take(rows), self.base.take(rows)


def pair(candidate: Predictions, base: Predictions, *, least: float, subjects: Collection[Subject] = ()) -> Pair:
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
    is_of_base, is_missing = is_among(whole.ids, base.ids), whole.missing
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
    _check_asked(subjects, mine, base)
    return Pair(candidate=mine, base=base, whole=whole, only_candidate=only_candidate, lost=lost)


def _check_asked(subjects: Collection[Subject], candidate: Predictions, base: Predictions) -> None:
    """Refuse labels, groups or slices that differ, and slices that the base does not have."""
    if (candidate.errors is None) != (base.errors is None):
        message = f"Only one of {candidate.source} and {base.source} is a regression. Compare models of one kind."
        raise CannotDecideError(message)
    for what, advice, mine, theirs in _asked(subjects, candidate, base):
        if wrong := candidate.ids[mine != theirs].tolist():
            names = f"{len(wrong):,} rows: {few(wrong)}"
            message = f"{candidate.source} and {base.source} have different {what} for {names}. {advice}"
            raise CannotDecideError(message)
    if unknown := _only_mine(subjects, candidate, base):
        message = (
            f"{candidate.source} has the slice column {unknown[0]!r} and {base.source} has not, so that only the"
            f" candidate says which rows a condition is about. {_SOURCE}: add the column in one change, and the"
            " condition in a later one."
        )
        raise CannotDecideError(message)


def _only_mine(subjects: Collection[Subject], candidate: Predictions, base: Predictions) -> list[str]:
    """Return the columns of subjects that the candidate has and the base has not."""
    return sorted({subject.column for subject in subjects} & candidate.slices.keys() - base.slices.keys())


def is_asked_the_same(subjects: Collection[Subject], candidate: Predictions, base: Predictions) -> bool:
    """Whether all rows are the same, with their labels and groups and in every slice that is judged."""
    is_known = candidate.rows_digest == base.rows_digest and not _only_mine(subjects, candidate, base)
    return is_known and all(np.array_equal(mine, theirs) for _, _, mine, theirs in _asked(subjects, candidate, base))


def asked_alike(subjects: Collection[Subject], candidate: Predictions, base: Predictions) -> Predictions:
    """Return the base's rows that the candidate is asked as well, with the same labels, groups and judged slices."""
    base = base.take(np.flatnonzero(is_among(base.ids, candidate.ids)))
    mine = candidate.take(np.flatnonzero(is_among(candidate.ids, base.ids)))
    differ = [one != other for _, _, one, other in _asked(subjects, mine, base)]
    return base.take(np.flatnonzero(~np.any([np.zeros(len(base.ids), bool), *differ], axis=0)))


def relabelled(
    candidate: Predictions, base: Predictions, ids: NDArray[np.str_], labels: Callable[[], NDArray[np.str_]]
) -> Predictions:
    """Return the base's predictions with the labels of the dataset, where the candidate's are those.

    Args:
        candidate: Its predictions.
        base: Those of the base, whose rows the dataset has.
        ids: The rows of the dataset, (N,).
        labels: Reads their labels, (N,), where these are needed.
    """
    if candidate.errors is not None or base.errors is not None:
        return base
    is_shared, mine = is_among(base.ids, candidate.ids), candidate.labels[is_among(candidate.ids, base.ids)]
    if np.array_equal(base.labels[is_shared], mine):
        return base
    order = ids.argsort()
    now = labels()[order][np.searchsorted(ids, base.ids, sorter=order)]
    is_of_candidate = np.array_equal(now[is_shared], mine) and np.isin(now, base.classes).all()
    return replace(base, labels=now) if is_of_candidate else base


def _asked(
    subjects: Collection[Subject], candidate: Predictions, base: Predictions
) -> Iterator[tuple[str, str, NDArray[np.str_], NDArray[np.str_]]]:
    """Yield what both have to be asked by, as far as both have it: its name, advice, and both columns."""
    if candidate.labels.size and base.labels.size:  # of a regression, either may have none
        yield "labels", "Let both models be judged by the same labels.", candidate.labels, base.labels
    if candidate.groups is not None and base.groups is not None:
        yield "values in the group column", f"{_SOURCE}.", candidate.groups, base.groups
    for column in dict.fromkeys(subject.column for subject in subjects):
        if column in candidate.slices and column in base.slices:
            advice = f"{_SOURCE}; where it is meant to change, add it under another name first."
            what = f"values in the slice column {column!r}"
            yield what, advice, candidate.slices[column], base.slices[column]
