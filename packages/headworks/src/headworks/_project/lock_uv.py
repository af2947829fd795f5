"""The lock of uv, version 1 (https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile).

Every edge is followed, whatever its marker, with the extras that it asks for; where a name is locked in several
versions, all that fit the edge are reached. No edge is followed past a local package: each is a start itself.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from headworks._hashes import digest
from headworks._project.toml import parse, table

_FORM = 1
_CHOICE = {"version", "source"}  # keys of an edge that tell the versions of one name apart
_PARTS = {"members", "dependency-groups"}  # of the manifest, which count where they are reached
_LOCAL = ("editable", "virtual", "directory", "path")  # kinds of a source that is no download


class UvLock:
    """A parsed uv.lock: a `LockReader`."""

    table: ClassVar[str] = "[tool.uv]"

    def __init__(self, content: bytes, prefix: str) -> None:
        """Parse a lock, and index its packages by position."""
        self._data = parse(content, "uv.lock")
        self._packages = list(_tables(self._data.get("package")))
        folders = {number: _folder(package, prefix) for number, package in enumerate(self._packages)}
        self._members = {number: folder for number, folder in folders.items() if folder is not None}
        self._by_name: dict[str, list[int]] = {}
        for number, package in enumerate(self._packages):
            self._by_name.setdefault(str(package.get("name")), []).append(number)
        manifest = {key: value for key, value in table(self._data, "manifest").items() if key not in _PARTS}
        rest = {key: value for key, value in self._data.items() if key not in {"manifest", "package", "revision"}}
        self.general = digest(repr(rest | {"manifest": manifest}).encode())
        self.labels = [(_label(package), digest(repr(package).encode())) for package in self._packages]

    def reaches(self) -> Iterator[tuple[str, str, set[int], set[str]]]:
        """Yield for every member and dependency group the packages and members that it reaches."""
        if self._data.get("version") != _FORM:
            return
        for number, folder in self._members.items():
            package = self._packages[number]
            edges = [*_tables(package.get("dependencies")), *_all_tables(package, "optional-dependencies")]
            yield "runtime", folder, *self._reach(edges)
            yield "own", folder, *self._reach([*edges, *_all_tables(package, "dev-dependencies")])
            if package.get("source") in ({"virtual": "."}, {"editable": "."}):
                yield from self._groups(table(package, "dev-dependencies"))
        yield from self._groups(table(self._data, "manifest", "dependency-groups"))

    def _groups(self, groups: dict[str, Any]) -> Iterator[tuple[str, str, set[int], set[str]]]:
        for name, edges in groups.items():
            yield "groups", name, *self._reach(_tables(edges))

    def _reach(self, edges: Iterable[dict[str, Any]]) -> tuple[set[int], set[str]]:
        """Return the packages that edges lead to, directly or not, and the members at which that ends."""
        waiting = [node for edge in edges for node in self._nodes(edge)]
        seen = set(waiting)
        while waiting:
            number, extra = waiting.pop()
            package = self._packages[number]
            if number not in self._members:
                further = table(package, "optional-dependencies").get(extra) if extra else package.get("dependencies")
                new = {node for edge in _tables(further) for node in self._nodes(edge)} - seen
                seen |= new
                waiting += new
        numbers = {number for number, _ in seen}
        members = numbers & self._members.keys()
        return numbers - members, {self._members[number] for number in members}

    def _nodes(self, edge: dict[str, Any]) -> Iterator[tuple[int, str]]:
        """Yield the position of each package that an edge leads to with no extra, and with each that it asks for."""
        numbers = self._by_name.get(str(edge.get("name")), [])
        given = _CHOICE & edge.keys()
        exact = [number for number in numbers if all(self._packages[number].get(key) == edge[key] for key in given)]
        extras = edge.get("extra", edge.get("extras", []))  # `extras` in a dependency group of the manifest
        for number in exact or numbers:
            yield number, ""
            for extra in extras if isinstance(extras, list) else []:
                yield number, str(extra)


def _tables(value: object) -> Iterator[dict[str, Any]]:
    """Yield the tables of an array, and skip everything else."""
    for element in value if isinstance(value, list) else []:
        if isinstance(element, dict):
            yield element


def _all_tables(package: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    for value in table(package, key).values():
        yield from _tables(value)


def _folder(package: dict[str, Any], prefix: str) -> str | None:
    """Return the folder of a member, relative to the top of the repository; None for any other package."""
    source = table(package, "source")
    path = next((source[key] for key in _LOCAL if isinstance(source.get(key), str)), None)
    folder = None if path is None else posixpath.normpath(prefix + path)
    return "" if folder == "." else folder


def _label(package: dict[str, Any]) -> str:
    """Return name and version of a package, with its source where that is not a registry."""
    source = table(package, "source")
    place = "" if "registry" in source else "".join(f" ({value})" for value in source.values())
    return f"{package.get('name')} {package.get('version', '')}".strip() + place
