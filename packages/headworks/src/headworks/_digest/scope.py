"""The files that a session depends on, and everything that is said about it in files it shares with others."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable
from functools import cache, partial
from typing import TYPE_CHECKING

from headworks._hashes import digest_texts
from headworks._project.lock import INSTALLER_TABLES
from headworks._project.metadata import normalised

if TYPE_CHECKING:
    from headworks._digest.content import Content
    from headworks._digest.packages import Packages
    from headworks._digest.parent_files import ParentFiles
    from headworks._project.project import Project
    from headworks._project.session import Session

    Span = tuple[int, int]

_PYPROJECT = "root: pyproject.toml"


class Scope:
    """Which files and settings of a tree count for which session."""

    def __init__(self, project: Project, content: Content, packages: Packages, parent_files: ParentFiles) -> None:
        """Take the tree."""
        self._project = project
        self._content = content
        self.packages = packages
        self._parent_files = parent_files
        self.shared = parent_files.shared
        self._own, self._grouped = cache(packages.own), cache(packages.grouped)
        self._whole = cache(partial(content.hash, [project.listing.below(b"")]))
        self._further = cache(lambda pattern, ignore: content.hash(project.reader.named(pattern), ignore))
        self._shared: dict[tuple[object, ...], str] = {}

    def hashes(self, session: Session) -> list[str]:
        """Return hashes that together change whenever anything changes that counts for a session."""
        ignore = session.ignore
        if session.packages is None:
            return [self._whole(ignore)]
        groups = self._project.groups(session)
        key = (session.function, session.groups, session.tools)
        if key not in self._shared:
            settings = [f"{name}={it}" for name, it in self.settings(session).items()]
            settings += [self._project.lock.hash("groups", normalised(it)) for it in groups]
            self._shared[key] = digest_texts(settings)
        found = [self._shared[key], self._parent_files.hash(session.packages, ignore), self._grouped(groups, ignore)]
        found += [self._further(pattern, ignore) for pattern in session.inputs or ()]
        return found + [self._own(folder, ignore) for folder in session.packages]

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
        found |= {f"files: {it}": reader.named(it) for it in session.inputs or ()}
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

    def observed(self, session: Session) -> dict[str, str]:
        """Return a hash for each part of noxfile and pyproject.toml that nox and uv take for a session.

        Whatever else is read of the two counts as what it was seen to read. What a row names counts even if it is not.
        """
        named = {f"files: {it}": self._content.hash(self._project.reader.named(it), ()) for it in session.inputs or ()}
        return self._tables(INSTALLER_TABLES) | self._groups(session) | self.code(session) | named

    def code(self, session: Session) -> dict[str, str]:
        """Return a hash for each part of the noxfile that a session uses."""
        return self._project.noxfile.code(session.function).parts

    def settings(self, session: Session) -> dict[str, str]:
        """Return a hash for each part of the shared files that counts for a session, the lock aside."""
        code = self._project.noxfile.code(session.function)
        chosen = None if session.tools is None else {*INSTALLER_TABLES, *(f"[tool.{it}]" for it in session.tools)}
        reads = {f"noxfile.py reads: {_shown(it)}": self._project.reader.content([it]) for it in sorted(code.content)}
        lists = {f"noxfile.py lists: {_shown(it)}": self._project.reader.names([it]) for it in sorted(code.names)}
        members = [folder for folder, it in self._project.workspace.packages.items() if it.is_member]
        lacking = self._project.lock.lacking(members)
        return self._tables(chosen) | self._groups(session) | lacking | code.parts | reads | lists

    def _tables(self, chosen: Container[str] | None) -> dict[str, str]:
        """Return a hash for each table of the root's pyproject.toml: those of chosen tools, and those of none."""
        return {
            f"{_PYPROJECT} {name}": value
            for name, value in self._project.pyproject.tables.items()
            if chosen is None or name in chosen or not name.startswith("[tool.")
        }

    def _groups(self, session: Session) -> dict[str, str]:
        """Return a hash for each dependency group of the root that counts for a session."""
        groups = self._project.pyproject.groups
        return {f"{_PYPROJECT} [dependency-groups] {it}": groups.get(it, "") for it in self._project.groups(session)}

    def near(self, session: Session) -> list[str]:
        """Return the files above a session's packages, and above those that these need."""
        return self._parent_files.files((*(session.packages or ()), *self.needed(session)))

    def needed(self, session: Session) -> list[str]:
        """Return the packages that a session's packages and dependency groups need."""
        return self._project.workspace.closure(session.packages or (), self._project.groups(session))

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
