"""Which sessions run in a work tree, so that the runs that sessions call themselves run none of them at the same time.

A run holds its work tree alone, but for the runs that its own sessions call. All of these share a folder, in which a
session's file is locked while the session runs, and in which each run tells for what it waits.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._run.file_lock import FileLock
from headworks._run.lock import INSIDE, is_inside
from headworks._run.logs import log_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Claims", "share"]


class Claims:
    """What one run says to the others.

    Two runs could wait for each other's sessions. So each says for which it waits before it looks for such a circle,
    which one of the two at least then sees.

    Attributes:
        callers: The sessions that this run is a part of.
    """

    def __init__(self, root: str, folder: str, callers: Sequence[str]) -> None:
        """Use a folder for a work tree."""
        self._root = os.path.realpath(root)
        self._folder = Path(folder)
        self.callers = tuple(callers)
        self._held: dict[str, FileLock] = {}
        self._waits: set[str] = set()

    def environ(self, sessions: Iterable[str]) -> dict[str, str]:
        """Return the variable that tells a run which sessions call for it."""
        return {INSIDE: f"{self._root}\n{json.dumps([str(self._folder), *self.callers, *sessions])}"}

    def take(self, session: str) -> bool:
        """Say that a session runs; where it runs in another run already, say that this one waits for it."""
        is_free = session in self._held or self._lock(session)
        self._wait_for(self._waits - {session} if is_free else self._waits | {session})
        return is_free

    def give(self, session: str) -> None:
        """Say that a session runs no more, nor is waited for."""
        if session in self._held:
            self._held.pop(session).close()
        self._wait_for(self._waits - {session})

    def circle(self) -> set[str]:
        """Return those sessions that are waited for, and that wait for this run in turn."""
        if not self.callers or not self._waits:  # nobody waits for a run that no session called
            return set()
        waits = self._all_waits()
        return {it for it in self._waits if not self._reached(it, waits).isdisjoint(self.callers)}

    def _lock(self, session: str) -> bool:
        """Lock the file of a session; False where another run has."""
        try:
            lock = FileLock(self._folder / log_name(session))
            if not lock.take():
                lock.close()
                return False
        except OSError:  # Somebody has removed the folder, or there are no locks here.
            return True
        self._held[session] = lock
        return True

    def _wait_for(self, sessions: set[str]) -> None:
        """Say for which sessions of other runs this one waits."""
        if sessions != self._waits:
            self._waits = sessions
            with contextlib.suppress(OSError):
                told = json.dumps([self.callers, sorted(sessions)])
                (self._folder / f"waits-{os.getpid()}").write_text(told, encoding="utf-8")

    def _all_waits(self) -> list[tuple[list[str], list[str]]]:
        """Return the callers of each run that waits, and for what."""
        found = []
        for path in self._folder.glob("waits-*"):
            with contextlib.suppress(OSError, ValueError):  # being written: it is looked at again
                callers, wanted = json.loads(path.read_text(encoding="utf-8"))
                found.append((callers, wanted))
        return found

    @staticmethod
    def _reached(session: str, waits: Iterable[tuple[list[str], list[str]]]) -> set[str]:
        """Return all that a session waits for, itself included."""
        found = [session]
        for name in found:  # grows while it is read
            found += {it for callers, wanted in waits if name in callers for it in wanted}.difference(found)
        return set(found)


@contextlib.contextmanager
def share(root: str, environ: Mapping[str, str]) -> Iterator[Claims]:
    """Share a folder with all runs that are a part of the same one.

    Args:
        root: The work tree.
        environ: The environment; tells which sessions this run is a part of.
    """
    try:
        folder, *callers = json.loads(environ.get(INSIDE, "").removeprefix(os.path.realpath(root)))
    except (ValueError, TypeError):
        folder, callers = "", []
    if is_inside(root, environ) and folder:
        yield Claims(root, folder, callers)
        return
    with tempfile.TemporaryDirectory(prefix="headworks-") as own:
        yield Claims(root, own, [])
