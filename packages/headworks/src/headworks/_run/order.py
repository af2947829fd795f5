"""Which session goes first, and how long all of them should take."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["chains", "expected", "time_left"]

_GUESS = 1.0  # seconds of a session where nothing is known of any


def expected(seconds: Mapping[str, float | None]) -> dict[str, float]:
    """Return how long each session should take: what is not known is taken to be as the others.

    Args:
        seconds: How long each took when it last passed, or None.
    """
    known = [it for it in seconds.values() if it is not None]
    guess = sum(known) / len(known) if known else _GUESS
    return {name: guess if it is None else it for name, it in seconds.items()}


def chains(needs: Mapping[str, Sequence[str]], loads: Mapping[str, float]) -> dict[str, float]:
    """Return for each session the seconds of the longest chain of sessions that starts with it.

    Args:
        needs: The sessions that each one needs.
        loads: How long each takes; nothing where it is left out.
    """
    found: dict[str, float] = {}
    for name in reversed(list(TopologicalSorter(needs).static_order())):
        found[name] = found.get(name, 0.0) + loads.get(name, 0.0)
        for need in needs[name]:
            found[need] = max(found.get(need, 0.0), found[name])
    return found


def time_left(needs: Mapping[str, Sequence[str]], loads: Mapping[str, float], jobs: int) -> float:
    """Return in how many seconds sessions should be done.

    No schedule is shorter than the longest chain of sessions that need each other, nor than all work shared out evenly;
    starting the longest first comes close to the larger of the two (Graham, SIAM J. Appl. Math. 17, 1969).

    Args:
        needs: The sessions that each one needs.
        loads: How long each still takes; nothing where it is left out.
        jobs: How many run at a time.
    """
    return max(max(chains(needs, loads).values(), default=0.0), sum(loads.values()) / jobs)
