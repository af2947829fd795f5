"""The closing table of a run: what ran, what was covered by which verdict, time spent and time saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._lines import shown, text_of
from headworks._quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headworks._run.outcome import Outcome

__all__ = ["summary"]

_MANY = 30  # covered sessions; more are counted, not listed
# Each status with the word for it in the last line, the worst first.
_WORDS = {
    "failed": "failed",
    "flaky": "flaky",
    "unproven": "unproven",
    "blocked": "not run",
    "stopped": "stopped",
    "skipped": "skipped",
    "passed": "passed",
    "cached": "covered by earlier verdicts",
}


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return the table.

    Args:
        outcomes: What became of each session.
        seconds: How long the run took.
    """
    covered = [it for it in outcomes if it.status == "cached"]
    listed = [it for it in outcomes if it.status != "cached"]
    listed += covered if len(covered) <= _MANY else []
    width = max((len(shown(it.session)) for it in listed), default=0)
    lines = [f"{shown(it.session):{width}}  {_proof(it)}" for it in listed]
    if len(covered) > _MANY:
        lines.append(f"{len(covered):,} more are covered by earlier verdicts; `headworks explain SESSION` shows one")
    statuses = [it.status for it in outcomes]
    counts = ", ".join(f"{number:,} {word}" for it, word in _WORDS.items() if (number := statuses.count(it)))
    saved = sum(it.saved for it in outcomes)
    times = f"took {duration_text(seconds)}" + (f", saved about {duration_text(saved)}" if saved >= 1 else "")
    return text_of([*lines, *([""] if lines else []), f"{counts or 'no session'}; {times}"])


def _proof(outcome: Outcome) -> str:
    """Return what became of a session, and on what that rests."""
    verdict = outcome.verdict
    if verdict is None:
        from headworks._run.display import describe

        return describe(outcome)
    commit = f" at {verdict.commit[:10]}" if verdict.commit else ""
    note = f" ({outcome.note})" if outcome.note else ""
    return f"covered by the verdict of {verdict.finished[:16].replace('T', ' ')}{commit}, {verdict.digest[:12]}{note}"
