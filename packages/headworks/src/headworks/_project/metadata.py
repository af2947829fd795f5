"""Metadata of a package, from its pyproject.toml, setup.cfg and setup.py: names, needs, and paths in the repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headworks._project.toml import parse, strings, table

if TYPE_CHECKING:
    Setup = tuple[str | None, list[str] | None]  # a name, empty where none is said, and needs; None where code decides

FILES = ("pyproject.toml", "setup.cfg", "setup.py")
# Names, and texts that may be requirements (https://packaging.python.org/en/latest/specifications/dependency-specifiers/)
_NAME = re.compile(r"\s*([A-Za-z0-9._-]*)")
_REQUIREMENT = re.compile(r"\s*[A-Za-z0-9][A-Za-z0-9._-]*\s*(\Z|[\[(<>=!~;@,^])")
# The path in a requirement, from the package's folder or from the root of the disk, in the forms of pip, hatch and PDM.
_FILE_URL = re.compile(r"@\s*(?:file:(?!//)|(?:file:/*)?(?:\{root:uri\}|\$\{PROJECT_ROOT\})/|file://)([^;#\s]+)")
_DYNAMIC = {"dependencies", "optional-dependencies"}
# Backends that build a wheel from a module and from what these keys name: what to require, and the keys below [tool].
_BACKENDS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "flit_core.buildapi": ("flit-core", (("flit",),)),
    "hatchling.build": ("hatchling", (("hatch", "build"), ("hatch", "metadata"), ("hatch", "version"))),
    "poetry.core.masonry.api": ("poetry-core", (("poetry", "include"), ("poetry", "packages"), ("poetry", "readme"))),
    "setuptools.build_meta": ("setuptools", (("setuptools",),)),
    "uv_build": ("uv-build", (("uv", "build-backend"),)),
}
_LICENSES = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")  # which all of them take by default
_SETUP_KEYS = {"install_requires", "extras_require", "setup_requires", "tests_require"}
_SETUP_TOOLS = (b"setuptools", b"distutils", b"skbuild")  # one of which a setup.py that builds a package imports


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The metadata of a package; paths are relative to the top of the repository.

    Attributes:
        name: Its normalised name; None where only code knows it, so that any requirement may mean it.
        is_package: Whether it is more than the settings of tools.
        is_static: Whether it lists what it needs; where it leaves that to code, it may need any other.
        runtime: The names that its wheel needs: through dependencies, extras and build.
        own: Those that its tests and tools need as well.
        groups: Those in each dependency group.
        places: By name of a dependency, the folders and archives that it says this is.
        members: The names of dependencies that it says are members of the workspace.
        outside: The paths beyond its folder that it names.
        workspace: The patterns of members and of exclusions, where it is the root of a uv workspace.
        wheel: What its wheel is built from beside modules: patterns of names in its folder; None for anything there.
    """

    name: str | None
    is_package: bool
    is_static: bool
    runtime: tuple[str, ...]
    own: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    places: Mapping[str, tuple[str, ...]]
    members: frozenset[str]
    outside: tuple[str, ...]
    workspace: tuple[tuple[str, ...], ...] | None
    wheel: tuple[str, ...] | None


