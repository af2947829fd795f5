"""Marks of the promises of rows: when each was last kept, and when it was last broken.

A row promises that its session reads nothing else. The promise has a key, a digest of the row and of the session's
code. `kept/KEY` says when it was last checked. `broken/KEY` says when it was last broken: a verdict as old as that, or
older, does not count, and the next run has to be watched.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from headworks._store.files import SEALED_LIMIT, names, read, seal_json, unseal_json, write_atomically
from headworks.errors import StoreError

if TYPE_CHECKING:
    from headworks._store.remote import Remote

FOLDERS = ("broken", "kept")
_NEVER = "9"  # later than any date


class Mark(NamedTuple):
    """The end of a check.

    Attributes:
        when: When it was, ISO 8601 in UTC.
        why: How the promise was broken; of one that was kept, why nobody saw all, if that is so.
    """

    when: str
    why: str


def read_mark(sealed: bytes | None) -> Mark | None:
    """Return the mark in a file; None if it is missing or damaged."""
    match unseal_json(sealed):
        case [str(when), str(why)]:
            return Mark(when, why)
        case _:
            return None


class Promises:
    """The marks of one store, with those of its remote."""

    def __init__(self, root: str, remote: Remote | None) -> None:
        """Look below a store's folder."""
        self._root = root
        self._remote = remote
        self._names: dict[str, set[str]] = {}

    def kept(self, key: str) -> Mark | None:
        """Return when a promise was last checked and kept; None where it was not, or was broken since."""
        kept, broken = self._mark("kept", key), self.broken(key)
        return None if kept is None or (broken and broken.when >= kept.when) else kept

    def broken(self, key: str) -> Mark | None:
        """Return when a promise was last broken."""
        return self._mark("broken", key)

    def has_broken(self) -> bool:
        """Return whether any promise was ever broken."""
        return bool(self._known("broken"))

    def _known(self, folder: str) -> set[str]:
        """Return the keys that have a mark here or on the remote, which is asked once."""
        if folder not in self._names:
            self._names[folder] = set() if self._remote is None else self._remote.names(folder)
        return self._names[folder].union(names(os.path.join(self._root, folder)))

    def _mark(self, folder: str, key: str) -> Mark | None:
        if key not in self._known(folder):
            return None
        path = os.path.join(self._root, folder, key)
        sealed = read(path, SEALED_LIMIT)
        if sealed is None and self._remote is not None:
            sealed = self._remote.read({key: f"{folder}/{key}"}).get(key)
            with contextlib.suppress(OSError):  # a read-only store asks again
                self._write(folder, key, sealed or b"")
        # One that cannot be read must not look as if nothing had ever been broken.
        return read_mark(sealed) or (Mark(_NEVER, "its mark is damaged") if folder == "broken" else None)

    def note(self, key: str, mark: Mark, *, is_kept: bool) -> None:
        """Note the end of a check.

        Raises:
            OSError: It cannot be written.
        """
        if is_kept and (broken := self.broken(key)) and broken.when == _NEVER:
            os.unlink(os.path.join(self._root, "broken", key))
        folder = "kept" if is_kept else "broken"
        data = seal_json(mark)
        self._write(folder, key, data)
        if self._remote is not None and self._remote.writes:
            with contextlib.suppress(StoreError):  # among its problems then
                self._remote.write(f"{folder}/{key}", data, what="The check of a row")

    def merge(self, folder: str, key: str, mark: Mark) -> None:
        """Add a mark of another store, unless there is one as late.

        Raises:
            OSError: It cannot be written.
        """
        known = self._mark(folder, key)
        if known is None or known.when < mark.when:
            self._write(folder, key, seal_json(mark))

    def _write(self, folder: str, key: str, data: bytes) -> None:
        write_atomically(os.path.join(self._root, folder, key), data, temporary=os.path.join(self._root, "tmp"))
