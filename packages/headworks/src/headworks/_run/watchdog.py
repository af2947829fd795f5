"""Kills the sessions of a run that was killed itself.

A run starts this file as a script, and writes `+GROUP` and `-GROUP` to it whenever a session starts and ends. When the
pipe closes, the run is gone, and the process groups that are left are killed: they must not write while the next run
works in the same place. Until then the script also keeps the inherited lock on the work tree open.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def remaining(group: int) -> dict[int, int]:
    """Return the processes of a group that still run, and those elsewhere that one of the group traces.

    Returns:
        The process that traces each of them, 0 where none does; nothing on a system without `/proc`.
    """
    found: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            with open(f"/proc/{name}/status", "rb", buffering=0) as file:
                status = file.read()
            tracer = int(_field(status, b"TracerPid"))
            groups = {os.getpgid(it) for it in (int(name), tracer) if it}
        except OSError:  # it has ended
            continue
        if group in groups and _field(status, b"State") not in b"ZX":
            found[int(name)] = tracer
    return found


def _field(status: bytes, name: bytes) -> bytes:
    """Return the first word of a field, without taking the other fifty apart: there is a status for each process."""
    return status.partition(b"\n%s:" % name)[2].split(maxsplit=1)[0]


def kill_traced(group: int) -> None:
    """Kill the processes that strace watches from a group, wherever they are: their calls would fail without it."""
    for process in [it for it, tracer in remaining(group).items() if tracer]:
        _kill(os.kill, process)


def _kill(kill: Callable[[int, int], None], number: int) -> None:
    """Kill a process, or a group, that may have ended."""
    try:  # noqa: SIM105 - to load `contextlib` takes as long again as all that this script does
        kill(number, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


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
        kill_traced(group)
        _kill(os.killpg, group)


if __name__ == "__main__":  # pragma: no cover  # a process without coverage, which the tests kill and watch
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin.fileno())
