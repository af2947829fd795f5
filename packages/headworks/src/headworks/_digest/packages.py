"""Hashes of packages: their files, their dependencies, and the part of the lock that they reach."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._digest.content import cut
from headworks._hashes import digest_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headworks._digest.content import Content
    from headworks._digest.parent_files import ParentFiles
    from headworks._project.project import Project

    Span = tuple[int, int]

__all__ = ["Packages"]


class Packages:
    """Hashes of packages together with all that they need.

    A package counts in two ways. A session's own package counts with all its files, and with all that it needs for
    whatever purpose. A package that another one needs counts with what its wheel contains, and with what whoever
    installs the wheel needs. The second kind is built up from below, each package once, so that the work grows with the
    number of packages and not with their pairs.
    """

    def __init__(self, project: Project, content: Content, parent_files: ParentFiles) -> None:
        """Take the tree."""
        self._project = project
        self._content = content
        self._parent_files = parent_files
        self._packages = project.workspace.packages
        folders = {folder: os.fsencode(folder) for folder in self._packages}
        spans = project.listing.spans(name for name in folders.values() if name)
        spans[b""] = project.listing.below(b"")
        self._spans = {folder: spans[name] for folder, name in folders.items()}
        self._excludes = [os.fsencode(name) for name in project.pyproject.table.wheel_excludes]
        self._wheels: dict[tuple[str, ...], dict[str, str]] = {}

    def own(self, folder: str, ignore: tuple[str, ...]) -> str:
        """Return a hash of a session's own package and of all that it needs."""
        wheels = self._wheel_hashes(ignore)
        parts = [folder, self._content.hash(self.spans(folder), ignore), self._project.lock.hash("own", folder)]
        parts += [wheels[it] for it in self.needed(folder)]
        return digest_texts([*parts, self._outside(folder, ignore)])

    def needed(self, folder: str) -> list[str]:
        """Return the packages that a session's own package needs directly."""
        return self._known("own", folder, self._packages[folder].own) if folder in self._packages else []

    def _known(self, kind: str, folder: str, said: tuple[str, ...]) -> list[str]:
        """Return the packages that a package says it needs and those that the lock says, in order."""
        if members := self._project.lock.members(kind, folder):
            said = tuple(sorted({*said, *members} - {folder}))
        return [it for it in said if it in self._packages]

    def closure(self, folders: Iterable[str]) -> list[str]:
        """Return the packages that are needed by some packages, directly or not, without themselves."""
        own = set(folders)
        found = {it for folder in own for it in self.needed(folder)}
        waiting = list(found)
        while waiting:
            new = set(self._runtime(waiting.pop())) - found
            found |= new
            waiting += new
        return sorted(found - own)

    def spans(self, folder: str, *, wheel: bool = False) -> list[Span]:
        """Return the slices with a package's files, or with those that its wheel contains."""
        span = self._spans.get(folder) or self._project.listing.below(os.fsencode(folder))
        if not wheel:
            return [span]
        listing, place = self._project.listing, os.fsencode(f"{folder}/" if folder else "")
        holes = sorted(hole for name in self._excludes if (hole := listing.inner(span, place + name)))
        return cut([span], holes) if holes else [span]

    def outside(self, folder: str) -> dict[str, list[Span]]:
        """Return the slices that a package's pyproject.toml points at beyond its folder, by pattern."""
        package = self._packages.get(folder)
        prefix = self._project.prefix
        found = {}
        for pattern in package.outside if package else ():
            if pattern.startswith(prefix):
                found[pattern] = self._project.reader.named(pattern[len(prefix) :] or "**")
            else:
                found[pattern] = [self._project.listing.span(os.fsencode(pattern))]
        return found

    def _outside(self, folder: str, ignore: tuple[str, ...]) -> str:
        """Return a hash of the files outside a package that its pyproject.toml names."""
        if folder not in self._packages or not self._packages[folder].outside:
            return ""
        return self._content.hash((it for spans in self.outside(folder).values() for it in spans), ignore)

    def _runtime(self, folder: str) -> list[str]:
        """Return the packages that whoever installs a package's wheel needs with it."""
        return self._known("runtime", folder, self._packages[folder].runtime)

    def _wheel_hashes(self, ignore: tuple[str, ...]) -> Mapping[str, str]:
        """Return for each package a hash of its wheel with all dependencies of that."""
        if ignore not in self._wheels:
            alone = {folder: self._wheel(folder, ignore) for folder in self._packages}
            needs = {folder: self._runtime(folder) for folder in self._packages}
            self._wheels[ignore] = _accumulated(alone, needs)
        return self._wheels[ignore]

    def _wheel(self, folder: str, ignore: tuple[str, ...]) -> str:
        """Return a hash of the files in a package's wheel, and of the part of the lock that it reaches."""
        content = self._content.hash(self.spans(folder, wheel=True), ignore)
        above, outside = self._parent_files.hash((folder,), ignore), self._outside(folder, ignore)
        return digest_texts([folder, content, self._project.lock.hash("runtime", folder), above, outside])


def _accumulated(alone: Mapping[str, str], needs: Mapping[str, list[str]]) -> dict[str, str]:
    """Return for each name a hash over its own and those of all that it needs, directly or not."""
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in needs.items():
        for it in needed:
            users[it].append(name)
    missing = {name: len(needed) for name, needed in needs.items()}
    ready = [name for name, count in missing.items() if not count]
    done: dict[str, str] = {}
    for name in ready:  # grows while it is read
        done[name] = digest_texts([alone[name], *[done[it] for it in needs[name]]])
        for user in users[name]:
            missing[user] -= 1
            ready += [user] if not missing[user] else []
    circular = {}
    for name in needs.keys() - done:  # these are in a circle, or need one that is
        reached = [name]
        for it in reached:  # grows while it is read
            reached += [need for need in needs[it] if need not in reached]
        circular[name] = digest_texts(alone[it] for it in sorted(reached))
    return done | circular
