"""The result of the gate as JSON, in the form that gate.schema.json describes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headworks._gate.result import Finding, GateResult

__all__ = ["as_json"]

_FORM = 1


def as_json(result: GateResult) -> str:
    """Return a result as JSON."""
    data = {
        "format": _FORM,
        "outcome": result.outcome,
        "reliability": result.reliability,
        "conditions": [
            {
                "name": judged.name,
                "condition": judged.condition.text,
                "on": judged.on or None,
                "outcome": judged.outcome,
                "found": judged.found,
                "findings": [_finding(finding) for finding in judged.findings],
            }
            for judged in result.conditions
        ],
        "comparisons": [vars(comparison) for comparison in result.comparisons],
        "notes": result.notes,
        "unjudged": result.unjudged,
    }
    return json.dumps(data, indent=2) + "\n"


def _finding(finding: Finding) -> dict[str, Any]:
    interval = finding.interval
    return vars(finding) | {"interval": None if interval is None else [interval.low, interval.high]}
