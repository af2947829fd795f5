"""Times `headworks plan` and a run with nothing to do, next to git, the interpreter and other tools.

Every command is a whole process in a generated workspace, warmed by earlier ones. The tools take turns, round by round,
so that all get the same share of whatever else the machine does. Run it as

    python benchmarks/speed.py [--sizes 10 100 1000] [--rounds N] [--npm NODE_MODULES] [--dvc ENVIRONMENT]
        [--other ENVIRONMENT]

in an environment with headworks and nox, with headworks's wheel and not an editable install, and its modules compiled
(`uv pip install --compile-bytecode`). NODE_MODULES is where `npm install turbo nx @nxlv/python` left its packages,
ENVIRONMENT a virtual environment with dvc, or with another version of headworks. Without them only headworks, git and
the interpreter are measured.

It prints a Markdown table: the least and the median wall time and the least processor time, children included, in
milliseconds, and the least wall time as a multiple of that of `headworks run`. A tool whose first run takes longer than
`--limit` seconds is left out, which the table says, and one whose call takes long is called less often.

Verdicts of tests are written into the store, not run for, since a thousand starts of nox take minutes and say nothing
here; the other tools' tasks are run.
"""

# ruff: noqa: INP001, S603, S607  # a script, which starts programs that are found on PATH

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import headworks
from headworks import Verdict
from headworks._store.store import Store
from peers import PEERS, QUIET, TooSlowError, warm
from workspaces import commit, graph, write

_STAGES = ["dataset", "train", "evaluate", "lint"]
_YOUNG = 3.0  # seconds after which times of files show whether they were written to
_LONG = 30.0  # seconds that all rounds of one command may take


class Command(NamedTuple):
    """A command to be timed.

    Attributes:
        name: Its name in the table.
        folder: The workspace.
        arguments: The program and its arguments.
        changed: A file that is edited before each call; None where nothing is.
    """

    name: str
    folder: Path
    arguments: list[str]
    changed: Path | None = None


class Time(NamedTuple):
    """The wall and processor time of one process, in milliseconds."""

    wall: float
    processor: float


def program(environment: Path) -> str:
    """Return the headworks of an environment."""
    return str(environment / "headworks")


HERE = Path(sys.executable).parent


def store(root: Path) -> Path:
    """Return the store of a workspace."""
    return root.with_name(f"{root.name}-store")


def seed(root: Path) -> None:
    """Make verdicts for every session of a workspace; sessions with outputs are run."""
    subprocess.run([program(HERE), "run", *_STAGES], cwd=root, check=True, stdout=subprocess.DEVNULL)
    verdicts = Store.default(root)
    plan = headworks.plan(root, store=verdicts)
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
        verdicts.record(verdict, root)


def settle(root: Path) -> None:
    """Wait until no file is so new that tools read it again each time, and update git's index."""
    time.sleep(_YOUNG)
    subprocess.run(["git", "status"], cwd=root, check=True, stdout=subprocess.DEVNULL)


def ours(folder: Path, number: int, environment: Path, title: str) -> list[Command]:
    """Make a workspace in which nothing is to be done, and return what is timed in it.

    Args:
        folder: Where to make it.
        number: How many packages it has.
        environment: The folder with the programs of the headworks that is timed.
        title: What to call that in the table.
    """
    root = folder / f"{title}-{number}"
    root.mkdir()
    write(root, graph(number))
    commit(root)
    environ = os.environ | {"HEADWORKS_STORE": str(store(root))}
    subprocess.run([environment / "python", __file__, "--seed", root], check=True, env=environ)
    settle(root)
    start = [program(environment), "run"]
    for _ in range(3):  # the first one writes down what later ones only read
        time.sleep(_YOUNG)
        said = subprocess.run(start, cwd=root, check=True, capture_output=True, text=True, env=environ).stdout
    if f"{number + len(_STAGES):,} covered by earlier verdicts;" not in said:
        message = f"The second run of headworks ran something:\n{said[-1000:]}"
        raise SystemExit(message)
    plan = [program(environment), "plan"]
    changed = min(root.glob("packages/*/src/*/*.py"))
    return [
        Command(f"{title} plan", root, plan),
        Command(f"{title} run", root, start),
        Command(f"{title} plan, after a change", root, plan, changed),
    ]


def basics(root: Path) -> list[Command]:
    """Return what is timed for comparison in a workspace: the interpreter, and git."""
    return [
        Command("python -c pass", root, [sys.executable, "-c", "pass"]),
        Command("git ls-files -s", root, ["git", "ls-files", "-s"]),
        Command("git status", root, ["git", "status"]),
    ]


