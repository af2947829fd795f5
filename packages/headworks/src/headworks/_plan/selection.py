"""Which sessions a plan is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._nearest import suggestion
from headworks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headworks._project.session import Session

__all__ = ["select"]


def select(sessions: list[Session], names: Iterable[str]) -> list[Session]:
    """Return the sessions that names mean, with all that these need.

    Args:
        sessions: all sessions.
        names: instances, as in `tests-3.13(data)`; functions, as in `tests`, for all their instances; functions with a
            Python, as in `tests-3.13`. Without any, those that are planned when nothing is asked for.

    Raises:
        UsageError: there is no such session.
    """
    catalog = {session.name: session for session in sessions}
    wanted = [session.name for session in sessions if session.is_planned]
    given = list(names)
    if given:
        known: dict[str, list[str]] = {}
        for session in sessions:
            for name in session.selectors:
                known.setdefault(name, []).append(session.name)
        for name in given:
            if name not in known:
                message = f"There is no session {name!r}.{suggestion(name, known)} `nox --list` shows all of them."
                raise UsageError(message)
        wanted = [it for name in given for it in known[name]]
    chosen = dict.fromkeys(wanted)
    for name in wanted:  # grows while it is read
        new = [it for it in catalog[name].needs if it not in chosen]
        wanted += new
        chosen |= dict.fromkeys(new)
    return [session for session in sessions if session.name in chosen]
