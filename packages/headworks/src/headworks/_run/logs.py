"""The logs of sessions: their folder, their names, and their last lines.

The folder lies in git's folder of the work tree, not in the store: a store on a full disk must not fail a session.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
from pathlib import Path

from headworks._store.place import private_folder

__all__ = ["log_end", "log_folder", "log_name", "log_tail", "make_log_folder"]

_NO_FILE_NAME = re.compile(r"[^\w.()-]")
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_END = 64 << 10  # bytes of a log that are looked at for its end
_LETTERS = 500  # of a line
_LONGEST = 30 * 86_400.0  # seconds; a log this old is of a session that is run no more
_ROOM = 65_536  # bytes that there must be room for


def log_folder(root: str) -> str | None:
    """Return the folder for what the sessions of a work tree print, whether it is there or not; None outside git."""
    folder = private_folder(root)
    return None if folder is None else os.path.join(folder, "logs")


def make_log_folder(root: str) -> Path:
    """Return the folder for what sessions print, cleared of what is old; another one where it takes nothing."""
    with contextlib.suppress(OSError):
        folder = Path(log_folder(root) or os.devnull)
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder / f"room-{os.getpid()}")
        for path in folder.iterdir():
            if path.stat().st_mtime < time.time() - _LONGEST:
                path.unlink()
        return folder
    return Path(tempfile.mkdtemp(prefix="headworks-"))


def _check_room(path: Path) -> None:
    """Write a file and remove it.

    Raises:
        OSError: There is no room for it, or no right to write it.
    """
    try:
        path.write_bytes(bytes(_ROOM))
    finally:
        path.unlink(missing_ok=True)


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
