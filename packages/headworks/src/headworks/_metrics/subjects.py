"""The rows that a metric is about: all, those of a class, or those of a slice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headworks._nearest import suggestion
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headworks._metrics.condition import Subject
    from headworks._metrics.predictions import Predictions

__all__ = ["rows_of", "subjects_of"]


def subjects_of(subject: Subject, predictions: Predictions) -> list[Subject]:
    """Return a subject for each value of its slice column, or the subject itself where it has no column or a value.

    Where it is about the rows of one class, values without any are left out, unless no value has one.
    """
    if not subject.column or subject.value is not None:
        return [subject]
    values = _slice_of(subject.column, predictions)
    is_of_class = subject.definition.is_of_class and predictions.labels.size  # a regression may have no labels
    of_class = values[predictions.labels == subject.label] if is_of_class else values
    return [replace(subject, value=str(value)) for value in np.unique(of_class if of_class.size else values)]


def rows_of(subject: Subject, predictions: Predictions) -> NDArray[np.intp]:
    """Return the places of the rows that a subject with one slice at most is about.

    Raises:
        ConfigurationError: There is no such class, slice column or value.
    """
    chosen = np.ones(len(predictions.ids), bool)
    if subject.column:
        chosen &= _slice_of(subject.column, predictions) == subject.value
        if not chosen.any():
            known = np.unique(predictions.slices[subject.column]).tolist()
            _refuse(predictions, f"no row with {subject.column}={subject.value}", str(subject.value), known)
    if subject.label:
        if subject.label not in predictions.classes:
            _refuse(predictions, f"no class {subject.label!r}", subject.label, predictions.classes)
        if subject.definition.is_of_class:
            chosen &= predictions.labels == subject.label
    if not chosen.any():
        where = f" with {subject.column}={subject.value}" if subject.column else ""
        _refuse(predictions, f"no row of class {subject.label!r}{where}", "", ())
    return np.flatnonzero(chosen)


def _slice_of(column: str, predictions: Predictions) -> NDArray[np.str_]:
    if column not in predictions.slices:
        _refuse(predictions, f"no slice column {column!r}", column, tuple(predictions.slices))
    return predictions.slices[column]


def _refuse(predictions: Predictions, what: str, name: str, known: tuple[str, ...] | list[str]) -> None:
    message = f"{predictions.source} has {what}.{suggestion(name, known) if known else ''}"
    raise ConfigurationError(message)
