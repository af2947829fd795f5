"""Show what would run, why, and how long it should take."""

from __future__ import annotations

import os
import sys

from headgate._plan import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from headgate._plan import Plan

__all__ = ["add_arguments", "add_selection", "rendered", "run"]

_MAX_JOBS = 256  # that GitHub allows in a matrix


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Declare which sessions are meant, and what they are compared with."""
    parser.add_argument(
        "sessions",
        nargs="*",
        default=[],
        metavar="SESSION",
        help="sessions as nox takes them; by default those of the table and those that a bare nox runs",
    )
    parser.add_argument("--base", metavar="REF", help="say what changed since HEAD parted from this revision")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_selection(parser)
    parser.add_argument("--format", choices=["text", "json", "github", "mermaid", "dot"], default="text")
    parser.add_argument(
        "--jobs", type=_jobs, default=8, metavar="N", help="with --format github: how many jobs the matrix may have"
    )


def _jobs(text: str) -> int:
    """Return a number of jobs.

    Raises:
        ValueError: it is none.
    """
    number = int(text)
    if not 1 <= number <= _MAX_JOBS:
        raise ValueError(text)
    return number


def rendered(found: Plan, form: str, *, jobs: int = 8) -> str:
    """Return a plan in one of the forms."""
    if form == "json":
        from headgate._format_json import as_json

        return as_json(found)
    if form == "github":
        from headgate._format_github import as_github

        return as_github(found, jobs=jobs)
    if form in {"mermaid", "dot"}:
        from headgate._format_graph import as_dot, as_mermaid

        return as_mermaid(found) if form == "mermaid" else as_dot(found)
    from headgate._format_text import as_text

    return as_text(found)


def run(arguments: argparse.Namespace) -> int:
    """Show the plan of the project that the working folder is in."""
    found = plan(os.curdir, base=arguments.base, sessions=arguments.sessions)
    sys.stdout.write(rendered(found, arguments.format, jobs=arguments.jobs))
    return 0
