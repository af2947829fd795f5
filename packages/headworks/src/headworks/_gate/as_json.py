"""What the gate found as JSON, in the form that gate.schema.json describes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headworks._gate.result import Finding, GateResult, Judged

__all__ = ["as_data", "as_json"]

_FORM = 1


def as_json(result: GateResult) -> str:
    """Return a result as JSON."""
    return json.dumps(as_data(result), indent=2) + "\n"


def as_data(result: GateResult) -> dict[str, Any]:
    """Return a result as it is written in JSON."""
    return {
        "format": _FORM,
        "outcome": result.outcome,
        "reliability": result.reliability,
        "conditions": [_condition(it) for it in result.conditions],
        "comparisons": [dict(vars(it)) for it in result.comparisons],
        "notes": list(result.notes),
        "unjudged": list(result.unjudged),
    }


def _condition(it: Judged) -> dict[str, Any]:
    """Return a condition with what was found."""
    return {
        "name": it.name,
        "condition": it.condition.text,
        "on": it.on or None,
        "outcome": it.outcome,
        "found": it.found,
        "findings": [_finding(finding) for finding in it.findings],
    }


def _finding(it: Finding) -> dict[str, Any]:
    """Return what was found about one metric on one set of rows."""
    interval = None if it.interval is None else [it.interval.low, it.interval.high]
    return vars(it) | {"interval": interval, "seeds": list(it.seeds), "base_seeds": list(it.base_seeds)}
