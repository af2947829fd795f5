"""When verdicts were last used: for each day one file that names the digests used on it.

A file per verdict would be as many writes as there are sessions, for a run in which nothing is to be done.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from headworks._store.files import append, names, read
from headworks._store.verdict import is_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["forget_uses", "last_uses", "mark_used"]

_LIMIT = 1 << 30  # bytes


def mark_used(root: str, digests: Iterable[str]) -> None:
    """Note that verdicts were of use today; a store that cannot be written to is let be."""
    path = os.path.join(root, "used", time.strftime("%Y-%m-%d", time.gmtime()))
    noted = set((read(path, _LIMIT) or b"").split())
    new = [digest.encode() for digest in digests if digest.encode() not in noted]
    if new:
        try:
            append(path, b"".join(digest + b"\n" for digest in new))
        except OSError:
            return


def last_uses(root: str) -> dict[str, float]:
    """Return when digests were last used: the end of that day, in seconds since the epoch."""
    uses: dict[str, float] = {}
    for path, day_end in _days(root):
        digests = (read(path, _LIMIT) or b"").decode("ascii", "replace").split()
        uses.update((digest, day_end) for digest in digests if is_digest(digest))
    return uses


def forget_uses(root: str, before: float) -> None:
    """Remove what was noted on days that ended before a time, in seconds since the epoch."""
    for path, day_end in _days(root):
        if day_end < before:
            os.unlink(path)


def _days(root: str) -> Iterator[tuple[str, float]]:
    """Yield the file of each day with the time at which the day ends, in order."""
    import calendar

    folder = os.path.join(root, "used")
    for name in names(folder):
        try:
            day = time.strptime(name, "%Y-%m-%d")
        except ValueError:
            continue
        yield os.path.join(folder, name), calendar.timegm(day) + 86_400.0
