"""The declared outputs of sessions where they lie in a work tree."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import time
from pathlib import Path

from headgate._store_files import read
from headgate._store_place import private_folder
from headgate._store_tree import MANIFEST_LIMIT, build, manifest_of, read_manifest
from headgate._store_writing import write_atomically
from headgate._verdict_file import is_output_path, seal, unseal
from headgate.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headgate._store_blobs import Blobs

__all__ = ["Outputs"]

_REMEMBERED_LIMIT = 64 << 20  # bytes
_STAGING = ".headgate-"
_SETTLED = 2_000_000_000  # nanoseconds; the coarsest clock of a common file system, FAT's


class Outputs:
    """The outputs in one work tree.

    What each was last found to hold is remembered under the times, sizes and inodes of its files, as git remembers its
    own, so that outputs that nobody touched are not read again. Files so young that they could change without their
    times showing it are read again.
    """

    def __init__(self, root: str) -> None:
        """Look at the work tree below `root`."""
        self._root = Path(root)
        private = private_folder(root)
        self._private = None if private is None else Path(private)
        self._remembered: dict[str, tuple[str, str]] | None = None
        self._is_changed = False

    def content(self, path: str) -> str | None:
        """Return the SHA-256 of what an output holds, or None where nothing is there."""
        place = self._locate(path)
        now = time.time_ns()
        try:
            times, newest = _times(place)
            remembered, content = self._load().get(path, ("", ""))
            if remembered != times:
                content = hashlib.sha256(manifest_of(place)).hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if newest + _SETTLED < now:
            self._is_changed |= remembered != times
            self._load()[path] = (times, content)
        return content

    def keep(self, outputs: Mapping[str, str], blobs: Blobs) -> None:
        """Store outputs, the blobs of each before its manifest.

        Args:
            outputs: Each path with the SHA-256 of its content.
            blobs: Where the contents go.

        Raises:
            StoreError: Where an output is not what it is said to be.
        """
        for path, content in outputs.items():
            place = self._locate(path)
            found = blobs.put_bytes(manifest_of(place, blobs.put_file)) if os.path.lexists(place) else None
            if found != content:
                message = f"The output {path} changed while it was being stored. Run its session again."
                raise StoreError(message)

    def restore(self, outputs: Mapping[str, str], blobs: Blobs) -> list[str] | None:
        """Make outputs hold what is stored, replacing each that differs as a whole.

        Args:
            outputs: Each path with the SHA-256 of its content.
            blobs: Where the contents are.

        Returns:
            The paths that were replaced, or None where a content is missing or damaged; nothing was then changed.

        Raises:
            StoreError: Where the work tree does not let them be written.
        """
        wrong = [path for path, content in outputs.items() if not self.is_in_place(path, content)]
        try:
            return self._exchange(wrong, outputs, blobs) if wrong else []
        except OSError as error:
            message = f"{wrong[0]} could not be put back: {error.strerror or error}. Free space, or make it writable."
            raise StoreError(message) from error

    def _exchange(self, wrong: list[str], outputs: Mapping[str, str], blobs: Blobs) -> list[str] | None:
        """Put what is stored in the place of some outputs; see `restore`."""
        with self._staging() as staging:
            for number, path in enumerate(wrong):
                data = blobs.get_bytes(outputs[path], MANIFEST_LIMIT)
                rows = None if data is None else read_manifest(data)
                if rows is None or not build(rows, staging / f"new{number}", blobs):
                    return None
            for number, path in enumerate(wrong):
                _replace(self._locate(path), staging / f"new{number}", staging / f"old{number}")
        return wrong

    def is_in_place(self, path: str, content: str) -> bool:
        """Whether an output holds a content; one that holds what no store could does not."""
        self._locate(path)
        try:
            return self.content(path) == content
        except StoreError:
            return False

    def clear(self, path: str) -> None:
        """Remove what lies at an output's path, so that the session starts without it."""
        place = self._locate(path)
        if os.path.lexists(place):
            with self._staging() as staging:
                place.rename(staging / "old")

    def save(self) -> None:
        """Write down what was found, for the next process; a folder that cannot be written to is let be."""
        if self._is_changed and self._private is not None:
            data = seal(json.dumps(self._load()).encode())
            with contextlib.suppress(OSError):
                write_atomically(self._private / "outputs", data, temporary=self._private / "tmp")

    def remove_leftovers(self) -> None:
        """Remove what a killed process left half-made; only for who alone holds the work tree."""
        for folder in [self._root, *([self._private / "tmp"] if self._private else [])]:
            for leftover in folder.glob(f"{_STAGING}*"):
                shutil.rmtree(leftover, ignore_errors=True)

    def _load(self) -> dict[str, tuple[str, str]]:
        """Return what was written down, or nothing where that is damaged."""
        if self._remembered is None:
            sealed = read(str(self._private / "outputs"), _REMEMBERED_LIMIT) if self._private else None
            data = unseal(sealed or b"")
            self._remembered = {} if data is None else {key: (old, new) for key, (old, new) in json.loads(data).items()}
        return self._remembered

    def _locate(self, path: str) -> Path:
        """Return where an output lies, which must not be behind a symbolic link that could lead elsewhere."""
        if not is_output_path(path):
            message = f"The output path {path!r} does not lead to a file below the repository. Name one that does."
            raise StoreError(message)
        place = self._root / path
        for parent in [self._root / it for it in place.relative_to(self._root).parents[:-1]]:
            if parent.is_symlink():
                message = f"The output {path} lies behind the symbolic link {parent}. Make that a folder."
                raise StoreError(message)
        return place

    @contextlib.contextmanager
    def _staging(self) -> Iterator[Path]:
        """Give an empty folder on the work tree's file system, out of git's sight, and remove it with all it holds."""
        base = self._root
        if self._private is not None:
            (self._private / "tmp").mkdir(parents=True, exist_ok=True)
            if self._private.stat().st_dev == base.stat().st_dev:
                base = self._private / "tmp"
        folder = base / f"{_STAGING}{os.urandom(8).hex()}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _replace(place: Path, new: Path, old: Path) -> None:
    """Put `new` in the place of what is there, in one step where both are files, moving a folder aside before."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if new.is_dir() or (place.is_dir() and not place.is_symlink()):
            with contextlib.suppress(FileNotFoundError):
                place.rename(old)
        new.replace(place)
    except OSError as error:
        message = f"The output {place} could not be put back: {error.strerror}. Remove what is in its way."
        raise StoreError(message) from error


def _times(place: Path) -> tuple[str, int]:
    """Return a hash over what the file system says about an output, and its newest time in nanoseconds."""
    digest = hashlib.sha256()
    newest = 0
    pending = [place]
    while pending:
        path = pending.pop()
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            pending += sorted(path.iterdir())
        newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
        row = (str(path), found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        digest.update(repr(row).encode("utf-8", "surrogateescape"))
    return digest.hexdigest(), newest
