"""What the declared outputs in a work tree hold, told without reading those that nobody touched.

What each was last found to hold is remembered under the times, sizes and inodes of its files, as git remembers its own.
Files so young that they could change without their times showing it are read again.
"""

from __future__ import annotations

import os
import stat
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._quick.answers import are_settled, note_file
from headworks._store import tree
from headworks._store.files import read, seal, unseal, write_atomically
from headworks._store.place import private_folder
from headworks._store.verdict import is_output_path
from headworks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Found", "times_of"]

_FILE = "found"
_LIMIT = 64 << 20  # bytes


class Found:
    """The outputs in one work tree.

    A run in which nothing is to be done needs no more of them, so nothing that is slow to import is imported here.
    """

    def __init__(self, root: str) -> None:
        """Look at the work tree below `root`."""
        self._top = root
        self._folder = private_folder(root)
        self._remembered: dict[str, tuple[str, str]] | None = None
        self._is_changed = False

    def content(self, path: str) -> str | None:
        """Return the SHA-256 of what an output holds, or None where nothing is there.

        Raises:
            StoreError: Where the path leads elsewhere, or holds what no store could, or cannot be read.
        """
        place = self.place(path)
        now = time.time_ns()
        try:
            times, is_settled = times_of(place, now)
            remembered, content = self._load().get(path, ("", ""))
            if remembered != times:
                content = _read(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except StoreError:
            raise
        except OSError as error:
            message = f"The output {path} cannot be read: {error.strerror} ({error.filename}). Make it readable."
            raise StoreError(message) from error
        if is_settled:
            self._is_changed |= remembered != times
            self._load()[path] = (times, content)
        return content

    def is_in_place(self, path: str, content: str) -> bool:
        """Whether an output holds a content; one that holds what no store could does not.

        Raises:
            StoreError: Where the path leads elsewhere.
        """
        self.place(path)
        try:
            return self.content(path) == content
        except StoreError:
            return False

    def place(self, path: str) -> str:
        """Return where an output lies, which must not be behind a symbolic link that could lead elsewhere.

        Raises:
            StoreError: Where it does.
        """
        if not is_output_path(path):
            message = f"The output path {path!r} does not lead to a file below the repository. Name one that does."
            raise StoreError(message)
        *folders, name = path.split("/")
        parent = self._top
        for folder in folders:
            parent = os.path.join(parent, folder)
            note_file(parent, follow=False)
            if os.path.islink(parent):
                message = f"The output {path} lies behind the symbolic link {parent}. Make that a folder."
                raise StoreError(message)
        return os.path.join(parent, name)

    def save(self) -> None:
        """Write down what was found, for the next process; a folder that cannot be written to is let be."""
        if self._is_changed and self._folder is not None:
            temporary, data = os.path.join(self._folder, "tmp"), seal(_lines(self._load()))
            try:
                write_atomically(os.path.join(self._folder, _FILE), data, temporary=temporary)
            except OSError:
                return

    def _load(self) -> dict[str, tuple[str, str]]:
        """Return what was written down, or nothing where that is damaged."""
        if self._remembered is None:
            sealed = read(os.path.join(self._folder, _FILE), _LIMIT) if self._folder else None
            self._remembered = _parse(unseal(sealed or b"") or b"")
        return self._remembered


def _lines(found: Mapping[str, tuple[str, str]]) -> bytes:
    """Return what was found as it is written down: a line for each path, with the path, the times and the content."""
    rows = ((path.encode("unicode_escape"), *(it.encode() for it in facts)) for path, facts in found.items())
    return b"\n".join(map(b"\t".join, rows))


def _parse(data: bytes) -> dict[str, tuple[str, str]]:
    """Return what was found from what was written down."""
    rows = (line.split(b"\t") for line in data.split(b"\n") if line)
    return {_unescaped(path): (times.decode(), content.decode()) for path, times, content in rows}


def _unescaped(path: bytes) -> str:
    """Return a path that was written down; the codec is not even imported for a plain one."""
    return path.decode("unicode_escape" if b"\\" in path else "ascii")


def _read(place: str) -> str:
    """Return the SHA-256 of what lies at a path."""
    text: str = sha256(tree.manifest_of(Path(place))).hexdigest()
    return text


def times_of(place: str, now: int = 0) -> tuple[str, bool]:
    """Return a hash over what the file system says about an output, and whether that would show any later change."""
    function = sha256()
    is_settled = True
    pending = [place]
    while pending:
        path = pending.pop()
        note_file(path, follow=False)
        found = os.lstat(path)
        if stat.S_ISDIR(found.st_mode):
            pending += sorted(os.path.join(path, name) for name in os.listdir(path))
        is_settled = is_settled and are_settled((found.st_mtime_ns, found.st_ctime_ns), now)
        row = (path, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        function.update(repr(row).encode("utf-8", "surrogateescape"))
    text: str = function.hexdigest()
    return text, is_settled
