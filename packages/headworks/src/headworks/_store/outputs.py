"""The declared outputs of sessions in a work tree: stored, restored, cleared.

After each session, also a failed or interrupted one, and after each restore, the times, sizes and inodes of an output
are noted. An output that still fits its note was made by Headworks, and so was one whose content the store has.
Anything else is foreign: files of the user's, edited outputs, files from plain nox. It is moved to `kept` before it
would be removed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._store.files import read
from headworks._store.output_hashes import OutputHashes, stat_hash
from headworks._store.removal import files_of, move, put, reason, remove
from headworks._store.tree import MANIFEST_LIMIT, build, manifest_of, read_manifest
from headworks.errors import StoreError

if TYPE_CHECKING:
    from headworks._store.blobs import Blobs

_LIMIT = 64  # bytes: a SHA-256
_KEPT = "kept"
_MOST = 10  # places of kept files of one output
_STAGING = ".headworks-"  # how the name of a staging folder begins
_RANDOM = 8  # bytes of the rest of the name
_LEFTOVER = _STAGING + "[0-9a-f]" * (2 * _RANDOM)  # no file of the user's has such a name by chance


def _refusal(path: str, why: str) -> str:
    return (
        f"The output {path} holds files that no run is known to have left so, and {why}."
        " Move away or remove what you no longer need."
    )


def _drop(older: Path, newer: Path) -> int:
    """Remove those older kept files that are kept again under the same name; return their number."""
    names = files_of(newer) & files_of(older)
    for name in names:
        (older / name).unlink()
    if os.path.lexists(older) and not files_of(older):
        remove(older)
    return len(names)


class Outputs(OutputHashes):
    """The outputs in one work tree, to be stored, restored and cleared.

    Attributes:
        say: Takes a message for the user about foreign files that were in the way.
    """

    say: Callable[[str], object]

    def __init__(self, root: str, is_stored: Callable[[str], bool] = lambda _: False) -> None:
        """Look at the work tree below `root`; `is_stored` tells whether a store has the content of an output."""
        super().__init__(root)
        self._root = Path(root)
        self._private = None if self._folder is None else Path(self._folder)
        self._is_stored = is_stored
        self.say = lambda _: None

    def keep(self, outputs: Mapping[str, str], blobs: Blobs) -> None:
        """Store outputs, the blobs of each before its manifest.

        Args:
            outputs: Each path with the SHA-256 of its content.
            blobs: The blobs of the store.

        Raises:
            StoreError: An output has another content.
        """
        for path, content in outputs.items():
            place, stored = self._locate(path), None
            if os.path.lexists(place):
                with blobs.batch() as batch:
                    manifest = manifest_of(place, batch.put_file)
                stored = blobs.put_bytes(manifest)
            if stored != content:
                message = f"The output {path} changed while it was being stored. Run its session again."
                raise StoreError(message)

    def restore(self, outputs: Mapping[str, str], blobs: Blobs) -> list[str] | None:
        """Restore outputs from the store, replacing each that differs as a whole; foreign files are kept.

        Args:
            outputs: Each path with the SHA-256 of its content.
            blobs: The blobs of the store.

        Returns:
            The paths that were replaced; None, and nothing is changed, if a content is missing or damaged.

        Raises:
            StoreError: The work tree cannot be written.
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
        """Replace outputs that differ; see `restore`."""
        with contextlib.ExitStack() as stack:
            folders = {path: stack.enter_context(self._staging(self._locate(path))) for path in wrong}
            for path, folder in folders.items():
                data = blobs.get_bytes(outputs[path], MANIFEST_LIMIT)
                rows = None if data is None else read_manifest(data)
                if rows is None or not build(rows, folder / "new", blobs):
                    return None
            for path, folder in folders.items():
                self._keep_foreign(path)
                self._replace(self._locate(path), folder)
                self.note([path])
        return wrong

    def _replace(self, place: Path, folder: Path) -> None:
        """Replace an output by the new one in a staging folder."""
        try:
            put(folder / "new", place, folder / "old")
        except OSError as error:
            is_in_way = isinstance(error, (FileExistsError, NotADirectoryError))
            advice = "Remove what is in its way" if is_in_way else "Free space, or make its folder writable"
            message = f"The output {place} could not be put back: {reason(error)}. {advice}."
            raise StoreError(message) from error

    def clear(self, path: str) -> None:
        """Remove an output, so that its session starts without it; foreign files are kept.

        Raises:
            StoreError: It cannot be removed.
        """
        place = self._locate(path)
        self._keep_foreign(path)
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
        """Return the outputs that only their session or a restore has written to."""
        return [path for path in paths if not self._is_foreign(path)]

    def note(self, paths: Iterable[str]) -> None:
        """Note that outputs are now as their session, even after a failure, or a restore left them."""
        for path in paths if self._private is not None else ():
            note = self._note(path)
            with contextlib.suppress(OSError):  # without a note, its content decides
                stats = stat_hash(self.place(path))[0]
                note.parent.mkdir(parents=True, exist_ok=True)
                note.write_text(stats)

    def _is_foreign(self, path: str) -> bool:
        """Whether an output has files that neither its session nor a restore left as they are.

        Raises:
            StoreError: The path leads elsewhere.
        """
        place = self.place(path)
        if not os.path.lexists(place):
            return False
        content: str | None = None
        with contextlib.suppress(OSError):  # an unreadable output was not recorded
            if self._private and read(str(self._note(path)), _LIMIT) == stat_hash(place)[0].encode():
                return False
            content = self.content(path)
        return (content is None or not self._is_stored(content)) and bool(files_of(Path(place)))

    def _keep_foreign(self, path: str) -> None:
        """Move an output out of the way, and say so, if it is foreign.

        Raises:
            StoreError: It cannot be moved, and is as it was.
        """
        if not self._is_foreign(path):
            return
        kept = self._free(path)
        try:
            move(Path(self.place(path)), kept)
        except OSError as error:
            raise StoreError(_refusal(path, f"they cannot be moved to {kept} ({reason(error)})")) from error
        dropped = sum(_drop(older, kept) for older in self._kept(path) if older != kept)
        instead = f", in the place of {dropped:,} of the same names that were kept before" if dropped else ""
        self.say(f"{path} held files that no run is known to have left so; they are kept in {kept}{instead}")

    def _note(self, path: str) -> Path:
        return Path(self._private or "", "made", sha256(os.fsencode(path)).hexdigest())

    def _kept(self, path: str) -> list[Path]:
        """Return the places of foreign files that were kept of an output, the oldest first."""
        folders = [] if self._private is None else self._private.glob(f"{_KEPT}/*")
        numbered = sorted((folder for folder in folders if folder.name.isdecimal()), key=lambda it: int(it.name))
        return [folder / path for folder in numbered if os.path.lexists(folder / path)]

    def _free(self, path: str) -> Path:
        """Return a free place for the foreign files of an output."""
        kept = self._kept(path)
        if self._private is None:
            raise StoreError(_refusal(path, "there is no git folder to keep them in"))
        folder = self._private / _KEPT
        if len(kept) >= _MOST:
            raise StoreError(_refusal(path, f"{folder} has {len(kept)} of its kind already"))
        last = int(kept[-1].relative_to(folder).parts[0]) if kept else 0
        return folder / str(last + 1) / path

    def remove_leftovers(self, paths: Iterable[str] = ()) -> None:
        """Remove the staging folders of killed processes; only for a process that holds the work tree alone."""
        folders = {self._root, *(self._root.joinpath(path).parent for path in paths)}
        for folder in [*folders, *([self._private / "tmp"] if self._private else [])]:
            for leftover in folder.glob(_LEFTOVER):
                with contextlib.suppress(OSError):
                    remove(leftover)

    def _locate(self, path: str) -> Path:
        return Path(self.place(path))

    @contextlib.contextmanager
    def _staging(self, place: Path) -> Iterator[Path]:
        """Give an empty folder, if possible on the file system of an output, and remove it at the end."""
        folder = self._base(place) / f"{_STAGING}{os.urandom(_RANDOM).hex()}"
        folder.mkdir()
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                remove(folder)

    def _base(self, place: Path) -> Path:
        """Return the parent of a staging folder: in git's folder, or near an output on another file system."""
        near = next(parent for parent in place.parents if parent.is_dir())
        if self._private is not None:
            with contextlib.suppress(OSError):
                (self._private / "tmp").mkdir(parents=True, exist_ok=True)
                if self._private.stat().st_dev == near.stat().st_dev:
                    return self._private / "tmp"
        return near
