"""Which sessions have to pass before which."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headworks._project.session import Session

__all__ = ["PLACE", "in_order", "with_needs"]

PLACE = "pyproject.toml: [tool.headworks.sessions]"


def with_needs(sessions: list[Session]) -> list[Session]:
    """Return the sessions with the names of instances as their needs.

    A need may name one instance, all instances of a function, or those on one Python, as in `tests-3.13`. Where it
    leaves nothing behind, the needs of the needed are added, since their outputs can reach through it.

    Raises:
        ConfigurationError: a need is not there, or needs go in a circle.
    """
    names: dict[str, list[str]] = {}
    for session in sessions:
        for name in session.selectors:
            names.setdefault(name, []).append(session.name)
    direct = {}
    for session in sessions:
        for need in session.needs:
            if need not in names:
                from headworks._nearest import suggestion

                message = (
                    f"{PLACE} {session.function}: needs {need!r}, which nox does not know.{suggestion(need, names)}"
                )
                raise ConfigurationError(message)
        direct[session.name] = tuple(dict.fromkeys(it for need in session.needs for it in names[need]))
    outputs = {session.name: bool(session.outputs) for session in sessions}
    reached: dict[str, tuple[str, ...]] = {}
    for name in in_order(direct):
        found = [it for need in direct[name] for it in (need, *(() if outputs[need] else reached[need]))]
        reached[name] = tuple(dict.fromkeys(found))
    return [replace(session, needs=reached[session.name]) for session in sessions]


def in_order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return all names in an order in which needs come first, and which otherwise keeps theirs.

    Raises:
        ConfigurationError: they go in a circle.
    """
    done: dict[str, None] = {}
    for first in needs:
        path: dict[str, None] = {}
        waiting = [first]
        while waiting:
            name = waiting[-1]
            missing = [] if name in done else [it for it in needs[name] if it not in done]
            circle = [it for it in missing if it in path or it == name]
            path[name] = None
            if circle:
                names = list(path)
                way = " → ".join([*names[names.index(circle[0]) :], circle[0]])
                message = f"{PLACE}: sessions need each other in a circle: {way}. Take one of these needs out."
                raise ConfigurationError(message)
            if missing:
                waiting.append(missing[0])
            else:
                waiting.pop()
                path.pop(name)
                done[name] = None
    return list(done)
