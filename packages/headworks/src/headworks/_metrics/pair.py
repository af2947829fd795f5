"""Checks that two sets of predictions are comparable: same labels, groups and slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headworks._quantities import few
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from headworks._metrics.condition import Subject
    from headworks._metrics.predictions import Predictions

__all__ = ["check_asked", "is_asked_the_same"]

_SOURCE = "Let both files have that column from the same source"


def check_asked(subjects: Iterable[Subject], candidate: Predictions, base: Predictions, lost: Sequence[str]) -> None:
    """Refuse two models that were not asked the same.

    Args:
        subjects: The subjects that are judged.
        candidate: Predictions of the candidate, for the rows of the base.
        base: Those of the base.
        lost: Ids of the rows that the candidate has no prediction for.

    Raises:
        CannotDecideError: Labels, groups or slices differ, or nobody knows which slice a lost row is of.
    """
    if (candidate.errors is None) != (base.errors is None):
        message = f"Only one of {candidate.source} and {base.source} is a regression. Compare models of one kind."
        raise CannotDecideError(message)
    if candidate.labels.size and base.labels.size:  # of a regression, either may have none
        differs = candidate.labels != base.labels
        _check(candidate, base, differs, "labels", "Let both models be judged by the same labels.")
    if candidate.groups is not None and base.groups is not None:
        _check(candidate, base, candidate.groups != base.groups, "values in the group column", f"{_SOURCE}.")
    for subject in subjects:
        if subject.column in candidate.slices and subject.column in base.slices:
            differs = candidate.slices[subject.column] != base.slices[subject.column]
            advice = f"{_SOURCE}; where it is meant to change, give it another name."
            _check(candidate, base, differs, f"values in the slice column {subject.column!r}", advice)
        elif subject.column in candidate.slices and lost:
            message = (
                f"{candidate.source} has no prediction for {len(lost):,} rows of {base.source}: {few(lost)}. Only the"
                f" former has the column {subject.column!r}, which would say where they belong. Predict them as well."
            )
            raise CannotDecideError(message)


def is_asked_the_same(subjects: Iterable[Subject], candidate: Predictions, base: Predictions) -> bool:
    """Whether all rows are the same, with their labels and groups and in every slice that is judged."""
    if candidate.rows_digest != base.rows_digest:
        return False
    columns = {subject.column for subject in subjects} & candidate.slices.keys() & base.slices.keys()
    pairs = [(candidate.slices[column], base.slices[column]) for column in columns]
    if candidate.groups is not None and base.groups is not None:
        pairs.append((candidate.groups, base.groups))
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def _check(candidate: Predictions, base: Predictions, differs: NDArray[np.bool_], what: str, advice: str) -> None:
    """Refuse rows that differ in something, by name."""
    wrong = candidate.ids[differs].tolist()
    if wrong:
        names = f"{len(wrong):,} rows: {few(wrong)}"
        message = f"{candidate.source} and {base.source} have different {what} for {names}. {advice}"
        raise CannotDecideError(message)
