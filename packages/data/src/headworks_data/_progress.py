"""A line that tells how far a long loop is: in place on a terminal, now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")
# Seconds between two lines where there is no terminal.
INTERVAL = 5.0


def progress(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield items and say on standard error how many are done; a loop that is over at once says nothing."""
    terminal = sys.stderr.isatty()
    interval, end = (0.1, "\r") if terminal else (INTERVAL, "\n")
    said = time.monotonic()
    for number, item in enumerate(items):
        if time.monotonic() - said >= interval:
            said = time.monotonic()
            print(f"{what}: {number:,} of {len(items):,}", end=end, file=sys.stderr, flush=True)
        yield item


def note(text: str) -> None:
    """Say on standard error what somebody may want to know and no error is."""
    print(f"headworks_data: {text}", file=sys.stderr)
