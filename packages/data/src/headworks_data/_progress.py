"""Lines for people: the progress of a long loop, in place on a terminal or now and then elsewhere, and messages.

The name of a file or class may hold line ends or commands of a terminal; they are shown escaped, and do nothing.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")
# Seconds between two lines where there is no terminal.
INTERVAL = 5.0


def progress(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield items, and count them on standard error; a short loop says nothing."""
    terminal = sys.stderr.isatty()
    interval, end = (0.1, "\r") if terminal else (INTERVAL, "\n")
    said = time.monotonic()
    for number, item in enumerate(items):
        if time.monotonic() - said >= interval:
            said = time.monotonic()
            print(f"{what}: {number:,} of {len(items):,}", end=end, file=sys.stderr, flush=True)
        yield item


def say(line: str) -> None:
    """Write one line to standard output."""
    print(shown(line))


def say_json(document: object) -> None:
    print(json.dumps(document, indent=2))


def note(line: str) -> None:
    """Write one line to standard error."""
    print(f"headworks_data: {shown(line)}", file=sys.stderr)


def shown(line: str) -> str:
    """Return a line with all unprintable characters escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