def read_metadata(folder: str, files: Mapping[str, bytes]) -> Metadata | None:
    """Return the metadata in a folder, or None where none of its files has any.

    Args:
        folder: The folder, relative to the top of the repository.
        files: The contents of those of `FILES` that there are.

    Raises:
        ConfigurationError: The pyproject.toml is not TOML.
    """
    data: dict[str, Any] = {}
    if "pyproject.toml" in files:
        data = parse(files["pyproject.toml"], posixpath.join(folder, "pyproject.toml"))
    readers = {"setup.cfg": _setup_cfg, "setup.py": _setup_py}
    setups = [it for name, read in readers.items() if name in files and (it := read(files[name])) is not None]
    if "pyproject.toml" not in files and not setups:
        return None
    project, poetry = table(data, "project"), table(data, "tool", "poetry")
    has_needs = "project" in data or bool(poetry)
    names = [it for it in (project.get("name"), poetry.get("name")) if isinstance(it, str)]
    named_by_code = not names and any(it is None for it, _ in setups)
    names += [it for it, _ in setups if it]
    dynamic = project.get("dynamic", [])
    is_dynamic = isinstance(dynamic, list) and _DYNAMIC & set(strings(dynamic))
    groups, texts = table(data, "dependency-groups"), list(strings(data))
    needed = [project.get("dependencies"), project.get("optional-dependencies"), poetry.get("dependencies")]
    runtime = [*strings([*needed, table(data, "build-system")]), *(need for _, needs in setups for need in needs or ())]
    # Any setting of a tool may be a requirement.
    own = [*strings(groups), *filter(_REQUIREMENT.match, strings(table(data, "tool")))]
    workspace = table(data, "tool", "uv", "workspace")
    sources = {normalised(it): _options(value) for it, value in table(data, "tool", "uv", "sources").items()}
    return Metadata(
        name=None if named_by_code else normalised(next(iter(names), posixpath.basename(folder))),
        is_package=has_needs or bool(setups),
        is_static=not is_dynamic if has_needs else bool(setups) and all(needs is not None for _, needs in setups),
        runtime=tuple(_required_names(runtime)),
        own=tuple(_required_names(own)),
        groups={it: tuple(_required_names(strings(list(resolved(groups, it).values())))) for it in groups},
        places=_places(folder, data, sources, texts),
        members=frozenset(
            it for it, options in sources.items() if any(one.get("workspace") is True for one in options)
        ),
        outside=tuple(sorted(set(_outside(folder, texts)))),
        workspace=tuple(tuple(strings(workspace.get(key, []))) for key in ("members", "exclude"))
        if workspace
        else None,
        wheel=None if setups else _wheel(data),
    )


def _setup_cfg(content: bytes) -> Setup | None:
    """Return what a setup.cfg says; None where it says nothing about a package."""
    import configparser  # which takes 3 ms, and is not needed where the file is known

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(content.decode())
    except (configparser.Error, UnicodeDecodeError):
        return None, None
    if not {"metadata", "options"}.intersection(parser.sections()):
        return None
    texts = [text for key, text in parser.items("options") if key in _SETUP_KEYS] if "options" in parser else []
    texts += [text for _, text in parser.items("options.extras_require")] if "options.extras_require" in parser else []
    name = parser.get("metadata", "name", fallback="").strip()
    is_static = not any(text.strip().startswith("file:") for text in texts)
    return name, [line for text in texts for line in re.split(r"[\n;]", text)] if is_static else None


