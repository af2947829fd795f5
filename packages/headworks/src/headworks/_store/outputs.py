"""The declared outputs of sessions in a work tree: stored, restored, cleared.

After each session, also a failed or interrupted one, and after each restore, the times, sizes and inodes of an output
are noted. An output that still fits its note was made by Headworks, and so was one whose content the store has.
Anything else is foreign: files of the user's, edited outputs, files from plain nox. It is moved to `kept` before it
would be removed.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._store.files import read
from headworks._store.found import Found, times_of
from headworks._store.removal import files_of, move, put, reason, remove
from headworks._store.tree import MANIFEST_LIMIT, build, manifest_of, read_manifest
from headworks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from headworks._store.blobs import Blobs

__all__ = ["Made", "Outputs"]

_LIMIT = 64  # bytes: a SHA-256
_KEPT = "kept"
_MOST = 10  # that are kept of an output
_STAGING = ".headworks-"
_RANDOM = 8  # bytes of a name that goes on so
_LEFTOVER = _STAGING + "[0-9a-f]" * (2 * _RANDOM)  # which no file of the user's is called by chance


class Made:
    """What is noted about the outputs of one work tree, and what is kept of them."""

    def __init__(self, found: Found, private: Path | None, is_stored: Callable[[str], bool]) -> None:
        """Take what the outputs hold, the folder for notes and for what is kept, and what the store has."""
        self._found = found
        self._private = private
        self._is_stored = is_stored

    def note(self, path: str) -> None:
        """Note that what lies at an output now was made by its session or a restore."""
        if self._private is None:
            return
        note = self._note(self._private, path)
        try:
            times = times_of(self._found.place(path))[0]
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(times)
        except OSError:  # Nothing is there; or it cannot be noted, and will be told by its content.
            return

    def is_foreign(self, path: str) -> bool:
        """Whether there are files at an output that neither its session nor a restore left there as they are.

        Raises:
            StoreError: Where the path leads elsewhere.
        """
        place = self._found.place(path)
        if not os.path.lexists(place):
            return False
        content: str | None = None
        with contextlib.suppress(OSError):  # what cannot be read was not recorded
            if self._private and read(str(self._note(self._private, path)), _LIMIT) == times_of(place)[0].encode():
                return False
            content = self._found.content(path)
        return (content is None or not self._is_stored(content)) and bool(files_of(Path(place)))

    def keep_foreign(self, path: str, say: Callable[[str], object]) -> None:
        """Move what lies at an output out of the way, and say so, if it is foreign.

        Raises:
            StoreError: Where it cannot be moved; then it is as it was.
        """
        if not self.is_foreign(path):
            return
        kept = self._free(path)
        try:
            move(Path(self._found.place(path)), kept)
        except OSError as error:
            raise StoreError(_refusal(path, f"they cannot be moved to {kept} ({reason(error)})")) from error
        dropped = sum(_drop(older, kept) for older in self._kept(path) if older != kept)
        instead = f", in the place of {dropped:,} of the same names that were kept before" if dropped else ""
        say(f"{path} held files that no run is known to have left so; they are kept in {kept}{instead}")

    @staticmethod
    def _note(private: Path, path: str) -> Path:
        """Return the file with the note about an output."""
        name: str = sha256(os.fsencode(path)).hexdigest()
        return private / "made" / name

    def _kept(self, path: str) -> list[Path]:
        """Return all that is kept of an output, the oldest first."""
        folders = [] if self._private is None else self._private.glob(f"{_KEPT}/*")
        numbered = sorted((it for it in folders if it.name.isdecimal()), key=lambda it: int(it.name))
        return [it / path for it in numbered if os.path.lexists(it / path)]

    def _free(self, path: str) -> Path:
        """Return where what lies at an output is to be kept."""
        kept = self._kept(path)
        if self._private is None:
            raise StoreError(_refusal(path, "there is no git folder to keep them in"))
        folder = self._private / _KEPT
        if len(kept) >= _MOST:
            raise StoreError(_refusal(path, f"{folder} has {len(kept)} of its kind already"))
        last = int(kept[-1].relative_to(folder).parts[0]) if kept else 0
        return folder / str(last + 1) / path


def _refusal(path: str, why: str) -> str:
    """Return the message that says that foreign files are in the way."""
    return (
        f"The output {path} holds files that no run is known to have left so, and {why}."
        " Move away or remove what you no longer need."
    )


def _drop(older: Path, newer: Path) -> int:
    """Remove of what was kept earlier the files that are kept again under the same name, and return how many."""
    names = files_of(newer) & files_of(older)
    for name in names:
        (older / name).unlink()
    if os.path.lexists(older) and not files_of(older):
        remove(older)
    return len(names)


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
            found = None
            if os.path.lexists(place):
                with blobs.storing_files() as put_blob:
                    manifest = manifest_of(place, put_blob)
                found = blobs.put_bytes(manifest)
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
