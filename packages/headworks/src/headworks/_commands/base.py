"""Run a command with an output of the base, such as a comparison of two datasets.

The base is that of the gate. `{base}` in the command stands for the place of the output, which is restored from the
store, or made in a work tree of the base. The exit code is that of the command.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from headworks._digest.digest import Digester
from headworks._gate.base import choose_base
from headworks._gate.base_outputs import BaseOutputs, NoBaseError, run_to_end
from headworks._lines import complain
from headworks._project.gate_table import project_settings
from headworks._signals import interrupt_on_sigterm
from headworks._store.store import Store
from headworks.errors import CannotDecideError, Exit, UsageError

if TYPE_CHECKING:
    import argparse

accepts_extra_args = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("path", metavar="PATH", help="a file or folder that a session writes; `-- COMMAND` follows")
    parser.add_argument("--base", metavar="REF", help="compare with where HEAD parted from this revision")
    parser.add_argument("--remote", metavar="URL", help="a store elsewhere to look in, as HEADWORKS_REMOTE")


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code, or 0 where the gate has no base either and says that there is none."""
    if not arguments.extra:
        message = "There is no command to run. Give one after --, in which {base} stands for the output of the base."
        raise UsageError(message)
    settings, now = project_settings(), Digester.for_worktree(os.curdir)
    repository = now.snapshot.repository
    store = Store.default(repository.root, remote=arguments.remote)
    base = choose_base(repository, arguments.base, settings.releases)
    with interrupt_on_sigterm(), tempfile.TemporaryDirectory(prefix="headworks-") as folder:
        outputs = BaseOutputs(now, store, folder, base, complain)
        try:
            place = outputs.find(arguments.path)
        except NoBaseError as error:
            if not base.is_excused(settings.bootstrap):
                message = f"{error.reason} Name another base with --base, or this one as `bootstrap` of the gate."
                raise CannotDecideError(message) from None
            complain(f"nothing is compared: {error.reason}")
            return Exit.PASSED
        else:
            for note in outputs.notes:
                complain(note)
            command = [word.replace("{base}", place) for word in arguments.extra]
            try:
                code = run_to_end(command, os.curdir)
            except OSError as error:
                message = f"{command[0]} cannot be started: {error.strerror}. Name a program after --."
                raise UsageError(message) from None
            return code if code >= 0 else Exit.UNDECIDED  # a signal ended it
        finally:
            outputs.close()
