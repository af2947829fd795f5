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
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from headworks._project.needs import with_all_needs
from headworks._run.logs import log_name
from headworks._run.process import Watchdog
from headworks._store.place import private_folder

_FAR = 1 << 20  # Windows lets nobody read what another process has locked: a byte far behind the holder's name
_NAME = 20  # bytes
# Tells the sessions of a run, which may call `headworks run` themselves, of the work tree and of who runs in it.
INSIDE = "HEADWORKS_RUN"
_PAUSE = 0.05  # seconds


class FileLock:
    """A lock on a file that other processes respect; the system releases it when all that hold it have ended."""

    def __init__(self, path: Path, *others: Path) -> None:
        """Open a file, which is made if there is none; another user's file is opened for reading.

        Args:
            path: The file.
            others: Where the file cannot be made, the first of these that exists is opened instead.

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
        """Return the file's descriptor; the lock is held as long as any process has it open."""
        return self._file

    def take(self) -> bool:
        """Lock the file and write this process's number into it; False if another process has locked it.

        Raises:
            OSError: The file system has no locks, as some of a network.
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
        """Return the number of the process that holds the lock; empty if it is unknown."""
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            return os.read(self._file, _NAME).decode("ascii", "replace")
        except OSError:  # a folder
            return ""

    def close(self) -> None:
        """Remove this process's number from the file, and close it."""
        if self._is_named:
            self._name(b"")
        os.close(self._file)

    def _name(self, holder: bytes) -> None:
        """Write the number of the holder into the file, if that is possible."""
        with contextlib.suppress(OSError):
            if self._is_ours:
                self._is_named = True
                os.truncate(self._file, 0)
                os.lseek(self._file, 0, os.SEEK_SET)
                os.write(self._file, holder)


def is_inside(root: str, environ: Mapping[str, str]) -> bool:
    """Whether this process is within a session of a run that holds the work tree."""
    place = os.path.realpath(root)
    return environ.get(INSIDE) == place or environ.get(INSIDE, "").startswith(f"{place}\n")


@contextlib.contextmanager
def hold(root: str, environ: Mapping[str, str], say: Callable[[str], None]) -> Iterator[Watchdog]:
    """Hold a work tree while sessions run in it; wait if another run holds it.

    Args:
        root: The work tree.
        environ: The environment; see `is_inside`.
        say: Takes a message for the user who waits.
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
    is_said = False
    while not lock.take():
        if not is_said:
            holder = lock.holder()
            who = f" (process {holder})" if holder else ""
            say(f"Another run{who} works in this work tree; waiting for it to end.")
            is_said = True
        time.sleep(_PAUSE)


class Claims:
    """The claims of one run on sessions, in a folder that it shares with the runs it started or was started by.

    Two runs could wait for each other's sessions. So each writes which sessions it waits for before it looks for such a
    circle: at least one of the two sees it then.

    Attributes:
        callers: The sessions that started this run.
    """

    def __init__(self, root: str, folder: str, callers: Sequence[str]) -> None:
        """Use a folder for a work tree."""
        self._root = os.path.realpath(root)
        self._folder = Path(folder)
        self.callers = tuple(callers)
        self._held: dict[str, FileLock] = {}
        self._waits: set[str] = set()

    def environ(self, sessions: Iterable[str]) -> dict[str, str]:
        """Return the variable that tells a run which sessions started it."""
        return {INSIDE: f"{self._root}\n{json.dumps([str(self._folder), *self.callers, *sessions])}"}

    def take(self, session: str) -> bool:
        """Claim a session; if another run has claimed it, write that this one waits for it, and return False."""
        is_free = session in self._held or self._lock(session)
        self._wait_for(self._waits - {session} if is_free else self._waits | {session})
        return is_free

    def give(self, session: str) -> None:
        """Give up the claim on a session, or the wait for it."""
        if session in self._held:
            self._held.pop(session).close()
        self._wait_for(self._waits - {session})

    def circle(self) -> set[str]:
        """Return the sessions that this run waits for and that wait for it in turn."""
        if not self.callers or not self._waits:  # nobody waits for a run that no session called
            return set()
        waits: defaultdict[str, set[str]] = defaultdict(set)
        for path in self._folder.glob("waits-*"):
            with contextlib.suppress(OSError, ValueError):  # half written: it is read again at the next look
                callers, awaited = json.loads(path.read_text(encoding="utf-8"))
                for caller in callers:
                    waits[caller].update(awaited)
        return {name for name in self._waits if not {*self.callers}.isdisjoint(with_all_needs([name], waits))}

    def _lock(self, session: str) -> bool:
        """Lock the file of a session; False if another run has."""
        try:
            lock = FileLock(self._folder / log_name(session))
            if not lock.take():
                lock.close()
                return False
        except OSError:  # somebody has removed the folder, or the file system has no locks
            return True
        self._held[session] = lock
        return True

    def _wait_for(self, sessions: set[str]) -> None:
        """Write for which sessions of other runs this one waits."""
        if sessions != self._waits:
            self._waits = sessions
            with contextlib.suppress(OSError):
                text = json.dumps([self.callers, sorted(sessions)])
                (self._folder / f"waits-{os.getpid()}").write_text(text, encoding="utf-8")


@contextlib.contextmanager
def share(root: str, environ: Mapping[str, str]) -> Iterator[Claims]:
    """Share a folder for claims with the run that started this one, or make one.

    Args:
        root: The work tree.
        environ: The environment; it names the folder and the sessions that started this run.
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
