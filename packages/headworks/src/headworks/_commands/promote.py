"""Give a model an alias such as `production`, if all checks of the table have passed for exactly that file.

The table names the checks: [tool.headworks.gate] promote = { production = [ "gate", "serve-check" ] }.
"""

from __future__ import annotations

import datetime as dt
import getpass
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._digest.digest import Digester
from headworks._gate.outcomes import terms
from headworks._lines import say, text_of
from headworks._metrics.condition import ANCHOR
from headworks._nearest import suggestion
from headworks._project.gate_table import project_settings
from headworks._promote.alias import Move, anchor_of, current, move
from headworks._promote.evidence import GATE, Evidence, evidence
from headworks._store.files import hash_file
from headworks._store.store import Store
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
    parser.add_argument("model", metavar="MODEL", help="its file, or alias:NAME for the one that an alias points to")
    parser.add_argument("--to", required=True, metavar="ALIAS", help="an alias of the table, as in production")


def run(arguments: argparse.Namespace) -> int:
    """Promote and say so."""
    settings, alias = settings_for(arguments.to), arguments.to
    store = Store.default()
    content, file = _model(store, arguments.model)
    proven = proof(store, settings, content, alias)
    rows = tuple(vars(check) for check in proven)
    to = Move(alias=alias, content=content, file=file, action="promote", by=who(), when=now(), evidence=rows)
    word = "now" if move(store, to) else "already"
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
    checks = _instances(alias, settings.promote[alias])
    proven = evidence(store, content, checks, terms(settings), anchor.content if anchor else "")
    _refuse_lacking(proven, f"The model {content[:12]} is not promoted to {alias}")
    return proven


def _instances(alias: str, checks: Sequence[str]) -> dict[str, set[str]]:
    """Return the names of the sessions that each check stands for; none for the gate, which is no session here.

    Raises:
        ConfigurationError: A check is neither.
    """
    bare = {check: check.removesuffix("?") for check in checks}
    is_asked = set(bare.values()) != {GATE}
    known: dict[str, set[str]] = {GATE: set()}
    for session in Digester.for_worktree(os.curdir).sessions() if is_asked else ():
        for name in session.selectors - {GATE}:
            known.setdefault(name, set()).add(session.name)
    for name in bare.values():
        if name not in known:
            message = (
                f"[tool.headworks.gate] promote: {alias} needs {name!r}, and there is no such session."
                f"{suggestion(name, known)} `nox --list` shows all of them."
            )
            raise ConfigurationError(message)
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


def _model(store: Store, given: str) -> tuple[str, str]:
    """Return the SHA-256 and the name of a model's file."""
    if given.startswith("alias:"):
        move = current(store, given.removeprefix("alias:"))
        return move.content, move.file
    try:
        return hash_file(Path(given))[0], os.path.basename(given)
    except OSError as error:
        message = f"{given} cannot be read: {error.strerror}. Name the model's file, or alias:NAME."
        raise UsageError(message) from None


def who() -> str:
    """Return the actor of a GitHub workflow, else the user's address in git or name on the system."""
    return os.environ.get("GITHUB_ACTOR") or Repository(os.curdir).ask("config", "user.email") or getpass.getuser()


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
