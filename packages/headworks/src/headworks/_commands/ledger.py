"""List the models that each test set has judged, or add those that another run asked for.

`--output` writes what `--take` reads: digests, numbers and times, of which everything is checked. With `--known`, it
leaves out what a run found in the ledger when it began.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._gate.ledger import LARGEST_FILE, all_asked, as_json, damaged, take, without
from headworks._lines import say, text_of
from headworks._output_file import write_output
from headworks._quantities import count_text
from headworks._store.files import names
from headworks._store.store import Store
from headworks.errors import UsageError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--take", metavar="PATH", help="add what another run asked: a file, or a folder of them")
    parser.add_argument("--output", metavar="FILE", help="write the list there as JSON")
    parser.add_argument("--known", metavar="FILE", help="an earlier --output, of which nothing is written again")


def run(arguments: argparse.Namespace) -> int:
    """Do it and return the exit code."""
    root = Store.default(remote="").root
    if arguments.take is not None:
        path = arguments.take
        paths = [os.path.join(path, name) for name in names(path)] if os.path.isdir(path) else [path]
        number = take(root, {it: _read(it, LARGEST_FILE + 1) for it in paths})
        say(f"Took {count_text(number, 'new question')} from {path} into {root}.")
    entries = all_asked(root)
    if arguments.output is not None:
        known = arguments.known
        asked = entries if known is None else without(entries, _read(known), known)
        write_output(arguments.output, as_json(asked))
    rows = [f"{it['when']}  model {it['model'][:12]} asked {it['number']:,} rows" for it in entries]
    if lost := damaged(root):
        rows.append(f"damaged entries in {root}, each of which counts as a model: {lost}")
    say(text_of(rows or [f"No test set was asked in {root}."]))
    return 0


def _read(path: str, most: int = -1) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}. Name what `headworks ledger --output` wrote."
        raise UsageError(message) from None
