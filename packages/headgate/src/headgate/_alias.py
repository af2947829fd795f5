"""Aliases: names such as `production` for the model that they were last moved to.

Every move is an entry in the journal `aliases/NAME` of the store; `content` in it is the SHA-256 of the model's file,
which lies in `blobs/` under the same digest. The last entry says where the name points now.
"""

from __future__ import annotations

import os
import re

from headgate._nearest import suggestion
from headgate._record import Record
from headgate._store.files import names
from headgate._store.journal import Journal
from headgate.errors import CannotDecideError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from headgate._evidence import Evidence
    from headgate._store.store import Store

__all__ = ["Move", "current", "is_held", "move", "moves", "roll_back"]

_NAME = re.compile(r"[a-z][a-z0-9-]*")


class Move(Record):
    """A name that was given to a model.

    Attributes:
        alias: the name.
        content: the SHA-256 of the model's file.
        file: what the file was called.
        action: `promote`, or `rollback` to what the name meant before.
        by: who moved it.
        when: the time, ISO 8601 in UTC.
        evidence: what it was promoted by: check, state, time and digest of each.
    """

    alias: str
    content: str
    file: str
    action: str
    by: str
    when: str
    evidence: tuple[dict[str, Any], ...]


def moves(store: Store, alias: str | None = None) -> list[Move]:
    """Return every move of an alias, or of all, in order; damaged entries are left out."""
    wanted = names(os.path.join(store.root, "aliases")) if alias is None else [alias]
    found = ((name, it) for name in wanted for it in Journal(store.root, "aliases", name).entries())
    return [Move(alias=name, **it | {"evidence": tuple(it["evidence"])}) for name, it in found if it is not None]


def current(store: Store, alias: str) -> Move:
    """Return the move that an alias points by now.

    Raises:
        UsageError: nothing was promoted to it.
    """
    found = _stack(moves(store, alias))
    if not found:
        known = names(os.path.join(store.root, "aliases"))
        message = f"Nothing was promoted to {alias!r}.{suggestion(alias, known)} See `headgate promote --help`."
        raise UsageError(message)
    return found[-1]


def _stack(found: Sequence[Move]) -> list[Move]:
    """Return the moves that a rollback could still go back to, the current one last."""
    stack: list[Move] = []
    for it in found:
        if it.action == "rollback":
            stack = stack[:-1]
        else:
            stack.append(it)
    return stack


def move(store: Store, alias: str, *, content: str, file: str, by: str, when: str, found: Sequence[Evidence]) -> None:
    """Give a name to a model.

    Raises:
        UsageError: it can be no name.
        CannotDecideError: what is known about the model is not enough.
        StoreError: the store cannot be written to, or does not hold the model.
    """
    if not _NAME.fullmatch(alias):
        message = f"{alias!r} can be no alias: small letters, digits and hyphens, as in production."
        raise UsageError(message)
    if lacking := [it for it in found if not it.is_enough]:
        states = ", ".join(f"{it.check} {'has not run' if it.state == 'missing' else it.state}" for it in lacking)
        message = (
            f"The model {content[:12]} is not promoted to {alias}: {states} for exactly this file."
            f" Run them, as by `headgate run {' '.join(it.check for it in lacking)}`."
        )
        raise CannotDecideError(message)
    if not is_held(store, content):
        message = f"The store {store.root} does not hold the model {content[:12]}. Export it by `headgate run`."
        raise CannotDecideError(message)
    entry = {"content": content, "file": file, "action": "promote", "by": by, "when": when}
    Journal(store.root, "aliases", alias).note(entry | {"evidence": [dict(vars(it)) for it in found]})


def is_held(store: Store, content: str) -> bool:
    """Tell whether the store has a model's file, whole."""
    from headgate._store.writing import hash_file

    path = store.blobs.path(content)
    return path.is_file() and hash_file(path)[0] == content


def roll_back(store: Store, alias: str, *, by: str, when: str) -> Move:
    """Move an alias to the model that it meant before the current one; return where it points now.

    Raises:
        UsageError: nothing was promoted to it.
        CannotDecideError: there is no model before the current one.
    """
    current(store, alias)
    back: list[Move] = []

    def entry(_found: object) -> dict[str, Any]:
        stack = _stack(moves(store, alias))
        if len(stack) < 2:  # noqa: PLR2004  # the current one and the one before
            message = f"Before {stack[0].content[:12]}, {alias} was no model: there is nothing to go back to."
            raise CannotDecideError(message)
        back[:] = [stack[-2]]
        fields = {name: getattr(back[0], name) for name in ("content", "file")}
        return fields | {"action": "rollback", "by": by, "when": when, "evidence": list(back[0].evidence)}

    Journal(store.root, "aliases", alias).append(entry)
    return back[0]
