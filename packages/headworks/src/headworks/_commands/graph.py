"""Draw the sessions, what each needs, and which have passed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._commands.plan import add_selection, rendered
from headworks._lines import complain, say
from headworks._plan.plan import plan

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_selection(parser)
    parser.add_argument("--format", choices=["mermaid", "dot"], default="mermaid")


def run(arguments: argparse.Namespace) -> int:
    """Draw the plan of the project that the working folder is in."""
    found = plan(os.curdir, base=arguments.base, sessions=arguments.sessions)
    complain(found.lost)
    say(rendered(found, arguments.format))
    return 0
