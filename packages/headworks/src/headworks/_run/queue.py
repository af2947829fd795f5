"""The queue of ready sessions: which comes first, which share a process, and how long all should take."""

from __future__ import annotations

import heapq
import math
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from headworks._run.task import Task

__all__ = ["Queue", "chains", "expected", "time_left"]

_GUESS = 1.0  # seconds of a session where nothing is known of any
_SHORT = 2.0  # seconds; such a session is not worth a start of nox of its own, which takes 0.1 to 0.5
_LONG = 5.0  # seconds; no more sessions share a process than take that long together


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


class Queue:
    """A queue in which the session with the longest chain of work behind it comes first.

    Before all come those that may have nox run others, so that these come after them. Those that must run alone come
    last.

    Attributes:
        alone: The sessions that share no process any more.
    """

    def __init__(self, priorities: Mapping[str, float], needed: Collection[str]) -> None:
        """Take the seconds of work behind each session, and the sessions that others wait for."""
        self._priorities = priorities
        self.alone: set[str] = set(needed)
        self._waiting: list[tuple[int, float, str, Task]] = []

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @property
    def first(self) -> Task:
        """The session that comes next."""
        return self._waiting[0][-1]

    def put(self, task: Task) -> None:
        """Have a session wait."""
        session = task.planned.session
        turn = -1 if session.notifies else int(session.is_exclusive)
        heapq.heappush(self._waiting, (turn, -self._priorities[task.name], task.name, task))

    def take(self, room: int) -> list[Task]:
        """Take the next session, with those that can share its process.

        Short ones do, though no more than fill the room. All that may have nox run others do, so that it runs those
        once, after all of these.
        """
        most = len(self) if self.first.planned.session.notifies else math.ceil(len(self) / room)
        tasks = [heapq.heappop(self._waiting)[-1]]
        while self._waiting and len(tasks) < most and self._can_share([*tasks, self.first]):
            tasks.append(heapq.heappop(self._waiting)[-1])
        return tasks

    def take_named(self, names: Collection[str]) -> list[Task]:
        """Take the sessions of these names, but for those whose outputs count."""
        taken = [it for it in self._waiting if it[-1].name in names and not it[-1].planned.session.outputs]
        self._waiting = [it for it in self._waiting if it not in taken]
        heapq.heapify(self._waiting)
        return [it[-1] for it in taken]

    def _can_share(self, tasks: list[Task]) -> bool:
        """Whether sessions can share a process: alike, and known to be short or such that all of them notify others.

        What others wait for has a process of its own, and so has what is to be proven by what it prints.
        """
        sessions = [it.planned.session for it in tasks]
        if any(it.required or it.name in self.alone for it in sessions):
            return False
        alike = {(it.arguments, tuple(it.planned.session.env), it.planned.session.is_exclusive) for it in tasks}
        seconds = [_LONG if it.planned.seconds is None else it.planned.seconds for it in tasks]
        is_short = max(seconds) < _SHORT and sum(seconds) < _LONG
        kinds = {it.notifies for it in sessions}
        return len(alike) == 1 and len(kinds) == 1 and (is_short or True in kinds)
