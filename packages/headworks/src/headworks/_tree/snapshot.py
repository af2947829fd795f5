"""The files of a tree: a commit's, or the work tree with everything in it that git does not ignore.

Git is believed about contents only where it looked at them. What it was told not to look at (assume-unchanged,
skip-worktree, untracked files hidden from `git status`) is looked at here; a file left out of a sparse checkout is not
there. A file counts by its bytes, whatever git's filters make of them, a link with what it leads to, a submodule with
what is checked out in it.
"""

from __future__ import annotations

import copy
import os
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Self, TypeAlias, cast

from headworks._quick.answers import handed_look, note_file
from headworks._quick.git import LOOK
from headworks._tree.byte_ids import byte_ids, may_filter, stamp_of
from headworks._tree.git import Repository, blob_id
from headworks._tree.links import follow, resolve
from headworks._tree.listing import EXECUTABLE, FILE, LINK, SUBMODULE, Listing, record
from headworks.errors import CannotDecideError, UsageError

Entry: TypeAlias = tuple[bytes, bytes]  # mode and object id

_ATTEMPTS = 5
_SECOND = 1_000_000_000  # nanoseconds
LAG = 10_000_000  # nanoseconds by which the time of a file may lag behind the clock: a tick of a slow kernel


class Snapshot(ABC):
    """The files of a tree.

    Attributes:
        repository: where they are.
        listing: what they hold; a path is relative to the top of the repository.
    """

    repository: Repository
    listing: Listing

    @abstractmethod
    def read(self, paths: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the contents of those of the files that there are."""
        ...

    @abstractmethod
    def within(self, path: bytes) -> Snapshot | None:
        """Return the tree of a submodule or of a repository inside this one; None where it is not there."""
        ...

    def contents(self, paths: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the contents of those of the files that there are, also behind links and in inner repositories."""
        found: dict[bytes, bytes] = {}
        places = {path: self.target(path) for path in paths}
        own = {place for place in places.values() if (self.listing.get(place) or (b"",))[0] in {FILE, EXECUTABLE}}
        held = self.read(own)
        for path, place in places.items():
            if place in held:
                found[path] = held[place]
            elif (holder := self.listing.holder(place)) != place and (inner := self.within(holder)):
                name = place[len(holder) + 1 :]
                found.update((path, it) for it in inner.contents([name]).values())
        return found

    def target(self, path: bytes) -> bytes:
        """Return where a path leads through the links on its way; a place outside starts with a slash."""
        return resolve(path, self._links)

    def hides(self, path: bytes) -> bool:
        """Tell whether a link leads a path out of what git lists, or a repository that is not there."""
        place = self.target(path)
        holder = self.listing.holder(place)
        if entry := self.listing.get(holder):
            return entry[0] == SUBMODULE and self.within(holder) is None
        return place != path and not any(self.listing.records(*self.listing.below(place)))

    def is_current(self) -> bool:
        """Tell whether nothing was written to since it was looked at, as nothing ever is to a commit."""
        return True

    def portable(self) -> Self:
        """Return the same tree with links that do not count with targets outside git, which differ between machines."""
        if not self._links:
            return self
        found = copy.copy(self)
        found.listing = follow(self._unfollowed, self._links, None)
        return found

    def _follow(self, listing: Listing) -> None:
        """Set the listing, with every link standing for its target."""
        links = [path for mode, _, path in listing.records() if mode == LINK] if LINK in listing.raw else []
        self.listing = self._unfollowed = listing
        self._links = self._targets(links) if links else {}
        if links:
            self.listing = follow(listing, self._links, self.repository.top)

    @abstractmethod
    def _targets(self, links: list[bytes]) -> dict[bytes, bytes]:
        """Return the target of each link."""
        ...


class CommitSnapshot(Snapshot):
    """The tree of a commit."""

    def __init__(self, repository: Repository, commit: str, now: WorkTreeSnapshot | None = None) -> None:
        """List the tree.

        Args:
            repository: Where it is.
            commit: The commit.
            now: The work tree that it is compared with, whose filtered files have the same ids here where git stores
                the same for them. Other contents of those have ids that no work tree has: only a checkout could tell.

        Raises:
            UsageError: there is no such commit.
        """
        self.repository = repository
        self._now = now
        lines = repository.run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]
        parts = (line.partition(b"\t") for line in lines)
        stored = [(head[:6], head[head.rindex(b" ") + 1 :], path) for head, _, path in parts]
        self._stored = Listing(b"".join(record(*it) for it in stored))
        counted = self._stored
        if now and (known := now.filtered):
            records = []
            for mode, oid, path in stored:
                git, its = known.get(path, (oid, oid))
                records.append(record(mode, its if oid == git else blob_id(b"filtered " + oid, oid), path))
            counted = Listing(b"".join(records))
        self._follow(counted)

    def read(self, paths: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the contents of those of the files that there are."""
        places = {path: self._place(path, entry[0]) for path in paths if (entry := self.listing.get(path))}
        found: dict[bytes, bytes] = {}
        stored: dict[bytes, bytes] = {}
        for path, place in places.items():
            (_, oid), (_, counted) = cast("Entry", self._stored.get(place)), cast("Entry", self.listing.get(place))
            if self._now and self._now.filtered.get(place) == (oid, counted):
                found |= dict.fromkeys([path], self._now.read([place])[place])
            else:
                stored[path] = oid
        return found | dict(zip(stored, self.repository.contents(list(stored.values())), strict=True))

    def within(self, path: bytes) -> Snapshot | None:
        """Return the tree that a submodule is to have, where its repository is there and has that."""
        _, oid = self._stored.get(path) or (b"", b"")
        try:
            inner = Repository(os.path.join(self.repository.top, os.fsdecode(path)), self.repository.environ)
            return CommitSnapshot(inner, oid.decode(), self._now.inner.get(path) if self._now else None)
        except UsageError:
            return None

    def _place(self, path: bytes, mode: bytes) -> bytes:
        """Return where a file's content is: for a link, the file which it leads to."""
        if mode != LINK:
            return path
        place = resolve(path, self._links)
        if (self.listing.get(place) or (LINK,))[0] in {FILE, EXECUTABLE}:
            return place
        name, target = os.fsdecode(path), os.fsdecode(self._links[path])
        message = f"{name} is a link to {target}, where this commit has no file. Put the file itself there."
        raise CannotDecideError(message)

    def _targets(self, links: list[bytes]) -> dict[bytes, bytes]:
        """Return the target of each link, which is its content."""
        oids = [oid for _, oid in filter(None, map(self.listing.get, links))]
        return dict(zip(links, self.repository.contents(oids), strict=True))


class WorkTreeSnapshot(Snapshot):
    """The work tree as it is now.

    Attributes:
        stamps: for each path that git does not know to be as in its index, what changes whenever it is written to.
        inner: the work trees inside this one, submodules and others.
        filtered: for each path of which git stores something else than its bytes, the object id that git has and the
            one that is listed; for a submodule as well where such files are in it.
    """

    stamps: dict[bytes, tuple[int, ...] | None]
    inner: dict[bytes, WorkTreeSnapshot]
    filtered: dict[bytes, tuple[bytes, bytes]]

    def __init__(self, repository: Repository) -> None:
        """Look at the work tree.

        Raises:
            UsageError: git failed, and says why.
            CannotDecideError: the work tree keeps changing while it is looked at.
        """
        self.repository = repository
        look = handed_look(repository.top)
        self._began = look[0] if look else time.time_ns()
        for left in reversed(range(_ATTEMPTS)):
            self.stamps, self.inner, self.filtered = {}, {}, {}
            before = self._index = look[1] if look else repository.index_stamp()
            try:
                files, dirty = look[2] if look else repository.outputs(*LOOK)
                look = None
                listing = self._listed(files, dirty)
            except UsageError:  # a file vanished before it was hashed, or cannot be read at all
                if not left:
                    raise
                continue
            if before == repository.index_stamp():
                self._follow(listing)
                return
        message = f"The files of {repository.top} change while they are read; stop what writes them and try again."
        raise CannotDecideError(message)

    def read(self, paths: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the contents of those of the files that there are."""
        found = {}
        for path in paths:
            if entry := self.listing.get(path):
                with open(os.path.join(os.fsencode(self.repository.top), path), "rb") as file:
                    found[path] = file.read()
                mode, oid = entry
                # Facts that are derived from a content are remembered under its id.
                if mode != LINK and blob_id(found[path], oid) != oid:
                    message = f"{os.fsdecode(path)} changed while it was read; try again when it is finished."
                    raise CannotDecideError(message)
        return found

    def within(self, path: bytes) -> Snapshot | None:
        """Return the work tree of a submodule, or of a repository inside this one."""
        return self.inner.get(path)

    def is_current(self) -> bool:
        """Tell whether nothing was written to since it was looked at, which takes another look."""
        now = WorkTreeSnapshot(self.repository)
        return now.listing.raw == self.listing.raw and not now.written_since(self)

    def written_since(self, earlier: WorkTreeSnapshot) -> set[bytes]:
        """Return the paths that something wrote to since an earlier look, although they hold what they held then.

        A file that was written to no longer fits its entry in git's index, which has its times in seconds. Where the
        index was written in between, as by `git status`, or just before, only the clock tells.
        """
        same = {path for path, stamp in self.stamps.items() if earlier.stamps.get(path) == stamp}
        found = self.stamps.keys() - same
        both = {path: (now, earlier.inner[path]) for path, now in self.inner.items() if path in earlier.inner}
        found |= {path for path, (now, before) in both.items() if now.written_since(before)}
        if self._index != earlier._index or self._index[:1] >= (earlier._began - _SECOND,):
            began, now = earlier._began - LAG, time.time_ns() + LAG
            others = set(self.listing.paths()) - same
            # A time in the future, as an archive may leave it, is not a change in between.
            found |= {path for path in others if any(began <= it <= now for it in _times(self._name(path)))}
        return {path for path in found if self.listing.get(path) == earlier.listing.get(path)}

    def _name(self, path: bytes) -> bytes:
        """Return the name of a file for the system."""
        return os.path.join(os.fsencode(self.repository.top), path)

    def _listed(self, files: bytes, dirty: bytes) -> Listing:
        """Return the listing of the work tree from git's answers."""
        listing, untracked = _parted(files)
        parts = dirty.split(b"\0")  # a line of `git diff-files`, with the mode that a file has now, and its path
        changed = {path: head.split(b" ")[1] for head, path in zip(parts[::2], parts[1::2], strict=False)}
        modes = _unlooked(listing) | dict.fromkeys(untracked, b"") | changed
        records, contents = self._looked_at(modes, listing)
        stored: dict[bytes, bytes] = {}
        if is_filtered := may_filter(self.repository, files):
            kept = [it for it in listing.records() if it[0] in {FILE, EXECUTABLE} and it[2] not in modes]
            stored = {path: oid for _, oid, path in kept}
        stamps = {path: self.stamps[path] for path in contents} | {it: _mode(self._name(it))[1] for it in stored}
        found, filtered = byte_ids(self.repository, stamps, stored, listing, self._began, keep_all=is_filtered)
        self.filtered |= filtered
        records |= {path: record(mode, found[path], path) for path, mode in contents.items()}
        if changes := {path: found[path] for path, oid in stored.items() if found[path] != oid}:
            listing = Listing(b"".join(record(it[0], changes.get(it[2], it[1]), it[2]) for it in listing.records()))
        return listing.replaced(records) if records else listing

    def _looked_at(self, modes: dict[bytes, bytes], listing: Listing) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
        """Look at files.

        Args:
            modes: For each path git's mode where it gave one.
            listing: All that git lists.

        Returns:
            New records of all but ordinary files, empty for those that are not there; and the modes of those.
        """
        records: dict[bytes, bytes] = {}
        contents: dict[bytes, bytes] = {}
        for listed, known in modes.items():
            path = listed.rstrip(b"/")  # git lists a repository inside this one as a folder
            name = self._name(path)
            note_file(name, follow=False)
            mode, self.stamps[path] = _mode(name)
            if mode == LINK:
                records[path] = record(mode, blob_id(os.readlink(name), listing.any_id()), path)
            elif mode == SUBMODULE:
                self.inner[path] = WorkTreeSnapshot(Repository(os.fsdecode(name), self.repository.environ))
                records[path] = record(mode, self._checked_out(path), path)
            elif mode:
                contents[path] = known if known in {FILE, EXECUTABLE} else mode
            else:
                records[path] = b""
        return records, contents

    def _checked_out(self, path: bytes) -> bytes:
        """Return an id of the files in a submodule: its commit's where nothing was changed since."""
        inner = self.inner[path]
        own = blob_id(inner.listing.raw, b"")
        head = inner.repository.head()
        if not head or CommitSnapshot(inner.repository, head, inner).listing.raw != inner.listing.raw:
            return own
        # What a link leads to may have changed without the commit, and so may the bytes of filtered files.
        if LINK not in inner.listing.raw and not inner.filtered:
            return head.encode()
        self.filtered[path] = head.encode(), own
        return own

    def _targets(self, links: list[bytes]) -> dict[bytes, bytes]:
        """Return the target of each link."""
        top = os.fsencode(self.repository.top)
        return {path: os.readlink(os.path.join(top, path)) for path in links}


def _parted(output: bytes) -> tuple[Listing, list[bytes]]:
    """Return the index as `git ls-files -s -v -o` lists it, and the untracked paths, which it lists first."""
    untracked, position = [], 0
    while output.startswith(b"? ", position):
        end = output.index(b"\0", position)
        untracked.append(output[position + 2 : end])
        position = end + 1
    return Listing(output[position:]), untracked


def _unlooked(listing: Listing) -> dict[bytes, bytes]:
    """Return the paths that git does not compare with the work tree: hidden ones, in conflict, submodules."""
    raw = listing.raw
    is_plain = raw.count(b"\0H ") + raw.startswith(b"H ") == raw.count(b"\0")
    if is_plain and SUBMODULE not in raw:
        return {}
    lines = (line.partition(b"\t") for line in raw.split(b"\0"))
    return {path: b"" for head, _, path in lines if path and not head.startswith((b"H 100", b"H 120"))}


def _mode(name: bytes) -> tuple[bytes, tuple[int, ...] | None]:
    """Return the mode that git would give to a file, empty where git would store nothing, and a stamp."""
    try:
        found = os.lstat(name)
    except (FileNotFoundError, NotADirectoryError):
        return b"", None
    mode, stamp = found.st_mode, stamp_of(found)
    if stat.S_ISLNK(mode):
        return LINK, stamp
    if stat.S_ISDIR(mode):
        return (SUBMODULE if os.path.lexists(os.path.join(name, b".git")) else b""), None
    if stat.S_ISREG(mode):
        return (EXECUTABLE if mode & stat.S_IXUSR else FILE), stamp
    return b"", stamp


def _times(name: bytes) -> tuple[int, ...]:
    """Return when a file last changed in content and in any way, in nanoseconds since the epoch; none for no file."""
    try:
        found = os.lstat(name)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return found.st_mtime_ns, found.st_ctime_ns
