"""Compares what tools run again after a change if only pyproject.toml says that one package needs another.

One edge of a generated workspace is left out of the files that other tools read edges from (package.json, moon.yml,
dvc.yaml), as happens whenever a dependency is added in pyproject.toml alone. The edge is the one through which the
most packages are reached. Then a source file at its lower end changes. Run it as

    python benchmarks/edges.py [--packages N] [--npm NODE_MODULES] [--dvc ENVIRONMENT]

in the environment that `speed.py` asks for. It prints a Markdown table: for each tool how many of the packages that
the change reaches it would run again, how many it misses, and how many it would run for nothing.
"""

# ruff: noqa: INP001, S603  # a script that starts the programs in its arguments

from __future__ import annotations

import argparse
import json
import os
import re
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
    return {it["package"] for it in tasks if it["cache"]["status"] == "MISS"}


def nx(start: str, root: Path) -> set[str]:
    """Return the packages that nx lists as affected."""
    found = output_of([start, "show", "projects", "--affected", "--base=HEAD", "--json"], root)
    return {name for name in json.loads(found) if name.startswith("pkg-")}


def moon(start: str, root: Path) -> set[str]:
    """Return the packages that moon lists as affected."""
    found = json.loads(output_of([start, "query", "projects", "--affected", "--downstream", "deep"], root))
    return {it["id"] for it in found["projects"]}


def dvc(start: str, root: Path) -> set[str]:
    """Return the packages whose stages dvc runs."""
    return set(re.findall(r"Running stage '([^']*)'", output_of([start, "repro"], root)))


_ASKED: dict[str, Callable[[str, Path], set[str]]] = {"turbo": turbo, "nx": nx, "moon": moon, "dvc": dvc}


def row(name: str, found: set[str], truth: set[str]) -> None:
    """Print the row of a tool."""
    figures = f"{len(found & truth)} | {len(truth - found)} | {len(found - truth)}"
    sys.stdout.write(f"| {name} | {figures} |\n")
    sys.stdout.flush()


def main() -> None:
    """Compare all tools."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--packages", type=int, default=100)
    parser.add_argument("--npm", type=Path, help="the folder node_modules with turbo, nx and moon")
    parser.add_argument("--dvc", type=Path, help="a virtual environment with dvc")
    parser.add_argument("--tools", nargs="+", default=list(PEERS), choices=list(PEERS), help="those to compare with")
    settings = parser.parse_args()
    os.environ.update(QUIET)
    needs = graph(settings.packages)
    edge = widest(needs)
    truth = reached(needs, edge[1])
    sys.stdout.write(f"{edge[0]} needs {edge[1]}; a change of {edge[1]} reaches {len(truth)} packages\n\n")
    sys.stdout.write("| tool | runs again | misses | runs for nothing |\n| --- | ---: | ---: | ---: |\n")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder, "headworks")
        root.mkdir()
        write(root, needs)
        commit(root)
        os.environ["HEADWORKS_STORE"] = str(Path(folder, "store"))
        seed(root)
        change(root, edge[1])
        row("headworks", headworks(root), truth)
        for name in settings.tools:
            place = settings.dvc if name == "dvc" else settings.npm
            if place:
                start, root = place.absolute() / PEERS[name].program, Path(folder, name)
                warm(PEERS[name], start, root, needs, 300, hidden=edge)
                change(root, edge[1])
                row(name, _ASKED[name](str(start), root), truth)


if __name__ == "__main__":
    main()
