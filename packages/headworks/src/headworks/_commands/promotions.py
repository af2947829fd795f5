"""List the models that were promoted: alias, person, time and evidence of each.

With `--max-age` this is a check that each alias was moved lately, for a schedule of CI. Where a remote store is set, it
is about the aliases there.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING

from headworks._lines import say, text_of
from headworks._promote.alias import Move, aliases, current, moves, place_of_aliases
from headworks._quantities import age_of, option_value
from headworks._store.store import Store
from headworks._store.verdict import is_digest
from headworks.errors import Exit, StoreError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--path", metavar="ALIAS", help="only the file of an alias's model, or of a SHA-256, checked")
    parser.add_argument(
        "--max-age", metavar="AGE", help="exit with 1 where an alias was last moved longer ago, as in 90d or 12h"
    )
    parser.add_argument("--remote", metavar="URL", help="a store elsewhere that has the aliases, as HEADWORKS_REMOTE")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people or for programs")


def run(arguments: argparse.Namespace) -> int:
    """List them, the latest last."""
    age = option_value(age_of, arguments.max_age, "--max-age", "write it as in 90d or 12h")
    store = Store.default(remote=arguments.remote)
    if arguments.path is not None:
        sys.stdout.write(f"{_path(store, arguments.path)}\n")  # for `$(...)`, as it is
        return 0
    place = place_of_aliases(store)
    all_moves = {alias: moves(store, alias) for alias in aliases(store)}
    listed = sorted((it for its in all_moves.values() for it in its if it is not None), key=lambda it: it.when)
    damaged = [(alias, entry) for alias, its in all_moves.items() for entry, it in enumerate(its, 1) if it is None]
    old = None if age is None else _older(store, age)
    code = Exit.FAILED if old or (age is not None and not all_moves) else Exit.PASSED
    if arguments.format == "json":
        data = [vars(it) | {"evidence": list(it.evidence)} for it in listed]
        lost = [{"alias": alias, "entry": entry} for alias, entry in damaged]
        last = {alias: its[-1].content if its[-1] else None for alias, its in all_moves.items() if its}
        listing = {"format": 1, "store": place, "current": last, "promotions": data, "damaged": lost}
        say(json.dumps(listing | ({} if old is None else {"old": old}), indent=2))
        return code
    lines = [line for move in listed for line in _lines(move)]
    lines += [f"{alias}: entry {entry} is damaged, so that nothing says what it did" for alias, entry in damaged]
    lines += [f"{alias} was last moved more than {arguments.max_age} ago: promote a newer model" for alias in old or ()]
    lines += [f"These are the aliases of {place}."] if lines and store.remote is not None else []
    say(text_of(lines or [f"Nothing was promoted in {place}."]))
    return code


def path_of(store: Store, move: Move) -> str:
    """Return the file of the model that an alias was moved to, which is whole.

    Raises:
        StoreError: It is missing or damaged.
    """
    if not store.blobs.is_whole(move.content):
        message = (
            f"The model {move.content[:12]} of {move.alias} is missing or damaged in {place_of_aliases(store)}."
            f" Put it back with `headworks store import`, or go back with `headworks rollback {move.alias}`."
        )
        raise StoreError(message)
    return str(store.blobs.path(move.content))


def _path(store: Store, given: str) -> str:
    """Return the file of a model, by its alias or digest; it is whole."""
    if not is_digest(given):
        return path_of(store, current(store, given))
    if not store.blobs.is_whole(given):
        message = f"The model {given[:12]} is missing or damaged in {place_of_aliases(store)}."
        raise StoreError(message)
    return str(store.blobs.path(given))


def _older(store: Store, age: float) -> list[str]:
    """Return the aliases whose last move was more than so many seconds ago.

    Raises:
        StoreError: An entry that says where one points is damaged, or has no time.
    """
    old = []
    for alias in aliases(store):
        move = current(store, alias)
        try:
            since = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(move.when)
        except (TypeError, ValueError):
            message = (
                f"The last entry of {alias} in {place_of_aliases(store)} has no time ({move.when!r}). Promote its model"
                " again."
            )
            raise StoreError(message) from None
        if since.total_seconds() > age:
            old.append(alias)
    return old


def _lines(it: Move) -> list[str]:
    """Return the lines about one move."""
    said = []
    for row in it.evidence:
        when, note = row["when"], row.get("note", "")
        said.append(f"{row['check']} {row['state']}{f' on {when[:10]}' if when else ''}{f' ({note})' if note else ''}")
    return [
        f"{it.when[:19]}  {it.alias}  {it.content[:12]}  {it.file}  {it.action} by {it.by}",
        f"    {', '.join(said)}",
    ]
