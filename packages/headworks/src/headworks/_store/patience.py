"""Calls to a remote that end in time, whether it answers or not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    T = TypeVar("T")

_SECONDS = 10.0  # that all calls of a process may lose
_LATENCY = 0.25  # seconds of a call that are not lost, as to another continent
_RATE = 100_000  # bytes a second; a faster transfer loses no time, however large it is
_LOOK = 0.5  # seconds between two checks of a transfer

_abandoned: list[threading.Thread] = []


def has_abandoned() -> bool:
    """Whether a call was abandoned, which may have started threads that keep this process from ending."""
    return bool(_abandoned)


class Patience:
    """How long a process waits, in all its calls together.

    A limit for each call would be paid as often as there are calls, and one for all calls would cut off a large
    transfer that goes well. So a call pays only for the time beyond a usual delay and beyond that of its data.
    """

    def __init__(self, seconds: float | None = None) -> None:
        """Take the seconds that may be lost."""
        self._seconds = self._left = _SECONDS if seconds is None else seconds

    def call(self, function: Callable[[], T], size: Callable[[], int] = lambda: 0) -> T:
        """Call a function in a thread of its own, which can be abandoned, and return its result.

        Args:
            function: What to call.
            size: Returns how many bytes it has moved so far, or will.

        Raises:
            TimeoutError: All seconds are lost.
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
    """Return the seconds since a time that are beyond the delay and the transfer of a number of bytes."""
    return time.monotonic() - begin - _LATENCY - size / _RATE
