"""Calls to something elsewhere that end in time, whether it answers or not."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")

__all__ = ["Patience", "has_abandoned"]

_SECONDS = 10.0  # that all calls of a process may take in vain
_LATENCY = 0.25  # seconds that each call takes for nothing, as one to another continent may
_RATE = 100_000  # bytes a second; what comes faster is worth waiting for, however much it is
_LOOK = 0.5  # seconds between two looks at how much has come

_abandoned: list[threading.Thread] = []


def has_abandoned() -> bool:
    """Whether a call was left behind, which may have started threads that keep this process from its end."""
    return bool(_abandoned)


class Patience:
    """How long a process waits, in all its calls together.

    A limit for each call would be paid as often as there are calls, and one for all of them would cut off what is large
    and comes well. So a call pays only for what it takes beyond a usual delay and the time that its data may take.
    """

    def __init__(self, seconds: float | None = None) -> None:
        """Take the number of seconds that may be lost."""
        self._seconds = self._left = _SECONDS if seconds is None else seconds

    def call(self, function: Callable[[], T], size: Callable[[], int] = lambda: 0) -> T:
        """Return what a function returns, which runs in a thread of its own so that it can be left behind.

        Args:
            function: What to call.
            size: Returns how many bytes it has moved so far, or will.

        Raises:
            TimeoutError: The patience is at its end.
        """
        answers: list[T] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                answers.append(function())
            except BaseException as error:  # noqa: BLE001  # it is raised below
                errors.append(error)

        thread = threading.Thread(target=work, daemon=True)
        begin = time.monotonic()
        thread.start()
        while thread.is_alive():
            left = self._left - _lost(begin, size())
            if left <= 0:
                self._left = 0.0
                _abandoned.append(thread)
                message = f"it kept this run waiting for {self._seconds:g} s"
                raise TimeoutError(message)
            thread.join(min(left, _LOOK))
        self._left -= max(_lost(begin, size()), 0.0)
        if errors:
            raise errors[0]
        return answers[0]


def _lost(begin: float, size: int) -> float:
    """Return how many of the seconds since a time were more than a number of bytes may take."""
    return time.monotonic() - begin - _LATENCY - size / _RATE
