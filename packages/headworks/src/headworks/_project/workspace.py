"""The packages of a repository and the needs between them, from its pyproject.toml files alone."""

from __future__ import annotations

import os
import posixpath
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from headworks._hashes import digest
from headworks._project.package import Package, normalised, read_packages
from headworks._project.toml import parse, strings, table
from headworks._tree.listing import LINK
from headworks._tree.patterns import matcher
from headworks.errors import CannotDecideError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot

__all__ = ["Workspace", "find_workspace"]

_FILE = b"/pyproject.toml\0"
_MAX_DEPTH = 2  # folders above a package, where no settings name the packages


class Workspace:
    """The packages of a repository.

    Attributes:
        packages: By folder, which is relative to the top of the repository.
        key: Changes with any pyproject.toml of the project.
    """

    def __init__(self, packages: Iterable[Package], key: str) -> None:
        """Index the packages by folder."""
        self.key = key
        self.packages = {package.folder: package for package in packages}
        self._by_name: dict[str, list[str]] = {}

    def find(self, name: str, prefix: str) -> list[str]:
        """Return the folders of the packages that a name means: a folder, its last part or a distribution's name."""
        for candidate in (prefix + name.removeprefix("./").rstrip("/"), name, normalised(name)):
            if folders := self._named(candidate):
                return folders
        return []

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


def find_workspace(snapshot: Snapshot, memory: Memory) -> Workspace:
    """Return the packages of a snapshot.

    They are the members of the uv workspace; else all below `packages`; else all in the two levels below the root.

    Raises:
        ConfigurationError: The pyproject.toml of the root or of a member of the uv workspace is not TOML.
    """
    prefix = os.fsencode(snapshot.repository.prefix)
    files = _files(snapshot.listing.raw, prefix)
    key = digest(prefix, *files)
    remembered = memory.get("workspace", key)
    if remembered is None:
        remembered = _read(snapshot, prefix, [line[line.index(b"\t") + 1 : -1] for line in files])
        memory.put("workspace", key, remembered)
    return Workspace((Package(**fields) for fields in remembered), key)


def _files(raw: bytes, prefix: bytes) -> list[bytes]:
    """Return the listing entries of all pyproject.toml files of the project."""
    lines = []
    end = -1
    while (end := raw.find(_FILE, end + 1)) >= 0:
        start = raw.rfind(b"\0", 0, end) + 1
        if raw.startswith(prefix, raw.index(b"\t", start) + 1):
            lines.append(raw[start : end + len(_FILE)])
    if not prefix and (root := raw.find(b"\t" + _FILE[1:])) >= 0:
        lines.append(raw[raw.rfind(b"\0", 0, root) + 1 : root + len(_FILE)])
    return sorted(lines, key=lambda line: line[line.index(b"\t") :])


def _read(snapshot: Snapshot, prefix: bytes, paths: list[bytes]) -> list[dict[str, object]]:
    """Return the packages, each in the form that can be remembered."""
    top = prefix + _FILE[1:-1]
    root = parse(snapshot.read([top]).get(top, b""), "pyproject.toml")
    chosen = _members(root, prefix, paths)
    contents = _contents(snapshot, chosen)
    has_members = bool(table(root, "tool", "uv", "workspace"))
    parsed: dict[str, dict[str, Any] | None] = {}
    for path in contents:
        try:
            parsed[_folder(path)] = parse(contents[path], os.fsdecode(path))
        except ConfigurationError:
            if has_members:  # uv refuses such a member as well
                raise
            parsed[_folder(path)] = None
    # Inside a package, a broken file is a fixture of its tests; elsewhere, it may be of a package that needs any other.
    fixtures = {folder for folder, data in parsed.items() if data is None and any(map(parsed.get, _above(folder)))}
    packages = read_packages({folder: data for folder, data in parsed.items() if folder not in fixtures})
    return [vars(package) for package in packages]


def _contents(snapshot: Snapshot, paths: list[bytes]) -> dict[bytes, bytes]:
    """Return the contents of files, but for links that lead to no file, as some in fixtures do."""
    links = [path for path in paths if (snapshot.listing.get(path) or (b"",))[0] == LINK]
    contents = snapshot.read([path for path in paths if path not in links])
    for link in links:
        with suppress(OSError, CannotDecideError):
            contents |= snapshot.read([link])
    return {path: contents[path] for path in paths if path in contents}


def _above(folder: str) -> Iterator[str]:
    """Yield the folders that a folder lies in, but for the top."""
    while folder := folder.rpartition("/")[0]:
        yield folder


def _folder(path: bytes) -> str:
    return os.fsdecode(path[: 1 - len(_FILE)].rstrip(b"/"))


def _members(root: dict[str, Any], prefix: bytes, paths: list[bytes]) -> list[bytes]:
    """Return the pyproject.toml files of the packages."""
    workspace = table(root, "tool", "uv", "workspace")
    below = {path: _folder(path[len(prefix) :]) for path in paths}
    if workspace:
        # uv takes "./packages/*" and "packages/*/" as well.
        members, excluded = (
            [matcher(posixpath.normpath(pattern), exact=True) for pattern in strings(workspace.get(key, []))]
            for key in ("members", "exclude")
        )
        chosen = {path for path, folder in below.items() if any(matches(folder) for matches in members)}
        chosen -= {path for path, folder in below.items() if any(matches(folder) for matches in excluded)}
    else:
        chosen = {path for path, folder in below.items() if folder.startswith("packages/")}
        chosen = chosen or {path for path, folder in below.items() if folder and folder.count("/") < _MAX_DEPTH}
    if "project" in root or table(root, "tool", "poetry"):
        chosen.add(prefix + _FILE[1:-1])
    return [path for path in paths if path in chosen]
