"""Move an alias back to the model before the current one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._commands.promote import add_store_arguments, expected_model, now, who, writable_store
from headworks._lines import say, text_of
from headworks._promote.alias import roll_back

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("alias", metavar="ALIAS", help="an alias, as in production")
    add_store_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Move it back and say so."""
    expected, store = expected_model(arguments), writable_store(arguments)
    move = roll_back(store, arguments.alias, by=who(), when=now(), expected=expected)
    say(text_of([f"{arguments.alias} is {move.content[:12]} ({move.file}) again"]))
    return 0
