"""Kills the sessions of a run that was killed itself.

A run starts this file as a script, and writes `+GROUP` and `-GROUP` to it whenever a session starts and ends. When the
pipe closes, the run is gone, and the process groups that are left are killed: they must not write while the next run
works in the same place. Until then the script also keeps the inherited lock on the work tree open.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["watch"]


def watch(lines: int) -> None:
    """Read lines from a file descriptor until it closes, then kill the groups that are left.

    Args:
        lines: The descriptor's number.
    """
    groups: set[int] = set()
    with open(lines, encoding="ascii") as messages:
        for message in messages:
            (groups.add if message.startswith("+") else groups.discard)(int(message[1:]))
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":  # pragma: no cover  # a process without coverage, which the tests kill and watch
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin.fileno())
