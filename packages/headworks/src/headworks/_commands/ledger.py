"""List the models that each test set has judged, or add those that another run asked for.

`--output` writes what `--take` reads: digests, numbers and times, of which everything is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._gate.ledger import LARGEST_FILE, all_asked, as_json, take
from headworks._lines import say, text_of
from headworks._output_file import replace_file
from headworks._quantities import count_text
from headworks._store.store import Store
from headworks.errors import UsageError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--take", metavar="FILE", help="add what another run asked, which need not be trusted")
    parser.add_argument("--output", metavar="FILE", help="write the list there as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it and return the exit code."""
    root = Store.default(remote="").root
    if arguments.take is not None:
        try:
            with open(arguments.take, "rb") as file:
                data = file.read(LARGEST_FILE + 1)
        except OSError as error:
            message = f"{arguments.take} cannot be read: {error.strerror}. Name what `headworks ledger --output` wrote."
            raise UsageError(message) from None
        say(f"Took {count_text(take(root, data, arguments.take), 'question')} from {arguments.take} into {root}.")
    entries = all_asked(root)
    if arguments.output is not None:
        replace_file(arguments.output, as_json(entries).encode())
    rows = [f"{it['when']}  model {it['model'][:12]} asked {it['number']:,} rows" for it in entries]
    say(text_of(rows or [f"No test set was asked in {root}."]))
    return 0
