"""The end of what a session printed, for a reader of the report."""

from __future__ import annotations

import os
import re

from headworks._report.escape import without_control
from headworks._run.logs import log_folder, log_name
from headworks._store.files import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headworks._store.store import Store

__all__ = ["log_end"]

_LINES = 40
_LETTERS = 500  # of a line
_MOST = 64 << 20  # bytes that are read
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\r")


def log_end(session: str, root: str, store: Store) -> str:
    """Return the last lines that a session printed on this machine; empty where that is not known."""
    log = read(os.path.join(log_folder(store.root, root), log_name(session)), _MOST) or b""
    lines = log.decode(errors="replace").replace("\r\n", "\n").rstrip().split("\n")
    return "\n".join(_shortened(without_control(_COLOUR.sub("", it))) for it in lines[-_LINES:])


def _shortened(line: str) -> str:
    """Return a line, its beginning where it is so long that it would fill the page."""
    more = len(line) - _LETTERS
    return f"{line[:_LETTERS]} [and {more:,} more characters]" if more > 0 else line
