"""What a model was judged by, in a form that can be kept beside the outcome and compared with the table of later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings

__all__ = ["terms"]

_DECISIVE = ("reliability", "predictions", "measurements", "model", "min_shared", "group", "columns", "predict", "rows")


def terms(settings: GateSettings) -> dict[str, Any]:
    """Return all of a table that decides about a model's outcome, as JSON has it.

    The order and the names of conditions decide nothing, nor does what only plans or counts.
    """
    rows = [
        {"condition": it.condition.text, "on": settings.reads(it), "cannot-tell": it.cannot_tell}
        for it in settings.conditions
    ]
    found: dict[str, Any] = {name: getattr(settings, name) for name in _DECISIVE}
    found["conditions"] = sorted(rows, key=lambda it: sorted(it.items()))
    as_read: dict[str, Any] = json.loads(json.dumps(found))  # tuples become lists, as they are where it is read again
    return as_read
