"""Contents by their SHA-256. A blob that is not whole is never returned."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from headworks._store.files import copy_hashed, hash_file, publish, unfinished, write_atomically

if TYPE_CHECKING:
    from headworks._store.remote import Remote


def blob_name(content: str) -> str:
    """Return the path of a blob within a store, local or remote."""
    return f"blobs/{content[:2]}/{content[2:]}"


def promoted_name(content: str) -> str:
    """Return the path of a blob of a promoted model within a remote store, which no rule by age deletes."""
    return f"promoted/{content[:2]}/{content[2:]}"


class Batch:
    """Blobs that are forced to the disk together, which is much faster than each by itself.

    Attributes:
        written: The unfinished file of each blob.
    """

    def __init__(self, make_path: Callable[[], Path], is_kept: Callable[[str, int], bool]) -> None:
        """Start without blobs; `make_path` gives unfinished files, and `is_kept` tells which blobs a store has."""
        self.written: dict[str, Path] = {}
        self._make_path = make_path
        self._is_kept = is_kept

    def put_file(self, source: Path) -> str:
        """Add a file's content; return its SHA-256."""
        content, size = hash_file(source)
        if content not in self.written and not self._is_kept(content, size):
            with source.open("rb") as file:
                content = self.put(file)
        return content

    def put(self, file: IO[bytes]) -> str:
        """Add the content of an open file; return its SHA-256."""
        path = self._make_path()
        content, _size = copy_hashed(file, path)
        self.written[content] = path
        return content


class Blobs:
    """The blobs of one store; those that it lacks are fetched from the remote.

    Attributes:
        root: The store's folder.
    """

    def __init__(self, root: str, remote: Remote | None = None) -> None:
        """Look below `root`, then in `remote`."""
        self.root = root
        self._temporary = Path(root, "tmp")
        self._remote = remote

    def path(self, content: str) -> Path:
        """Return the file of a blob, which need not be there."""
        return Path(self.root, blob_name(content))

    @contextlib.contextmanager
    def batch(self) -> Iterator[Batch]:
        """Give a batch of blobs, which are stored together at the end, or not at all after an error."""
        with contextlib.ExitStack() as stack:
            batch = Batch(lambda: stack.enter_context(self.unfinished()), self._is_kept)
            yield batch
            publish({path: self.path(content) for content, path in batch.written.items()})

    def put_file(self, source: Path) -> str:
        """Store a file's content; return its SHA-256."""
        with self.batch() as batch:
            return batch.put_file(source)

    def put_bytes(self, data: bytes) -> str:
        """Store data; return its SHA-256."""
        content = hashlib.sha256(data).hexdigest()
        if not self._is_kept(content, len(data)):
            write_atomically(self.path(content), data, temporary=self._temporary)
        return content

    def _is_kept(self, content: str, size: int) -> bool:
        """Whether a blob is there in full length; its time is set to now, so that `gc` does not take it meanwhile."""
        path = self.path(content)
        try:
            is_there = path.stat().st_size == size
            os.utime(path)
        except FileNotFoundError:
            return False
        except PermissionError:
            pass  # another user's blob serves as well, with the age that it has
        return is_there

    def get_bytes(self, content: str, limit: int) -> bytes | None:
        """Return a blob of at most `limit` bytes; None where it is missing, damaged or longer."""
        data = self._read(content, limit + 1)
        if data is None and self._fetch(content):
            data = self._read(content, limit + 1)
        return None if data is None or len(data) > limit else data

    def _read(self, content: str, limit: int) -> bytes | None:
        """Return the first `limit` bytes of a blob; None where it is missing, or is shorter and damaged."""
        try:
            with self.path(content).open("rb") as file:
                data = file.read(limit)
        except OSError:
            return None
        return data if len(data) == limit or hashlib.sha256(data).hexdigest() == content else None

    def copy_out(self, content: str, target: Path) -> bool:
        """Copy a blob to a new file; False, and no file, where it is missing or damaged."""
        return self._copy(content, target) or (self._fetch(content) and self._copy(content, target))

    def is_whole(self, content: str) -> bool:
        """Tell whether a blob is here and whole, once it was fetched where it was not."""
        path = self.path(content)
        return (path.is_file() and hash_file(path)[0] == content) or self._fetch(content)

    def _copy(self, content: str, target: Path) -> bool:
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
        """Replace a missing or damaged blob by the remote's; False where that has none."""
        with contextlib.suppress(OSError):
            self.path(content).unlink(missing_ok=True)
        return self._remote is not None and self._remote.fetch_blob(content, self)

    def adopt(self, path: Path, content: str) -> bool:
        """Take a file from this store's temporary folder as a blob if it has the hash that was promised."""
        if hash_file(path)[0] != content:
            return False
        publish({path: self.path(content)})
        return True

    def unfinished(self) -> contextlib.AbstractContextManager[Path]:
        """Give a path on the store's file system for a file to be written, as for `adopt`."""
        return unfinished(self._temporary)
