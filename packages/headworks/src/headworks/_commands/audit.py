"""Run a session watched, and list what it reads of the repository that its digest does not cover.

A file that is read and not declared is an error: a change to it would not run the session again. One that is declared
and not read is advice: a change to it runs the session for nothing. Nothing is recorded.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from headworks._lines import complain, say, shown, text_of
from headworks._observe.watch import require_strace
from headworks._plan.plan import Plan, plan
from headworks._quantities import count_text
from headworks._run.display import Display
from headworks._run.outcome import exit_code
from headworks._run.session import run_plan
from headworks._run.task import Settings
from headworks._store.store import Store
from headworks._tree.git import Repository
from headworks.errors import Exit, UsageError

if TYPE_CHECKING:
    import argparse

    from headworks._plan.promise import Findings

_SHOWN = 20  # files of advice
_UNDECLARED = "Read but not declared; a change to one does not run the session again. Name them in `inputs`:"
_IGNORED = "Read but ignored by git; commit a list of their hashes, and name that in `inputs`:"
_HISTORY = "Git's history was read, which no digest covers; give the row `cache = false`:"
_LOOKED = "Looked at but neither read nor declared; only its size, times or kind can matter. This is advice:"
_OUTSIDE = "Read outside the repository; no digest covers this, and no verdict changes with it. This is advice:"
_UNREAD = "Declared but never read; a change to one runs the session for nothing. This is advice:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("sessions", nargs="*", default=[], metavar="SESSION", help="one session, as nox shows it")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people or for programs")


def run(arguments: argparse.Namespace) -> int:
    """Audit and return the exit code."""
    require_strace("headworks audit")
    root = Repository(os.getcwd()).root
    store = Store.default(root)
    planned = plan(root, store=store, sessions=arguments.sessions)
    name = _one(planned, arguments.sessions)
    settings = Settings(force=True, audit=True)
    outcomes, is_ended = run_plan(planned, lambda: planned, frozenset({name}), store, settings, Display(sys.stderr))
    if is_ended:
        return Exit.INTERRUPTED
    findings = outcomes[name].findings
    if findings is None:
        complain(f"{shown(name)} did not pass, so that nothing is known about the files that it reads.")
        return exit_code(outcomes.values(), is_ci=False) or Exit.UNDECIDED
    found = {key: value for key, value in vars(findings).items() if key != "reads"}
    is_json = arguments.format == "json"
    say(json.dumps({"session": name} | found, indent=2) if is_json else _text(name, findings))
    if not findings.is_kept:
        return Exit.FAILED
    return Exit.UNDECIDED if findings.unseen else Exit.PASSED


def _one(planned: Plan, names: list[str]) -> str:
    """Return the name of the one session that was asked for."""
    wanted = set(names)
    sessions = [it.session for it in planned.sessions]
    found = [it.name for it in sessions if wanted & it.selectors]
    if len(found) != 1:
        choice = f"one of {', '.join(found[:5])}" if found else "it as `nox --list` shows it"
        message = f"An audit takes one session, not {len(found)}. Name {choice}."
        raise UsageError(message)
    return found[0]


def _text(name: str, findings: Findings) -> str:
    """Return the findings for people."""
    lines = [f"{name} read {count_text(len(findings.read), 'file')} of the repository, watched by strace."]
    if findings.unseen:
        lines.append(f"It may have read more: {findings.unseen}.")
    for heading, paths in (
        (_UNDECLARED, findings.undeclared),
        (_IGNORED, findings.ignored),
        (_HISTORY, findings.history),
    ):
        lines += ["", heading, *(f"  {path}" for path in paths)] if paths else []
    for heading, paths in ((_LOOKED, findings.looked), (_OUTSIDE, findings.outside), (_UNREAD, findings.unread)):
        lines += ["", heading, *(f"  {path}" for path in paths[:_SHOWN])] if paths else []
        more = len(paths) - _SHOWN
        lines += [f"  and {more:,} more, which --format json lists"] if more > 0 else []
    if findings.is_kept and not findings.unseen:
        lines += ["", "Everything that it read is declared."]
    return text_of(lines)
