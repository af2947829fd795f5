"""The outcome of a session in a run, and the file of outcomes that `headworks verify` reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._plan.plan import SYSTEMS
from headworks.errors import Exit

if TYPE_CHECKING:
    from headworks._plan.plan import Plan
    from headworks._plan.promise import Findings
    from headworks._store.verdict import Verdict

# The exit code of a run whose worst session has this status.
STATUSES = {
    "cached": Exit.PASSED,  # a verdict covers it
    "passed": Exit.PASSED,
    "flaky": Exit.PASSED,  # failed, then passed on a retry that was asked for
    "skipped": Exit.PASSED,  # nox skipped a session that is not required
    "unproven": Exit.PASSED,  # a required session ran no test; an error where CI is set
    "blocked": Exit.UNDECIDED,  # not run, since a session that it needs has no output
    "stopped": Exit.UNDECIDED,  # not run, or not to its end
    "failed": Exit.FAILED,
}
FORM = 2


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one session.

    Attributes:
        session: Its name as nox shows it.
        status: One of `STATUSES`.
        seconds: How long it ran in this run.
        verdict: The verdict that covers it.
        outputs: Each declared output path with the SHA-256 of its content; None if the session is not proven.
        note: A remark for the user.
        log: The file with its output.
        findings: What it read beside what its row promises, where it was watched and has passed.
    """

    session: str
    status: str
    seconds: float = 0.0
    verdict: Verdict | None = None
    outputs: Mapping[str, str] | None = None
    note: str = ""
    log: str = ""
    findings: Findings | None = None

    @property
    def is_proven(self) -> bool:
        """Whether other sessions can rely on it."""
        return self.status in {"cached", "passed", "flaky"}


def exit_code(outcomes: Iterable[Outcome], *, is_ci: bool) -> int:
    """Return the exit code of a run: 1 if a session failed or broke its promise, 3 if a result is missing, else 0."""
    ended = list(outcomes)
    statuses = {outcome.status for outcome in ended}
    codes = {STATUSES[status] for status in statuses}
    if any(outcome.findings is not None and not outcome.findings.is_kept for outcome in ended):
        codes.add(Exit.FAILED)
    if is_ci and "unproven" in statuses:
        codes.add(Exit.UNDECIDED)
    return Exit.FAILED if Exit.FAILED in codes else max(codes, default=Exit.PASSED)


def state_of(plan: Plan) -> tuple[str, dict[str, str]]:
    """Return the commit that is checked out, and the part of each session's digest that is the same on every machine.

    Call it before a session runs, which could change files.
    """
    trees = {it.session.name: plan.digester.tree_digest(it.session) for it in plan.sessions}
    return plan.digester.snapshot.repository.head(), trees


def as_outcomes(
    outcomes: Iterable[Outcome],
    commit: str,
    trees: Mapping[str, str],
    *,
    extra: Collection[str] = (),
    is_forced: bool = False,
) -> str:
    """Return outcomes as JSON, with the state that they are about.

    Args:
        outcomes: The outcomes.
        commit: The commit that was checked out before the run; empty before the first one.
        trees: See `state_of`.
        extra: The sessions that ran with arguments after `--`; `headworks verify` does not count those.
        is_forced: Whether sessions ran although a verdict covered them.
    """
    sessions = [
        {
            "name": outcome.session,
            "tree": trees[outcome.session],
            "extra_arguments": outcome.session in extra,
            "status": outcome.status,
            "seconds": round(outcome.seconds, 3),
            "note": outcome.note,
            "log": outcome.log,
        }
        for outcome in outcomes
    ]
    system = SYSTEMS.get(sys.platform, "linux")
    content = {"format": FORM, "system": system, "commit": commit, "forced": is_forced, "sessions": sessions}
    return json.dumps(content, indent=2) + "\n"
