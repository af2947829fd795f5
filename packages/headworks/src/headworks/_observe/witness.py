"""Makes witnesses of what sessions read, and holds them against a work tree.

A content is the bytes on the disk, whatever git's filters make of them. Where git lists files in a folder, the names in
it are those that git lists; in a folder that git ignores, they are all names but those that the session makes itself.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from typing import TYPE_CHECKING

from headworks._store.witness import Line, Witness
from headworks._tree.git import blob_id
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from headworks._observe.reads import Reads
    from headworks._tree.snapshot import Snapshot

__all__ = ["NoWitnessError", "Tree", "make_witness"]

_STATES = {"file", "exec", "link", "folder", "missing", "other"}
_UNNAMED = {"__pycache__"}  # Python writes it beside whatever it imports


class NoWitnessError(CannotDecideError):
    """Of a session that was watched, no witness can be made; the message says why."""


class Tree:
    """The lines that witnesses have in the work tree as it is now; each is computed once."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Take the work tree."""
        self.top = os.path.realpath(snapshot.repository.top)
        self._repository = snapshot.repository
        self._listing = snapshot.listing
        self._lines: dict[tuple[str, str], Line] = {}

    def is_known(self, path: str) -> bool:
        """Return whether git lists a file, or a file below a folder."""
        return self._listing.has(os.fsencode(path))

    def line(self, kind: str, path: str) -> Line:
        """Return the line that stands for a path now; that of a state may be of another kind than asked for."""
        key = "state" if kind in _STATES else kind
        if (key, path) not in self._lines:
            self._lines[key, path] = self._state(path) if key == "state" else Line(kind, self._value(kind, path), path)
        return self._lines[key, path]

    def holds(self, line: Line) -> bool:
        """Return whether a line of a witness is still true."""
        return self.line(line.kind, line.path) == line

    def difference(self, witness: Witness) -> str:
        """Return what is not as a witness says, the first thing of it; empty where the witness holds."""
        return next((text for line in witness.lines if (text := self._difference(line))), "")

    def _difference(self, line: Line) -> str:
        if self.holds(line):
            return ""
        now = self.line(line.kind, line.path)
        if line.kind not in _STATES:
            return _DIFFERENCES[line.kind].format(line.path.partition("//")[0] or "the root")
        if "missing" in {now.kind, line.kind}:
            return f"{line.path} {'is gone' if now.kind == 'missing' else 'is there now'}"
        return f"{line.path} has changed"

    def _state(self, path: str) -> Line:
        """Return the line of a file, link or folder, or of the lack of it."""
        name = os.path.join(self.top, path)
        try:
            mode = os.lstat(name).st_mode
            if stat.S_ISLNK(mode):
                return Line("link", _hash(os.fsencode(os.readlink(name))), path)
            if stat.S_ISREG(mode):
                with open(name, "rb") as file:
                    content = _hash(file.read())
                return Line("exec" if mode & stat.S_IXUSR else "file", content, path)
        except (FileNotFoundError, NotADirectoryError):
            return Line("missing", "-", path)
        return Line("folder" if stat.S_ISDIR(mode) else "other", "-", path)

    def _value(self, kind: str, path: str) -> str:
        """Return the value of a line that is not a state."""
        if kind == "names":
            return sha256(b"\0".join(sorted(self._names(os.fsencode(path))))).hexdigest()
        if kind == "entries":
            return self._entries(path)
        if kind == "made":
            return "known" if self.is_known(path) else "-"
        if kind == "index":
            return sha256(self._repository.run("ls-files", "-s", "-z")).hexdigest()
        questions = [("rev-parse", "HEAD"), ("symbolic-ref", "-q", "HEAD"), ("for-each-ref", "refs/tags")]
        return sha256(b"\0".join(output for _, _, output in self._repository.ask_all(*questions))).hexdigest()

    def _names(self, folder: bytes) -> set[bytes]:
        """Return the names of what git lists in a folder."""
        start, end = self._listing.below(folder)
        skipped = len(folder) + 1 if folder else 0
        return {path[skipped:].partition(b"/")[0] for _, _, path in self._listing.records(start, end)}

    def _entries(self, path: str) -> str:
        """Return a hash of the names in a folder that git ignores, without those that the session makes."""
        folder, _, own = path.partition("//")
        try:
            names = os.listdir(os.path.join(self.top, folder))
        except OSError:
            return "missing"
        kept = sorted(map(os.fsencode, {*names} - {*own.split("/")} - _UNNAMED))
        return sha256(b"\0".join(kept)).hexdigest()


