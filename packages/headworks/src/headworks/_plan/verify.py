"""Checks that every session of a plan was proven, wherever it ran, by counting both sets.

An outcome counts only if it is about what was planned: the same commit, and the same tree as far as the session depends
on it, whatever lies there beside what is committed. What machines add to a digest is for each of them to compute.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from headworks._plan.as_github import RUNNERS

_PROVEN = {"passed": "ran", "flaky": "ran", "cached": "covered"}
_BETTER = ("", "covered", "ran")
_SHOWN = 12  # digits of a commit or a digest


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The proof of one session on one system, or its absence.

    Attributes:
        session: Its name as nox shows it.
        system: `linux`, `macos` or `windows`.
        how: `ran` or `covered`; empty where it is not proven.
        problem: Why it is not proven; empty where it is.
        refused: Why outcomes were not counted, each with the file that has it.
        seconds: How long it ran.
        has_failed: Whether it failed anywhere on that system.
    """

    session: str
    system: str
    how: str = ""
    problem: str = ""
    refused: tuple[str, ...] = ()
    seconds: float = 0.0
    has_failed: bool = False


def prove(plan: dict[str, Any], reports: Iterable[tuple[str, dict[str, Any]]]) -> list[Proof]:
    """Return a proof for each session of a plan on each system that it is planned for, and for what else failed.

    Args:
        plan: A plan as JSON has it. What a verdict covers in it is covered on Linux, where it was made, and on the
            systems that it names.
        reports: What jobs wrote by `headworks run --outcomes`, each after the name of its file.

    Raises:
        KeyError: One of them lacks something.
        TypeError: One of them has something of another kind.
        ValueError: One of them has a number that makes no sense.
    """
    found: dict[tuple[str, str], Proof] = {}
    for it in plan["sessions"]:
        is_covered = it["state"] == "cached" and it["verdict"]
        covered = Proof(session=it["name"], system="linux", how="covered")
        found[it["name"], "linux"] = covered if is_covered else _open(it["name"], "linux")
        for system in RUNNERS:
            if system != "linux" and system in it["tags"]:
                there = Proof(session=it["name"], system=system, how="covered")
                found[it["name"], system] = there if system in it["covered_on"] else _open(it["name"], system)
    trees = {it["name"]: it["tree"] for it in plan["sessions"]}
    for file, report in reports:
        for it in report["sessions"]:
            key = (str(it["name"]), str(report["system"]))
            if refusal := _refusal(plan["commit"], trees.get(key[0]), report["commit"], it):
                if key in found:
                    refused = (*found[key].refused, f"{file} {refusal}")
                    found[key] = replace(found[key], refused=refused)
            elif key in found or it["status"] == "failed":
                found[key] = _joined(found.get(key, _open(*key)), it)
    return list(found.values())


def _refusal(planned: str, tree: str | None, commit: str, outcome: dict[str, Any]) -> str:
    """Return why an outcome says nothing about what was planned; empty where it does.

    Args:
        planned: The commit of the plan.
        tree: What the plan says of the session's tree; None where the session is not planned.
        commit: The commit of the outcome.
        outcome: The outcome.
    """
    if commit != planned:
        return f"is about commit {commit[:_SHOWN] or 'none'}, the plan about {planned[:_SHOWN] or 'none'}"
    if tree not in {None, outcome["tree"]}:
        return f"is about other files than the plan ({outcome['tree'][:_SHOWN]}, not {tree[:_SHOWN]})"
    return "is of a run with arguments after `--`, which proves nothing" if outcome["extra_arguments"] else ""


def _open(session: str, system: str) -> Proof:
    """Return the proof of a session of which nothing is known."""
    return Proof(session=session, system=system, problem="neither ran nor is covered by a verdict")


def _joined(proof: Proof, outcome: dict[str, Any]) -> Proof:
    """Return a proof with one job's outcome of the session: one failure is enough, whatever others say."""
    status, seconds = outcome["status"], proof.seconds + float(outcome["seconds"])
    if not math.isfinite(seconds):
        message = f"{outcome['name']} ran for {outcome['seconds']} s"
        raise ValueError(message)
    how = max(proof.how, _PROVEN.get(status, ""), key=_BETTER.index)
    problem = "" if how else proof.problem
    note = f": {outcome['note']}" if outcome["note"] else ""
    has_failed = proof.has_failed or status == "failed"
    if status == "failed" or (not how and not proof.has_failed):
        problem = f"{status}{note}"
    if has_failed:
        how, problem = "", problem or proof.problem
    return replace(proof, how=how, problem=problem, seconds=seconds, has_failed=has_failed)
