"""Signals that end a process."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["told_to_end"]


@contextlib.contextmanager
def told_to_end() -> Iterator[Callable[[], bool]]:
    """Have the first signal that ends a process do what Ctrl-C does, so that nothing stays behind.

    Each further one only asks for haste, and disturbs nobody who clears up. What whoever started this process has it
    ignore, as `nohup` does, stays ignored.

    Yields:
        Whether haste is asked for.
    """
    told: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        if len(told) == 1:
            raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [(number, signal.getsignal(number)) for number in numbers]
    heard = [(number, handler) for number, handler in before if handler is not signal.SIG_IGN]
    try:
        for number, _ in heard:
            signal.signal(number, end)
        yield lambda: len(told) > 1
    finally:
        for number, handler in heard:
            signal.signal(number, handler)
