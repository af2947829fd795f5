"""Makes witnesses of what sessions read, and holds them against a work tree.

A content is the bytes on the disk, whatever git's filters make of them. Where git lists files in a folder, the names in
it are those that git lists; in any other folder, they are all names but those that the session makes itself.
"""

from __future__ import annotations

import datetime as dt
import os
import stat
import time
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from headworks._quick.answers import note_file
from headworks._store.witness import Line, Witness
from headworks._tree.byte_ids import LARGE, byte_ids, stamp_of
from headworks._tree.git import blob_id
from headworks._tree.listing import EXECUTABLE, FILE
from headworks._tree.patterns import is_at
from headworks._tree.snapshot import LAG

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from headworks._observe.reads import Reads
    from headworks._tree.snapshot import Snapshot

__all__ = ["Tree", "make_witness"]

_STATES = {"file", "exec", "link", "folder", "missing", "other"}
_UNNAMED = {"__pycache__"}  # Python writes it beside whatever it imports
_GIT = ".git/"
# What all work trees of a repository share; of the rest, each has its own.
_SHARED = (".git/config", ".git/hooks/", ".git/info/", ".git/logs/refs/", ".git/shallow", ".git/worktrees")
_MODES = {FILE: "file", EXECUTABLE: "exec"}
_LOCKS = {"uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "conda-lock.yml"}


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

    def is_listed(self, path: str) -> bool:
        """Return whether git lists the files below a folder, and does not leave that to a repository inside."""
        start, end = self._listing.below(os.fsencode(path))
        return start < end or not path

    def relative(self, place: str) -> str:
        """Return a place relative to the top; one outside as it is."""
        return place[len(self.top) + 1 :] if place == self.top or place.startswith(self.top + "/") else place

    def git_name(self, place: str) -> str:
        """Return the name of a place in a folder of git, the same in every work tree of the repository."""
        for folder in (self._repository.git_folder(), self._repository.shared_folder()):
            if place.startswith(folder := os.path.realpath(folder) + "/"):
                return _GIT + place[len(folder) :]
        return self.relative(place)

    def _place(self, path: str) -> str:
        """Return where the path of a line leads."""
        if path.startswith(_GIT):
            repository = self._repository
            folder = repository.shared_folder() if path.startswith(_SHARED) else repository.git_folder()
            return os.path.join(folder, path[len(_GIT) :])
        return os.path.join(self.top, path)

    def line(self, kind: str, path: str) -> Line:
        """Return the line that stands for a path now; that of a state may be of another kind than asked for."""
        key = "state" if kind in _STATES else kind
        if (key, path) not in self._lines:
            self._lines[key, path] = self._state(path) if key == "state" else Line(kind, self._value(kind, path), path)
        return self._lines[key, path]

    def note_git(self) -> None:
        """Note git's index, HEAD and refs as they are now."""
        for kind in ("index", "history"):
            self.line(kind, "")

    def holds(self, line: Line) -> bool:
        """Return whether a line of a witness is still true; those of installed packages only tell."""
        if line.kind == "installed":
            return True
        if line.kind == "until":
            return dt.datetime.now(dt.UTC).date().isoformat() < line.value
        return self.line(line.kind, line.path) == line

    def differences(self, witness: Witness) -> Iterator[str]:
        """Yield what is not as a witness says."""
        for line in witness.lines:
            if not self.holds(line):
                yield self._difference(line)

    def _difference(self, line: Line) -> str:
        if line.kind == "until":
            return f"it asked the network, or installed packages without a lock, which counts until {line.value}"
        now = self.line(line.kind, line.path)
        if line.kind not in _STATES:
            return _DIFFERENCES[line.kind].format(line.path.partition("//")[0] or "the root")
        if "missing" in {now.kind, line.kind}:
            return f"{line.path} {'is gone' if now.kind == 'missing' else 'is new'}"
        return f"{line.path} changed"

    def _state(self, path: str) -> Line:
        """Return the line of a file, link or folder, or of the lack of it."""
        entry = self._listing.get(os.fsencode(path))
        if entry and entry[0] in _MODES:
            return Line(_MODES[entry[0]], entry[1].decode(), path)
        name = self._place(path)
        note_file(name, follow=False)
        try:
            found = os.lstat(name)
            if stat.S_ISLNK(found.st_mode):
                return Line("link", self._hash(os.fsencode(os.readlink(name))), path)
            if stat.S_ISREG(found.st_mode):
                return Line("exec" if found.st_mode & stat.S_IXUSR else "file", self._content(name, found), path)
        except (FileNotFoundError, NotADirectoryError):
            return Line("missing", "-", path)
        return Line("folder" if stat.S_ISDIR(found.st_mode) else "other", "-", path)

    def _content(self, name: str, found: os.stat_result) -> str:
        """Return the object id of a file's bytes."""
        if found.st_size < LARGE:
            with open(name, "rb") as file:
                return self._hash(file.read())
        path, now = os.fsencode(name), time.time_ns()
        return byte_ids(self._repository, {path: stamp_of(found)}, {}, self._listing, now, key=name)[0][path].decode()

    def _hash(self, content: bytes) -> str:
        return blob_id(content, self._listing.any_id() or b"0" * 40).decode()

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
        return sha256(b"\0".join(self._history(path or "refs/tags", is_head=not path))).hexdigest()

    @cached_property
    def _refs(self) -> tuple[list[bytes], list[bytes]]:
        """The answers of git about HEAD, and all refs."""
        questions = [("rev-parse", "HEAD"), ("symbolic-ref", "-q", "HEAD"), ("for-each-ref",)]
        *head, refs = (output for _, _, output in self._repository.ask_all(*questions))
        return head, refs.splitlines()

    def _history(self, name: str, *, is_head: bool) -> list[bytes]:
        """Return where a ref, or the refs below a name, lead, and if asked for HEAD, in git's own words."""
        head, refs = self._refs
        exact = b"\t" + os.fsencode(name)
        below = (exact + b"/", b"\trefs/replace/") if is_head else (exact + b"/",)
        return [
            *(head if is_head else ()),
            *(it for it in refs if it.endswith(exact) or any(start in it for start in below)),
        ]

    def is_head(self, name: str) -> bool:
        """Return whether HEAD is a ref, which lines about HEAD stand for."""
        return self._refs[0][1].strip() == os.fsencode(name)

    def _names(self, folder: bytes) -> set[bytes]:
        """Return the names of what git lists in a folder."""
        start, end = self._listing.below(folder)
        skipped = len(folder) + 1 if folder else 0
        return {path[skipped:].partition(b"/")[0] for _, _, path in self._listing.records(start, end)}

    def _entries(self, path: str) -> str:
        """Return a hash of the names in a folder that git does not list, without those that the session makes."""
        folder, _, own = path.partition("//")
        place = os.path.join(self.top, folder)
        note_file(place)
        try:
            names = os.listdir(place)
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
    "refs": "git's {} changed",
}


