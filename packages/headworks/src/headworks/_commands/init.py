"""Write a table of sessions, to be made more precise, into the pyproject.toml of an existing nox repository.

Without --observe, rows say what the noxfile alone tells. With it, the sessions run, watched by strace as an audit does,
and rows say what they were seen to read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from headworks._digest.digest import Digester
from headworks._lines import complain, say, shown
from headworks._observe.watch import require_strace
from headworks._output_file import replace_file
from headworks._plan.plan import Plan, plan
from headworks._project.starter import drafts
from headworks._project.table_text import Draft, with_rows, with_table
from headworks._quantities import count_text
from headworks._run.display import Display
from headworks._run.outcome import Outcome, exit_code
from headworks._run.session import run_plan
from headworks._run.task import Settings
from headworks._store.store import Store
from headworks.errors import Exit, UsageError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "sessions", nargs="*", default=[], metavar="SESSION", help="with --observe: write rows for these, not for all"
    )
    parser.add_argument("--observe", action="store_true", help="run the sessions, and write what they are seen to read")
    parser.add_argument("--print", action="store_true", dest="is_shown", help="show the file instead of writing it")


def run(arguments: argparse.Namespace) -> int:
    """Write rows for the project that the working folder is in; everything else stays as it is."""
    if arguments.observe:
        return _observe(arguments.sessions, is_shown=arguments.is_shown)
    if arguments.sessions:
        message = "Rows for some sessions are written only by what they read: say `headworks init --observe` as well."
        raise UsageError(message)
    digester = Digester.for_worktree(os.curdir)
    place, content = _pyproject(digester)
    changed = with_table(content, drafts(digester.sessions(), digester.project))
    _write(place, changed, f"Wrote [tool.headworks] into {shown(place)}.", is_shown=arguments.is_shown)
    return Exit.PASSED


def _observe(names: list[str], *, is_shown: bool) -> int:
    """Run sessions watched, write rows of what they read, and return the exit code."""
    require_strace("headworks init --observe")
    planned = plan(os.curdir, sessions=names)
    wanted = set(names)
    functions = {it.session.function for it in planned.sessions if not names or wanted & it.session.selectors}
    if not functions:
        message = "A bare nox runs no session here: name the sessions that are to get rows, as `nox --list` shows them."
        raise UsageError(message)
    planned = plan(os.curdir, sessions=sorted(functions))  # with all sessions of these functions
    store = Store.default(planned.root)
    watched = frozenset(
        it.session.name for it in planned.sessions if it.session.function in functions or not it.session.is_declared
    )
    settings = Settings(force=True, audit=True, keep_going=True)
    outcomes, is_ended = run_plan(planned, lambda: planned, watched, store, settings, Display(sys.stderr))
    if is_ended:
        return Exit.INTERRUPTED
    rows = _rows(planned, outcomes, watched, functions)
    if rows:
        place, content = _pyproject(planned.digester)
        changed = with_rows(content, rows)
        number = count_text(sum(it.is_row for it in rows), "row")
        said = f"Wrote {number} of [tool.headworks.sessions] into {shown(place)}."
        _write(place, changed, said, is_shown=is_shown)
    return exit_code((it for it in outcomes.values() if it.findings is None), is_ci=False)


def _rows(
    planned: Plan, outcomes: dict[str, Outcome], watched: Collection[str], functions: Collection[str]
) -> list[Draft]:
    """Return the rows of those functions of which all sessions have passed."""
    from headworks._plan.observed import drafts as observed  # it takes the digest of each row that it thinks of

    findings = {name: outcomes[name].findings for name in watched}
    sessions = [it.session for it in planned.sessions]
    failed = {it.function for it in sessions if it.name in watched and findings[it.name] is None}
    for name in sorted(failed & {*functions}):
        complain(f"{shown(name)} did not pass, so that nothing is known about the files that it reads: it gets no row.")
    seen = {it.name: found for it in sessions if it.function not in failed and (found := findings.get(it.name))}
    return observed(planned.digester, seen, {*functions} - failed)


def _pyproject(digester: Digester) -> tuple[str, bytes]:
    """Return the place and the content of the root's pyproject.toml, which need not exist."""
    place = os.path.realpath(os.path.join(digester.snapshot.repository.root, "pyproject.toml"))
    try:
        with open(place, "rb") as file:
            return place, file.read()
    except FileNotFoundError:
        return place, b""


def _write(place: str, content: bytes, said: str, *, is_shown: bool) -> None:
    if is_shown:
        sys.stdout.write(content.decode())  # a file, to be kept as it is
        return
    replace_file(place, content)
    say(f"{said} `headworks plan` shows what follows from it.")