def _setup_py(content: bytes) -> Setup | None:
    """Return what a setup.py says in plain values; None where it builds no package."""
    import ast  # the same

    if not any(tool in content for tool in _SETUP_TOOLS):
        return None
    try:
        calls = [it for it in ast.walk(ast.parse(content)) if isinstance(it, ast.Call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None, None
    call = next((it for it in calls if "setup" in {getattr(it.func, "id", ""), getattr(it.func, "attr", "")}), None)
    if call is None or any(keyword.arg is None for keyword in call.keywords):  # `**more`
        return None, None
    values = {str(keyword.arg): keyword.value for keyword in call.keywords}
    name = values.get("name", ast.Constant(""))
    needs = [part for key in _SETUP_KEYS & values.keys() for part in ast.walk(values[key])]
    plain = (ast.Constant, ast.Dict, ast.List, ast.Tuple, ast.Load)
    texts = [it.value for it in needs if isinstance(it, ast.Constant) and isinstance(it.value, str)]
    is_static = all(isinstance(it, plain) for it in needs)
    said = name.value if isinstance(name, ast.Constant) else None
    return said if isinstance(said, str) else None, texts if is_static else None


def _wheel(data: dict[str, Any]) -> tuple[str, ...] | None:
    """Return patterns of what a wheel is built from beside modules, in its folder; None where that may be anything."""
    build, project, tool = table(data, "build-system"), table(data, "project"), table(data, "tool")
    requirement, keys = _BACKENDS.get(str(build.get("build-backend")), ("", ()))
    settings = [table(tool, *path[:-1]).get(path[-1]) for path in keys]
    # A plugin, a hook or a script is code, which may read any file.
    is_plain = set(_required_names(strings(build.get("requires")))) == {requirement} and "backend-path" not in build
    if not is_plain or "hooks" in strings(settings) or "build" in table(tool, "poetry"):
        return None
    named = [*(project.get(key) for key in ("name", "readme", "license", "license-files")), *map(_included, settings)]
    # Where setuptools is told to search for packages, it takes any folder with code for one.
    searched = ["doc*"] if "packages" in table(tool, "setuptools") and requirement == "setuptools" else []
    tops = {posixpath.normpath(it).partition("/")[0] for it in (*_LICENSES, *searched, *strings(named))}
    return None if any(it in {".", "**"} or it[:1] in {"{", "$", ""} for it in tops) else tuple(sorted(tops))


def _included(settings: object) -> object:
    """Return settings without what they exclude."""
    if not isinstance(settings, dict):
        return settings
    return {key: _included(value) for key, value in settings.items() if "exclude" not in key}


def _options(source: object) -> list[dict[str, Any]]:
    """Return the tables of a source, of which there may be one for each marker."""
    return [it for it in (source if isinstance(source, list) else [source]) if isinstance(it, dict)]


def resolved(groups: dict[str, Any], name: str) -> dict[str, object]:
    """Return the entries of a dependency group and of all groups that it includes, by group."""
    reached: dict[str, object] = {}
    waiting = [name]
    while waiting:
        group = waiting.pop()
        if group not in reached:
            reached[group] = value = groups.get(group)
            entries = value if isinstance(value, list) else []
            waiting += [str(entry.get("include-group")) for entry in entries if isinstance(entry, dict)]
    return reached


def _places(
    folder: str, data: dict[str, Any], sources: dict[str, list[dict[str, Any]]], texts: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Return the folders and archives that a file says are a dependency."""
    poetry = table(data, "tool", "poetry")
    groups = [poetry, {"dependencies": poetry.get("dev-dependencies")}, *table(poetry, "group").values()]
    options = list(sources.items())
    options += [(normalised(key), _options(it)) for group in groups for key, it in table(group, "dependencies").items()]
    said = [(name, one["path"]) for name, several in options for one in several if isinstance(one.get("path"), str)]
    urls = ((text, match[1]) for text in texts if "@" in text and (match := _FILE_URL.search(text)))
    found: dict[str, dict[str, None]] = {}
    for name, path in [*said, *((name, path) for text, path in urls for name in _required_names([text]))]:
        found.setdefault(name, {})[place_of(folder, path)] = None
    return {name: tuple(places) for name, places in found.items()}


def _outside(folder: str, texts: Iterable[str]) -> Iterator[str]:
    """Yield every path in a string that leads out of the package and stays in the repository."""
    for text in texts:
        before, up, after = text.partition("..")
        if not up:
            continue
        # Tools write the package's own folder as in hatch's "{root:uri}/.." or as in "file:..".
        relative = up + after.partition("#")[0] if any(mark in before for mark in ":{$") else text
        place = place_of(folder, relative)
        is_inside = place.startswith(f"{folder}/" if folder else "") or place == folder
        if not is_inside and not f"{place}/".startswith("../") and not place.startswith("/"):
            yield place


def place_of(folder: str, path: str) -> str:
    """Return where a path leads from a folder, both relative to the top, which is empty."""
    place = posixpath.normpath(posixpath.join(folder, path))
    return "" if place == "." else place


def normalised(name: str) -> str:
    """Return the form in which all spellings of a distribution's name are equal.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name.lower()).strip("-")


def _required_names(requirements: Iterable[str]) -> list[str]:
    matches = filter(None, map(_NAME.match, requirements))
    return [name for match in matches if (name := normalised(match[1]))]
