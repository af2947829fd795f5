"""What became of sessions, from what nox reports and pytest prints."""

from __future__ import annotations

import json
import re

__all__ = ["Results", "log_parts", "nox_results", "skipped_everything"]

# The last line of pytest, as in `=== 2 passed, 1 skipped in 0.10s ===`, or `5 skipped in 0.01s` where it is quiet.
_SUMMARY = re.compile(rb"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s(?: \([\d:]+\))? ?=*$", re.MULTILINE)
_COUNT = re.compile(rb"(\d+) ([a-z]+)")
_COLOUR = re.compile(rb"\x1b\[[\d;]*m")
_PROOF = {b"passed", b"failed", b"error", b"errors", b"xfailed", b"xpassed"}
_START = re.compile(rb"^nox > Running session (.*)$", re.MULTILINE)

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


def log_parts(log: bytes) -> dict[str, bytes]:
    """Return the part of nox's output that belongs to each session, by the name that nox shows."""
    starts = list(_START.finditer(log))
    ends = [it.start() for it in starts[1:]] + [len(log)]
    return {it[1].decode("utf-8", "replace"): log[it.start() : end] for it, end in zip(starts, ends, strict=False)}


def skipped_everything(log: bytes) -> bool:
    """Whether a run of pytest, told from what was printed, skipped all its tests."""
    for summary in _SUMMARY.finditer(_COLOUR.sub(b"", log).replace(b"\r\n", b"\n")):
        kinds = {kind for number, kind in _COUNT.findall(summary[1]) if int(number)}
        if b"skipped" in kinds and not kinds & _PROOF:
            return True
    return False
