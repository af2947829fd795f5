"""Content hashes of declared outputs, cached by file stat so that unchanged outputs are not read again.

A hash is remembered under the times, sizes and inodes of the output's files, as git remembers those of its own. Files
so young that they could change without their times showing it are read again.
"""

from __future__ import annotations

import os
import stat
import time
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from headworks._quick.answers import are_settled, note_file
from headworks._quick.memory import Memory
from headworks._store import tree
from headworks._store.place import private_folder
from headworks._store.verdict import is_output_path
from headworks.errors import StoreError

_KIND = "outputs"


class OutputHashes:
    """The content hashes of the outputs in one work tree."""

    def __init__(self, root: str) -> None:
        """Look at the work tree below `root`."""
        self._top = root
        self._folder = private_folder(root)
        self._memory = None if self._folder is None else Memory(self._folder)
        self._is_changed = False

    @cached_property
    def _hashes(self) -> dict[str, tuple[str, str]]:
        """For each path the hash of its stat and that of its content."""
        return (self._memory and self._memory.get(_KIND, "")) or {}

    def content(self, path: str) -> str | None:
        """Return the SHA-256 of an output's content; None if it does not exist.

        Raises:
            StoreError: The path leads elsewhere, or the output cannot be read or stored.
        """
        place = self.place(path)
        now = time.time_ns()
        try:
            stats, is_settled = stat_hash(place, now)
            remembered, content = self._hashes.get(path, ("", ""))
            if remembered != stats:
                content = sha256(tree.manifest_of(Path(place))).hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except StoreError:  # which is an OSError as well
            raise
        except OSError as error:
            message = f"The output {path} cannot be read: {error.strerror} ({error.filename}). Make it readable."
            raise StoreError(message) from error
        if is_settled:
            self._is_changed |= remembered != stats
            self._hashes[path] = stats, content
        return content

    def is_in_place(self, path: str, content: str) -> bool:
        """Whether an output has this content; one that no store could hold has another.

        Raises:
            StoreError: The path leads elsewhere.
        """
        self.place(path)
        try:
            return self.content(path) == content
        except StoreError:
            return False

    def place(self, path: str) -> str:
        """Return the absolute path of an output.

        Raises:
            StoreError: It is not within the repository, or lies behind a symbolic link, which could lead out of it.
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
        """Remember the hashes for the next process."""
        if self._is_changed and self._memory is not None:
            self._memory.put(_KIND, "", self._hashes)


def stat_hash(place: str, now: int = 0) -> tuple[str, bool]:
    """Return a hash of the stat of an output's files, and whether that would show any later change."""
    function = sha256()
    is_settled = True
    pending = [place]
    while pending:
        path = pending.pop()
        note_file(path, follow=False)
        info = os.lstat(path)
        if stat.S_ISDIR(info.st_mode):
            pending += sorted(os.path.join(path, name) for name in os.listdir(path))
        is_settled = is_settled and are_settled((info.st_mtime_ns, info.st_ctime_ns), now)
        row = (path, info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
        function.update(repr(row).encode("utf-8", "surrogateescape"))
    return function.hexdigest(), is_settled
