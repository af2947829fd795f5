"""Aliases: names such as `production` for the model that they were last moved to.

Every move is an entry in the journal `aliases/NAME` of the store; `content` in it is the SHA-256 of the model's file,
which lies in `blobs/` under the same digest. The last entry says where the name points now: where that is damaged,
nothing does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from headworks._nearest import suggestion
from headworks._quantities import few
from headworks._store.files import hash_file, names
from headworks._store.journal import Journal
from headworks._store.verdict import is_digest
from headworks.errors import CannotDecideError, StoreError, UsageError

if TYPE_CHECKING:
    from headworks._store.store import Store

    Entries = Sequence[dict[str, Any] | None]

_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, kw_only=True)
class Move:
    """A name that was given to a model.

    Attributes:
        alias: the name.
        content: the SHA-256 of the model's file.
        file: the name of the file.
        action: `promote`, or `rollback` to the model before.
        by: the person or account that moved it.
        when: the time, ISO 8601 in UTC.
        evidence: the evidence that it was promoted by: check, state, time and digest of each.
    """

    alias: str
    content: str
    file: str
    action: str
    by: str
    when: str
    evidence: tuple[dict[str, Any], ...]

    @property
    def files(self) -> dict[str, str]:
        """The SHA-256 of the files that the gate judged the model by, by their paths; empty without the gate."""
        return {path: content for check in self.evidence for path, content in check.get("files", {}).items()}


def aliases(store: Store) -> list[str]:
    """Return the names of all aliases."""
    return [it for it in names(os.path.join(store.root, "aliases")) if _NAME.fullmatch(it)]


def moves(store: Store, alias: str) -> list[Move | None]:
    """Return every move of an alias in order, None for one whose entry is damaged or missing.

    Raises:
        UsageError: It can be no name.
    """
    return _read(alias, _journal(store, alias).entries())


def _journal(store: Store, alias: str) -> Journal:
    if not _NAME.fullmatch(alias):
        message = f"{alias!r} can be no alias: small letters, digits and hyphens, as in production."
        raise UsageError(message)
    return Journal(store.root, "aliases", alias)


def _read(alias: str, entries: Entries) -> list[Move | None]:
    read: list[Move | None] = []
    for entry in entries:
        values: dict[str, Any] = {it.name: (entry or {}).get(it.name) for it in fields(Move)} | {"alias": alias}
        rows = values.pop("evidence")
        is_whole = all(isinstance(value, str) for value in values.values()) and is_digest(values["content"])
        is_whole = is_whole and isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        is_whole = is_whole and all(isinstance(row.get(it), str) for row in rows for it in ("check", "state", "when"))
        is_whole = is_whole and all(isinstance(row.get("files", {}), dict) for row in rows)
        read.append(Move(**values, evidence=tuple(rows)) if is_whole else None)
    return read


def current(store: Store, alias: str) -> Move:
    """Return the move that an alias points by now.

    Raises:
        UsageError: Nothing was promoted to it, or it can be no name.
        StoreError: The entry that says where it points is damaged.
    """
    listed = moves(store, alias)
    if not listed:
        message = (
            f"Nothing was promoted to {alias!r}.{suggestion(alias, aliases(store))} See `headworks promote --help`."
        )
        raise UsageError(message)
    if listed[-1] is None:
        message = (
            f"The last entry of {alias}, {len(listed)} in {store.root}, is damaged, so that nothing says which model"
            " it is. `headworks promotions` lists those before;"
            f" promote one again: `headworks promote MODEL --to {alias}`."
        )
        raise StoreError(message)
    return listed[-1]


def anchor_of(store: Store, alias: str) -> Move | None:
    """Return the last move of an alias that can be read, if the files that its model was judged by are known.

    Raises:
        UsageError: It can be no name.
    """
    whole = [it for it in moves(store, alias) if it is not None]
    return whole[-1] if whole and whole[-1].files else None


def _stack(listed: Sequence[Move | None]) -> list[Move | None]:
    """Return the moves that a rollback could still go back to, the current one last, None for a damaged one."""
    stack: list[Move | None] = []
    for it in listed:
        if it is not None and it.action == "rollback":
            del stack[-1:]
            if _content(stack) != it.content:  # a damaged entry hides what this led back to
                del stack[-1:]
        if it is None or _content(stack) != it.content:
            stack.append(it)
    return stack


def _content(stack: Sequence[Move | None]) -> str:
    """Return the model that the last move of a stack led to; empty without one, or where it is damaged."""
    return stack[-1].content if stack and stack[-1] is not None else ""


def move(store: Store, to: Move) -> bool:
    """Move an alias to a model; tell whether it was another one's before.

    The same model by new evidence is one entry more, and no step for a rollback.

    Raises:
        UsageError: It can be no name.
        CannotDecideError: The store does not hold the model, or a file that it was judged by.
        StoreError: The store cannot be written to.
    """
    journal = _journal(store, to.alias)
    if not is_held(store, to.content):
        message = f"The store {store.root} does not hold the model {to.content[:12]}. Export it by `headworks run`."
        raise CannotDecideError(message)
    if lost := [path for path, content in to.files.items() if not is_held(store, content)]:
        message = (
            f"The store {store.root} does not hold {few(lost)} of the model {to.content[:12]}, by which the next ones"
            " are to be judged. Run `headworks gate`."
        )
        raise CannotDecideError(message)
    before: list[Move | None] = []

    def entry(entries: Entries) -> dict[str, Any] | None:
        before[:] = _read(to.alias, entries)[-1:]
        is_known = any(it is not None and replace(it, action=to.action, by=to.by, when=to.when) == to for it in before)
        return None if is_known else _entry(to)

    journal.append(entry)
    return _content(before) != to.content


def _entry(it: Move) -> dict[str, Any]:
    return {name: value for name, value in vars(it).items() if name != "alias"} | {"evidence": list(it.evidence)}


def is_held(store: Store, content: str) -> bool:
    """Tell whether the store has a model's file, whole."""
    path = store.blobs.path(content)
    return path.is_file() and hash_file(path)[0] == content


def roll_back(store: Store, alias: str, *, by: str, when: str) -> Move:
    """Move an alias back to the model before the current one; return that move.

    Raises:
        UsageError: Nothing was promoted to it, or it can be no name.
        CannotDecideError: There is no model before the current one, or a damaged entry hides which it was.
        StoreError: The entry that says where it points is damaged.
    """
    current(store, alias)
    back: list[Move] = []

    def entry(entries: Entries) -> dict[str, Any]:
        stack = _stack(_read(alias, entries))
        if len(stack) < 2:  # noqa: PLR2004  # the current one and the one before
            message = f"Before {_content(stack)[:12]}, {alias} was no model: there is nothing to go back to."
            raise CannotDecideError(message)
        before = stack[-2]
        if before is None:
            message = (
                f"An entry of {alias} before {_content(stack)[:12]} is damaged, so that nothing says which model that"
                f" was. `headworks promotions` lists the others: `headworks promote MODEL --to {alias}`."
            )
            raise CannotDecideError(message)
        back[:] = [replace(before, action="rollback", by=by, when=when)]
        return _entry(back[0])

    _journal(store, alias).append(entry)
    return back[0]
