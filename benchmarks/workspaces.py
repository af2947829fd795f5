"""Generates workspaces of any size that look like real ones: packages that need each other, a lock, sessions, stages.

A workspace of N packages has N members of a uv workspace with five files each, a lock with all of them and a hundred
packages from an index, and a noxfile with one parametrised session, so that there are N sessions, and four others. Each
package needs up to three earlier ones; a few are needed by many. The same arguments always give the same bytes.
"""

# ruff: noqa: INP001, S311, S603, S607  # a module of scripts; chance picks edges; git is found on PATH

from __future__ import annotations

import hashlib
import random
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Graph = dict[str, list[str]]  # every package with those that it needs

__all__ = ["commit", "graph", "module", "reached", "write", "write_files"]

_LOCKED = 100  # packages from an index

_NOXFILE = '''"""The tasks of this repository."""

from pathlib import Path

import nox

PACKAGES = sorted(path.parent.name for path in Path("packages").glob("*/pyproject.toml"))


@nox.session(venv_backend="none")
@nox.parametrize("package", [nox.param(name, id=name) for name in PACKAGES])
def tests(session: nox.Session, package: str) -> None:
    """Test a package."""
    session.run("true", external=True)


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Look at every file."""
    session.run("true", external=True)


def stage(session: nox.Session) -> None:
    """Leave something behind."""
    folder = Path("artifacts", session.name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.txt").write_text(session.name, encoding="utf-8")


@nox.session(venv_backend="none")
def dataset(session: nox.Session) -> None:
    """Build the dataset."""
    stage(session)


@nox.session(venv_backend="none", requires=["dataset"])
def train(session: nox.Session) -> None:
    """Train on the dataset."""
    stage(session)


@nox.session(venv_backend="none", requires=["dataset", "train"])
def evaluate(session: nox.Session) -> None:
    """Evaluate what was trained."""
    stage(session)
'''

_ROOT = """[dependency-groups]
test = [ "pytest>=9", "coverage>=7" ]
lint = [ "ruff>=0.17" ]

[tool.uv.workspace]
members = [ "packages/*" ]

[tool.turbo]
name = "workspace"

[tool.ruff]
line-length = 120

[tool.pytest]
addopts = [ "-ra" ]

[tool.headworks.sessions]
tests = {{ packages = [ "{{package}}" ], groups = [ "test" ] }}
dataset = {{ packages = [ "{first}" ], outputs = [ "artifacts/dataset" ] }}
train = {{ packages = [ "{last}" ], needs = [ "dataset" ], outputs = [ "artifacts/train" ] }}
evaluate = {{ packages = [ "{last}" ], needs = [ "dataset", "train" ], outputs = [ "artifacts/evaluate" ] }}
"""


def graph(number: int) -> Graph:
    """Return the packages, each with those that it needs directly."""
    chance = random.Random(number)
    names = [f"pkg-{index:04}" for index in range(number)]
    # The square draws most edges to the first packages, as to the shared ones of a real repository.
    return {
        name: sorted({names[int(index * chance.random() ** 2)] for _ in range(chance.randrange(4))} if index else ())
        for index, name in enumerate(names)
    }


def reached(needs: Mapping[str, Iterable[str]], changed: str) -> set[str]:
    """Return a package and all that need it, directly or not."""
    found = {changed}
    for name, needed in needs.items():  # a package comes after those that it needs
        if found.intersection(needed):
            found.add(name)
    return found


def module(name: str) -> str:
    """Return the import name of a package."""
    return name.replace("-", "_")


