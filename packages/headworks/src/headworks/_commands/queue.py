"""Name the run of the merge queue that has proven the commit, in GitHub Actions, so that its verdicts are imported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._lines import complain, say
from headworks._output_file import append_output
from headworks._tree.git import Repository
from headworks.errors import CannotDecideError, Exit, UsageError

if TYPE_CHECKING:
    import argparse

_VARIABLES = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_WORKFLOW_REF")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--output", metavar="FILE", help="add the line `run=NUMBER` to this file, where there is a run")


def run(arguments: argparse.Namespace) -> int:
    """Ask GitHub; where it does not say, nothing is imported, and what has no verdict runs."""
    from headworks._github.client import GitHub, UnavailableError, UnseenError  # which takes 60 ms to import
    from headworks._github.queue import proven_by

    if missing := [name for name in _VARIABLES if not os.environ.get(name)]:
        message = f"{', '.join(missing)} is not set. This command is for a step of GitHub Actions."
        raise UsageError(message)
    url, name, token, ref = (os.environ[it] for it in _VARIABLES)
    commit = Repository(os.curdir).head()
    workflow = ref.partition("@")[0].removeprefix(f"{name}/")
    try:
        number = proven_by(GitHub(url, name, token), commit, workflow)
    except (CannotDecideError, UnavailableError, UnseenError, KeyError, TypeError) as error:
        complain(
            f"warning: whether the merge queue has proven {commit[:12]} is unknown, so that it counts as not: {error}"
        )
        return Exit.PASSED
    if number is None:
        say(f"No merge queue has proven {commit[:12]}.")
        return Exit.PASSED
    say(f"Run {number} of the merge queue has proven {commit[:12]}.")
    if arguments.output is not None:
        append_output(arguments.output, f"run={number}\n")
    return Exit.PASSED
