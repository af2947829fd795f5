"""What became of the sessions of a run, as a file that another machine can count."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from headworks._plan.plan import Plan
    from headworks._run.outcome import Outcome

__all__ = ["FORM", "SYSTEMS", "State", "as_outcomes", "state_of"]

SYSTEMS = {"darwin": "macos", "win32": "windows"}  # Python's name for a system, and its tag in a noxfile
FORM = 2


@dataclass(frozen=True, kw_only=True)
class State:
    """What outcomes are about, by which they are told from those of another state.

    Attributes:
        commit: What is checked out; empty before the first commit.
        trees: For each session, the part of its digest that is the same on every machine.
    """

    commit: str
    trees: Mapping[str, str]


def state_of(plan: Plan) -> State:
    """Return what the sessions of a plan are about, which has to be asked before one of them runs."""
    digester = plan.digester
    trees = {it.session.name: digester.tree_digest(it.session) for it in plan.sessions}
    return State(commit=digester.snapshot.repository.head(), trees=trees)


def as_outcomes(
    outcomes: Iterable[Outcome], state: State, *, extra: Collection[str] = (), is_forced: bool = False
) -> str:
    """Return outcomes as JSON: for each session status, seconds, a note, the path of its log, and what it is about.

    Args:
        outcomes: What became of the sessions.
        state: What they are about.
        extra: The sessions that ran with arguments after `--`, which prove nothing about them as they are.
        is_forced: Whether what verdicts cover ran all the same.
    """
    sessions = [
        {
            "name": it.session,
            "tree": state.trees[it.session],
            "extra_arguments": it.session in extra,
            "status": it.status,
            "seconds": round(it.seconds, 3),
            "note": it.note,
            "log": it.log,
        }
        for it in outcomes
    ]
    system = SYSTEMS.get(sys.platform, "linux")
    content = {"format": FORM, "system": system, "commit": state.commit, "forced": is_forced, "sessions": sessions}
    return json.dumps(content, indent=2) + "\n"
