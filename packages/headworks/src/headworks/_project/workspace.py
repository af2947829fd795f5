"""The packages of a repository and the needs between them, from their metadata and the lock."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from headworks._hashes import digest
from headworks._project.metadata import FILES, Metadata, normalised, place_of, read_metadata
from headworks._project.package import Graph, Package, enclosing
from headworks._tree.listing import LINK, SUBMODULE, Listing
from headworks._tree.patterns import matcher
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._project.lock import Lock
    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot

_MAX_DEPTH = 2  # folders above a package, where no settings name the packages


class Workspace:
    """The graph of the local packages: those of the project, and what they need from wherever it lies.

    Attributes:
        packages: By folder, which is relative to the top of the repository.
        key: Changes with the names of the packages, and with any metadata in the repository.
    """

    def __init__(
        self, packages: Iterable[Package], groups: Mapping[str, tuple[str, ...]], listing: Listing, lock: Lock, key: str
    ) -> None:
        """Index the packages by folder, and add archives and folders without metadata that they need."""
        self.packages = {package.folder: package for package in packages}
        self.key = digest(key.encode(), *(f"{it.folder} {it.name}".encode() for it in self.packages.values()))
        self._listing = listing
        self._lock = lock
        self._groups = groups
        self._by_name: dict[str, list[str]] = {}
        self._missing: dict[str, list[str]] = {}
        self._closures: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
        needed = {it for package in self.packages.values() for it in package.own}.union(*groups.values())
        lacking = [it for it in needed if it not in self.packages]
        for folder in lacking:  # grows while it is read
            if folder not in self.packages and self._is_there(folder):
                self.packages[folder] = self._bare(folder)
                lacking += self.packages[folder].own
        for folder, package in self.packages.items() if lacking else ():
            if missing := {*package.own} - self.packages.keys():
                self._missing[folder] = sorted(missing)
                runtime, own = (
                    tuple(it for it in their if it not in missing) for their in (package.runtime, package.own)
                )
                self.packages[folder] = replace(package, runtime=runtime, own=own)
        self._is_whole = not self._missing and not any(it.unmet for it in self.packages.values())

    def find(self, name: str, prefix: str) -> list[str]:
        """Return the folders of the packages that a name means: a folder, its last part or a distribution's name."""
        folder = place_of(prefix, name)
        for candidate in (folder, name, normalised(name)):
            if folders := self._named(candidate):
                return folders
        return [folder] if self._is_there(folder) else []

    def package(self, folder: str) -> Package:
        """Return a package, which may be a folder that only a row names."""
        return self.packages.get(folder) or self._bare(folder)

    def grouped(self, groups: Iterable[str]) -> list[str]:
        """Return the packages that dependency groups of the root need directly."""
        needed = [
            it
            for name in groups
            for it in (*self._groups.get(name, ()), *self._lock.members("groups", normalised(name)))
        ]
        return sorted(self.packages.keys() & needed)

    def closure(self, folders: Iterable[str], groups: Iterable[str]) -> list[str]:
        """Return the packages that packages and dependency groups need, directly or not, without the former."""
        key = tuple(folders), tuple(groups)
        if key not in self._closures:
            found: set[str] = set()
            waiting = [*self.grouped(key[1]), *(it for folder in key[0] for it in self.package(folder).own)]
            while waiting:
                if (folder := waiting.pop()) not in found:
                    found.add(folder)
                    waiting += self.packages[folder].runtime
            self._closures[key] = sorted(found.difference(key[0]))
        return self._closures[key]

    def unmet(self, folders: Iterable[str], groups: Iterable[str]) -> str:
        """Return what is wrong where packages need local packages that are not there; empty where nothing is."""
        for folder in () if self._is_whole else (*folders, *self.closure(folders, groups)):
            for place in self._missing.get(folder, ()):
                return f"{folder or 'the root'} needs what lies in {place}, where git lists no file"
            for name in self.package(folder).unmet:
                return f"{folder or 'the root'} needs {name} from its uv workspace, which has no such member"
        return ""

    def _is_there(self, folder: str) -> bool:
        return self._listing.has(self._listing.holder(os.fsencode(folder)))

    def _bare(self, folder: str) -> Package:
        """Return an archive or a folder without metadata; where some were not read, it may need any other."""
        has_metadata = any(self._listing.get(path) for path in _paths(folder))
        needs = {*self.packages} - {folder} if has_metadata else {*self._lock.members("runtime", folder)}
        own = needs.union(self._lock.members("own", folder))
        name = normalised(folder.rpartition("/")[2])
        return Package(folder=folder, name=name, runtime=tuple(sorted(needs)), own=tuple(sorted(own)))

    def _named(self, name: str) -> list[str]:
        if not self._by_name:
            for package in self.packages.values():
                for alias in {package.name, os.path.basename(package.folder), package.folder}:
                    self._by_name.setdefault(alias, []).append(package.folder)
        return self._by_name.get(name, [])

    def names(self) -> list[str]:
        """Return a name for every package, as people would write it."""
        return sorted(self.name(folder) for folder in self.packages)

    def name(self, folder: str) -> str:
        """Return the shortest name that means a package and no other."""
        short = os.path.basename(folder)
        return short if self._named(short) == [folder] else folder or self.packages[folder].name


