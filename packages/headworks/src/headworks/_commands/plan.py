"""Show what would run, why, and how long it should take."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._digest.digest import Digester
from headworks._lines import as_complained, as_said, complain, say
from headworks._output_file import append_output, write_output
from headworks._plan.as_text import as_text
from headworks._plan.ignored import refuse_visible_outputs
from headworks._plan.plan import Plan, plan_of
from headworks._quantities import option_value
from headworks._quick.answers import remember
from headworks._store.store import Store
from headworks.errors import Exit

if TYPE_CHECKING:
    import argparse


_MAX_JOBS = 256  # that GitHub allows in a matrix
_FORMATS = ("text", "json", "github", "mermaid", "dot")
_TAGS = (
    "it has to be tags with commas between them, as in macos,windows, each of letters, digits, `-` and `_`, and none of"
    " them `any` or `matrix`, which mean something else"
)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Declare the sessions and the base."""
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
    parser.add_argument("--format", choices=_FORMATS, default="text")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="FORMAT=FILE",
        help="write another form to a file as well; may be given again",
    )
    parser.add_argument("--jobs", metavar="N", help="with --format github: how many jobs a matrix may have")
    parser.add_argument(
        "--apart",
        metavar="TAGS",
        help="with --format github: tags, with commas between them, whose sessions get a matrix of their own",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="write to this file; with --format github, to the end of what it has"
    )


def _jobs(text: str) -> int:
    """Return a number of jobs.

    Raises:
        ValueError: It is not a number of jobs.
    """
    number = int(text)
    if not 1 <= number <= _MAX_JOBS:
        raise ValueError(text)
    return number


def _form_and_file(text: str) -> tuple[str, str]:
    """Return a form of the plan and the file for it.

    Raises:
        ValueError: It is no form, or there is no file.
    """
    form, _, file = text.partition("=")
    if form not in _FORMATS or not file:
        raise ValueError(text)
    return form, file


def _tags(text: str) -> tuple[str, ...]:
    """Return tags, each of which is to be the name of an output.

    Raises:
        ValueError: one of them cannot be.
    """
    tags = tuple(text.split(","))
    if any(not tag.replace("-", "").replace("_", "").isalnum() or tag in {"any", "matrix"} for tag in tags):
        raise ValueError(text)
    return tags


def rendered(found: Plan, form: str, *, jobs: int = _MAX_JOBS, apart: tuple[str, ...] = ()) -> str:
    """Return a plan in one of the forms, of which only the text is cheap to import: the others take 4 ms."""
    if form == "json":
        from headworks._plan.as_json import as_json

        return as_json(found)
    if form == "github":
        from headworks._plan.as_github import as_github

        return as_github(found, jobs=jobs, apart=apart)
    if form in {"mermaid", "dot"}:
        from headworks._plan.as_graph import as_dot, as_mermaid

        return as_mermaid(found) if form == "mermaid" else as_dot(found)
    return as_text(found)


def run(arguments: argparse.Namespace) -> int:
    """Show the plan of the project that the working folder is in."""
    jobs = option_value(_jobs, arguments.jobs, "--jobs", f"it has to be a number from 1 to {_MAX_JOBS}")
    apart = option_value(_tags, arguments.apart, "--apart", _TAGS)
    forms = f"it has to be one of {', '.join(_FORMATS)}, `=` and a file"
    also = [pair for it in arguments.also if (pair := option_value(_form_and_file, it, "--also", forms))]
    digester = Digester.for_worktree(os.curdir)
    store = Store.default(digester.snapshot.repository.root)
    found = plan_of(digester, arguments.base, store, arguments.sessions)
    complain(found.lost)
    sessions = [it.session for it in found.sessions if it.state != "cached"]
    if outputs := {path: session.function for session in sessions for path in session.outputs}:
        refuse_visible_outputs(outputs, digester.snapshot)

    def text_in(form: str) -> str:
        return rendered(found, form, jobs=jobs or _MAX_JOBS, apart=apart or ())

    for form, file in also:
        (append_output if form == "github" else write_output)(file, text_in(form))
    if arguments.output is not None:
        (append_output if arguments.format == "github" else write_output)(arguments.output, text_in(arguments.format))
        return Exit.PASSED
    text = text_in(arguments.format)
    if not also:  # which an answer from memory would not write
        remember(as_said(text), as_complained(found.lost))
    say(text)
    return Exit.PASSED
