"""Signs and tones of states and outcomes, which are told by a word and a sign, and only besides by a colour."""

from __future__ import annotations

__all__ = ["mark", "tone"]

_TONES = {
    "passed": "good",
    "passes": "good",
    "covered": "calm",
    "failed": "bad",
    "fails": "bad",
    "flaky": "bad",
    "cannot tell": "open",
    "unproven": "open",
    "not run": "open",
    "waiting": "open",
    "not recorded": "none",
}
_MARKS = {"good": "\N{CHECK MARK}", "calm": "\N{CHECK MARK}", "bad": "\N{BALLOT X}", "open": "?", "none": "\N{EN DASH}"}


def tone(state: str) -> str:
    """Return the tone of a state: `good`, `calm`, `bad`, `open` or `none`.

    Args:
        state: A state or an outcome; of `fails, counts as passes` the last one counts.
    """
    return _TONES[state.rpartition("counts as ")[2]]


def mark(state: str) -> str:
    """Return the sign of a state."""
    return _MARKS[tone(state)]
