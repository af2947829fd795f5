"""What became of each session of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headworks._store.verdict import Verdict

__all__ = ["STATUSES", "Outcome", "exit_code"]

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
