"""Clears a store of verdicts that were not used for long, while others read from it and write to it.

Uses are noted in one file a day that names the digests used on it. A file per verdict would be as many writes as there
are sessions, in a run that has nothing to do.
"""

from __future__ import annotations

import calendar
import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._store.blobs import Blobs
from headworks._store.files import append, is_unfinished, names, read
from headworks._store.journal import kept_blobs
from headworks._store.promises import FOLDERS
from headworks._store.tree import contents
from headworks._store.verdict import is_digest
from headworks.errors import StoreError

if TYPE_CHECKING:
    from headworks._store.index import Index
    from headworks._store.records import Records

_LIMIT = 1 << 30  # bytes
_GRACE = 3_600.0  # seconds; a blob this young may belong to a verdict that is still being written


def mark_used(root: str, digests: Iterable[str]) -> None:
    """Note that verdicts were used today; a read-only store is ignored."""
    path = os.path.join(root, "used", time.strftime("%Y-%m-%d", time.gmtime()))
    noted = set((read(path, _LIMIT) or b"").split())
    new = [digest.encode() for digest in digests if digest.encode() not in noted]
    if new:
        with contextlib.suppress(OSError):
            append(path, b"".join(digest + b"\n" for digest in new))


def _days(root: str) -> Iterator[tuple[str, float]]:
    """Yield the file of each day on which verdicts were used, and the end of the day in seconds since the epoch."""
    folder = os.path.join(root, "used")
    for name in names(folder):
        try:
            day = time.strptime(name, "%Y-%m-%d")
        except ValueError:
            continue
        yield os.path.join(folder, name), calendar.timegm(day) + 86_400.0


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """The result of `gc`.

    Attributes:
        verdicts: The number of verdicts that were removed.
        blobs: The number of blobs that were removed.
        freed: The bytes that those took.
        kept: The number of verdicts that are left.
        size: The bytes that the outputs of those take.
    """

    verdicts: int
    blobs: int
    freed: int
    kept: int
    size: int


def gc(folder: str, records: Records, index: Index, *, max_size: int | None, max_age: float | None) -> Cleared:
    """Clear a store; see `Store.gc`.

    The index goes first, then records, then blobs, so that a concurrent reader finds a miss at worst.
    """
    now = time.time()
    root = Path(folder)
    blobs = Blobs(folder)
    held: dict[str, int] = {}
    dropped: set[str] = set()
    digests = _by_last_use(folder, records)
    for digest, used in digests.items():
        needed = _needed(digest, records, blobs, held)
        is_old = max_age is not None and used < now - max_age
        is_large = max_size is not None and sum(held.values()) + sum((needed or {}).values()) > max_size
        if needed is None or is_old or is_large:
            dropped.add(digest)
        else:
            held |= needed
    drop(dropped, records, index)
    removed = list(_remove_blobs(root, {*held, *kept_blobs(folder, held)}, now - _GRACE))
    for part in (root / "tmp").glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if is_unfinished(part) and part.is_file() and part.stat().st_mtime < now - _GRACE:
                part.unlink()
    if max_age is not None:
        for path, day_end in _days(folder):
            if day_end < now - max_age:
                os.unlink(path)
        for mark in (it for name in FOLDERS for it in (root / name).glob("*")):
            with contextlib.suppress(FileNotFoundError):  # another clearing was faster
                if mark.stat().st_mtime < now - max_age:  # as old as every verdict that it was about
                    mark.unlink()
    kept = len(digests) - len(dropped)
    return Cleared(verdicts=len(dropped), blobs=len(removed), freed=sum(removed), kept=kept, size=sum(held.values()))


def drop(digests: set[str], records: Records, index: Index) -> None:
    """Remove all verdicts for some digests."""
    index.drop(digests)
    for digest in digests:
        # The pass goes first: without its failure, it would look as if it could be relied on.
        Path(records.path(digest, passed=True)).unlink(missing_ok=True)
        Path(records.path(digest, passed=False)).unlink(missing_ok=True)
    records.drop_observed(digests)


def _by_last_use(root: str, records: Records) -> dict[str, float]:
    """Return all digests with the time at which each was last used, the latest first."""
    noted: dict[str, float] = {}
    for path, day_end in _days(root):
        noted |= dict.fromkeys((read(path, _LIMIT) or b"").decode("ascii", "replace").split(), day_end)
    used: dict[str, float] = {}
    for passed, digests in ((True, records.passed()), (False, records.failed())):
        for digest in digests:
            with contextlib.suppress(FileNotFoundError):
                written = os.stat(records.path(digest, passed=passed)).st_mtime
                used[digest] = max(written, noted.get(digest, 0), used.get(digest, 0))
    return dict(sorted(used.items(), key=lambda item: (-item[1], item[0])))


def _needed(digest: str, records: Records, blobs: Blobs, held: dict[str, int]) -> dict[str, int] | None:
    """Return the blobs that a verdict needs beyond those held, with their sizes; None if one is missing."""
    if not os.path.lexists(records.path(digest, passed=True)):
        return {}
    record = records.read(digest, passed=True)
    if record is None:
        if records.is_newer(digest, passed=True):
            message = (
                f"The store {blobs.root} has verdicts of a newer version of Headworks, and what they need this one"
                " cannot tell. Clear it with that version."
            )
            raise StoreError(message)
        return None
    try:
        needed = contents(record.verdict, blobs) - held.keys()
        return {content: blobs.path(content).stat().st_size for content in needed}
    except FileNotFoundError:
        return None


def _remove_blobs(root: Path, held: set[str], before: float) -> Iterator[int]:
    """Remove the blobs that nothing holds and that are older than a time; yield the size of each."""
    for path in root.glob("blobs/*/*"):
        content = path.parent.name + path.name
        if content not in held and is_digest(content):  # other files are not the store's
            with contextlib.suppress(FileNotFoundError):  # another clearing was faster
                info = path.stat()
                if info.st_mtime < before:
                    path.unlink()
                    yield info.st_size
