"""Handles signals until there is a server that does."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Final

from headworks_serving._log import LOGGER, line

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_on_signals() -> Iterator[Event]:
    """End the process with exit code 0 on SIGINT or SIGTERM while the block runs: there is nothing to lose yet.

    Process 1 of a container would otherwise ignore them until it is killed.

    Yields:
        An event that is set by a signal: an import at that moment may swallow the SystemExit, or replace it by another
        error.
    """
    stop = Event()

    def end(number: int, _frame: FrameType | None) -> None:
        stop.set()
        LOGGER.info(line("stopped", signal=signal.Signals(number).name))
        raise SystemExit(0)

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield stop
    except Exception:
        if stop.is_set():
            raise SystemExit(0) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
