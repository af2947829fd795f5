"""Whether two models were asked the same: by the same labels and groups, and in every slice that is judged."""

from __future__ import annotations

import numpy as np

from headworks._gate.subjects import subjects_of
from headworks.errors import CannotDecideError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from headworks._gate.condition import Subject
    from headworks._gate.predictions import Predictions

__all__ = ["check_asked", "is_asked_the_same"]

_SHOWN = 3  # ids or values that a message names
_SOURCE = "Let both files have that column from the same source"


def check_asked(subjects: Iterable[Subject], candidate: Predictions, base: Predictions, whole: Predictions) -> None:
    """Refuse two models that were not asked the same.

    Args:
        subjects: what is judged.
        candidate: predictions of the candidate, for the rows that both have.
        base: those of the base, for the same rows.
        whole: all that the base predicted.

    Raises:
        CannotDecideError: labels, groups or slices differ, or no row of a slice of the base is left.
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
            _check_values(subject, candidate, whole)


def is_asked_the_same(subjects: Iterable[Subject], candidate: Predictions, base: Predictions) -> bool:
    """Whether all rows are the same, with their labels and groups and in every slice that is judged."""
    if candidate.rows_digest != base.rows_digest:
        return False
    columns = {it.column for it in subjects} & candidate.slices.keys() & base.slices.keys()
    pairs = [(candidate.slices[it], base.slices[it]) for it in columns]
    if candidate.groups is not None and base.groups is not None:
        pairs.append((candidate.groups, base.groups))
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def _check(candidate: Predictions, base: Predictions, differs: NDArray[np.bool_], what: str, advice: str) -> None:
    """Refuse rows that differ in something, by name."""
    wrong = candidate.ids[differs].tolist()
    if wrong:
        names = f"{len(wrong):,} rows: {_few(wrong)}"
        message = f"{candidate.source} and {base.source} have different {what} for {names}. {advice}"
        raise CannotDecideError(message)


def _check_values(subject: Subject, candidate: Predictions, whole: Predictions) -> None:
    """Refuse a candidate that is asked about every value of a slice column, and not seen at one that the base has."""
    left = {str(it) for it in subjects_of(subject, candidate)}
    gone = [str(it) for it in subjects_of(subject, whole) if str(it) not in left]
    if gone:
        message = (
            f"{candidate.source} and {whole.source} share no row for {_few(gone)}, of which the base has some."
            f" Let the candidate predict these rows as well, or ask for each value that is left in place of {subject}."
        )
        raise CannotDecideError(message)


def _few(names: list[str]) -> str:
    """Return some names, and how many there are more."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
