"""Measures what observation costs: processor time of sessions in an environment that nox reuses, in a new one, watched.

Counted is the whole tree of processes, strace included, and the time that it takes to replay the trace. A run that
records verdicts takes a new environment whether it watches or not, and mypy has no cache on a machine that has run
nothing yet, as in CI: so it is in both, and the factor is that of the last two columns.
Run it in the root of a repository with a noxfile, where all that the sessions need is in place, as

    python benchmarks/observation.py SESSION... [--repeat N]

in an environment with headworks and nox, on Linux with strace. It prints a Markdown table of the least seconds.
"""

# ruff: noqa: INP001  # a script, not a module of a package

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from headworks._machine.environ import session_environment
from headworks._observe.places import Places
from headworks._observe.watch import StraceWatch
from headworks._run.attempt import without_environment
from headworks._run.stale import caches_without_local_builds
from headworks._tree.git import Repository
from headworks._tree.snapshot import WorkTreeSnapshot

NOX = (sys.executable, "-m", "nox", "--no-dependencies")
ANEW = "--reuse-venv=never"
SUBREAPER = 36  # prctl's PR_SET_CHILD_SUBREAPER: strace, an orphan, becomes a child of this process, and is counted


def spent(command: list[str], environ: dict[str, str]) -> float:
    """Run a command with all that it starts; return the processor time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603  # nox
        if process.wait():
            output.seek(0)
            raise SystemExit(output.read().decode(errors="replace"))
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def anew(session: str, environ: dict[str, str]) -> float:
    """Run a session in a new environment and with the caches of one that is watched; return the processor time."""
    with tempfile.TemporaryDirectory() as folder:
        return spent([*NOX, "-s", session, ANEW], environ | StraceWatch(Path(folder)).caches)


def watched(session: str, environ: dict[str, str]) -> float:
    """Run a session watched and replay its trace; return the processor time in seconds."""
    root = str(Path.cwd())
    with tempfile.TemporaryDirectory() as folder:
        watch = StraceWatch(Path(folder, "notes"))
        command = without_environment(watch.wrap([*NOX, ANEW, "-s", session]), root, session)
        with caches_without_local_builds(environ, root) as make_cache:
            seconds = spent(command, environ | watch.caches | make_cache())
        start = time.process_time()
        reads = watch.reads(Places.of(WorkTreeSnapshot(Repository(root)), environ), root)
        seconds += time.process_time() - start
    if reads.unseen:
        sys.stderr.write(f"{session}: {reads.unseen}\n")
    return seconds


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sessions", nargs="+", help="sessions as nox shows them")
    parser.add_argument("--repeat", type=int, default=1, help="how often to run each")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(SUBREAPER, 1)
    environ = session_environment(os.environ, ())
    total = [0.0, 0.0, 0.0]
    sys.stdout.write("| session | reused | new | watched | factor |\n| --- | ---: | ---: | ---: | ---: |\n")
    for session in arguments.sessions:
        again = [*NOX, "-s", session]
        spent(again, environ)  # fills the caches
        # The ways take turns, so that a machine which is busy for a while is so for all of them.
        rounds = [
            (spent(again, environ), anew(session, environ), watched(session, environ)) for _ in range(arguments.repeat)
        ]
        row = [min(seconds) for seconds in zip(*rounds, strict=True)]
        total = [sum(both) for both in zip(total, row, strict=True)]
        print_row(session, row)
    print_row("all", total)


def print_row(name: str, row: list[float]) -> None:
    """Print one row of the table."""
    cells = [*(f"{it:.1f} s" for it in row), f"{row[2] / row[1]:.2f}"]
    sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
