"""Reads uv.lock once, when it changed.

The form is uv's (https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile), version 1. Every edge is followed,
whatever its marker says, with the extras that it asks for; where a name is locked in several versions, all that fit
the edge are reached. Members of the workspace end the way: each has a part of its own.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from headworks._project.toml import table
from headworks._quick.sha256 import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Node = tuple[int, str]  # the position of a package, and an extra of it or nothing

__all__ = ["LockReader"]

_FORM = 1  # the version of the form that is understood


class LockReader:
    """A parsed lock, and what each place in it can reach.

    Attributes:
        is_known: whether the lock has the form that is understood.
        labels: for every locked package its name with its version, and a hash of what the lock says of it.
        general: a hash of what the lock says of no package, such as which Pythons it is for.
    """

    def __init__(self, data: dict[str, Any], prefix: str) -> None:
        """Take the lock, and the folder it is in, relative to the top of the repository."""
        self.is_known = data.get("version") == _FORM
        self._data = data
        self._packages = list(_tables(data.get("package")))
        self._members = {number: _folder(it, prefix) for number, it in enumerate(self._packages) if _is_member(it)}
        self._by_name: dict[str, list[int]] = {}
        for number, it in enumerate(self._packages):
            self._by_name.setdefault(str(it.get("name")), []).append(number)
        self.general = digest(repr(_general(data)).encode())
        self.labels = [(_label(it), digest(repr(it).encode())) for it in self._packages]

    def parts(self) -> Iterator[tuple[str, str, set[int], set[str]]]:
        """Yield for every start its kind and name, the positions of packages and the members that it reaches.

        The kinds are `runtime` and `own` of each member, by folder, and `groups` of the project's root.
        """
        for number, folder in self._members.items():
            package = self._packages[number]
            needs = [*_tables(package.get("dependencies")), *_all_tables(package, "optional-dependencies")]
            yield "runtime", folder, *self._reach(needs)
            yield "own", folder, *self._reach([*needs, *_all_tables(package, "dev-dependencies")])
            if package.get("source") in ({"virtual": "."}, {"editable": "."}):
                yield from self._groups(table(package, "dev-dependencies"))
        yield from self._groups(table(self._data, "manifest", "dependency-groups"))

    def _groups(self, groups: dict[str, Any]) -> Iterator[tuple[str, str, set[int], set[str]]]:
        """Yield what each dependency group of the root reaches."""
        for name, needed in groups.items():
            yield "groups", name, *self._reach(_tables(needed))

    def _reach(self, needed: Iterable[dict[str, Any]]) -> tuple[set[int], set[str]]:
        """Return what can be reached from some edges: packages, and members that end the way."""
        waiting = [node for it in needed for node in self._nodes(it)]
        seen = set(waiting)
        while waiting:
            number, extra = waiting.pop()
            package = self._packages[number]
            if number not in self._members:
                needs = table(package, "optional-dependencies").get(extra) if extra else package.get("dependencies")
                new = {node for it in _tables(needs) for node in self._nodes(it)} - seen
                seen |= new
                waiting += new
        numbers = {number for number, _ in seen}
        return numbers - self._members.keys(), {self._members[it] for it in numbers & self._members.keys()}

    def _nodes(self, edge: dict[str, Any]) -> Iterator[Node]:
        """Yield the packages that an edge leads to, once for each extra that it asks for."""
        numbers = self._by_name.get(str(edge.get("name")), [])
        exact = [it for it in numbers if all(self._packages[it].get(key) == edge[key] for key in _CHOICE & edge.keys())]
        extras = edge.get("extra", edge.get("extras", []))
        for number in exact or numbers:
            yield number, ""
            for extra in extras if isinstance(extras, list) else []:
                yield number, str(extra)


_CHOICE = {"version", "source"}
_PARTS = {"members", "dependency-groups"}  # of the manifest, which count where they are reached


def _general(data: dict[str, Any]) -> dict[str, Any]:
    """Return what a lock says of no package in particular."""
    manifest = {key: value for key, value in table(data, "manifest").items() if key not in _PARTS}
    others = {key: value for key, value in data.items() if key not in {"manifest", "package", "revision"}}
    return others | {"manifest": manifest}


def _tables(value: object) -> Iterator[dict[str, Any]]:
    """Yield the tables of an array, leaving out what is none."""
    for it in value if isinstance(value, list) else []:
        if isinstance(it, dict):
            yield it


def _all_tables(package: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """Yield the tables of all arrays under a key of a package."""
    for value in table(package, key).values():
        yield from _tables(value)


def _is_member(package: dict[str, Any]) -> bool:
    """Tell whether a locked package is a folder of the repository instead of something to download."""
    return any(isinstance(table(package, "source").get(key), str) for key in ("editable", "virtual", "directory"))


def _folder(package: dict[str, Any], prefix: str) -> str:
    """Return the folder of a member, relative to the top of the repository."""
    source = table(package, "source")
    path = next(source[key] for key in ("editable", "virtual", "directory") if key in source)
    folder = posixpath.normpath(prefix + path)
    return "" if folder == "." else folder


def _label(package: dict[str, Any]) -> str:
    """Return name and version of a package, with its source where that is not a registry."""
    source = table(package, "source")
    place = "" if "registry" in source else "".join(f" ({it})" for it in source.values())
    return f"{package.get('name')} {package.get('version', '')}".strip() + place
