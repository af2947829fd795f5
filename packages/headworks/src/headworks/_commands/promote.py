"""Give a model an alias such as `production`, if all checks of the table have passed for exactly that file.

The table names the checks: [tool.headworks.gate] promote = { production = [ "gate", "serve-check" ] }. Where a remote
store is set, aliases are those of the remote, and are moved by runs that may write there.
"""

from __future__ import annotations

import datetime as dt
import getpass
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._digest.digest import Digester
from headworks._gate.outcomes import terms
from headworks._lines import say, text_of
from headworks._metrics.condition import ANCHOR
from headworks._nearest import suggestion
from headworks._plan.plan import plan_of
from headworks._project.gate_table import project_settings
from headworks._promote.alias import (
    NOTHING,
    Move,
    aliases,
    anchor_of,
    current,
    move,
    moves,
    place_of_aliases,
    refuse_unexpected,
)
from headworks._promote.evidence import GATE, Evidence, evidence
from headworks._store.files import hash_file
from headworks._store.store import Store
from headworks._store.verdict import is_digest
from headworks._tree.git import Repository
from headworks.errors import CannotDecideError, ConfigurationError, UsageError

if TYPE_CHECKING:
    import argparse

    from headworks._project.gate_settings import GateSettings

_LACKING = {
    "missing": "has not run",
    "outdated": "was judged by other conditions than the table has now",
    "replaced": "was not compared with the model that is the anchor now",
}


class LackingError(CannotDecideError):
    """A model lacks evidence that an alias asks for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "model", metavar="MODEL", help="its file, the file's SHA-256, or alias:NAME for that of an alias"
    )
    parser.add_argument("--to", required=True, metavar="ALIAS", help="an alias of the table, as in production")
    add_store_arguments(parser)


def add_store_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where an alias is moved, and from which model."""
    parser.add_argument("--expect", metavar="DIGEST", help=f"move only from this model; `{NOTHING}` for a new alias")
    parser.add_argument("--remote", metavar="URL", help="a store elsewhere that has the aliases, as HEADWORKS_REMOTE")
    parser.add_argument("--write-remote", action="store_true", help="move there; for trusted runs only")


def writable_store(arguments: argparse.Namespace) -> Store:
    """Return the store whose aliases are to be moved.

    Raises:
        UsageError: It is not clear which of both that is.
    """
    store = Store.default(remote=arguments.remote, write_remote=arguments.write_remote)
    if (store.remote is not None) != arguments.write_remote:
        message = (
            f"Aliases are those of {place_of_aliases(store)}. Add --write-remote to move one there, or `--remote ''`"
            " for the aliases of this machine."
            if store.remote is not None
            else "--write-remote needs the address of a store: name it by --remote or in HEADWORKS_REMOTE."
        )
        raise UsageError(message)
    return store


_DIGEST = re.compile(rf"{NOTHING}|[0-9a-f]{{12,64}}")


def expected_model(arguments: argparse.Namespace) -> str:
    """Return how the digest of the model begins that an alias has to point to; empty for any.

    Raises:
        UsageError: It is no digest.
    """
    given = arguments.expect
    if given is not None and not _DIGEST.fullmatch(given):
        message = (
            f"--expect is {given!r}; write the SHA-256 of a model's file, or its first 12 letters or more, as"
            f" `headworks promotions` shows it; or `{NOTHING}` where nothing was promoted to the alias yet."
        )
        raise UsageError(message)
    return given or ""


def run(arguments: argparse.Namespace) -> int:
    """Promote and say so."""
    settings, alias = settings_for(arguments.to), arguments.to
    expected, store = expected_model(arguments), writable_store(arguments)
    before = moves(store, alias)
    refuse_unexpected(alias, before, expected)
    content, file = _model(store, arguments.model, settings.model)
    proven = proof(store, settings, content, alias)
    rows = tuple(vars(check) for check in proven)
    to = Move(alias=alias, content=content, file=file, action="promote", by=who(), when=now(), evidence=rows)
    word = "now" if move(store, to, before) else "already"
    said = ", ".join(f"{it.check} {it.state}" + (f" ({it.note})" if it.note else "") for it in proven)
    say(text_of([f"{alias} is {word} {content[:12]} ({file}): {said}"]))
    return 0