def theirs(folder: Path, number: int, places: dict[str, Path], limit: float) -> tuple[list[Command], list[str]]:
    """Make a workspace for each other tool; return the commands to time, and the tools that were too slow."""
    commands, slow = [], []
    for name, place in places.items():
        root = folder / f"{name}-{number}"
        start = place / PEERS[name].program
        try:
            warm(PEERS[name], start, root, graph(number), limit)
            settle(root)
        except TooSlowError:
            slow.append(name)
            continue
        commands += [Command(f"{name} {' '.join(it)}", root, [str(start), *it]) for it in PEERS[name].commands]
    return commands, slow


def once(command: Command) -> Time:
    """Return the time of one process."""
    null = subprocess.DEVNULL
    if command.changed is not None:
        command.changed.write_text(f"# changed at {time.time_ns()}\n{command.changed.read_text()}")
    environ = os.environ | {"HEADWORKS_STORE": str(store(command.folder))}
    before, begin = _used(), time.perf_counter()
    subprocess.run(command.arguments, cwd=command.folder, check=True, stdout=null, stderr=null, env=environ)
    wall = time.perf_counter() - begin
    return Time(wall * 1000, (_used() - before) * 1000)


def _used() -> float:
    """Return the seconds of a processor that all ended children have used."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def measure(commands: list[Command], rounds: int) -> dict[str, list[Time]]:
    """Return the times of each command, one for each round in which it ran; those after changes come last."""
    still = [it for it in commands if it.changed is None]
    return _measured(still, rounds) | _measured([it for it in commands if it not in still], rounds)


def _measured(commands: list[Command], rounds: int) -> dict[str, list[Time]]:
    first = {it.name: once(it).wall for it in commands}
    turns = {name: max(3, min(rounds, int(_LONG * 1000 / wall))) for name, wall in first.items()}
    taken: dict[str, list[Time]] = {name: [] for name in first}
    for number in range(rounds):
        for it in commands:
            if number < turns[it.name]:
                taken[it.name].append(once(it))
    return taken


def table(number: int, taken: dict[str, list[Time]], slow: list[str], limit: float) -> None:
    """Print the rows of one size."""
    unit = min(it.wall for it in taken["headworks run"])
    for name, times in taken.items():
        walls, used = [it.wall for it in times], min(it.processor for it in times)
        figures = f"{min(walls):.0f} | {statistics.median(walls):.0f} | {used:.0f} | {min(walls) / unit:.2f}"
        sys.stdout.write(f"| {number:,} | `{name}` | {len(times)} | {figures} |\n")
    for name in slow:
        sys.stdout.write(f"| {number:,} | `{name}` | 0 | its first run takes over {limit:.0f} s | | | |\n")
    sys.stdout.flush()


def main() -> None:
    """Measure all sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--npm", type=Path, help="the folder node_modules with turbo, nx and @nxlv/python")
    parser.add_argument("--dvc", type=Path, help="a virtual environment with dvc")
    timed = [name for name, it in PEERS.items() if it.commands]
    parser.add_argument("--tools", nargs="+", default=timed, choices=timed, help="those to compare with")
    parser.add_argument("--limit", type=float, default=120, help="seconds that the first run of a tool may take")
    parser.add_argument("--other", type=Path, help="a virtual environment with another version of headworks and nox")
    parser.add_argument("--seed", type=Path, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.seed:
        seed(settings.seed)
        return
    os.environ.update(QUIET)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each start compiles all modules that were not compiled
    found = {name: settings.dvc if name == "dvc" else settings.npm for name in settings.tools}
    places = {name: place.absolute() for name, place in found.items() if place}
    for command in (["git"], *([str(place / PEERS[name].program)] for name, place in places.items())):
        said = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True).stdout
        sys.stdout.write(f"{Path(command[0]).name} {' '.join(said.split())}; ")
    sys.stdout.write(
        f"Python {sys.version.split()[0]}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors\n\n"
    )
    sys.stdout.write("| packages | command | calls | least ms | median ms | processor ms | of run |\n")
    sys.stdout.write("| ---: | --- | ---: | ---: | ---: | ---: | ---: |\n")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        for number in settings.sizes:
            commands, slow = theirs(Path(name), number, places, settings.limit)
            commands += ours(Path(name), number, HERE, "headworks")
            if settings.other:
                commands += ours(Path(name), number, settings.other.absolute() / "bin", "other")
            commands += basics(commands[-1].folder)
            table(number, measure(commands, settings.rounds), slow, settings.limit)


if __name__ == "__main__":
    main()
