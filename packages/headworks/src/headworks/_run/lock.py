"""Locks: one run at a time in a work tree, and one run of a session among those that sessions start themselves.

A run holds its work tree alone, except for the runs that its own sessions start. All of these share a folder, in which
the file of a session is locked while it runs, and in which each run writes which sessions it waits for.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from headworks._run.logs import log_name
from headworks._run.process import Watchdog
from headworks._store.place import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["INSIDE", "Claims", "FileLock", "hold", "is_inside", "share"]

_FAR = 1 << 20  # Windows lets nobody read what another process has locked: a byte far behind the holder's name
_NAME = 20  # bytes
# Tells the sessions of a run, which may call `headworks run` themselves, of the work tree and of who runs in it.
INSIDE = "HEADWORKS_RUN"
_PAUSE = 0.05  # seconds


class FileLock:
    """An open file, to be locked."""

    def __init__(self, path: Path, *others: Path) -> None:
        """Open a file, made where there is none; one of another user's to read only.

        Args:
            path: The file.
            others: What is opened instead where there is no such file and can be none: the first of them that there is.

        Raises:
            OSError: None of them can be opened.
        """
        self._is_named = False
        self._is_ours = True
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            self._is_ours = False
            self._file = os.open(next(filter(os.path.exists, (path, *others)), path), os.O_RDONLY)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def fileno(self) -> int:
        """Return the file's descriptor; the lock is held as long as anybody has it open."""
        return self._file

    def take(self) -> bool:
        """Lock it and write the process into it; False where another process has it.

        Raises:
            OSError: There are no locks here, as on some file systems of a network.
        """
        try:
            if sys.platform == "win32":
                import msvcrt

                os.lseek(self._file, _FAR, os.SEEK_SET)
                msvcrt.locking(self._file, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # the latter is how Windows says it
            return False
        self._name(b"%d" % os.getpid())
        return True

    def holder(self) -> str:
        """Return the number of the process that holds it; empty where that is not known."""
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            return os.read(self._file, _NAME).decode("ascii", "replace")
        except OSError:  # a folder
            return ""

    def close(self) -> None:
        """Close the file; nobody is named as its holder then."""
        if self._is_named:
            self._name(b"")
        os.close(self._file)

    def _name(self, holder: bytes) -> None:
        """Write who holds it into the file, where that can be."""
        with contextlib.suppress(OSError):
            if self._is_ours:
                self._is_named = True
                os.truncate(self._file, 0)
                os.lseek(self._file, 0, os.SEEK_SET)
                os.write(self._file, holder)


def is_inside(root: str, environ: Mapping[str, str]) -> bool:
    """Whether this is within a session of a run that holds a work tree already."""
    place = os.path.realpath(root)
    return environ.get(INSIDE) == place or environ.get(INSIDE, "").startswith(f"{place}\n")


@contextlib.contextmanager
def hold(root: str, environ: Mapping[str, str], say: Callable[[str], None]) -> Iterator[Watchdog]:
    """Hold a work tree while sessions run in it, waiting for another run to end.

    Args:
        root: The work tree.
        environ: The environment; tells whether this is a session of a run that holds it already.
        say: Takes a message for the person who waits.
    """
    private = private_folder(root)
    with contextlib.ExitStack() as stack:
        lock = None
        if private is not None and not is_inside(root, environ):
            folder = Path(private)
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
            try:
                lock = stack.enter_context(FileLock(folder / "run.lock", folder, *folder.parents[:2]))
                _acquire(lock, say)
            except OSError as error:
                say(f"This work tree cannot be locked ({error}): see that no other run works in it meanwhile.")
        watchdog = Watchdog(None if lock is None else lock.fileno())
        stack.callback(watchdog.close)
        yield watchdog


def _acquire(lock: FileLock, say: Callable[[str], None]) -> None:
    """Lock the work tree, however long another run has it."""
    is_said = False
    while not lock.take():
        if not is_said:
            holder = lock.holder()
            who = f" (process {holder})" if holder else ""
            say(f"Another run{who} works in this work tree; waiting for it to end.")
            is_said = True
        time.sleep(_PAUSE)


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
