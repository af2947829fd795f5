"""Aliases: names such as `production` for the model that they were last moved to.

Every move is an entry in the journal `aliases/NAME` of the store; `content` in it is the SHA-256 of the model's file,
which lies in `blobs/` under the same digest. The last entry says where the name points now: where that is damaged,
nothing does. Where a store has a remote, all aliases are those of the remote.

A move comes after those that were read when it was decided: where another one came first, nothing is written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from headworks._nearest import suggestion
from headworks._quantities import few
from headworks._store.files import names
from headworks._store.journal import journal_of, remote_names
from headworks._store.verdict import is_digest
from headworks.errors import AliasMovedError, CannotDecideError, StoreError, UsageError

if TYPE_CHECKING:
    from headworks._store.journal import Journal
    from headworks._store.store import Store

    Entries = Sequence[dict[str, Any] | None]

NOTHING = "none"
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
    """Return the names of all aliases.

    Raises:
        CannotDecideError: The remote cannot be read.
    """
    remote = store.remote
    folder = names(os.path.join(store.root, "aliases")) if remote is None else remote_names(remote, "aliases")
    return [it for it in folder if _NAME.fullmatch(it)]


def place_of_aliases(store: Store) -> str:
    """Return where aliases are, for people: a folder, or the address of the remote."""
    return store.root if store.remote is None else f"the remote store {store.remote.name}"


def moves(store: Store, alias: str) -> list[Move | None]:
    """Return every move of an alias in order, None for one whose entry is damaged or missing.

    Raises:
        UsageError: It can be no name.
        CannotDecideError: The remote cannot be read.
    """
    return _read(alias, _journal(store, alias).entries())


def _journal(store: Store, alias: str) -> Journal:
    if not _NAME.fullmatch(alias):
        message = f"{alias!r} can be no alias: small letters, digits and hyphens, as in production."
        raise UsageError(message)
    return journal_of(store, "aliases", alias)


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
    return _last(store, alias, moves(store, alias))


def _last(store: Store, alias: str, listed: Sequence[Move | None]) -> Move:
    if not listed:
        message = (
            f"Nothing was promoted to {alias!r}.{suggestion(alias, aliases(store))} See `headworks promote --help`."
        )
        raise UsageError(message)
    if listed[-1] is None:
        message = (
            f"The last entry of {alias}, {len(listed)} in {place_of_aliases(store)}, is damaged, so that nothing says"
            " which model it is. `headworks promotions` lists those before;"
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


def refuse_unexpected(alias: str, listed: Sequence[Move | None], expected: str) -> None:
    """Refuse to move an alias that points to another model than expected.

    Args:
        alias: The alias.
        listed: Its moves.
        expected: How the SHA-256 of its model begins; `none` where it points to nothing, and empty for any.

    Raises:
        AliasMovedError: It points to another model.
    """
    content = _content(listed) if listed else NOTHING
    if expected and not content.startswith(expected):
        raise _moved(alias, listed, f"not to {expected[:12]} as expected")


def _moved(alias: str, listed: Sequence[Move | None], why: str) -> AliasMovedError:
    last = listed[-1] if listed else None
    to = "what a damaged entry hides" if listed else "nothing"
    if last is not None:
        to = f"{last.content[:12]} ({last.file}; {last.action} by {last.by} at {last.when})"
    message = f"{alias} points to {to}, {why}. Nothing was moved. Look at `headworks promotions`, then decide again."
    return AliasMovedError(message)


def move(store: Store, to: Move, after: Sequence[Move | None]) -> bool:
    """Move an alias to a model; tell whether it was another one's before.

    The same model by new evidence is one entry more, and no step for a rollback.

    Args:
        store: The store; where it has a remote, the alias is moved there, and all files that belong to it go there.
        to: The move.
        after: The moves that there were when this one was decided.

    Raises:
        UsageError: It can be no name.
        CannotDecideError: The store does not hold the model, or a file that it was judged by.
        StoreError: The store cannot be written to.
        AliasMovedError: The alias was moved meanwhile.
    """
    _refuse_lost(store, to)
    is_known = any(it is not None and replace(it, action=to.action, by=to.by, when=to.when) == to for it in after[-1:])
    if not is_known:
        _append(store, to, after)
    return _content(after) != to.content


def _refuse_lost(store: Store, to: Move) -> None:
    """Refuse a model whose files are not whole in the store or its remote.

    Raises:
        CannotDecideError: One is not.
    """
    if not store.blobs.is_whole(to.content):
        message = f"{_stores(store)} does not hold the model {to.content[:12]}. Export it by `headworks run`."
        raise CannotDecideError(message)
    if lost := [path for path, content in to.files.items() if not store.blobs.is_whole(content)]:
        message = (
            f"{_stores(store)} does not hold {few(lost)} of the model {to.content[:12]}, by which the next ones"
            " are to be judged. Run `headworks gate`."
        )
        raise CannotDecideError(message)


def _stores(store: Store) -> str:
    """Return where files are looked for."""
    return f"The store {store.root}{'' if store.remote is None else f', with {place_of_aliases(store)},'}"


def _append(store: Store, to: Move, after: Sequence[Move | None]) -> None:
    """Write a move, after its files.

    Raises:
        AliasMovedError: The alias was moved meanwhile.
    """
    journal = _journal(store, to.alias)
    if store.remote is not None:
        files = {to.content, *to.files.values()}
        store.remote.keep(sorted(files), store.blobs, what=f"The model {to.content[:12]}", is_promoted=True)

    def entry(entries: Entries) -> dict[str, Any]:
        if len(entries) != len(after):
            raise _moved(to.alias, _read(to.alias, entries), "since a moment ago")
        return {name: value for name, value in vars(to).items() if name != "alias"} | {"evidence": list(to.evidence)}

    journal.append(entry)


def roll_back(store: Store, alias: str, *, by: str, when: str, expected: str = "") -> Move:
    """Move an alias back to the model before the current one; return that move.

    Args:
        store: The store.
        alias: The alias.
        by: Who moves it.
        when: The time, ISO 8601 in UTC.
        expected: What it has to point to now; see `refuse_unexpected`.

    Raises:
        UsageError: Nothing was promoted to it, or it can be no name.
        CannotDecideError: There is no model before the current one, or a damaged entry hides which it was, or its files
            are lost.
        StoreError: The entry that says where it points is damaged.
        AliasMovedError: It points to something else than expected, or was moved meanwhile.
    """
    listed = moves(store, alias)
    refuse_unexpected(alias, listed, expected)
    _last(store, alias, listed)
    stack = _stack(listed)
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
    back = replace(before, action="rollback", by=by, when=when)
    _refuse_lost(store, back)
    _append(store, back, listed)
    return back
