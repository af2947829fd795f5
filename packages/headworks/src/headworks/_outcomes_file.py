"""What became of the sessions of a run, as a file that another machine can count."""

from __future__ import annotations

import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from headworks._run.outcome import Outcome

__all__ = ["SYSTEMS", "as_outcomes"]

SYSTEMS = {"darwin": "macos", "win32": "windows"}  # Python's name for a system, and its tag in a noxfile
_FORM = 1


def as_outcomes(outcomes: Iterable[Outcome]) -> str:
    """Return outcomes as JSON: the system, and each session with status, seconds, a note and the path of its log."""
    sessions = [
        {"name": it.session, "status": it.status, "seconds": round(it.seconds, 3), "note": it.note, "log": it.log}
        for it in outcomes
    ]
    system = SYSTEMS.get(sys.platform, "linux")
    return json.dumps({"format": _FORM, "system": system, "sessions": sessions}, indent=2) + "\n"
