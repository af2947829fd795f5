"""Run what has no verdict yet, through nox, in parallel, and put the outputs of the rest in place.

What a verdict covers is not run again, and its outputs are put where they were. Arguments after `--` go to the sessions
that are named; nothing is recorded of those then. `headworks plan` says beforehand what would run, and why.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from headworks._digest.digest import Digester
from headworks._lines import as_complained, as_said, complain, say
from headworks._observe.watch import require_strace
from headworks._output_file import write_output
from headworks._plan.plan import Plan, plan, plan_of
from headworks._quantities import duration_text
from headworks._quick.answers import TOOK, doubt, remember
from headworks._run.display import summary
from headworks._run.outcome import as_outcomes, exit_code, state_of
from headworks._run.session import covered, run_plan
from headworks._run.task import Settings
from headworks._store.store import Store
from headworks.errors import Exit, UsageError

if TYPE_CHECKING:
    import argparse


accepts_extra_args = True  # arguments after `--`


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("sessions", nargs="*", default=[], metavar="SESSION", help="sessions as nox takes them")
    parser.add_argument("--base", metavar="REF", help="the revision that the reasons compare with")
    parser.add_argument("--jobs", "-j", type=int, metavar="N", help="how many processes run at a time")
    parser.add_argument("--force", action="store_true", help="run also what a verdict covers")
    parser.add_argument("--keep-going", action="store_true", help="start sessions even after one has failed")
    parser.add_argument("--retry", type=int, default=0, metavar="N", help="run a failed session up to N times again")
    parser.add_argument(
        "--observe", action="store_true", help="watch what runs; record what keeps the promise of its row"
    )
    parser.add_argument("--outcomes", metavar="FILE", help="write the outcome of each session, for `headworks verify`")
    parser.add_argument("--remote", metavar="URL", help="a store elsewhere to look in, as HEADWORKS_REMOTE")
    parser.add_argument("--write-remote", action="store_true", help="record there too; for trusted runs only")


def run(arguments: argparse.Namespace) -> int:
    """Run and return the exit code."""
    begin = time.monotonic()
    _check(arguments)
    digester = Digester.for_worktree(os.curdir)
    root = digester.snapshot.repository.root
    store = Store.default(root, remote=arguments.remote, write_remote=arguments.write_remote)
    planned = plan_of(digester, arguments.base, store, arguments.sessions)
    asked = _asked(planned, arguments.sessions)
    state = state_of(planned) if arguments.outcomes is not None else None
    complain(planned.lost)
    told: list[str] = []
    _warn(store, told)
    outcomes = None if arguments.force or arguments.extra else covered(planned, asked)
    is_ended = False
    is_covered = outcomes is not None
    if outcomes is None:
        doubt()

        def make_plan() -> Plan:
            nonlocal planned, state
            planned = plan(root, base=arguments.base, store=store, sessions=arguments.sessions)
            state = state and state_of(planned)
            return planned

        outcomes, is_ended = run_plan(planned, make_plan, asked, store, _settings(arguments))
    seconds = time.monotonic() - begin
    ordered = [outcomes[it.session.name] for it in planned.sessions]
    text = as_said(summary(ordered, seconds))
    if is_covered and state is None and not store.problems:
        before, _, after = text.rpartition(f"took {duration_text(seconds)}")
        remember(f"{before}took {TOOK}{after}", as_complained(planned.lost))
    store.mark_used(it.verdict.digest for it in outcomes.values() if it.verdict is not None)
    if state is not None:
        extra = asked if arguments.extra else ()
        write_output(arguments.outcomes, as_outcomes(ordered, *state, extra=extra, is_forced=arguments.force))
    say(text)
    _warn(store, told)
    return Exit.INTERRUPTED if is_ended else exit_code(outcomes.values(), is_ci=_is_ci())


def _warn(store: Store, told: list[str]) -> None:
    """Write each problem of the store once."""
    for problem in store.problems:
        if problem not in told:
            told.append(problem)
            complain(problem)


def _settings(arguments: argparse.Namespace) -> Settings:
    """Return the settings of the run."""
    return Settings(
        jobs=arguments.jobs or _processors(),
        force=arguments.force,
        keep_going=arguments.keep_going,
        retries=arguments.retry,
        arguments=tuple(arguments.extra),
        is_ci=_is_ci(),
        observe=arguments.observe,
    )


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover  # measured on Linux


def _is_ci() -> bool:
    """Whether this runs in CI, where a required session that ran no test is an error."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def _check(arguments: argparse.Namespace) -> None:
    """Refuse numbers that make no sense."""
    if arguments.jobs is not None and arguments.jobs < 1:
        message = f"--jobs is {arguments.jobs}; it has to be 1 or more."
        raise UsageError(message)
    if arguments.retry < 0:
        message = f"--retry is {arguments.retry}; it has to be 0 or more."
        raise UsageError(message)
    if arguments.observe:
        require_strace("headworks run --observe")
    if arguments.extra and not arguments.sessions:
        message = "Arguments after `--` go to sessions that are named, as in `headworks run tests -- -x`. Name some."
        raise UsageError(message)


def _asked(planned: Plan, names: list[str]) -> frozenset[str]:
    """Return the names of the sessions that were asked for, without those that they need."""
    sessions = [it.session for it in planned.sessions]
    if not names:
        return frozenset(it.name for it in sessions if it.is_planned)
    wanted = set(names)
    return frozenset(it.name for it in sessions if wanted & it.selectors)
