"""Progress of a run, as lines, and its closing table."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from headworks._lines import as_error, shown, text_of
from headworks._quantities import duration_text
from headworks._run.logs import log_end, place_in

if TYPE_CHECKING:
    from headworks._run.outcome import Outcome

Row = tuple[str, float, float | None]  # a session that runs: its name, when it started, and how long it should take
_TAIL = 200  # lines of a failed session's output
_MANY = 30  # covered sessions; more are counted, not listed
# The word for each status in the last line, the worst first.
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


class Display:
    """Prints a line for every event."""

    def __init__(self, stream: TextIO) -> None:
        """Print to a stream."""
        self._stream = stream
        self._done = 0
        self._total = 0

    def expect(self, total: int) -> None:
        """Take the number of sessions that may run."""
        self._total = total

    def say(self, text: str) -> None:
        """Print a line."""
        self._stream.write(text_of([text]))
        self._stream.flush()

    def started(self, session: str, seconds: float | None) -> None:
        """Print that a session has started."""
        self.say(f"{session}: started" + (f", {duration_text(seconds)} expected" if seconds else ""))

    def ended(self, outcome: Outcome) -> None:
        """Print the outcome of a session, with the end of its log if it failed."""
        progress = ""
        if outcome.seconds:
            self._done += 1
            progress = f" ({self._done} of {max(self._total, self._done)})"
        self.say(f"{outcome.session}: {describe(outcome)}{progress}")
        if outcome.status == "failed":
            lines: list[str] = []
            is_cut = False
            with contextlib.suppress(OSError):
                lines, is_cut = log_end(outcome.log, _TAIL)
            for line in [f"... what came before is in {outcome.log}"] * is_cut + lines:
                self.say(f"  | {line.expandtabs()}")  # indented, so that no line is a command to CI
            place = place_in(lines, os.environ.get("GITHUB_WORKSPACE", os.curdir))
            self._stream.write(as_error(f"{outcome.session}: {describe(outcome)}", *place))

    def tick(self, running: Sequence[Row], waiting: int, left: float | None) -> None:
        """Show the sessions that run, the number that wait, and the seconds left; nothing here."""

    def close(self) -> None:
        """Leave the screen as it is."""


def describe(outcome: Outcome) -> str:
    """Return the outcome of a session in words."""
    words = {
        "cached": "covered by an earlier verdict",
        "passed": "passed",
        "flaky": "FLAKY: passed",
        "skipped": "skipped",
        "unproven": "UNPROVEN",
        "blocked": "NOT RUN",
        "stopped": "stopped",
        "failed": "FAILED",
    }
    took = f" in {duration_text(outcome.seconds)}" if outcome.seconds else ""
    return words[outcome.status] + took + (f": {outcome.note}" if outcome.note else "")


def make_display(stream: TextIO | None = None) -> Display:
    """Return the display for a stream, by default the standard output.

    It is a table on a terminal where rich is installed, and lines elsewhere.
    """
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return Display(stream)
    try:
        from headworks._run.live_table import RichDisplay
    except ImportError:
        return Display(stream)
    return RichDisplay(stream)


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return the closing table: each session with its outcome or the verdict that covers it, and times.

    Args:
        outcomes: The outcome of each session.
        seconds: How long the run took.
    """
    covered = [outcome for outcome in outcomes if outcome.status == "cached"]
    listed = [outcome for outcome in outcomes if outcome.status != "cached"]
    listed += covered if len(covered) <= _MANY else []
    width = max((len(shown(outcome.session)) for outcome in listed), default=0)
    lines = [f"{shown(outcome.session):{width}}  {_proof(outcome)}" for outcome in listed]
    if len(covered) > _MANY:
        lines.append(f"{len(covered):,} more are covered by earlier verdicts; `headworks explain SESSION` shows one")
    statuses = [outcome.status for outcome in outcomes]
    counts = ", ".join(f"{number:,} {word}" for status, word in _WORDS.items() if (number := statuses.count(status)))
    saved = sum(outcome.verdict.seconds for outcome in covered if outcome.verdict)
    times = f"took {duration_text(seconds)}" + (f", saved about {duration_text(saved)}" if saved >= 1 else "")
    return text_of([*lines, *([""] if lines else []), f"{counts or 'no session'}; {times}"])


def _proof(outcome: Outcome) -> str:
    """Return the outcome of a session, with the verdict that it rests on."""
    verdict = outcome.verdict
    if verdict is None:
        return describe(outcome)
    commit = f" at {verdict.commit[:10]}" if verdict.commit else ""
    note = f" ({outcome.note})" if outcome.note else ""
    return f"covered by the verdict of {verdict.finished[:16].replace('T', ' ')}{commit}, {verdict.digest[:12]}{note}"
