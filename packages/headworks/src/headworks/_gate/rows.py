"""How many rows there are for a condition."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._gate.compare import names_needed
from headworks._metrics.file import read_predictions
from headworks._metrics.subjects import rows_of, subjects_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headworks._project.gate_settings import GateSettings, NamedCondition

__all__ = ["rows_at_hand"]


def rows_at_hand(
    conditions: Sequence[NamedCondition], files: str | Mapping[str, str], settings: GateSettings
) -> dict[str, int]:
    """Return how many rows there are for each condition by its name: of its class, and of the smallest of its slices.

    Args:
        conditions: the conditions.
        files: files of predictions by name; one stands for all. One that is not there yet says nothing.
        settings: how files are read.
    """
    found = {}
    for it in conditions:
        for name in names_needed([it], settings):
            path = files if isinstance(files, str) else files.get(name, "")
            if os.path.isfile(path):
                predictions = read_predictions(path, columns=settings.columns, group=settings.group)
                subjects = subjects_of(it.condition.subject, predictions)
                found[it.name] = min(len(rows_of(subject, predictions)) for subject in subjects)
    return found
