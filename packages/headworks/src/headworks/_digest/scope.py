"""The files that a session depends on, and everything that is said about it in files it shares with others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._hashes import digest_texts
from headworks._project.lock import INSTALLER_TABLES
from headworks._project.metadata import normalised
from headworks._project.package import enclosing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headworks._digest.content import Content
    from headworks._digest.packages import Packages
    from headworks._digest.parent_files import ParentFiles
    from headworks._project.project import Project
    from headworks._project.session import Session

    Span = tuple[int, int]

__all__ = ["Scope"]


class Scope:
    """Which files and settings of a tree count for which session."""

    def __init__(self, project: Project, content: Content, packages: Packages, parent_files: ParentFiles) -> None:
        """Take the tree."""
        self._project = project
        self._content = content
        self.packages = packages
        self._parent_files = parent_files
        self.shared = parent_files.shared
        self._cache: dict[tuple[object, ...], str] = {}
        self._around: set[str] | None = None
        self._configured: dict[tuple[str, ...] | None, list[str]] = {}

    def hashes(self, session: Session) -> list[str]:
        """Return hashes that together change whenever anything changes that counts for a session."""
        ignore, cache = session.ignore, self._cache
        if session.packages is None:
            key: tuple[object, ...] = ("all", ignore)
            if key not in cache:
                cache[key] = self._content.hash([self._project.listing.below(b"")], ignore)
            return [cache[key]]
        key = ("shared", session.function, session.groups, session.tools)
        if key not in cache:
            settings = [f"{name}={it}" for name, it in self.settings(session).items()]
            settings += [self._project.lock.hash("groups", normalised(it)) for it in self._project.groups(session)]
            cache[key] = digest_texts(settings)
        found = [cache[key], self._parent_files.hash(session.packages, ignore)]
        groups = self._project.groups(session)
        if (key := ("groups", groups, ignore)) not in cache:
            cache[key] = self.packages.grouped(groups, ignore)
        found.append(cache[key])
        further = (*(session.inputs or ()), *self.configured(session))
        for pattern in further:
            key = ("further", pattern, ignore)
            if key not in cache:
                cache[key] = self._content.hash(self._project.reader.named(pattern), ignore)
            found.append(cache[key])
        for folder in session.packages:
            key = ("own", folder, ignore)
            if key not in cache:
                cache[key] = self.packages.own(folder, ignore)
            found.append(cache[key])
        return found

    def named(self, session: Session) -> dict[str, str]:
        """Return a hash for each part that counts for a session, by name."""
        found = {name: self._content.hash(spans, ()) for name, spans in self.kept(session).items() if spans}
        return found if session.packages is None else self.settings(session) | self.locked(session) | found

    def kept(self, session: Session) -> dict[str, list[Span]]:
        """Return the slices of the listing with the files that count for a session, by the names of its parts."""
        return {name: self._content.kept(spans, session.ignore) for name, spans in self.spans(session).items()}

    def spans(self, session: Session) -> dict[str, list[Span]]:
        """Return the same with the files that the session's row says to ignore."""
        listing, packages, reader = self._project.listing, self.packages, self._project.reader
        if session.packages is None:
            return self._entries("files: ", [listing.below(b"")], "")
        found = {f"files: {it}": [listing.span(os.fsencode(it))] for it in self.near(session)}
        found |= {f"files: {it}": reader.named(it) for it in (*(session.inputs or ()), *self.configured(session))}
        own = set(session.packages)
        for folder in (*session.packages, *self.needed(session)):
            place = f"package {self._project.workspace.name(folder)}: "
            found |= self._entries(place, packages.spans(folder, wheel=folder not in own), folder)
            found |= {f"files: {pattern or '**'}": spans for pattern, spans in packages.outside(folder).items()}
        return found

    def locked(self, session: Session) -> dict[str, str]:
        """Return a hash for each locked package that a session can reach."""
        found: dict[str, str] = {}
        for kind, name, _ in self.starts(session):
            found |= self._project.lock.entries(kind, name)
        return found

    def starts(self, session: Session) -> list[tuple[str, str, str]]:
        """Return from where a session reaches into the lock: the kind, the folder or group, and a name for people."""
        own = session.packages or ()
        workspace = self._project.workspace
        needed = [("runtime", it, workspace.package(it).name) for it in self.needed(session)]
        groups = [("groups", normalised(it), f"the group {it}") for it in self._project.groups(session)]
        return [*(("own", it, workspace.package(it).name) for it in own), *needed, *groups]

    def settings(self, session: Session) -> dict[str, str]:
        """Return a hash for each part of the shared files that counts for a session, the lock aside."""
        pyproject, place = self._project.pyproject, "root: pyproject.toml "
        code = self._project.noxfile.code(session.function)
        chosen = None if session.tools is None else {*INSTALLER_TABLES, *(f"[tool.{it}]" for it in session.tools)}
        tables = {
            f"{place}{name}": value
            for name, value in pyproject.tables.items()
            if chosen is None or name in chosen or not name.startswith("[tool.")
        }
        groups = {
            f"{place}[dependency-groups] {it}": pyproject.groups.get(it, "") for it in self._project.groups(session)
        }
        reads = {f"noxfile.py reads: {_shown(it)}": self._project.reader.content([it]) for it in sorted(code.content)}
        lists = {f"noxfile.py lists: {_shown(it)}": self._project.reader.names([it]) for it in sorted(code.names)}
        members = [folder for folder, it in self._project.workspace.packages.items() if it.is_member]
        lacking = self._project.lock.lacking(members)
        return tables | groups | lacking | code.parts | reads | lists

    def near(self, session: Session) -> list[str]:
        """Return the files above a session's packages, and above those that these need."""
        return self._parent_files.files((*(session.packages or ()), *self.needed(session)))

    def needed(self, session: Session) -> list[str]:
        """Return the packages that a session's packages and dependency groups need."""
        return self._project.workspace.closure(session.packages or (), self._project.groups(session))

    def configured(self, session: Session) -> list[str]:
        """Return the files and folders that the root's configuration of a session's tools names."""
        tools = session.tools
        if tools not in self._configured:
            tables = self._project.pyproject.paths
            chosen = tables if tools is None else INSTALLER_TABLES.union(f"[tool.{it}]" for it in tools)
            names = [it for it in tables if it in chosen]
            self._configured[tools] = sorted({path for name in names for path in self._found(name)})
        return self._configured[tools]

    def _found(self, name: str) -> Iterable[str]:
        """Yield the existing files and folders that a table of the root's configuration names."""
        listing, prefix = self._project.listing, self._project.prefix
        for path, kind in self._project.pyproject.paths[name]:
            place = os.fsencode(prefix + path)
            start, end = listing.span(place)
            if start == end or prefix + path in self.shared:
                continue
            if kind == "all" or listing.get(place):
                yield path
            elif kind:
                yield from (it[len(prefix) :] for it in self._beside_packages(prefix + path))

    def _beside_packages(self, folder: str) -> Iterator[str]:
        """Yield what is in a folder and in no package: a package counts for whoever depends on it."""
        packages = self._project.workspace.packages
        if self._around is None:
            self._around = {above for it in packages for above in enclosing(it)}
        if any(it in packages for it in enclosing(folder) if it):
            return
        if folder not in self._around:
            yield folder
            return
        start, end = self._project.listing.below(os.fsencode(folder))
        paths = (os.fsdecode(path)[len(folder) + 1 :] for _, _, path in self._project.listing.records(start, end))
        for name in dict.fromkeys(path.partition("/")[0] for path in paths):
            yield from self._beside_packages(f"{folder}/{name}")

    def _entries(self, place: str, spans: Iterable[Span], folder: str) -> dict[str, list[Span]]:
        """Return slices cut into those of each entry of a folder."""
        raw = self._project.listing.raw
        depth = len(os.fsencode(folder)) + bool(folder)
        found: dict[str, list[Span]] = {}
        for start, end in spans:
            position = start
            while position < end:
                after = raw.index(b"\0", position) + 1
                path = raw[raw.index(b"\t", position) + 1 : after - 1]
                name = path[depth:].partition(b"/")[0] or path
                found.setdefault(place + os.fsdecode(name), []).append((position, after))
                position = after
        return found


def _shown(text: str) -> str:
    """Return a text of the noxfile's as a pattern that people can read."""
    return text.replace("\0", "*")
