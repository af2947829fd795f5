"""The outcome of a session in a run, and the file of outcomes that `headworks verify` reads."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from headworks._plan.plan import Plan
    from headworks._store.verdict import Verdict

__all__ = ["FORM", "STATUSES", "SYSTEMS", "Outcome", "State", "as_outcomes", "exit_code", "state_of"]

# With the exit code that a run ends with where the worst of its sessions is such.
STATUSES = {
    "cached": 0,  # a verdict covers it
    "passed": 0,
    "flaky": 0,  # failed, then passed on a retry that was asked for
    "skipped": 0,  # nox skipped what need not run
    "unproven": 0,  # nothing of what must run did; an error where CI is set
    "blocked": 3,  # not run, since something it needs is not there
    "stopped": 3,  # not run, or not to its end
    "failed": 1,
}
SYSTEMS = {"darwin": "macos", "win32": "windows"}  # Python's name for a system, and its tag in a noxfile
FORM = 2


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one session.

    Attributes:
        session: Its name as nox shows it.
        status: One of `STATUSES`.
        seconds: How long it ran in this run.
        saved: How long it would have run without the verdict that covers it.
        verdict: What covers it.
        outputs: Each declared output path with the SHA-256 of its content, of a session that others can build upon.
        note: What else a person should know.
        log: The file with all that it printed.
    """

    session: str
    status: str
    seconds: float = 0.0
    saved: float = 0.0
    verdict: Verdict | None = None
    outputs: Mapping[str, str] | None = None
    note: str = ""
    log: str = ""

    @property
    def is_proven(self) -> bool:
        """Whether others can build upon it."""
        return self.status in {"cached", "passed", "flaky"}


def exit_code(outcomes: Iterable[Outcome], *, is_ci: bool) -> int:
    """Return what a run ends with: 1 where a session failed, 3 where something is left open, else 0."""
    statuses = {it.status for it in outcomes}
    codes = {STATUSES[it] for it in statuses}
    if is_ci and "unproven" in statuses:
        codes.add(3)
    return 1 if 1 in codes else max(codes, default=0)


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
