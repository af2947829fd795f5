"""One run at a time in a work tree, and nothing of it left when it is gone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from headworks._run import watchdog
from headworks._store.place import private_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO

__all__ = ["INSIDE", "Watchdog", "hold"]

INSIDE = "HEADWORKS_RUN"  # names the work tree to the sessions of a run, which may call `headworks run` themselves
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


@contextlib.contextmanager
def hold(root: str, environ: Mapping[str, str], say: Callable[[str], None]) -> Iterator[Watchdog]:
    """Hold a work tree while sessions run in it, waiting for another run to end.

    Args:
        root: The work tree.
        environ: The environment; tells whether this is a session of a run that holds it already.
        say: Takes a message for the person who waits.
    """
    folder = private_folder(root)
    with contextlib.ExitStack() as stack:
        lock = None
        if folder is not None and environ.get(INSIDE) != os.path.realpath(root):
            lock = _open(Path(folder, "run.lock"))
        if lock is not None:
            stack.enter_context(lock)
            _acquire(lock, say)
        watchdog = Watchdog(None if lock is None else lock.fileno())
        stack.callback(watchdog.close)
        yield watchdog


def _open(path: Path) -> IO[bytes] | None:
    """Open the file that is locked; None where git's folder cannot be written to, which has no lock then."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab+")
    except OSError:
        return None


def _acquire(lock: IO[bytes], say: Callable[[str], None]) -> None:
    """Lock a file, and write into it who holds it."""
    is_said = False
    while not _try_to_lock(lock):
        if not is_said:
            lock.seek(0)
            holder = lock.read(20).decode("ascii", "replace") or "unknown"
            say(f"Another run (process {holder}) works in this work tree; waiting for it to end.")
            is_said = True
        time.sleep(_PAUSE)
    lock.truncate(0)
    lock.write(b"%d" % os.getpid())
    lock.flush()


def _try_to_lock(lock: IO[bytes]) -> bool:
    """Lock a file; False where another process has."""
    try:
        if sys.platform == "win32":  # pragma: no cover  # measured on Linux
            import msvcrt

            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # A file system without locks, as some network ones are: go on without.
        return True
    return True
