"""The end of what a session printed, for a reader of the report."""

from __future__ import annotations

import os

from headworks._report.escape import without_control
from headworks._run import logs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headworks._store.store import Store

__all__ = ["log_end"]

_LINES = 40


def log_end(session: str, root: str, store: Store) -> str:
    """Return the last lines that a session printed on this machine; empty where that is not known."""
    try:
        lines, _ = logs.log_end(os.path.join(logs.log_folder(store.root, root), logs.log_name(session)), _LINES)
    except OSError:
        return ""
    return "\n".join(without_control(it) for it in lines)
