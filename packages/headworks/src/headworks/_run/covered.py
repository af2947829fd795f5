"""A run in which nothing is to be done, told as fast as a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._run.outcome import Outcome
from headworks._store.found import Found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headworks._plan.plan import Plan

__all__ = ["covered"]


def covered(planned: Plan, asked: frozenset[str]) -> dict[str, Outcome] | None:
    """Return an outcome for each session if verdicts cover all of them and the outputs lie in place; else None.

    Args:
        planned: The plan.
        asked: The sessions that were asked for. Those that only others need may lie elsewhere.
    """
    outcomes: dict[str, Outcome] = {}
    found = Found(planned.root)
    for it in planned.sessions:
        verdict = it.verdict
        if verdict is None or (it.session.name in asked and not _in_place(verdict.outputs, found)):
            found.save()  # what was read need not be read again by what runs now
            return None
        outcomes[it.session.name] = Outcome(
            session=it.session.name, status="cached", saved=verdict.seconds, verdict=verdict, outputs=verdict.outputs
        )
    found.save()
    return outcomes


def _in_place(outputs: Mapping[str, str], found: Found) -> bool:
    """Whether all outputs of a session lie in the work tree as they are recorded."""
    return all(found.is_in_place(path, content) for path, content in outputs.items())