def find_workspace(snapshot: Snapshot, memory: Memory, lock: Lock, named: Iterable[str]) -> Workspace:
    """Return the packages of a snapshot.

    They are the members of the uv workspace; else all below `packages`; else all in the two levels below the root. To
    these come what the lock has from the repository, what is named, and every dependency that is given by its path.

    Args:
        snapshot: The tree.
        memory: What is remembered of it.
        lock: The lock.
        named: Folders, relative to the project's, that somebody takes for packages.

    Raises:
        ConfigurationError: The pyproject.toml of the root or of a member of the uv workspace is not TOML.
    """
    lines = snapshot.listing.lines
    files = sorted(line for name in FILES for mark in "/\t" for line in lines(f"{mark}{name}\0".encode()))
    inner = [line for mode in (LINK, SUBMODULE) for line in lines(b" %b " % mode)]
    prefix = snapshot.repository.prefix
    key = digest(prefix.encode(), lock.whole.encode(), *files, *inner)
    remembered = memory.get("workspace", key)
    if remembered is None:
        search = _Search(snapshot, [line[line.index(b"\t") + 1 : -1] for line in files], inner)
        remembered = search.read(prefix.rstrip("/"), lock, [place_of(prefix, name) for name in named])
        memory.put("workspace", key, remembered)
    packages, groups = remembered
    return Workspace((Package(**fields) for fields in packages), groups, snapshot.listing, lock, digest(*files))