_DIFFERENCES = {
    "names": "{} has other names in it",
    "entries": "{} has other names in it",
    "made": "git lists {} now, which the session makes",
    "index": "git's index has changed",
    "history": "HEAD or a tag has moved",
}


def _hash(content: bytes) -> str:
    return blob_id(content, b"").decode()


def make_witness(reads: Reads, tree: Tree, *, since: float, finer: Collection[str] = ()) -> Witness:
    """Return the witness of a session that has ended.

    Args:
        reads: All that it read.
        tree: The work tree as it was listed before the session, whose files it has left as they were.
        since: When the session started, in seconds since the epoch.
        finer: Files that do not count where only nox and uv read them, since digests hold their parts.

    Raises:
        NoWitnessError: Somebody may have read what nobody saw, or what was read cannot be told any more.
    """
    if reads.unseen:
        raise NoWitnessError(reads.unseen)
    return Witness.of(_Making(reads, tree, since, finer).lines())


class _Making:
    """Makes the lines of one witness."""

    def __init__(self, reads: Reads, tree: Tree, since: float, finer: Collection[str]) -> None:
        self._reads = reads
        self._tree = tree
        self._since = since
        self._finer = {os.path.join(tree.top, it) for it in finer} - reads.by_others

    def lines(self) -> Iterator[Line]:
        """Yield all lines."""
        reads = self._reads
        states = [self._present(it) for it in sorted((reads.opened | reads.looked | reads.links) - self._finer)]
        lines = [*filter(None, states), *map(self._absent, sorted(reads.sought))]
        lines += filter(None, map(self._listed, sorted(reads.listed)))
        above: set[str] = {""}
        for path in (line.path for line in lines if line.kind not in {"missing", "made"}):
            folder = os.path.dirname(path.partition("//")[0])
            while folder not in above:
                above.add(folder)
                folder = os.path.dirname(folder)
        # A folder is there wherever something in it is.
        listed = {line.path.partition("//")[0] for line in lines if line.kind in {"names", "entries"}}
        yield from (it for it in lines if it.kind != "folder" or it.path not in above | listed)
        if reads.index:
            yield self._tree.line("index", "")
        if reads.history:
            yield self._tree.line("history", "")

    def _relative(self, place: str) -> str:
        return place[len(self._tree.top) + 1 :]

    def _is_cleared(self, place: str, path: str) -> bool:
        """Return whether the session itself replaced something, of which it had not read the content."""
        if not self._reads.is_own(place):
            return False
        if place in self._reads.opened or self._tree.is_known(path):
            message = f"it wrote to {path} after it had read it"
            raise NoWitnessError(message)
        return True

    def _present(self, place: str) -> Line | None:
        """Return the line of a file, link or folder that was there."""
        path = self._relative(place)
        if self._is_cleared(place, path):
            return None
        line = self._tree.line("file", path)
        if line.kind in {"missing", "other"}:
            message = f"{path} was there while it ran, and is {'gone' if line.kind == 'missing' else 'no file'}"
            raise NoWitnessError(message)
        if line.kind != "folder" and os.lstat(place).st_ctime >= self._since:
            message = f"{path} was written to while it ran"
            raise NoWitnessError(message)
        return line

    def _absent(self, place: str) -> Line:
        """Return the line of a place where something was looked for in vain, or where the session made something."""
        if self._reads.is_own(place):
            while self._reads.is_own(os.path.dirname(place)):
                place = os.path.dirname(place)
            return self._tree.line("made", self._relative(place))
        while not os.path.lexists(os.path.dirname(place)):
            place = os.path.dirname(place)
        line = self._tree.line("file", self._relative(place))
        if line.kind != "missing":
            message = f"{line.path} was missing while it ran, and is there now"
            raise NoWitnessError(message)
        return line

    def _listed(self, place: str) -> Line | None:
        """Return the line of a folder whose names were read."""
        path = self._relative(place)
        if self._is_cleared(place, path):
            return None
        if not path or self._tree.is_known(path):
            return self._tree.line("names", path)
        own = sorted(os.path.basename(it) for it in self._reads.own if os.path.dirname(it) == place)
        line = self._tree.line("entries", "//".join([path, *(["/".join(own)] if own else [])]))
        if line.value == "missing":
            message = f"{path} was there while it ran, and is gone"
            raise NoWitnessError(message)
        return line
