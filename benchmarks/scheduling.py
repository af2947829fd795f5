"""Times three ways to run sessions: waves of nox's own `-j`, Headworks's loop, and many sessions in one nox.

Each way runs the same generated sessions, which sleep, so that what is left is the cost of scheduling and of starting
processes. Waves start all sessions whose needs are met and wait for the last of them; the loop starts each as soon as
its own needs are met; batches give every process its share of the sessions at once. Run it as

    python benchmarks/scheduling.py [--jobs N] [--repeat N]

in an environment with headworks and nox. It prints one row for each shape: median seconds of each way.
"""

# ruff: noqa: INP001  # a script, not a module of a package

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._plan.plan import plan
from headworks._run.display import Display
from headworks._run.session import run_plan
from headworks._run.task import Settings
from headworks._store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from headworks._plan.plan import Plan

    Shape = dict[str, tuple[float, list[str]]]  # the seconds of each session, and the sessions that it needs

NOX = (sys.executable, "-m", "nox")


def wide(number: int, seconds: float) -> Shape:
    """Return sessions that need nothing of each other."""
    return {f"s{index}": (seconds, []) for index in range(number)}


def stages(chains: int) -> Shape:
    """Return chains of three sessions of very different length, as of packages that are built, tested and checked."""
    shape: Shape = {}
    for chain in range(chains):
        for index, name in enumerate(("build", "tests", "check")):
            seconds = 0.2 + 1.6 * ((chain * 7 + index * 5) % 4) / 4
            shape[f"{name}{chain}"] = (seconds, [f"{('', 'build', 'tests')[index]}{chain}"] if index else [])
    return shape


def write(root: Path, shape: Shape) -> Plan:
    """Write a repository with these sessions, and return a plan that knows how long each takes."""
    lines = ["import nox", "import time"]
    for name, (seconds, needs) in shape.items():
        lines += [f"@nox.session(venv_backend='none', allow_parallel=True, requires={needs})", f"def {name}(session):"]
        lines += [f"    time.sleep({seconds})"]
    (root / "noxfile.py").write_text("\n".join(lines), encoding="utf-8")
    (root / ".gitignore").write_text("*\n!noxfile.py\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)  # noqa: S603, S607 - the git on PATH
    planned = plan(root, store=Store(root / "store"))
    sessions = (replace(it, seconds=shape[it.session.name][0]) for it in planned.sessions)
    return replace(planned, sessions=tuple(sessions))


def waves(planned: Plan, shape: Shape, jobs: int) -> None:
    """Run them with nox alone, one start for each set of sessions whose needs are met."""
    sorter = TopologicalSorter({name: needs for name, (_, needs) in shape.items()})
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        report = Path(planned.root, "report.json")
        command = [*NOX, "-j", str(jobs), "--no-dependencies", f"--report={report}", "-s", *ready]
        subprocess.run(command, check=True, cwd=planned.root, capture_output=True)  # noqa: S603  # nox
        if json.loads(report.read_bytes())["result"] != 1:
            raise SystemExit(str(report.read_text(encoding="utf-8")))
        sorter.done(*ready)


def batches(planned: Plan, shape: Shape, jobs: int) -> None:
    """Run them in as many processes as run at a time, each with its share."""
    names = list(shape)
    commands = [[*NOX, "--no-dependencies", "-s", *names[index::jobs]] for index in range(jobs)]
    running = [subprocess.Popen(it, cwd=planned.root, stderr=subprocess.DEVNULL) for it in commands]  # noqa: S603  # nox
    if any(process.wait() for process in running):
        raise SystemExit(1)


def loop(planned: Plan, shape: Shape, jobs: int) -> None:
    """Run them with Headworks's loop, and record them in an empty store."""
    said, store = Path(planned.root, "said"), Store(Path(planned.root, "store"))
    display, names = Display(said.open("w", encoding="utf-8")), frozenset(shape)
    outcomes, _ = run_plan(planned, lambda: planned, names, store, Settings(jobs=jobs), display)
    if any(outcome.status != "passed" for outcome in outcomes.values()):
        raise SystemExit(said.read_text(encoding="utf-8"))


def measure(way: Callable[[Plan, Shape, int], None], shape: Shape, jobs: int, repeat: int) -> float:
    """Return the median seconds of a way."""
    taken = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            planned = write(Path(folder), shape)
            begin = time.perf_counter()
            way(planned, shape, jobs)
            taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeat", type=int, default=3)
    settings = parser.parse_args()
    shapes = {
        "24 sessions of 0 s": wide(24, 0),
        "24 sessions of 0.5 s": wide(24, 0.5),
        "4 chains of 3 sessions of 0.2 to 1.4 s": stages(4),
    }
    sys.stdout.write(f"| shape, {settings.jobs} at a time | waves | loop | batches |\n| --- | --- | --- | --- |\n")
    for name, shape in shapes.items():
        ways = [waves, loop, *([] if any(needs for _, needs in shape.values()) else [batches])]
        cells = [f"{measure(way, shape, settings.jobs, settings.repeat):.2f} s" for way in ways]
        sys.stdout.write(f"| {name} | {' | '.join([*cells, ''][:3])} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
