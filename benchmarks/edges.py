"""Compares the packages that tools run again after a change, by how one package says that it needs another.

A source file changes at the lower end of the edge through which the most packages are reached. The edge is once in the
dependencies of the package above, and once in the requirements of its build. Each tool is used in its mode for Python,
so that it reads edges from pyproject.toml and uv.lock itself. Run it as

    python benchmarks/edges.py [--packages N] [--npm NODE_MODULES] [--pants ENVIRONMENT]

in the environment that `speed.py` asks for. It prints a Markdown table: for each tool how many of the packages that
the change reaches it would run again, how many it misses, and how many it would run for nothing.
"""

# ruff: noqa: INP001, S603  # a script that starts the programs in its arguments

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from peers import PEERS, QUIET, warm
from speed import HERE, program, seed
from workspaces import commit, graph, module, reached, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from workspaces import Graph


def without(needs: Graph, edge: tuple[str, str]) -> Graph:
    """Return a graph without one edge between two packages."""
    return {name: [it for it in found if (name, it) != edge] for name, found in needs.items()}


def widest(needs: Graph) -> tuple[str, str]:
    """Return the edge whose removal hides a change from the most packages."""
    edges = [(user, needed) for user, found in needs.items() for needed in found]
    return max(edges, key=lambda it: len(reached(needs, it[1])) - len(reached(without(needs, it), it[1])))


def change(root: Path, name: str) -> None:
    """Change a source file of a package."""
    file = root / "packages" / name / "src" / module(name) / "_core.py"
    file.write_text(file.read_text(encoding="utf-8").replace("return ", "return 1 + "), encoding="utf-8")


def output_of(command: list[str], root: Path) -> str:
    """Run a command and return its standard output."""
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def headworks(root: Path) -> set[str]:
    """Return the packages whose tests headworks would run."""
    plan = json.loads(output_of([program(HERE), "plan", "--format", "json"], root))
    names = (it["name"] for it in plan["sessions"] if it["state"] == "run")
    return {name[len("tests(") : -1] for name in names if name.startswith("tests(")}


def turbo(start: str, root: Path) -> set[str]:
    """Return the packages whose tests turbo would run."""
    tasks = json.loads(output_of([start, "run", "test", "--dry=json"], root))["tasks"]
    return {it["package"] for it in tasks if it["cache"]["status"] == "MISS" and it["package"].startswith("pkg-")}


def nx(start: str, root: Path) -> set[str]:
    """Return the packages that nx lists as affected."""
    found = output_of([start, "show", "projects", "--affected", "--base=HEAD", "--json"], root)
    return {name for name in json.loads(found) if name.startswith("pkg-")}


def pants(start: str, root: Path) -> set[str]:
    """Return the packages whose tests Pants lists as changed."""
    options = ["--changed-since=HEAD", "--changed-dependents=transitive", "--filter-target-type=python_test"]
    return {line.split("/")[1] for line in output_of([start, *options, "list"], root).splitlines()}


_ASKED: dict[str, Callable[[str, Path], set[str]]] = {"turbo": turbo, "nx": nx, "pants": pants}
_PLACES = ("project.dependencies", "build-system.requires")


def row(place: str, name: str, found: set[str], truth: set[str]) -> None:
    """Print the row of a tool."""
    figures = f"{len(found & truth)} | {len(truth - found)} | {len(found - truth)}"
    sys.stdout.write(f"| `{place}` | {name} | {figures} |\n")
    sys.stdout.flush()


def main() -> None:
    """Compare all tools."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--packages", type=int, default=100)
    parser.add_argument("--npm", type=Path, help="the folder node_modules with turbo, nx and @nxlv/python")
    parser.add_argument("--pants", type=Path, help="a virtual environment with pantsbuild.pants")
    settings = parser.parse_args()
    places = {name: settings.pants if name == "pants" else settings.npm for name in _ASKED}
    os.environ.update(QUIET)
    needs = graph(settings.packages)
    edge = widest(needs)
    truth = reached(needs, edge[1])
    sys.stdout.write(f"{edge[0]} needs {edge[1]}; a change of {edge[1]} reaches {len(truth)} packages\n\n")
    sys.stdout.write(
        "| edge in | tool | runs again | misses | runs for nothing |\n| --- | --- | ---: | ---: | ---: |\n"
    )
    for place, built in zip(_PLACES, (None, edge), strict=True):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            root = Path(folder, "headworks")
            root.mkdir()
            write(root, needs, built)
            commit(root)
            os.environ["HEADWORKS_STORE"] = str(Path(folder, "store"))
            seed(root)
            change(root, edge[1])
            row(place, "headworks", headworks(root), truth)
            for name, found in places.items():
                if found:
                    start, root = found.absolute() / PEERS[name].program, Path(folder, name)
                    warm(PEERS[name], start, root, needs, 300, built=built)
                    change(root, edge[1])
                    row(place, f"{name}, {PEERS[name].mode}", _ASKED[name](str(start), root), truth)


if __name__ == "__main__":
    main()
