"""The declared outputs of sessions where they lie in a work tree."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._store.found import Found
from headworks._store.made import Made
from headworks._store.removal import put, reason, remove
from headworks._store.tree import MANIFEST_LIMIT, build, manifest_of, read_manifest
from headworks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from headworks._store.blobs import Blobs

__all__ = ["Outputs"]

_STAGING = ".headworks-"
_RANDOM = 8  # bytes of a name that goes on so
_LEFTOVER = _STAGING + "[0-9a-f]" * (2 * _RANDOM)  # which no file of the user's is called by chance


class Outputs(Found):
    """The outputs in one work tree, to be stored and put back.

    Attributes:
        say: Takes a message for the person who runs, about files of theirs that were in the way.
    """

    say: Callable[[str], object]

    def __init__(self, root: str, is_stored: Callable[[str], bool] = lambda _: False) -> None:
        """Look at the work tree below `root`; `is_stored` tells whether a store has the content of an output."""
        super().__init__(root)
        self._root = Path(root)
        self._private = None if self._folder is None else Path(self._folder)
        self._made = Made(self, self._private, is_stored)
        self.say = lambda _: None

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
        """Make outputs hold what is stored, replacing each that differs as a whole; what others wrote there is kept.

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
            message = f"{wrong[0]} could not be put back: {reason(error)}. Free space, or make it writable."
            raise StoreError(message) from error

    def _exchange(self, wrong: list[str], outputs: Mapping[str, str], blobs: Blobs) -> list[str] | None:
        """Put what is stored in the place of some outputs; see `restore`."""
        with contextlib.ExitStack() as stack:
            folders = {path: stack.enter_context(self._staging(self._locate(path))) for path in wrong}
            for path, folder in folders.items():
                data = blobs.get_bytes(outputs[path], MANIFEST_LIMIT)
                rows = None if data is None else read_manifest(data)
                if rows is None or not build(rows, folder / "new", blobs):
                    return None
            for path, folder in folders.items():
                self._made.keep_foreign(path, self.say)
                self._replace(self._locate(path), folder)
                self._made.note(path)
        return wrong

    def _replace(self, place: Path, folder: Path) -> None:
        """Put what was made in a folder in the place of an output."""
        try:
            put(folder / "new", place, folder / "old")
        except OSError as error:
            is_in_way = isinstance(error, (FileExistsError, NotADirectoryError))
            advice = "Remove what is in its way" if is_in_way else "Free space, or make its folder writable"
            message = f"The output {place} could not be put back: {reason(error)}. {advice}."
            raise StoreError(message) from error

    def clear(self, path: str) -> None:
        """Remove what lies at an output's path, so that the session starts without it; what others wrote is kept.

        Raises:
            StoreError: Where it cannot be removed.
        """
        place = self._locate(path)
        self._made.keep_foreign(path, self.say)
        try:
            if os.path.lexists(place):
                remove(place)
        except OSError as error:
            message = (
                f"The output {path} of an earlier run could not be removed: {reason(error)}."
                " Make it writable, or remove it yourself."
            )
            raise StoreError(message) from error

    def not_foreign(self, paths: Iterable[str]) -> list[str]:
        """Return those outputs in which no other than their session, or a restore, wrote anything."""
        return [path for path in paths if not self._made.is_foreign(path)]

    def note(self, paths: Iterable[str]) -> None:
        """Note that outputs are now as their session left them, be it after a failure."""
        for path in paths:
            self._made.note(path)

    def remove_leftovers(self, paths: Iterable[str] = ()) -> None:
        """Remove what a killed process left half-made at some outputs; only for who alone holds the work tree."""
        folders = {self._root, *(self._root.joinpath(path).parent for path in paths)}
        for folder in [*folders, *([self._private / "tmp"] if self._private else [])]:
            for leftover in folder.glob(_LEFTOVER):
                with contextlib.suppress(OSError):
                    remove(leftover)

    def _locate(self, path: str) -> Path:
        """Return where an output lies; see `place`."""
        return Path(self.place(path))

    @contextlib.contextmanager
    def _staging(self, place: Path) -> Iterator[Path]:
        """Give an empty folder, on the file system of an output where that can be, and remove it with all it holds."""
        folder = self._base(place) / f"{_STAGING}{os.urandom(_RANDOM).hex()}"
        folder.mkdir()
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                remove(folder)

    def _base(self, place: Path) -> Path:
        """Return the folder for what is to be moved to an output: out of git's sight unless on another file system."""
        near = next(it for it in place.parents if it.is_dir())
        if self._private is not None:
            with contextlib.suppress(OSError):
                (self._private / "tmp").mkdir(parents=True, exist_ok=True)
                if self._private.stat().st_dev == near.stat().st_dev:
                    return self._private / "tmp"
        return near