def make_witness(
    reads: Reads,
    before: Tree,
    now: Tree,
    *,
    since: float,
    finer: Collection[str] = (),
    given: Collection[str] = (),
    installed: Iterable[tuple[str, str]] = (),
    max_age: int = 7,
) -> tuple[Witness, str]:
    """Return the witness of a session that has ended, and why it may have read more than that; empty if it did not.

    Args:
        reads: All that it read.
        before: The work tree before the session.
        now: The work tree after it.
        since: When the session started, in seconds since the epoch.
        finer: Files that do not count where only nox and uv read them, since digests hold their parts.
        given: Files and folders that do not count, since digests hold all of them, relative to the top.
        installed: Names and versions of the packages in its environment, to be told where no lock tells them.
        max_age: The days for which it holds where the network was asked, or packages installed and no lock read.
    """
    making = _Making(reads, before, now, since - LAG / 1e9, finer)
    lines = making.lines(max_age, installed)
    witness = Witness.of(it for it in lines if not any(is_at(it.path.partition("//")[0], place) for place in given))
    return witness, making.doubt


class _Making:
    """Makes the lines of one witness; what cannot be told any more has a line as it is now, and is a doubt."""

    def __init__(self, reads: Reads, before: Tree, now: Tree, since: float, finer: Collection[str]) -> None:
        self._reads = reads
        self._before = before
        self._tree = now
        self._since = since
        self.doubt = reads.unseen
        self._finer = {os.path.join(now.top, it) for it in finer} - reads.by_others

    def lines(self, max_age: int, installed: Iterable[tuple[str, str]]) -> Iterator[Line]:
        """Yield all lines."""
        reads = self._reads
        files = (reads.opened | reads.looked | reads.links | reads.outside) - self._finer
        lines = [*filter(None, map(self._present, sorted(files))), *map(self._absent, sorted(reads.sought))]
        lines += filter(None, map(self._listed, sorted(reads.listed)))
        lines += map(self._git, sorted(reads.git))
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
            yield self._same("index", "")
        if reads.history:
            yield self._same("history", "")
            yield from (self._same("refs", it) for it in sorted(reads.refs) if not self._tree.is_head(it))
        if reads.network or (reads.installs and _LOCKS.isdisjoint(map(os.path.basename, reads.opened))):
            yield Line("until", (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=max_age)).isoformat(), "")
            yield from (Line("installed", version, name) for name, version in installed)

    def _doubt(self, why: str) -> None:
        self.doubt = self.doubt or why

    def _same(self, kind: str, path: str) -> Line:
        """Return the line of what git knows, which has to be as it was before the session."""
        line = self._tree.line(kind, path)
        if self._before.line(kind, path) != line:
            self._doubt(f"{_DIFFERENCES[kind].format(path or 'the root')} while it ran")
        return line

    def _is_cleared(self, place: str, path: str) -> bool:
        """Return whether the session itself replaced something, of which it had not read the content."""
        if not self._reads.is_own(place):
            return False
        if place in self._reads.opened or self._before.is_known(path):
            self._doubt(f"it wrote to {path} after it had read it")
            return False
        return True

    def _present(self, place: str) -> Line | None:
        """Return the line of a file, link or folder that was there."""
        path = self._tree.relative(place)
        if self._is_cleared(place, path):
            return None
        if place in self._reads.outside and os.path.isdir(place):
            return self._tree.line("entries", path)
        line = self._tree.line("file", path)
        if line.kind in {"missing", "other"}:
            self._doubt(f"{path} was there while it ran, and is {'gone' if line.kind == 'missing' else 'no file'}")
        elif line.kind != "folder" and os.lstat(place).st_ctime >= self._since:
            self._doubt(f"{path} was written to while it ran")
        return line

    def _git(self, place: str) -> Line:
        """Return the line of a place in a folder of git."""
        line = self._tree.line("file", self._tree.git_name(place))
        if line.kind in _MODES.values() and os.lstat(place).st_ctime >= self._since and not self._reads.is_own(place):
            self._doubt(f"{line.path} was written to while it ran")
        return line

    def _absent(self, place: str) -> Line:
        """Return the line of a place where something was looked for in vain, or where the session made something."""
        if self._reads.is_own(place):
            while self._reads.is_own(os.path.dirname(place)):
                place = os.path.dirname(place)
            return self._same("made", self._tree.relative(place))
        while not os.path.lexists(os.path.dirname(place)):
            place = os.path.dirname(place)
        line = self._tree.line("file", self._tree.relative(place))
        if line.kind != "missing":
            self._doubt(f"{line.path} was missing while it ran, and is there now")
        return line

    def _listed(self, place: str) -> Line | None:
        """Return the line of a folder whose names were read."""
        path = self._tree.relative(place)
        if self._is_cleared(place, path):
            return None
        if self._tree.is_listed(path):
            return self._same("names", path)
        own = sorted(os.path.basename(it) for it in self._reads.own if os.path.dirname(it) == place)
        line = self._tree.line("entries", "//".join([path, *(["/".join(own)] if own else [])]))
        if line.value == "missing":
            self._doubt(f"{path} was there while it ran, and is gone")
        return line