class _Search:
    """Finds packages: begins with those of the project, and follows the paths that they name."""

    def __init__(self, snapshot: Snapshot, files: Iterable[bytes], inner: Iterable[bytes]) -> None:
        """Take the tree, the files with metadata in it, and the entries of its links and submodules."""
        self._snapshot = snapshot
        self._known: dict[str, Metadata | None] = {}
        self._broken: set[str] = set()
        self._expanded: dict[str, Metadata] = {}
        self._files = set(files)
        self._folders = dict.fromkeys(posixpath.dirname(os.fsdecode(path)) for path in files)
        self._links: dict[str, str] = {}
        for line in inner:
            head, _, path = line[:-1].partition(b"\t")
            if head.split(b" ")[1] == SUBMODULE:
                self._folders |= dict.fromkeys(_within(snapshot, path))
            else:
                self._links[os.fsdecode(path)] = os.fsdecode(snapshot.target(path))

    def read(
        self, root: str, lock: Lock, named: list[str]
    ) -> tuple[list[dict[str, object]], dict[str, tuple[str, ...]]]:
        """Return the packages, and those that each dependency group of the root needs, in a form to be remembered."""
        self._look([root], strict=True)
        top = self._known[root]
        members: list[str] = []
        if top and top.workspace:
            self._expanded[root] = top
            members = self._members(root, top)
            self._look(members, strict=True)
        said = [*([root] if top and top.is_package else []), *lock.folders(), *named, *_places(top)]
        found: dict[str, Metadata | None] = {}
        waiting = [*(members if top and top.workspace else self._near(root)), *said]
        while waiting:
            around = {it for folder in waiting for it in enclosing(folder)} & self._folders.keys()
            self._look([*waiting, *around])
            new = {it: self._known[it] for it in waiting if it not in found and self._is_package(it)}
            found |= new
            waiting = [it for folder, metadata in new.items() for it in self._next(folder, metadata)]
        explicit = {
            *members,
            *said,
            *(it for one in (*found.values(), *self._expanded.values()) for it in _places(one)),
        }
        found = {it: found[it] for it in sorted(found, key=_paths) if it in explicit or not self._is_fixture(it, found)}
        graph = Graph(found, self._expanded, members, lock)
        groups = graph.groups(root, top) if top else {}
        return [vars(package) for package in graph.packages()], groups

    def _look(self, folders: Iterable[str], *, strict: bool = False) -> None:
        """Read the metadata in folders; where strict, they have to be TOML."""
        new = [it for it in dict.fromkeys(folders) if it not in self._known and not it.startswith(("../", "/"))]
        places = {folder: _paths(folder) for folder in new}
        listed = {folder: self._files.intersection(paths) for folder, paths in places.items()}
        contents = self._snapshot.contents(it for folder in new for it in listed[folder] or places[folder])
        for folder in new:
            files = {name: contents[it] for name, it in zip(FILES, places[folder], strict=True) if it in contents}
            try:
                self._known[folder] = read_metadata(folder, files)
            except ConfigurationError:
                if strict:
                    raise
                self._broken.add(folder)
                self._known[folder] = None

    def _is_package(self, folder: str) -> bool:
        if folder not in self._known:  # outside the repository
            return False
        is_read = self._known[folder] is not None or folder in self._broken
        return is_read or self._snapshot.hides(os.fsencode(folder))

    def _is_fixture(self, folder: str, found: Mapping[str, Metadata | None]) -> bool:
        """Tell whether a package without a name lies in one with a name, as broken ones do for tests."""
        own = found[folder]
        is_nameless = own is None or own.name is None
        return is_nameless and any(
            it.name is not None for above in list(enclosing(folder))[1:-1] if (it := found.get(above))
        )

    def _next(self, folder: str, metadata: Metadata | None) -> Iterator[str]:
        """Yield the folders that a package leads to: by paths, and as a part of a workspace of its own."""
        for above in enclosing(folder):
            around = self._known.get(above)
            if around and around.workspace:
                if above not in self._expanded:
                    self._expanded[above] = around
                    yield from (*self._members(above, around), *_places(around))
                break
        yield from _places(metadata)
        yield from (place for place in (metadata.outside if metadata else ()) if place in self._folders)

    def _near(self, root: str) -> list[str]:
        """Return the packages of a project without a uv workspace."""
        linked = [
            link
            for link, target in self._links.items()
            if target in self._folders and not any(it in self._folders for it in enclosing(link) if it)
        ]
        below = {it: posixpath.relpath(it, root or ".") for it in (*self._folders, *linked) if _lies_below(it, root)}
        chosen = [it for it, name in below.items() if name.startswith("packages/")]
        return chosen or [it for it, name in below.items() if name.count("/") < _MAX_DEPTH]

    def _members(self, root: str, metadata: Metadata) -> list[str]:
        """Return the members of a uv workspace, which may lie behind links."""
        linked = dict.fromkeys(self._links)
        for link, target in self._links.items():
            linked |= {link + it.removeprefix(target): None for it in self._folders if _lies_below(it, target)}
        # uv takes "./packages/*" and "packages/*/" as well.
        members, excluded = (
            [matcher(posixpath.normpath(pattern), exact=True) for pattern in patterns]
            for patterns in metadata.workspace or ((), ())
        )
        below = {it: posixpath.relpath(it, root or ".") for it in (*self._folders, *linked) if _lies_below(it, root)}
        chosen = [it for it, name in below.items() if any(fits(name) for fits in members)]
        return [it for it in chosen if not any(fits(below[it]) for fits in excluded)]


def _within(snapshot: Snapshot, path: bytes) -> Iterator[str]:
    """Yield the folders with metadata in a submodule, and in those that it has itself."""
    inner = snapshot.within(path)
    if inner is None:
        return
    for mode, _, name in inner.listing.records():
        if mode == SUBMODULE:
            yield from (posixpath.join(os.fsdecode(path), it) for it in _within(inner, name))
        elif (folder := posixpath.split(os.fsdecode(name)))[1] in FILES:
            yield posixpath.join(os.fsdecode(path), folder[0]).rstrip("/")


def _places(metadata: Metadata | None) -> list[str]:
    return [it for places in metadata.places.values() for it in places] if metadata else []


def _paths(folder: str) -> list[bytes]:
    """Return where the metadata of a package would be."""
    return [os.fsencode(posixpath.join(folder, name)) for name in FILES]


def _lies_below(path: str, folder: str) -> bool:
    return path != folder and (not folder or path.startswith(f"{folder}/"))
