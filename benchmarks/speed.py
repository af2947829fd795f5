"""How fast `headgate plan` and a run with nothing to do are, beside git, the interpreter and turbo.

Every command is a whole process in a generated workspace, warmed by a first call. The tools take turns, round by round,
so that all get the same share of whatever else the machine does. Run it as

    python benchmarks/speed.py [--sizes 10 100 1000] [--rounds N] [--turbo PATH]

in an environment with headgate (its wheel, not an editable one) and nox. `--turbo` names turbo's own program, such as
`node_modules/@turbo/linux-64/bin/turbo` after `npm install turbo`. It prints a Markdown table: minimum and median in
milliseconds, and the minimum as a multiple of the one of `headgate run`.

Verdicts of tests are written into the store, not run for, since a thousand starts of nox take minutes and say nothing
here; turbo's tasks are run, with a stand-in for npm that does nothing.
"""

# ruff: noqa: INP001, S603, S607  # a script, which starts programs that are found on PATH

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import headgate
from headgate import Verdict
from headgate._store import Store
from workspaces import commit, graph, write, write_files

if TYPE_CHECKING:
    from workspaces import Graph


def seed(root: Path) -> None:
    """Have every session of a workspace covered by a verdict; those with outputs are run."""
    program = Path(sys.executable).with_name("headgate")
    stages = ["dataset", "train", "evaluate", "lint"]
    subprocess.run([program, "run", *stages], cwd=root, check=True, stdout=subprocess.DEVNULL)
    store = Store.default(root)
    plan = headgate.plan(root, store=store)
    for planned in plan.of("run"):
        digest = plan.digester.digest(planned.session, {})
        verdict = Verdict(
            session=planned.session.name,
            digest=digest.value,
            passed=True,
            finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            seconds=1.0,
            commit="",
            platform=sys.platform,
            outputs={},
            components={},
        )
        store.record(verdict, root)


def configure_turbo(root: Path, needs: Graph) -> None:
    """Write what turbo needs to see the same graph, with one task for each package."""
    locked: dict[str, object] = {"": {"name": "workspace", "workspaces": ["packages/*"]}}
    files = {
        ".gitignore": ".turbo/\n",
        "turbo.json": json.dumps({"tasks": {"test": {"dependsOn": ["^test"]}}}),
        "package.json": json.dumps(
            {"name": "workspace", "private": True, "packageManager": "npm@11.0.0", "workspaces": ["packages/*"]}
        ),
    }
    for name, needed in needs.items():
        said = {"name": name, "version": "1.0.0", "dependencies": dict.fromkeys(needed, "*")}
        files[f"packages/{name}/package.json"] = json.dumps(said | {"scripts": {"test": "true"}})
        locked |= {f"packages/{name}": said, f"node_modules/{name}": {"resolved": f"packages/{name}", "link": True}}
    files["package-lock.json"] = json.dumps({"name": "workspace", "lockfileVersion": 3, "packages": locked})
    write_files(root, files)


def stand_in(folder: Path) -> str:
    """Return a PATH on which npm does nothing, for filling turbo's cache."""
    folder.mkdir()
    (folder / "npm").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (folder / "npm").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def prepare(folder: Path, number: int, turbo: str) -> dict[str, tuple[Path, list[str]]]:
    """Make the workspaces of a size, and return each command with the folder that it is run in."""
    needs = graph(number)
    ours, theirs = folder / f"headgate-{number}", folder / f"turbo-{number}"
    ours.mkdir()
    write(ours, needs)
    commit(ours)
    subprocess.run(["git", "status"], cwd=ours, check=True, stdout=subprocess.DEVNULL)
    os.environ["HEADGATE_STORE"] = str(folder / f"store-{number}")
    seed(ours)
    program = str(Path(sys.executable).with_name("headgate"))
    commands = {
        "python -c pass": (ours, [sys.executable, "-c", "pass"]),
        "git ls-files -s": (ours, ["git", "ls-files", "-s"]),
        "git status": (ours, ["git", "status"]),
        "headgate plan": (ours, [program, "plan"]),
        "headgate run": (ours, [program, "run"]),
    }
    if turbo:
        theirs.mkdir()
        write(theirs, needs)
        configure_turbo(theirs, needs)
        commit(theirs)
        path = {**os.environ, "PATH": stand_in(folder / f"bin-{number}")}
        subprocess.run([turbo, "run", "test"], cwd=theirs, env=path, check=True, stdout=subprocess.DEVNULL)
        said = subprocess.run([turbo, "run", "test"], cwd=theirs, check=True, capture_output=True, text=True).stdout
        if f"{number} cached" not in said:
            raise SystemExit(said[-500:])
        commands["turbo run test --dry=json"] = (theirs, [turbo, "run", "test", "--dry=json"])
        commands["turbo run test"] = (theirs, [turbo, "run", "test"])
    return commands


def once(folder: Path, command: list[str]) -> float:
    """Return the milliseconds of one process."""
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000


def table(number: int, commands: dict[str, tuple[Path, list[str]]], rounds: int) -> None:
    """Measure, and print the rows of one size."""
    for folder, command in commands.values():
        once(folder, command)
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (folder, command) in commands.items():
            taken[name].append(once(folder, command))
    ours = min(taken["headgate run"])
    for name, times in taken.items():
        ratio = min(times) / ours
        row = f"| {number:,} | `{name}` | {min(times):.1f} | {statistics.median(times):.1f} | {ratio:.2f} |\n"
        sys.stdout.write(row)
    sys.stdout.flush()


def main() -> None:
    """Measure all sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--turbo", default="", help="turbo's own program; without it only ours is measured")
    settings = parser.parse_args()
    for command in (["git", "--version"], *([[settings.turbo, "--version"]] if settings.turbo else [])):
        sys.stdout.write(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    sys.stdout.write(f"Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}\n\n")
    sys.stdout.write("| packages | command | min ms | median ms | of run |\n| ---: | --- | ---: | ---: | ---: |\n")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        for number in settings.sizes:
            table(number, prepare(Path(name), number, str(settings.turbo)), settings.rounds)


if __name__ == "__main__":
    main()
