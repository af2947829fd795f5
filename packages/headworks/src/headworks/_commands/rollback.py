"""Move an alias back to the model before the current one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._commands.promote import now, who
from headworks._lines import say, text_of
from headworks._promote.alias import roll_back
from headworks._store.store import Store

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("alias", metavar="ALIAS", help="an alias, as in production")


def run(arguments: argparse.Namespace) -> int:
    """Move it back and say so."""
    move = roll_back(Store.default(), arguments.alias, by=who(), when=now())
    say(text_of([f"{arguments.alias} is {move.content[:12]} ({move.file}) again"]))
    return 0
