"""What the machine did to a session, so that how it ended says nothing of the session itself."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from headworks._run.logs import log_tail

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["interruption"]

_SHELL = 128  # a shell and nox itself add this to the number of the signal that ended something
_NOT_STARTED = {126, 127}  # what a shell says of a program that it cannot start
_ENDING = {it.value for it in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))}
# A program that kills itself with SIGSEGV or SIGABRT is at fault itself; one that was told to end or killed is not.
_COMMAND = re.compile(r" failed with exit code (-?\d+):?\r?$", re.MULTILINE)
_SAID = re.compile(r"No space left on device|Disk quota exceeded|Cannot allocate memory")


def interruption(code: int | None, log: Path, *, is_reported: bool) -> str:
    """Return in words what the machine did to a session that did not pass; empty where it did nothing.

    Args:
        code: What nox ended with.
        log: What the session printed.
        is_reported: Whether nox said what became of the session.
    """
    code = code or 0
    if code < 0:
        return f"nox was ended by {_name(-code)}"
    if not is_reported and code in _NOT_STARTED:
        return "nox could not be started"
    if not is_reported and code - _SHELL in _ENDING:
        return f"nox was ended by {_name(code - _SHELL)}"
    try:
        text, _ = log_tail(str(log))
    except OSError:
        return ""
    for found in _COMMAND.finditer(text):
        number = abs(int(found[1]))
        number -= _SHELL if number > _SHELL else 0
        if number in _ENDING and found[1] != str(number):  # an exit code as small as that is no signal
            return f"what it ran was ended by {_name(number)}"
    said = _SAID.search(text)
    return said[0] if said else ""


def _name(number: int) -> str:
    """Return the name of a signal, and what it mostly means."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name}, as where memory runs out" if name == "SIGKILL" else name
