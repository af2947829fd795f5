"""The declared outputs of sessions where they lie in a work tree."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from headworks._store.found import Found
from headworks._store.tree import MANIFEST_LIMIT, build, manifest_of, read_manifest
from headworks.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headworks._store.blobs import Blobs

__all__ = ["Outputs"]

_STAGING = ".headworks-"


class Outputs(Found):
    """The outputs in one work tree, to be stored and put back."""

    def __init__(self, root: str) -> None:
        """Look at the work tree below `root`."""
        super().__init__(root)
        self._root = Path(root)
        self._private = None if self._folder is None else Path(self._folder)

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
        except StoreError:
            raise
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

    def clear(self, path: str) -> None:
        """Remove what lies at an output's path, so that the session starts without it."""
        place = self._locate(path)
        if os.path.lexists(place):
            with self._staging() as staging:
                place.rename(staging / "old")

    def remove_leftovers(self) -> None:
        """Remove what a killed process left half-made; only for who alone holds the work tree."""
        for folder in [self._root, *([self._private / "tmp"] if self._private else [])]:
            for leftover in folder.glob(f"{_STAGING}*"):
                shutil.rmtree(leftover, ignore_errors=True)

    def _locate(self, path: str) -> Path:
        """Return where an output lies; see `place`."""
        return Path(self.place(path))

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
