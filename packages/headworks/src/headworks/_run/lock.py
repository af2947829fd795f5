"""One run at a time in a work tree, and nothing of it left when it is gone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._run import watchdog
from headworks._run.file_lock import FileLock
from headworks._store.place import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["INSIDE", "Watchdog", "hold", "is_inside"]

# Tells the sessions of a run, which may call `headworks run` themselves, of the work tree and of who runs in it.
INSIDE = "HEADWORKS_RUN"
_PAUSE = 0.05  # seconds


class Watchdog:
    """Knows which process groups belong to this run, and ends them should the run be killed."""

    def __init__(self, lock: int | None) -> None:
        """Start the process that watches; it keeps the lock open."""
        self._process: subprocess.Popen[bytes] | None = None
        if sys.platform == "win32":  # pragma: no cover  # there are no process groups to kill
            return
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter and a file of this package
            [sys.executable, "-IS", watchdog.__file__],
            stdin=subprocess.PIPE,
            pass_fds=() if lock is None else (lock,),
            start_new_session=True,
        )

    def tell(self, sign: str, group: int) -> None:
        """Say that a process group starts (`+`) or has ended (`-`)."""
        if self._process is not None and self._process.stdin is not None:  # pragma: no branch  # not on Windows
            with contextlib.suppress(BrokenPipeError):  # Somebody killed it: then it watches no more.
                self._process.stdin.write(b"%c%d\n" % (sign.encode(), group))
                self._process.stdin.flush()

    def close(self) -> None:
        """End the process, which kills what was not said to have ended."""
        if self._process is not None:  # pragma: no branch  # there is none on Windows
            with contextlib.suppress(BrokenPipeError):
                self._process.communicate()


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
