"""What a signal does while there is no server yet that could take care of it."""

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
    """Let SIGINT and SIGTERM end the process with exit code 0 while the block runs: there is nothing to lose yet.

    As process 1 of a container it would otherwise not end at all before it is killed.

    Yields:
        An event that is set once a signal came: what is being imported at that moment may swallow the SystemExit, or
        make another error of it.
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
