"""Whether what a plan had to prove was proven, wherever it ran: two sets are counted, neither is taken for granted."""

from __future__ import annotations

from headworks._format_github import RUNNERS
from headworks._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["Proof", "prove"]

_PROVEN = {"passed": "ran", "flaky": "ran", "cached": "covered"}
_BETTER = ("", "covered", "ran")


class Proof(Record):
    """What became of one session on one system.

    Attributes:
        session: Its name as nox shows it.
        system: `linux`, `macos` or `windows`.
        how: `ran` or `covered`; empty where it is not proven.
        problem: Why it is not proven; empty where it is.
        seconds: How long it ran.
        has_failed: Whether it failed anywhere on that system.
    """

    session: str
    system: str
    how: str = ""
    problem: str = ""
    seconds: float = 0.0
    has_failed: bool = False


def prove(plan: dict[str, Any], reports: Iterable[dict[str, Any]]) -> list[Proof]:
    """Return a proof for each session of a plan on each system that it is planned for, and for what else failed.

    Args:
        plan: A plan as JSON has it. What a verdict covers in it is covered on Linux, where it was made.
        reports: What jobs wrote by `headworks run --outcomes`.

    Raises:
        KeyError: One of them lacks something.
        TypeError: One of them has something of another kind.
    """
    found: dict[tuple[str, str], Proof] = {}
    for it in plan["sessions"]:
        found[it["name"], "linux"] = _planned(it)
        for system in RUNNERS:
            if system != "linux" and system in it["tags"]:
                found[it["name"], system] = _open(it["name"], system)
    for report in reports:
        for it in report["sessions"]:
            key = (str(it["name"]), str(report["system"]))
            if key in found or it["status"] == "failed":
                found[key] = _joined(found.get(key, _open(*key)), it)
    return list(found.values())


def _open(session: str, system: str) -> Proof:
    """Return the proof of a session of which nothing is known."""
    return Proof(session=session, system=system, problem="neither ran nor is covered by a verdict")


def _planned(it: dict[str, Any]) -> Proof:
    """Return what a plan alone says of a session."""
    if it["state"] == "cached" and it["verdict"]:
        return Proof(session=it["name"], system="linux", how="covered")
    return _open(it["name"], "linux")


def _joined(proof: Proof, outcome: dict[str, Any]) -> Proof:
    """Return a proof with what one job says of the session: one failure is enough, whatever others say."""
    status, seconds = outcome["status"], proof.seconds + float(outcome["seconds"])
    how = max(proof.how, _PROVEN.get(status, ""), key=_BETTER.index)
    problem = "" if how else proof.problem
    note = f": {outcome['note']}" if outcome["note"] else ""
    has_failed = proof.has_failed or status == "failed"
    if status == "failed" or (not how and not proof.has_failed):
        problem = f"{status}{note}"
    if has_failed:
        how, problem = "", problem or proof.problem
    return Proof(
        session=proof.session, system=proof.system, how=how, problem=problem, seconds=seconds, has_failed=has_failed
    )
