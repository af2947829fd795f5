"""Give a model an alias such as `production`, if all that must have passed has, for exactly that file.

What must have passed stands in the table: [tool.headgate.gate] promote = { production = [ "gate", "serve-check" ] }.
"""

from __future__ import annotations

import hashlib
import os
import sys

from headgate.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from headgate._store.store import Store

__all__ = ["add_arguments", "now", "run", "who"]


def add_arguments(parser: Any) -> None:  # noqa: ANN401  # argparse's, or what stands in for it
    """Declare what can be asked for."""
    parser.add_argument("model", metavar="MODEL", help="its file, or alias:NAME for the one that an alias points to")
    parser.add_argument("--to", required=True, metavar="ALIAS", help="an alias of the table, as in production")


def run(arguments: Any) -> int:  # noqa: ANN401  # argparse's, or what stands in for it
    """Promote and say so."""
    from headgate._alias import move
    from headgate._evidence import evidence
    from headgate._gate.table import project_settings
    from headgate._nearest import suggestion
    from headgate._store.store import Store

    checks = project_settings().promote
    if arguments.to not in checks:
        message = (
            f"[tool.headgate.gate] does not say what {arguments.to!r} needs.{suggestion(arguments.to, checks)}"
            ' Add it, as in promote = { production = [ "gate" ] }.'
        )
        raise UsageError(message)
    store = Store.default()
    content, file = _model(store, arguments.model)
    found = evidence(store, content, checks[arguments.to])
    move(store, arguments.to, content=content, file=file, by=who(), when=now(), found=found)
    said = ", ".join(f"{it.check} {it.state}" for it in found)
    sys.stdout.write(f"{arguments.to} is now {content[:12]} ({file}): {said}\n")
    return 0


def _model(store: Store, given: str) -> tuple[str, str]:
    """Return the SHA-256 and the name of a model's file."""
    from headgate._alias import current

    if given.startswith("alias:"):
        found = current(store, given.removeprefix("alias:"))
        return found.content, found.file
    try:
        with open(given, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest(), os.path.basename(given)
    except OSError as error:
        message = f"{given} cannot be read: {error.strerror}. Name the model's file, or alias:NAME."
        raise UsageError(message) from None


def who() -> str:
    """Return who is at work: the actor of a GitHub workflow, else what git or the system calls the person."""
    import getpass

    from headgate._git import Repository

    return os.environ.get("GITHUB_ACTOR") or Repository(os.curdir).ask("config", "user.email") or getpass.getuser()


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    import datetime as dt

    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
