"""Signals that end a process."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


@contextlib.contextmanager
def interrupt_on_sigterm() -> Iterator[Callable[[], bool]]:
    """Raise KeyboardInterrupt on the first SIGINT, SIGTERM or SIGHUP, so that nothing stays behind.

    Each further signal only asks for haste, and does not disturb the clean-up. A signal that the parent process has
    this one ignore, as `nohup` does, stays ignored.

    Yields:
        Whether haste is asked for.
    """
    received: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise KeyboardInterrupt

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    handled = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    try:
        for number in handled:
            signal.signal(number, interrupt)
        yield lambda: len(received) > 1
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
