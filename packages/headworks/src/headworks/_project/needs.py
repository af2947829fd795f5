"""The order of sessions: needs with the names of instances, and needs before the sessions that need them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from headworks._nearest import suggestion
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._project.session import Session

PLACE = "pyproject.toml: [tool.headworks.sessions]"


def with_needs(sessions: list[Session]) -> list[Session]:
    """Return the sessions with the names of instances as their needs.

    A need may name one instance, all instances of a function, or those on one Python, as in `tests-3.13`. Where a
    needed session has no outputs, its own needs are added, since their outputs can reach through it.

    Raises:
        ConfigurationError: A need is unknown, or sessions need each other in a circle.
    """
    names: dict[str, list[str]] = {}
    for session in sessions:
        for name in session.selectors:
            names.setdefault(name, []).append(session.name)
    direct = {}
    for session in sessions:
        for need in session.needs:
            if need not in names:
                message = (
                    f"{PLACE} {session.function}: needs {need!r}, which nox does not know.{suggestion(need, names)}"
                )
                raise ConfigurationError(message)
        direct[session.name] = tuple(dict.fromkeys(name for need in session.needs for name in names[need]))
    outputs = {session.name: bool(session.outputs) for session in sessions}
    reached: dict[str, tuple[str, ...]] = {}
    for name in in_order(direct):
        through = [(need, *(() if outputs[need] else reached[need])) for need in direct[name]]
        reached[name] = tuple(dict.fromkeys(chain.from_iterable(through)))
    return [replace(session, needs=reached[session.name]) for session in sessions]


def in_order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return all names in their order, but each after its needs.

    Raises:
        ConfigurationError: Sessions need each other in a circle.
    """
    done: dict[str, None] = {}
    for first in needs:
        path = {first: None}
        while path:
            name = next(reversed(path))
            missing = None if name in done else next((need for need in needs[name] if need not in done), None)
            if missing is None:
                path.popitem()
                done[name] = None
            elif missing in path:
                names = list(path)
                circle = " → ".join([*names[names.index(missing) :], missing])
                message = f"{PLACE}: sessions need each other in a circle: {circle}. Take one of these needs out."
                raise ConfigurationError(message)
            else:
                path[missing] = None
    return list(done)


def with_all_needs(names: Iterable[str], needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return names, and behind them all that they need, directly or not, each once."""
    reached = dict.fromkeys(names)
    waiting = list(reached)
    for name in waiting:  # grows while it is read
        new = [it for it in dict.fromkeys(needs[name]) if it not in reached]
        reached |= dict.fromkeys(new)
        waiting += new
    return waiting
