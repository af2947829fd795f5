"""Packages as their pyproject.toml files describe them: names, needed packages, and paths outside of their folders."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headworks._project.toml import strings, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Package", "normalised", "read_packages"]

# Names, and texts that may be requirements (https://packaging.python.org/en/latest/specifications/dependency-specifiers/)
_NAME = re.compile(r"\s*([A-Za-z0-9._-]*)")
_REQUIREMENT = re.compile(r"\s*[A-Za-z0-9][A-Za-z0-9._-]*\s*(\Z|[\[(<>=!~;@,^])")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package of the repository; folders are relative to the top of the repository.

    Attributes:
        folder: Its folder.
        name: Its distribution's normalised name, or its folder's where it has none.
        runtime: The folders of the packages that its wheel needs: through dependencies, extras and build.
        own: The folders of all packages that it needs, those for its tests and tools included.
        outside: The paths beyond its folder that its pyproject.toml names.
    """

    folder: str
    name: str
    runtime: tuple[str, ...]
    own: tuple[str, ...]
    outside: tuple[str, ...]


def read_packages(parsed: Mapping[str, dict[str, Any] | None]) -> list[Package]:
    """Return the packages of all parsed pyproject.toml files, which are given by folder.

    One that is None could not be parsed: its package may need any other, and any other may need it.
    """
    unknown = [folder for folder, data in parsed.items() if data is None]
    known = {folder: data or {} for folder, data in parsed.items()}
    names = {folder: _name(folder, data) for folder, data in known.items()}
    folders: dict[str, list[str]] = {}
    for folder, name in names.items():
        folders.setdefault(name, []).append(folder)

    def needed(folder: str, required: list[str]) -> tuple[str, ...]:
        if not _has_static_dependencies(known[folder]):
            return tuple(sorted(known.keys() - {folder}))
        needed_folders = {place for name in required for place in folders.get(name, ())}
        return tuple(sorted(needed_folders.union(unknown) - {folder}))

    return [
        Package(
            folder=folder,
            name=names[folder],
            runtime=needed(folder, _runtime(data)),
            own=needed(folder, [*_runtime(data), *_own(data)]),
            outside=tuple(sorted(set(_outside(folder, data)))),
        )
        for folder, data in known.items()
    ]


def _name(folder: str, data: dict[str, Any]) -> str:
    for place in (table(data, "project"), table(data, "tool", "poetry")):
        if isinstance(name := place.get("name"), str):
            return normalised(name)
    return normalised(posixpath.basename(folder))


def _has_static_dependencies(data: dict[str, Any]) -> bool:
    """Tell whether the file lists the dependencies, instead of leaving that to code or to other files."""
    dynamic = table(data, "project").get("dynamic", [])
    is_dynamic = isinstance(dynamic, list) and {"dependencies", "optional-dependencies"} & set(strings(dynamic))
    return not is_dynamic and ("project" in data or bool(table(data, "tool", "poetry")))


def _runtime(data: dict[str, Any]) -> list[str]:
    """Return the names that dependencies, extras and the build need."""
    project = table(data, "project")
    places = [project.get("dependencies"), project.get("optional-dependencies"), table(data, "build-system")]
    return _required_names(strings([*places, table(data, "tool", "poetry", "dependencies")]))


def _own(data: dict[str, Any]) -> list[str]:
    """Return the names in dependency groups, and in every setting of a tool that looks like a requirement."""
    groups = strings(table(data, "dependency-groups"))
    return _required_names([*groups, *filter(_REQUIREMENT.match, strings(table(data, "tool")))])


def _outside(folder: str, data: dict[str, Any]) -> Iterator[str]:
    """Yield every path in a string that leads out of the package and stays in the repository."""
    for text in strings(data):
        before, up, after = text.partition("..")
        if not up:
            continue
        # Tools write the package's own folder as in hatch's "{root:uri}/.." or as in "file:..".
        relative = up + after if any(mark in before for mark in ":{$") else text
        place = posixpath.normpath(posixpath.join(folder, relative))
        is_inside = place.startswith(f"{folder}/" if folder else "") or place == folder
        if not is_inside and not f"{place}/".startswith(("../", "/")):
            yield "" if place == "." else place


def normalised(name: str) -> str:
    """Return the form in which all spellings of a distribution's name are equal.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name.lower()).strip("-")


def _required_names(requirements: Iterable[str]) -> list[str]:
    return [normalised(match[1]) for requirement in requirements if (match := _NAME.match(requirement))]
