"""Contents by their SHA-256: whatever comes out is what went in, or nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._store.files import copy_hashed, hash_file, publish, unfinished, write_atomically

if TYPE_CHECKING:
    from headworks._store.remote import Remote

__all__ = ["Blobs", "blob_name"]


def blob_name(content: str) -> str:
    """Return the path of a blob within a store, local or remote."""
    return f"blobs/{content[:2]}/{content[2:]}"


class Blobs:
    """The blobs of one store, fetched from the remote where they are not at hand.

    Attributes:
        root: the store's folder.
    """

    def __init__(self, root: str, remote: Remote | None = None) -> None:
        """Look below `root`, then in `remote`."""
        self.root = root
        self._root = Path(root)
        self._temporary = self._root / "tmp"
        self._remote = remote

    def path(self, content: str) -> Path:
        """Return where a blob lies, whether it is there or not."""
        return self._root / blob_name(content)

    def put_file(self, source: Path) -> str:
        """Store a file's content; return its SHA-256."""
        content, size = hash_file(source)
        if not self._is_kept(content, size):
            with unfinished(self._temporary) as path, source.open("rb") as file:
                content, _ = copy_hashed(file, path)
                publish(path, self.path(content))
        return content

    def put_bytes(self, data: bytes) -> str:
        """Store data; return its SHA-256."""
        content = hashlib.sha256(data).hexdigest()
        if not self._is_kept(content, len(data)):
            write_atomically(self.path(content), data, temporary=self._temporary)
        return content

    def _is_kept(self, content: str, size: int) -> bool:
        """Whether a blob is there in full length; it is made young, so that no clearing takes it now."""
        path = self.path(content)
        try:
            is_there = path.stat().st_size == size
            os.utime(path)
        except FileNotFoundError:
            return False
        except PermissionError:
            pass  # Another user's blob serves as well, with the age that it has.
        return is_there

    def get_bytes(self, content: str, limit: int) -> bytes | None:
        """Return a blob of at most `limit` bytes, or None where it is missing, damaged or longer."""
        data = self._read(content, limit + 1)
        if data is None and self._fetch(content):
            data = self._read(content, limit + 1)
        return None if data is None or len(data) > limit else data

    def _read(self, content: str, limit: int) -> bytes | None:
        """Return the first `limit` bytes of a blob; None where it is missing, or short enough to be seen as damaged."""
        try:
            with self.path(content).open("rb") as file:
                data = file.read(limit)
        except OSError:
            return None
        return data if len(data) == limit or hashlib.sha256(data).hexdigest() == content else None

    def copy_out(self, content: str, target: Path) -> bool:
        """Copy a blob to a new file; False, and no file, where it is missing or damaged."""
        return self._copy(content, target) or (self._fetch(content) and self._copy(content, target))

    def _copy(self, content: str, target: Path) -> bool:
        """Copy a blob that is at hand to a new file; False, and no file, where it is missing or damaged."""
        try:
            source = self.path(content).open("rb")
        except OSError:
            return False
        with source:
            copied, _size = copy_hashed(source, target)
        if copied != content:
            target.unlink()
        return copied == content

    def _fetch(self, content: str) -> bool:
        """Remove a blob that is not right, and take it from the remote instead; False where that has none."""
        with contextlib.suppress(OSError):
            self.path(content).unlink(missing_ok=True)
        return self._remote is not None and self._remote.fetch_blob(content, self)

    def adopt(self, path: Path, content: str) -> bool:
        """Take a finished file from this store's temporary folder as a blob if it has the hash that was promised."""
        if hash_file(path)[0] != content:
            return False
        publish(path, self.path(content))
        return True

    def unfinished(self) -> contextlib.AbstractContextManager[Path]:
        """Give a path on the store's file system for a file to be written, as for `adopt`."""
        return unfinished(self._temporary)
