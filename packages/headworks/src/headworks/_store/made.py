"""Who made what lies at an output: its session and restores, or somebody else, whose files are kept.

After each session, also one that failed or was ended, and after each restore the times, sizes and inodes of what lies
at the output are noted. What still fits the note was made by them, and so was what the store has. Anything else is
foreign: files of the user's, changed outputs, what plain nox wrote. Before it would be removed it is moved to `kept`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._quick.sha256 import sha256
from headworks._store.files import read
from headworks._store.found import times_of
from headworks._store.removal import files_of, move, reason, remove
from headworks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headworks._store.found import Found

__all__ = ["Made"]

_LIMIT = 64  # bytes: a SHA-256
_KEPT = "kept"
_MOST = 10  # that are kept of an output


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
