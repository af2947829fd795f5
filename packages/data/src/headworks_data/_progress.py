"""Lines for people: how far a long loop is, in place on a terminal or now and then elsewhere, and what there is to say.

Files and classes may be called anything, and a name may hold a line end or what moves a terminal: it is shown and does
nothing.
"""

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


def say(line: str) -> None:
    """Write one line to standard output, whatever is in it."""
    print(shown(line))


def note(line: str) -> None:
    """Say on standard error, in one line, what went wrong or somebody may want to know."""
    print(f"headworks_data: {shown(line)}", file=sys.stderr)


def shown(line: str) -> str:
    """Return a line with all that is not printable escaped."""
    return "".join(it if it.isprintable() else it.encode("unicode_escape").decode() for it in line)
