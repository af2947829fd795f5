"""Why a session runs, in words: the differences between two trees that reach its digest.

What decides is the digest. Reasons only explain it, so they look at what changed first and then for whom it counts,
which costs little however many sessions there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from headworks._plan.difference import difference
from headworks._project.package import enclosing
from headworks._tree.listing import Listing
from headworks._tree.patterns import is_plain, matcher

if TYPE_CHECKING:
    from headworks._digest.digest import Digester, Outputs
    from headworks._project.session import Session

_SHOWN = 3  # files of one place that are named before the rest is counted


class Reasons:
    """The differences between the work tree and its base."""

    def __init__(self, now: Digester, then: Digester) -> None:
        """Compare the work tree with its base."""
        self._now, self._then = now, then
        trees = [{*it.project.listing.raw.split(b"\0")} for it in (then, now)]
        old, new = (
            {path: it for *it, path in Listing(b"\0".join([*lines, b""])).records()}
            for lines in (trees[0] - trees[1], trees[1] - trees[0])
        )
        self._changed: dict[str, str] = {}
        self._below: dict[str, list[str]] = {}
        for path in sorted(it for it in old.keys() | new.keys() if old.get(it) != new.get(it)):
            name = os.fsdecode(path)
            self._changed[name] = "is new" if path not in old else "is gone" if path not in new else "changed"
            for folder in enclosing(name.rpartition("/")[0]):
                self._below.setdefault(folder, []).append(name)
        self._package = cache(self._changes_of)  # many sessions need the same package
        self._settings: dict[tuple[object, ...], list[str]] = {}
        self._locks = cache(lambda *start: difference(*(it.project.lock.entries(*start) for it in (then, now))))
        self._named = cache(self._find)

    def of(self, session: Session, outputs: Outputs) -> tuple[str, ...]:
        """Return why a session's digest differs from its digest at the base; empty where it does not.

        Args:
            session: the session.
            outputs: the digests of the outputs that it reads, by session and path, as far as they are known.
        """
        found = [*self._said(session), *self._shared(session), *self._files(session), *self._locked(session)]
        if not found and session.needs:
            found = [f"reads what {', '.join(session.needs[:_SHOWN])} gave"]
        if not found and self._then.digest(session, outputs).value != self._now.digest(session, outputs).value:
            old, new = (it.digest(session, outputs).components for it in (self._then, self._now))
            found = difference(old, new)
        return tuple(dict.fromkeys(found))

    def _said(self, session: Session) -> Iterator[str]:
        """Yield the changes of the noxfile and the table for a session as such."""
        function, old, new = session.function, self._then.project, self._now.project
        if function in new.noxfile.sessions() and function not in old.noxfile.sessions():
            yield f"noxfile.py: {function} is new"
        if old.pyproject.table.rows.get(function) != new.pyproject.table.rows.get(function):
            yield f"pyproject.toml: [tool.headworks.sessions] {function} changed"

    def _shared(self, session: Session) -> list[str]:
        """Return the changes of settings and of the noxfile."""
        if session.packages is None:
            return []
        key = (session.function, session.groups, session.tools)
        if key not in self._settings:
            self._settings[key] = difference(*(it.parts.scope.settings(session) for it in (self._then, self._now)))
        return self._settings[key]

    def _files(self, session: Session) -> Iterator[str]:
        """Yield the files that count for a session and changed."""
        ignored = self._ignored(session.ignore)
        if session.packages is None:
            yield from self._listed(self._changed, ignored, "")
            return
        scope = self._now.parts.scope
        for pattern in session.inputs or ():
            yield from self._listed(self._named(self._prefixed(pattern)), ignored, "")
        near = {*scope.near(session), *self._then.parts.scope.near(session)}
        yield from self._listed(self._changed.keys() & near, ignored, "")
        for folder in session.packages:
            yield from self._package(folder, session.ignore)
        for folder in scope.needed(session):
            yield from self._package(folder, session.ignore, through=self._now.project.workspace.package(folder).name)

    def _changes_of(self, folder: str, ignore: tuple[str, ...], through: str | None = None) -> list[str]:
        """Return the files of a package that changed, and those beyond its folder that it points at."""
        packages = self._now.parts.scope.packages
        excluded = () if through is None else packages.excluded(folder)
        ignored = self._ignored(ignore).union(*map(self._named, excluded))
        held = [it for it in enclosing(folder) if it in self._changed]  # a link, a submodule or an archive
        places = [[*held, *self._below.get(folder, ())], *map(self._named, packages.outside(folder))]
        reached = "" if through is None else f", reached through {through}"
        return [text for paths in places for text in self._listed(paths, ignored, reached)]

    def _ignored(self, patterns: tuple[str, ...]) -> set[str]:
        """Return the changed files that patterns of the table name."""
        return {path for pattern in patterns for path in self._named(self._prefixed(pattern))}

    def _locked(self, session: Session) -> Iterator[str]:
        """Yield the locked packages that a session can reach and that changed."""
        if self._then.project.lock.whole == self._now.project.lock.whole or session.packages is None:
            return
        seen: set[str] = set()
        for kind, name, title in self._now.parts.scope.starts(session):
            for text in self._locks(kind, name):
                if text not in seen:
                    seen.add(text)
                    yield f"{text}, reached through {title}"

    def _prefixed(self, pattern: str) -> str:
        """Return a pattern of the table relative to the top of the repository."""
        return self._now.project.prefix + pattern

    def _find(self, pattern: str) -> list[str]:
        """Return the changed files that a pattern names."""
        if is_plain(pattern):
            return [pattern] if pattern in self._changed else self._below.get(pattern, [])
        return list(filter(matcher(pattern), self._changed))

    def _listed(self, paths: Iterable[str], ignored: set[str], through: str) -> list[str]:
        """Return the changes of some files, the first few by name."""
        left = sorted(it for it in paths if it not in ignored)
        shown = [f"{it} {self._changed[it]}{through}" for it in left[:_SHOWN]]
        more = len(left) - _SHOWN
        return [*shown, f"and {more:,} more file{'s' * (more > 1)} like these{through}"] if more > 0 else shown
