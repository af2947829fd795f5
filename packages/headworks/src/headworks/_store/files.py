"""Files of a store read and appended to, with nothing imported that a plan does not need."""

from __future__ import annotations

import os

__all__ = ["append", "names", "read"]


def read(path: str, limit: int) -> bytes | None:
    """Return a file's content, or None where there is none to be had or it is longer than `limit` bytes."""
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError:
        return None
    return data if len(data) <= limit else None


def append(path: str, lines: bytes) -> None:
    """Append whole lines, so that writers at the same time do not mix theirs, after whatever a kill cut short."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab+", buffering=0) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            lines = lines if file.read(1) == b"\n" else b"\n" + lines
        file.write(lines)


def names(folder: str) -> list[str]:
    """Return the names in a folder, in order; none where there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
