"""What a pyproject.toml says about a package: its name, the packages it needs, and files outside that it points at."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headworks._project.requirement import is_requirement, normalised, required_name
from headworks._project.toml import strings, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Package", "read_packages"]


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package of the repository; folders are relative to the top of the repository.

    Attributes:
        folder: where it is.
        name: its distribution's normalised name, or its folder's where it has none.
        runtime: folders of packages that whoever installs its wheel may need too: through dependencies, extras, build.
        own: folders of all packages that itself needs, those for its tests and tools included.
        outside: patterns of what its pyproject.toml points at beyond its folder.
    """

    folder: str
    name: str
    runtime: tuple[str, ...]
    own: tuple[str, ...]
    outside: tuple[str, ...]


def read_packages(parsed: Mapping[str, dict[str, Any] | None]) -> list[Package]:
    """Return the packages of all parsed pyproject.toml files, which are given by folder.

    One that is None could not be parsed: nothing says what that package needs, nor which others need it.
    """
    unknown = [folder for folder, data in parsed.items() if data is None]
    known = {folder: data or {} for folder, data in parsed.items()}
    names = {folder: _name(folder, data) for folder, data in known.items()}
    folders: dict[str, list[str]] = {}
    for folder, name in names.items():
        folders.setdefault(name, []).append(folder)

    def needed(folder: str, required: list[str]) -> tuple[str, ...]:
        if not _is_known(known[folder]):
            return tuple(sorted(known.keys() - {folder}))
        found = {it for name in set(required) for it in folders.get(name, ())}
        return tuple(sorted(found.union(unknown) - {folder}))

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
    """Return the name of a distribution."""
    for place in (table(data, "project"), table(data, "tool", "poetry")):
        if isinstance(name := place.get("name"), str):
            return normalised(name)
    return normalised(posixpath.basename(folder))


def _is_known(data: dict[str, Any]) -> bool:
    """Tell whether the file says what the package needs, instead of leaving it to code or to other files."""
    dynamic = table(data, "project").get("dynamic", [])
    is_dynamic = isinstance(dynamic, list) and {"dependencies", "optional-dependencies"} & set(strings(dynamic))
    return not is_dynamic and ("project" in data or bool(table(data, "tool", "poetry")))


def _runtime(data: dict[str, Any]) -> list[str]:
    """Return the names that dependencies, extras and the build need."""
    project = table(data, "project")
    places = [project.get("dependencies"), project.get("optional-dependencies"), table(data, "build-system")]
    return [required_name(text) for text in strings([*places, table(data, "tool", "poetry", "dependencies")])]


def _own(data: dict[str, Any]) -> list[str]:
    """Return the names in dependency groups, and whatever looks like a requirement in the settings of any tool."""
    groups = strings(table(data, "dependency-groups"))
    tools = (text for text in strings(table(data, "tool")) if is_requirement(text))
    return [required_name(text) for text in [*groups, *tools]]


def _outside(folder: str, data: dict[str, Any]) -> Iterator[str]:
    """Yield patterns for all strings that lead out of the package and stay in the repository."""
    for text in strings(data):
        before, up, after = text.partition("..")
        if not up:
            continue
        # What stands before may be no folder but a mark for the package's own, as in "{root:uri}/.." or "file:..".
        relative = up + after if any(mark in before for mark in ":{$") else text
        place = posixpath.normpath(posixpath.join(folder, relative))
        is_inside = place.startswith(f"{folder}/" if folder else "") or place == folder
        if not is_inside and not f"{place}/".startswith(("../", "/")):
            yield "" if place == "." else place
