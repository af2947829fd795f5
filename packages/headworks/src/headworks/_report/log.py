"""The end of what a session printed, for a reader of the report."""

from __future__ import annotations

import os

from headworks._report.escape import without_control
from headworks._run import logs

__all__ = ["log_end"]

_LINES = 40


def log_end(session: str, root: str) -> str:
    """Return the last lines that a session printed in a work tree; empty where that is not known."""
    try:
        lines, _ = logs.log_end(os.path.join(logs.log_folder(root) or os.devnull, logs.log_name(session)), _LINES)
    except OSError:
        return ""
    return "\n".join(without_control(it) for it in lines)
