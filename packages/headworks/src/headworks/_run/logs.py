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

_NO_FILE_NAME = re.compile(r"[^\w.()-]")
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_PLACE = re.compile(
    r'\s*(?:--> |File ")?([^\s":]+\.\w+)(?:", line |:)(\d+)\b'
)  # as pytest, mypy, Ruff and Python write it
_END = 64 << 10  # bytes of a log that count as its end
_LETTERS = 500  # of a line that are shown
_LONGEST = 30 * 86_400.0  # seconds; a log this old is of a session that no longer runs
_ROOM = 65_536  # bytes; a folder on a disk with less space is not used


def log_folder(root: str) -> str | None:
    """Return the folder for the logs of a work tree, which need not exist; None outside git."""
    folder = private_folder(root)
    return None if folder is None else os.path.join(folder, "logs")


def make_log_folder(root: str) -> Path:
    """Return the folder for logs, cleared of old ones; a temporary one if it cannot be written."""
    with contextlib.suppress(OSError):
        folder = Path(log_folder(root) or os.devnull)
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"room-{os.getpid()}"
        try:
            probe.write_bytes(bytes(_ROOM))
        finally:
            probe.unlink(missing_ok=True)
        for path in folder.iterdir():
            if path.stat().st_mtime < time.time() - _LONGEST:
                path.unlink()
        return folder
    return Path(tempfile.mkdtemp(prefix="headworks-"))


def log_name(session: str) -> str:
    """Return the file name of a session's log, valid on every file system and different for every session."""
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
    # A progress bar writes over its own line; only its last state counts.
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.rstrip().split("\n")]
    shown = [
        f"{line[:_LETTERS]} [and {more:,} more characters]" if (more := len(line) - _LETTERS) > 0 else line
        for line in lines[-most:]
    ]
    if start and len(lines) <= most:
        shown[0] = f"[...] {lines[0][-_LETTERS:]}"  # nobody knows where this line begins
    return shown, bool(start) or len(lines) > most


def place_in(lines: list[str], root: str) -> tuple[str, int]:
    """Return the first file of a work tree that lines of a log begin with, and the line in it; no name without one."""
    for line in lines:
        if match := _PLACE.match(line):
            path = os.path.relpath(os.path.join(root, match[1]), root).replace(os.sep, "/")
            if not path.startswith((".", "/")) and os.path.isfile(os.path.join(root, path)):
                return path, int(match[2])
    return "", 0


def log_tail(path: str) -> tuple[str, int]:
    """Return the last 64 KiB of a log without their colours, and how many bytes lie before them.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        start = max(file.seek(0, os.SEEK_END) - _END, 0)
        file.seek(start)
        return _COLOUR.sub("", file.read(_END).decode(errors="replace")), start
