"""Finds names of packages that are not this repository's, so that no document makes people install a stranger's.

Call `python tests/names.py` in the root; it prints every one, and exits with 1 if there are any. The packages' names
have one prefix and match their folders, modules, commands and tables. An install command in a page, a message or a
docstring names one of them, with an extra that it has, or a package in uv.lock. No index is asked: a release does that.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSTALLED: Final = re.compile(
    r"\b(?:pip install|pipx (?:install|run)|uv add|uv tool (?:install|run)|uvx)(?= )([^`&|;#()\n]*)"
)
_WORD: Final = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[([\w,-]+)\])?(?:[<>=!~].*)?")
_VALUED: Final = re.compile(r" --?(?:python|target|requirements?|r|with)[ =]\S+")  # options of pip and uv
# Further packages that pages tell people to install: a backend of fsspec that nothing here needs itself.
_KNOWN: Final = {"s3fs"}


def strangers(root: Path) -> list[str]:
    """Return the names in a repository that are not its own, each in a line with its place."""
    projects = {file.parent: _toml(file)["project"] for file in sorted(root.glob("packages/*/pyproject.toml"))}
    names = {folder.name: project["name"] for folder, project in projects.items()}
    problems = [
        f"packages/{folder.name}: {problem}" for folder in projects for problem in _of_package(folder, projects[folder])
    ]
    prefixes = {name.removesuffix(f"-{folder}") for folder, name in names.items() if name != folder}
    if len(prefixes) > 1:
        problems.append(f"packages: their names begin with {', '.join(sorted(prefixes))}; they have to have one prefix")
    tables = _toml(root / "pyproject.toml")["tool"]
    if strange := set(tables["uv"]["sources"]) ^ set(names.values()):
        problems.append(f"pyproject.toml: [tool.uv.sources] and the packages differ in {', '.join(sorted(strange))}")
    groups = _toml(root / "pyproject.toml").get("dependency-groups", {})
    engine = {match[1] for match in map(_WORD.match, map(str, groups.get("engine", ()))) if match}
    if not tables.keys() & ({*names.values()} | engine):
        problems.append("pyproject.toml: neither a package nor the group `engine` fits a table; that is [tool.ENGINE]")
    extras = {project["name"]: set(project.get("optional-dependencies", {})) for project in projects.values()}
    locked = {package["name"] for package in _toml(root / "uv.lock")["package"]} - extras.keys()
    return problems + [problem for file in _pages(root) for problem in _of_page(root, file, extras, locked | _KNOWN)]


def _of_package(folder: Path, project: dict[str, Any]) -> Iterator[str]:
    """Yield the names in a package that do not match its folder."""
    name = str(project["name"])
    if name != folder.name and not name.endswith(f"-{folder.name}"):
        yield f"its name is {name}, which does not end as its folder does"
    modules = {path.name for path in folder.glob("src/*") if path.is_dir()}
    if modules != {name.replace("-", "_")}:
        yield f"its modules are {', '.join(sorted(modules)) or 'none'}; {name.replace('-', '_')} fits {name}"
    for command in project.get("scripts", {}):
        if command != name:
            yield f"its command is {command}; {name} fits"


def _pages(root: Path) -> list[Path]:
    """Return the files that may hold install commands for people."""
    command = [
        "git",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        "*.md",
        "packages/*/src/*.py",
    ]
    done = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return [
        root / name
        for name in sorted(done.stdout.split("\0"))
        if name and (root / name).is_file() and name != "CHANGELOG.md"
    ]


def _of_page(root: Path, file: Path, extras: dict[str, set[str]], known: set[str]) -> Iterator[str]:
    """Yield the install commands in a page whose package is neither ours nor known."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        for command in _INSTALLED.finditer(line):
            words = [word.strip("'\".,:") for word in _VALUED.sub("", command[1]).split()]
            for name, extra in (match.groups("") for match in map(_WORD.fullmatch, words) if match):
                plain = re.sub(r"[-_.]+", "-", name).lower()
                place = f"{file.relative_to(root).as_posix()}:{number}: `{command[0]}`:"
                if plain not in known | extras.keys():
                    yield f"{place} {name} is neither a package of this repository nor in uv.lock"
                elif lacking := set(filter(None, extra.split(","))) - extras.get(plain, {extra}):
                    yield f"{place} {name} has no extra {', '.join(sorted(lacking))}"


def _toml(path: Path) -> dict[str, Any]:
    """Return a file's content."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def main() -> int:
    """Print every such name in the repository that is the working folder."""
    problems = strangers(Path.cwd())
    sys.stdout.write("".join(f"{problem}\n" for problem in problems) or "Every name is the repository's own.\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