def write(root: Path, needs: Graph, built: tuple[str, str] | None = None) -> None:
    """Write a workspace, without git.

    Args:
        root: The folder.
        needs: The graph.
        built: An edge that is in the requirements of a package's build, and not in its dependencies.
    """
    names = list(needs)
    files = {
        ".gitignore": "artifacts/\n__pycache__/\n.venv/\nnode_modules/\n",
        "noxfile.py": _NOXFILE,
        "pyproject.toml": _ROOT.format(first=names[0], last=names[-1]),
        "uv.lock": _lock(needs, built),
        "README.md": "# A workspace\n",
    }
    for number, (name, needed) in enumerate(needs.items()):
        required = [it for it in needed if (name, it) == built]
        package = _package(name, [it for it in needed if it not in required], required, number)
        files |= {f"packages/{name}/{path}": text for path, text in package.items()}
    write_files(root, files)


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Write files with their folders."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def commit(root: Path) -> None:
    """Commit all files of a folder, and make it a repository before if needed."""
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    first = [] if (root / ".git").exists() else [["init", "--quiet", "--initial-branch=main"]]
    for command in (*first, ["add", "--all"], ["commit", "--quiet", "-m", "All"]):
        subprocess.run(["git", *identity, *command], cwd=root, check=True)


def _package(name: str, needed: list[str], required: list[str], number: int) -> dict[str, str]:
    """Return the five files of a package, which needs packages, and requires others for its build."""
    locked = [_locked(number * 7 % _LOCKED), _locked(number * 13 % _LOCKED)]
    dependencies = ", ".join(f'"{it}"' for it in [*needed, *locked])
    backend = ", ".join(f'"{it}"' for it in ["hatchling", *required])
    sources = "".join(f"{it} = {{ workspace = true }}\n" for it in [*needed, *required])
    imports = "".join(f"import {module(it)}\n" for it in needed)
    total = " + ".join([str(number), *(f"{module(it)}.total()" for it in needed)])
    return {
        "README.md": f"# {name}\n\nPackage {number} of the workspace.\n",
        "pyproject.toml": f"""[build-system]
requires = [ {backend} ]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "1.0.{number}"
requires-python = ">=3.11"
dependencies = [ {dependencies} ]

[dependency-groups]
test = [ "pytest>=9" ]

[tool.uv.sources]
{sources}""",
        f"src/{module(name)}/__init__.py": f"from ._core import total\n\n__all__ = ['total']\nNUMBER = {number}\n",
        f"src/{module(name)}/_core.py": f"{imports}\n\ndef total() -> int:\n    return {total}\n",
        "tests/test_core.py": (
            f"import {module(name)}\n\n\ndef test_total() -> None:\n    assert {module(name)}.total() >= 0\n"
        ),
    }


def _locked(number: int) -> str:
    """Return the name of a package from the index."""
    return f"locked-{number:03}"


def _lock(needs: Graph, built: tuple[str, str] | None) -> str:
    """Return a lock in uv's form, which knows nothing of what builds require."""
    members = ",\n".join(f'    "{name}"' for name in needs)
    parts = [f'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n[manifest]\nmembers = [\n{members},\n]\n']
    for number in range(_LOCKED):
        name = _locked(number)
        digest = hashlib.sha256(name.encode()).hexdigest()
        needed = [_locked(number // 2)] if number else []
        file = f"{module(name)}-2.{number}.0"
        parts.append(f"""[[package]]
name = "{name}"
version = "2.{number}.0"
source = {{ registry = "https://index.example/simple" }}
{_needs(needed)}sdist = {{ url = "https://index.example/{file}.tar.gz", hash = "sha256:{digest}", size = {number} }}
wheels = [
    {{ url = "https://index.example/{file}-py3-none-any.whl", hash = "sha256:{digest}", size = {number + 1000} }},
]
""")
    for number, (name, needed) in enumerate(needs.items()):
        locked = sorted({_locked(number * 7 % _LOCKED), _locked(number * 13 % _LOCKED)})
        known = [it for it in needed if (name, it) != built]
        members = "".join(f'    {{ name = "{it}", editable = "packages/{it}" }},\n' for it in known)
        others = "".join(f'    {{ name = "{it}" }},\n' for it in locked)
        parts.append(f"""[[package]]
name = "{name}"
version = "1.0.{number}"
source = {{ editable = "packages/{name}" }}
{_needs([*locked, *known])}
[package.metadata]
requires-dist = [
{others}{members}]
""")
    return "\n".join(parts)


def _needs(names: list[str]) -> str:
    """Return the dependencies of a locked package."""
    return "dependencies = [\n" + "".join(f'    {{ name = "{it}" }},\n' for it in names) + "]\n" if names else ""
