"""The queue of ready sessions: which comes first, which share a process, and how long all should take."""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headworks._run.task import Task

_GUESS = 1.0  # seconds of a session where no session has passed yet
_SHORT = 2.0  # seconds; such a session is not worth a start of nox of its own, which takes 0.1 to 0.5
_LONG = 5.0  # seconds; no more sessions share a process than take that long together


def expected(seconds: Mapping[str, float | None]) -> dict[str, float]:
    """Return how long each session should take; one that never passed counts as the mean of the others.

    Args:
        seconds: How long each took when it last passed, or None.
    """
    known = [value for value in seconds.values() if value is not None]
    mean = sum(known) / len(known) if known else _GUESS
    return {name: mean if value is None else value for name, value in seconds.items()}


def chains(needs: Mapping[str, Sequence[str]], loads: Mapping[str, float]) -> dict[str, float]:
    """Return for each session the seconds of the longest chain of sessions that starts with it.

    Args:
        needs: The sessions that each one needs.
        loads: How long each takes; nothing where it is left out.
    """
    chain: dict[str, float] = {}
    for name in reversed(list(TopologicalSorter(needs).static_order())):
        chain[name] = chain.get(name, 0.0) + loads.get(name, 0.0)
        for need in needs[name]:
            chain[need] = max(chain.get(need, 0.0), chain[name])
    return chain


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

    Sessions that may notify others come before all, so that those run after them. Sessions that must run alone come
    last.

    Attributes:
        alone: The sessions that share no process.
    """

    def __init__(self, priorities: Mapping[str, float], needed: Collection[str]) -> None:
        """Make an empty one.

        Args:
            priorities: The seconds of work behind each session.
            needed: The sessions that others wait for.
        """
        self._priorities = priorities
        self.alone: set[str] = set(needed)
        self._waiting: list[tuple[int, float, str, Task]] = []

    def __len__(self) -> int:
        """Return the number of sessions that wait."""
        return len(self._waiting)

    @property
    def first(self) -> Task:
        """The session that comes next."""
        return self._waiting[0][-1]

    def put(self, task: Task) -> None:
        """Add a session."""
        session = task.planned.session
        turn = -1 if session.notifies else int(session.is_exclusive)
        heapq.heappush(self._waiting, (turn, -self._priorities[task.name], task.name, task))

    def take(self, room: int) -> list[Task]:
        """Take the next session, with those that can share its process.

        Short ones can, up to an even share of the free processes. Sessions that may notify others all can, so that nox
        runs those others once, after all of them.
        """
        most = len(self) if self.first.planned.session.notifies else math.ceil(len(self) / room)
        tasks = [heapq.heappop(self._waiting)[-1]]
        while self._waiting and len(tasks) < most and self._can_share([*tasks, self.first]):
            tasks.append(heapq.heappop(self._waiting)[-1])
        return tasks

    def take_named(self, names: Collection[str]) -> list[Task]:
        """Take the sessions of these names, except those with outputs."""
        taken = [row for row in self._waiting if row[-1].name in names and not row[-1].planned.session.outputs]
        self._waiting = [row for row in self._waiting if row not in taken]
        heapq.heapify(self._waiting)
        return [task for *_, task in taken]

    def _can_share(self, tasks: list[Task]) -> bool:
        """Whether sessions can share a process: alike, and all of them short or all of them notifying others."""
        sessions = [task.planned.session for task in tasks]
        # A required one is judged by its own log, and one that is watched by its own trace.
        if any(it.required or it.has_unknown_needs or it.name in self.alone for it in sessions):
            return False
        if any(task.watch for task in tasks):
            return False
        kinds = {
            (task.arguments, it.env, it.is_exclusive, it.notifies) for task, it in zip(tasks, sessions, strict=True)
        }
        seconds = [_LONG if task.planned.seconds is None else task.planned.seconds for task in tasks]
        is_short = max(seconds) < _SHORT and sum(seconds) < _LONG
        return len(kinds) == 1 and (is_short or sessions[0].notifies)
