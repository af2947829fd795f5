"""List, clear, export or import the store of verdicts.

The store is the folder in HEADWORKS_STORE, or `headworks` in the platform's folder for caches.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from headworks._commands.verify import MALFORMED, malformed, read_form
from headworks._lines import complain, say, shown, text_of
from headworks._nearest import suggestion
from headworks._plan.as_json import FORM, needed_outputs
from headworks._quantities import age_of, count_text, duration_text, option_value, size_of, size_text
from headworks._store.bundle import RefusedBundleError
from headworks._store.store import Store
from headworks.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from headworks._store.verdict import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions on the store."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    ls = actions.add_parser("ls", help="list verdicts")
    ls.add_argument("sessions", nargs="*", metavar="SESSION", help="only those of these sessions")
    ls.add_argument("--flaky", action="store_true", help="only digests that have passed and failed")
    ls.add_argument("--format", choices=["text", "json"], default="text", help="for people or for programs")
    gc = actions.add_parser("gc", help="remove what was not used for long")
    gc.add_argument("--max-size", metavar="SIZE", help="how much the outputs may take, as in 5GB")
    gc.add_argument("--max-age", metavar="AGE", help="how long ago the last use may be, as in 30d or 12h")
    gc.add_argument("--format", choices=["text", "json"], default="text", help="for people or for programs")
    export = actions.add_parser("export", help="write every verdict that can be relied on into one file")
    export.add_argument("file", help="a tar archive to write, as for the cache of a CI")
    export.add_argument("--known", metavar="FILE", help="a bundle, or a folder with bundles, not to write again")
    export.add_argument(
        "--plan", metavar="FILE", help="of outputs, only those that what this plan in JSON has run needs"
    )
    import_ = actions.add_parser("import", help="take in what another store exported")
    import_.add_argument(
        "file", help="a bundle, or a folder with bundles, as good as who wrote them: they can say that anything passed"
    )
    forget = actions.add_parser("forget", help="forget the verdicts of sessions, so that they run again")
    forget.add_argument("sessions", nargs="+", metavar="SESSION", help="names as nox shows them")


def run(arguments: argparse.Namespace) -> int:
    """Do it and return the exit code."""
    actions: dict[str, Callable[[Store, argparse.Namespace], str]] = {
        "ls": _ls,
        "gc": _gc,
        "export": _export,
        "import": _import,
        "forget": _forget,
    }
    store = Store.default(remote="")
    if os.path.lexists(store.root) and not os.path.isdir(store.root):
        message = f"The store {store.root} is no folder. Name one in HEADWORKS_STORE."
        raise UsageError(message)
    say(actions[arguments.action](store, arguments))
    return 0


def _ls(store: Store, arguments: argparse.Namespace) -> str:
    """Return a table of verdicts."""
    verdicts = store.flaky() if arguments.flaky else store.ls()
    _check_names(store, arguments.sessions)
    if arguments.sessions:
        verdicts = [it for it in verdicts if it.session in arguments.sessions]
    flaky = {it.digest for it in store.flaky()}
    if arguments.format == "json":
        return json.dumps([it.as_data() | {"flaky": it.digest in flaky} for it in verdicts], indent=2)
    unread = store.unreadable()
    more = [f"{count_text(unread, 'record')} cannot be read: damaged, or of another version of Headworks"] * bool(
        unread
    )
    if not verdicts:
        return text_of([f"There is no such verdict in {store.root}.", *more])
    runs: dict[tuple[object, ...], list[Verdict]] = {}
    for it in verdicts:
        runs.setdefault((it.session, it.passed, it.finished, it.seconds, it.commit), []).append(it)
    rows = [_row(run, is_flaky=any(it.digest in flaky for it in run)) for run in runs.values()]
    total = f"{count_text(len(verdicts), 'verdict')} of {count_text(len(rows), 'run')} in {store.root}"
    rows.insert(0, ["session", "outcome", "took", "ended", "commit", "digest of"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return text_of([*lines, "", total, *more])


def _row(run: list[Verdict], *, is_flaky: bool) -> list[str]:
    """Return the cells of a run: one that was watched may leave a verdict of its row, and one of what it read."""
    verdict = run[0]
    outcome = ("passed" if verdict.passed else "failed") + (", flaky" if is_flaky else "")
    took = duration_text(verdict.seconds)
    digests = ", ".join(sorted(f"{'reads' if it.core else 'files'} {it.digest[:12]}" for it in run))
    return [shown(verdict.session), outcome, took, verdict.finished[:19], verdict.commit[:10], digests]


def _gc(store: Store, arguments: argparse.Namespace) -> str:
    """Clear the store and return the result in words."""
    size = option_value(size_of, arguments.max_size, "--max-size", "write it as in 5GB or 300MB")
    age = option_value(age_of, arguments.max_age, "--max-age", "write it as in 30d or 12h")
    cleared = store.gc(max_size=size, max_age=age)
    if arguments.format == "json":
        return json.dumps(vars(cleared), indent=2)
    return (
        f"Removed {count_text(cleared.verdicts, 'verdict')} and {count_text(cleared.blobs, 'blob')}"
        f" ({size_text(cleared.freed)}); left in {store.root}: {count_text(cleared.kept, 'verdict')}"
        f" with {size_text(cleared.size)} of outputs."
    )


def _export(store: Store, arguments: argparse.Namespace) -> str:
    """Write a bundle and say so."""
    own = os.path.abspath(arguments.file)  # replaced, so that it has to hold all again
    known = [it for it in _bundles(arguments.known) if os.path.abspath(it) != own] if arguments.known else []
    if arguments.plan is None:
        count = store.export(arguments.file, known)
    else:
        needed = _needed(arguments.plan)
        count = store.export(
            arguments.file, known, lambda it: not it.outputs or (it.session, dict(it.outputs)) in needed
        )
    return f"Wrote {count_text(count, 'verdict')} of {store.root} to {arguments.file}."


def _needed(plan: str) -> list[tuple[str, dict[str, str]]]:
    """Return the outputs, each with its session, that a plan's sessions to run need.

    Raises:
        UsageError: The file is no plan.
    """
    try:
        return needed_outputs(read_form(plan, FORM))
    except MALFORMED as error:
        raise malformed(plan, error) from error


def _bundles(path: str) -> list[str]:
    """Return a bundle, or those in a folder and below it."""
    if not os.path.isdir(path):
        return [path]
    found = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    return sorted(it for it in found if it.endswith(".tar"))


def _import(store: Store, arguments: argparse.Namespace) -> str:
    """Import bundles and return the number of new verdicts in words; a bundle that is refused is only a warning."""
    new = 0
    for bundle in _bundles(arguments.file):
        try:
            new += store.import_(bundle)
        except RefusedBundleError as error:
            complain(f"warning: {error}")
    return f"Took {count_text(new, 'new verdict')} from {arguments.file} into {store.root}."


def _forget(store: Store, arguments: argparse.Namespace) -> str:
    """Forget verdicts and say how many."""
    _check_names(store, arguments.sessions)
    forgotten = count_text(store.forget(arguments.sessions), "verdict")
    return f"Forgot {forgotten} in {store.root}; what those sessions proved must be proved again."


def _check_names(store: Store, sessions: list[str]) -> None:
    """Refuse a session of which the store has no verdict, with the name that may have been meant."""
    known = {it.session for it in store.ls()}
    for session in sessions:
        if session not in known:
            message = (
                f"The store {store.root} has no verdict of {session!r}.{suggestion(session, known)}"
                " See `headworks store ls`."
            )
            raise UsageError(message)
