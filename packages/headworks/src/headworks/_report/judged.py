"""Checks that a result of the gate agrees with itself, and is about the files and conditions that are here now."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from headworks._gate.result import together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headworks._project.gate_settings import GateSettings, NamedCondition, Outcome

__all__ = ["check", "other_conditions", "other_measurements", "other_predictions", "unjudged"]

_FORM = 1
_KNOWN: dict[str, Outcome] = {"passes": "passes", "fails": "fails", "cannot tell": "cannot tell"}


def check(data: Mapping[str, Any]) -> None:
    """Refuse a later form, and an outcome that is not the worst of the findings.

    Raises:
        ValueError: It is of a later form, or contradicts itself.
        KeyError: A key is missing, or an outcome is unknown.
    """
    if data["format"] != _FORM:
        message = f"its format is {data['format']!r}, and this version of headworks reads {_FORM}"
        raise ValueError(message)
    outcomes = []
    for condition in data["conditions"]:
        findings = [_KNOWN[finding["outcome"]] for finding in condition["findings"]]
        worst, counted = _KNOWN[condition["found"]], _KNOWN[condition["outcome"]]
        # A condition that cannot be told may count as another outcome.
        if not findings or worst != together(findings) or worst not in {counted, "cannot tell"}:
            message = f"the outcome of its condition {condition['name']!r} is not what was found about it"
            raise ValueError(message)
        outcomes.append(counted)
    if _KNOWN[data["outcome"]] != together(outcomes):
        message = f"it says that the gate {data['outcome']}, and the worst of its conditions {together(outcomes)}"
        raise ValueError(message)


def other_predictions(data: Mapping[str, Any], here: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the names of predictions that were judged and are not those that are here.

    Args:
        data: The result of the gate.
        here: Digests of the predictions that are here and of their rows, by name.
    """
    judged = {comparison["on"]: (comparison["model"], comparison["test_set"]) for comparison in data["comparisons"]}
    names = [*judged, *(condition["on"] for condition in data["conditions"] if condition["on"] is not None)]
    return [it for it in dict.fromkeys(names) if it not in judged or judged[it] != here.get(it)]


def other_conditions(data: Mapping[str, Any], settings: GateSettings) -> list[str]:
    """Return the conditions that were judged and are not those of the table, or were judged at another reliability."""
    is_sure = data["reliability"] == settings.reliability
    return [
        condition["condition"]
        for condition in data["conditions"]
        if not is_sure or not any(_is_of(condition, named, settings) for named in settings.conditions)
    ]


def other_measurements(data: Mapping[str, Any], here: Mapping[str, tuple[float, ...]]) -> list[str]:
    """Return the measurements that differ from those that are here."""
    judged = [
        finding for condition in data["conditions"] if condition["on"] is None for finding in condition["findings"]
    ]
    return [
        it["subject"] for it in judged if it["subject"] not in here or it["candidate"] != fmean(here[it["subject"]])
    ]


def unjudged(data: Mapping[str, Any], settings: GateSettings) -> list[str]:
    """Return the names of the table's conditions that were not judged, as before there is a base."""
    return [
        named.name
        for named in settings.conditions
        if not any(_is_of(condition, named, settings) for condition in data["conditions"])
    ]


def _is_of(judged: Mapping[str, Any], named: NamedCondition, settings: GateSettings) -> bool:
    """Tell whether a condition that was judged is one of the table; their names do not matter."""
    on = None if named.condition.subject.is_measurement else settings.reads(named) or None
    outcome = named.cannot_tell if judged["found"] == "cannot tell" else judged["found"]
    return (judged["condition"], judged["on"], judged["outcome"]) == (named.condition.text, on, outcome)
