"""What became of sessions, from what nox reports and prints."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Results", "nox_names", "nox_results", "split_log"]

_START = re.compile(rb"nox > Running session (.*?)\r?\n")
_PIECE = 1 << 16  # bytes; of a line that is longer, the rest is read after it

# For each session, by each name that it has: nox's word for what became of it, its reason, and how long it ran.
Results = dict[str, tuple[str, str, float]]


def nox_results(report: bytes | None) -> Results:
    """Return what nox says became of the sessions that it ran.

    Args:
        report: The content of the file that `nox --report` wrote, or None where there is none.

    Returns:
        `success`, `failed`, `aborted` or `skipped` with nox's reason, which may be empty, and the seconds. None of a
        report that cannot be read.
    """
    results: Results = {}
    try:
        for session in json.loads(report or b"")["sessions"]:
            result = str(session["result"]), str(session.get("reason") or ""), float(session["duration"])
            results.update(dict.fromkeys(session["signatures"], result))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return results


def nox_names(report: bytes | None) -> list[str]:
    """Return the names of the sessions that nox ran, as it shows them, in order; none where that cannot be read."""
    if not nox_results(report):
        return []
    return [session["signatures"][0] for session in json.loads(report or b"")["sessions"] if session["signatures"]]


def split_log(log: Path, parts: Mapping[str, Path]) -> None:
    """Write what nox printed of each session into a log of its own, however long it is.

    Args:
        log: What nox printed. It is gone then, unless it is one of the logs that are written.
        parts: The log to write for each session, by the name that nox shows.
    """
    whole = log.with_suffix(".all")
    log.replace(whole)
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(path.open("wb")) for name, path in parts.items()}
        source = stack.enter_context(whole.open("rb"))
        file, is_start = None, True
        while piece := source.readline(_PIECE):
            start = _START.match(piece) if is_start else None
            # Each starts once: what a session prints of a nox of its own starts none.
            if start and (name := start[1].decode("utf-8", "replace")) in files:
                file = files.pop(name)
            if file is not None:
                file.write(piece)
            is_start = piece.endswith(b"\n")
    whole.unlink()
