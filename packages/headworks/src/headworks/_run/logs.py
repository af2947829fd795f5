"""Where the store keeps what the sessions of a work tree last printed, and how such a log ends."""

from __future__ import annotations

import hashlib
import os
import re

__all__ = ["log_end", "log_folder", "log_name", "log_tail"]

_NO_FILE_NAME = re.compile(r"[^\w.()-]")
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_END = 64 << 10  # bytes of a log that are looked at for its end
_LETTERS = 500  # of a line


def log_folder(store: str, root: str) -> str:
    """Return the folder for what the sessions of a work tree print, whether it is there or not."""
    return os.path.join(store, "logs", hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16])


def log_name(session: str) -> str:
    """Return a name that every file system takes, and that no other session has."""
    return f"{_NO_FILE_NAME.sub('-', session)[:80]}-{hashlib.sha256(session.encode()).hexdigest()[:8]}.log"


def log_end(path: str, most: int) -> tuple[list[str], bool]:
    """Return the last lines of a log without their colours, and whether there is more before them.

    Neither a long log nor a long line is read or shown as a whole.

    Args:
        path: The log.
        most: How many lines to return.

    Raises:
        OSError: It cannot be read.
    """
    text, start = log_tail(path)
    # What a line that was written over said before is not its end.
    lines = [it.rstrip("\r").rpartition("\r")[2] for it in text.rstrip().split("\n")]
    shown = [_shortened(it) for it in lines[-most:]]
    if start and len(lines) <= most:
        shown[0] = f"[...] {lines[0][-_LETTERS:]}"  # nobody knows where this line begins
    return shown, bool(start) or len(lines) > most


def log_tail(path: str) -> tuple[str, int]:
    """Return the last 64 KiB of a log without their colours, and how many bytes lie before them.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        start = max(file.seek(0, os.SEEK_END) - _END, 0)
        file.seek(start)
        return _COLOUR.sub("", file.read(_END).decode(errors="replace")), start


def _shortened(line: str) -> str:
    """Return a line, its beginning where it is so long that it would fill the screen."""
    more = len(line) - _LETTERS
    return f"{line[:_LETTERS]} [and {more:,} more characters]" if more > 0 else line
