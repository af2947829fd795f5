"""A lock that other processes respect, and that is gone when all that hold it are."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileLock"]

_FAR = 1 << 20  # Windows lets nobody read what another process has locked: a byte far behind the holder's name
_NAME = 20  # bytes


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
