"""Hashes of packages: their files, their dependencies, and the part of the lock that they reach."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING

from headworks._digest.content import Content, cut
from headworks._hashes import digest_texts
from headworks._project.needs import with_all_needs
from headworks._tree.patterns import is_plain, matcher

if TYPE_CHECKING:
    from headworks._digest.parent_files import ParentFiles
    from headworks._project.project import Project

    Span = tuple[int, int]

# What no backend takes into a wheel but by its name: folders of docs, and pages beside the modules.
_DOCS = ("doc", "docs")
_PROSE = (b".md", b".rst")


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
        self._workspace = project.workspace
        folders = {folder: os.fsencode(folder) for folder in self._workspace.packages}
        spans = project.listing.spans(name for name in folders.values() if name)
        spans[b""] = project.listing.below(b"")
        self._spans = {folder: spans[name] for folder, name in folders.items()}
        self._excludes = project.pyproject.table.wheel_excludes
        self._wheels = cache(self._wheel_hashes)
        self.excluded = cache(self._excluded)  # every session that needs a package asks

    def own(self, folder: str, ignore: tuple[str, ...]) -> str:
        """Return a hash of a session's own package and of all that it needs."""
        wheels = self._wheels(ignore)
        parts = [folder, self._content.hash(self.spans(folder), ignore), self._project.lock.hash("own", folder)]
        parts += [wheels[it] for it in self._workspace.package(folder).own]
        return digest_texts([*parts, self._outside(folder, ignore)])

    def grouped(self, groups: Iterable[str], ignore: tuple[str, ...]) -> str:
        """Return a hash of the packages that dependency groups of the root need, with all that those need."""
        return digest_texts(self._wheels(ignore)[it] for it in self._workspace.grouped(groups))

    def spans(self, folder: str, *, wheel: bool = False) -> list[Span]:
        """Return the slices with a package's files, or with those that its wheel contains."""
        listing = self._project.listing
        span = self._spans.get(folder, (0, 0))
        if span[0] == span[1]:  # an archive, a folder that only a row names, or one behind a link or in a submodule
            span = listing.span(listing.holder(os.fsencode(folder)))
        if not wheel:
            return [span]
        names = map(os.fsencode, self.excluded(folder))
        holes = sorted(hole for name in names if (hole := listing.inner(span, name)))
        return cut([span], holes) if holes else [span]

    def _excluded(self, folder: str) -> list[str]:
        """Return the files and folders of a package that its wheel is not built from."""
        names, named = list(self._excludes), self._workspace.package(folder).wheel
        if named is not None:
            pages = (*_DOCS, *self._pages.get(folder, ()))
            names += [it for it in pages if it not in named and not any(_fits(pattern, it) for pattern in named)]
        return [f"{folder}/{name}".lstrip("/") for name in dict.fromkeys(names)]

    @cached_property
    def _pages(self) -> dict[str, list[str]]:
        """The names of the files of prose in each folder."""
        found: dict[str, list[str]] = {}
        for path in (it for end in _PROSE for it in self._project.listing.ending(end)):
            folder, _, name = os.fsdecode(path).rpartition("/")
            found.setdefault(folder, []).append(name)
        return found

    def outside(self, folder: str) -> dict[str, list[Span]]:
        """Return the slices that a package's pyproject.toml points at beyond its folder, by pattern."""
        prefix = self._project.prefix
        found = {}
        for pattern in self._workspace.package(folder).outside:
            if pattern.startswith(prefix):
                found[pattern] = self._project.reader.named(pattern[len(prefix) :] or "**")
            else:
                found[pattern] = [self._project.listing.span(os.fsencode(pattern))]
        return found

    def _outside(self, folder: str, ignore: tuple[str, ...]) -> str:
        """Return a hash of the files outside a package that its pyproject.toml names."""
        if not self._workspace.package(folder).outside:
            return ""
        return self._content.hash((it for spans in self.outside(folder).values() for it in spans), ignore)

    def _wheel_hashes(self, ignore: tuple[str, ...]) -> Mapping[str, str]:
        """Return for each package a hash of its wheel with all dependencies of that."""
        alone = {folder: self._wheel(folder, ignore) for folder in self._workspace.packages}
        needs = {folder: package.runtime for folder, package in self._workspace.packages.items()}
        return _accumulated(alone, needs)

    def _wheel(self, folder: str, ignore: tuple[str, ...]) -> str:
        """Return a hash of the files in a package's wheel, and of the part of the lock that it reaches."""
        content = self._content.hash(self.spans(folder, wheel=True), ignore)
        above, outside = self._parent_files.hash((folder,), ignore), self._outside(folder, ignore)
        return digest_texts([folder, content, self._project.lock.hash("runtime", folder), above, outside])


@cache  # most packages have pages of the same names
def _fits(pattern: str, name: str) -> bool:
    return not is_plain(pattern) and matcher(pattern)(name)


def _accumulated(alone: Mapping[str, str], needs: Mapping[str, Sequence[str]]) -> dict[str, str]:
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
    circular = needs.keys() - done  # these are in a circle, or need one that is
    return done | {it: digest_texts(alone[other] for other in sorted(with_all_needs([it], needs))) for it in circular}
