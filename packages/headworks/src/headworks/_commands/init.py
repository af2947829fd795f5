"""Write a table of sessions, to be made more precise, into the pyproject.toml of an existing nox repository."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from headworks._digest.digest import Digester
from headworks._lines import say, shown
from headworks._output_file import replace_file
from headworks._project.starter import with_table

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--print", action="store_true", dest="is_shown", help="show the file instead of writing it")


def run(arguments: argparse.Namespace) -> int:
    """Write the table for the project that the working folder is in; everything else stays as it is."""
    digester = Digester.for_worktree(os.curdir)
    root = digester.snapshot.repository.root
    path = os.path.realpath(os.path.join(root, "pyproject.toml"))
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        content = b""
    project = digester.project
    changed = with_table(
        content, digester.sessions(), os.listdir(root), lambda name: project.workspace.find(name, project.prefix)
    )
    if arguments.is_shown:
        sys.stdout.write(changed.decode())  # a file, to be kept as it is
        return 0
    replace_file(path, changed)
    say(f"Wrote [tool.headworks] into {shown(path)}. `headworks plan` shows what follows from it.")
    return 0