def settings_for(alias: str) -> GateSettings:
    """Return the gate's settings, which say what an alias needs.

    Raises:
        UsageError: They do not.
    """
    settings = project_settings()
    if alias not in settings.promote:
        message = (
            f"[tool.headworks.gate] does not say what {alias!r} needs.{suggestion(alias, settings.promote)}"
            ' Add it, as in promote = { production = [ "gate" ] }.'
        )
        raise UsageError(message)
    return settings


def proof(store: Store, settings: GateSettings, content: str, alias: str) -> list[Evidence]:
    """Return the evidence by which a model may get an alias.

    Raises:
        LackingError: Some of it is lacking.
    """
    is_anchored = any(it.condition.rival == ANCHOR for it in settings.conditions)
    anchor = anchor_of(store, settings.anchor) if is_anchored else None
    checks = _instances(alias, settings.promote[alias], store)
    known = _moves_of(store, content) if store.remote is not None else []  # here the verdicts themselves are kept
    earlier = [row for it in known for row in it.evidence]
    proven = evidence(store, content, checks, terms(settings), anchor.content if anchor else "", earlier)
    _refuse_lacking(proven, f"The model {content[:12]} is not promoted to {alias}")
    return proven


def _moves_of(store: Store, content: str) -> list[Move]:
    """Return all moves to a model."""
    return [it for alias in aliases(store) for it in moves(store, alias) if it is not None and it.content == content]


def _instances(alias: str, checks: Sequence[str], store: Store) -> dict[str, set[str]]:
    """Return the names of the sessions that each check stands for; none for the gate, which is no session here.

    Verdicts of these that only the remote has, and which cover the work tree, are in the store then.

    Raises:
        ConfigurationError: A check is neither.
    """
    bare = {check: check.removesuffix("?") for check in checks}
    sessions = set(bare.values()) - {GATE}
    known: dict[str, set[str]] = {GATE: set()}
    digester = Digester.for_worktree(os.curdir) if sessions else None
    for session in digester.sessions() if digester else ():
        for name in session.selectors - {GATE}:
            known.setdefault(name, set()).add(session.name)
    for name in bare.values():
        if name not in known:
            message = (
                f"[tool.headworks.gate] promote: {alias} needs {name!r}, and there is no such session."
                f"{suggestion(name, known)} `nox --list` shows all of them."
            )
            raise ConfigurationError(message)
    if digester is not None and store.remote is not None:
        plan_of(digester, None, store, sessions)
    return {it: known[name] for it, name in bare.items()}


def _refuse_lacking(proven: Sequence[Evidence], what: str) -> None:
    """Refuse a model that lacks evidence, and name the commands to run.

    Raises:
        LackingError: Something is lacking.
    """
    lacking = [check for check in proven if not check.is_enough]
    if not lacking:
        return
    states = ", ".join(f"{it.check} {_LACKING.get(it.state, it.state)}" for it in lacking)
    sessions = [shlex.quote(it.check) for it in lacking if it.check != GATE]
    run = [f"`headworks run {' '.join(sessions)}`"] if sessions else []
    run += ["`headworks gate`"] if any(it.check == GATE for it in lacking) else []
    message = f"{what}: {states} for exactly this file. Run {', then '.join(run)}."
    raise LackingError(message)


def _model(store: Store, given: str, model: str) -> tuple[str, str]:
    """Return the SHA-256 and the name of a model's file; that of the table where nothing else names it."""
    if given.startswith("alias:"):
        move = current(store, given.removeprefix("alias:"))
        return move.content, move.file
    if is_digest(given) and not os.path.exists(given):
        known = _moves_of(store, given)
        return given, known[-1].file if known else os.path.basename(model) or given[:12]
    try:
        return hash_file(Path(given))[0], os.path.basename(given)
    except OSError as error:
        message = f"{given} cannot be read: {error.strerror}. Name the model's file, its SHA-256, or alias:NAME."
        raise UsageError(message) from None


def who() -> str:
    """Return the actor of a GitHub workflow, else the user's address in git or name on the system."""
    return os.environ.get("GITHUB_ACTOR") or Repository(os.curdir).ask("config", "user.email") or getpass.getuser()


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
