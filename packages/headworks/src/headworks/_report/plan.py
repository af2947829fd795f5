"""The sections of the report about sessions: the plan, its times, and how to reproduce a red one."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._quantities import count_text, duration_text
from headworks._report.escape import without_control
from headworks._report.page import Block, Code, Graph, Kind, Node, Outcome, Section, Table
from headworks._run import logs

if TYPE_CHECKING:
    from headworks._plan.plan import Plan, PlannedSession
    from headworks._store.store import Store

_RED = ("failed", "flaky")
_LEFT = ("not run", "waiting")
_PROVEN = ("passed", "covered")
# From the one that most needs a reader to the one that needs none; a group of sessions has the first of its states.
_STATES = (*_RED, *_LEFT, "not recorded", *_PROVEN)
_LINES = 40  # of a log
_REASONS = 4
_MOST_NODES = 60


@dataclass(frozen=True, kw_only=True)
class SessionFacts:
    """A session with its state.

    Attributes:
        planned: the session in the plan.
        state: `passed` for this commit; `covered` by an earlier verdict; `failed`; `flaky`; `not run`; `waiting` for
            others; `not recorded` where it always runs and leaves no verdict.
        seconds: how long it took, or should take; None where that is not known.
        log: the end of its log, of a red one.
    """

    planned: PlannedSession
    state: str
    seconds: float | None
    log: str = ""

    @property
    def name(self) -> str:
        """Its name as nox shows it."""
        return self.planned.session.name


def session_facts(plan: Plan, store: Store, head: str) -> tuple[SessionFacts, ...]:
    """Return all sessions of a plan with their states for just these inputs."""
    failed = {it.digest: it for it in store.ls() if not it.passed}
    flaky = {it.digest for it in store.flaky()}
    facts = []
    for planned in plan.sessions:
        seconds, log = planned.seconds, ""
        if planned.verdict is not None:
            state, seconds = "passed" if head and planned.verdict.commit == head else "covered", planned.verdict.seconds
        elif (planned.digest or "") in failed:
            verdict = failed[planned.digest or ""]
            state, seconds = "flaky" if verdict.digest in flaky else "failed", verdict.seconds
            log = _log_end(planned.session.name, plan.root)
        elif planned.session.uncached:
            state = "not recorded"
        else:
            state = "waiting" if planned.state == "waiting" else "not run"
        facts.append(SessionFacts(planned=planned, state=state, seconds=seconds, log=log))
    return tuple(facts)


def _log_end(session: str, root: str) -> str:
    """Return the last lines that a session printed in a work tree; empty where they are not here."""
    try:
        lines, _ = logs.log_end(os.path.join(logs.log_folder(root) or os.devnull, logs.log_name(session)), _LINES)
    except OSError:
        return ""
    return "\n".join(without_control(line) for line in lines)


def plan_section(sessions: Sequence[SessionFacts]) -> Section:
    """Return the section about the states of sessions, with reasons, and what each needs."""
    counts = Counter(it.state for it in sessions)
    numbers = ", ".join(f"{counts[state]} {state}" for state in _STATES if state in counts)
    text = f"{count_text(len(sessions), 'session')}: {numbers or 'none'}."
    ranked = sorted(sessions, key=_rank)
    blocks: list[Block] = [text, *_open(ranked), _graph(sessions), *_proven(ranked)]
    outcome, reasons = _outcome(sessions)
    return Section("Plan", blocks, outcome, reasons)


def _rank(session: SessionFacts) -> int:
    """Return the place of a session among others, those first that need a reader."""
    return _STATES.index(session.state)


def _open(sessions: Iterable[SessionFacts]) -> Iterator[Table]:
    """Yield a table of the sessions that no verdict covers; those of one state and reason are in one row."""
    groups: dict[tuple[str, str], list[str]] = {}
    for session in sessions:
        if session.state not in _PROVEN:
            shown, more = session.planned.reasons[:_REASONS], len(session.planned.reasons) - _REASONS
            why = "; ".join([*shown, *([f"and {more} more reasons"] if more > 0 else [])])
            groups.setdefault((session.state, why), []).append(session.name)
    if groups:
        rows = [(", ".join(names), state, why) for (state, why), names in groups.items()]
        columns: dict[str, Kind] = {"sessions": "text", "state": "state", "why": "text"}
        yield Table("Sessions without a verdict that counts", columns, rows)


def _proven(sessions: Iterable[SessionFacts]) -> Iterator[Table]:
    """Yield a table of the verdicts that count."""
    columns: dict[str, Kind] = {
        "session": "code",
        "state": "state",
        "passed on": "text",
        "at commit": "code",
        "took": "number",
        "rests on": "text",
        "digest": "code",
    }
    rows = [
        (
            *(session.name, session.state, it.finished[:10], it.commit[:12], duration_text(it.seconds)),
            *(session.planned.basis_text, it.digest[:12]),
        )
        for session in sessions
        if (it := session.planned.verdict) is not None
    ]
    if rows:
        yield Table("Verdicts that count", columns, rows, folded=True)


def _outcome(sessions: Sequence[SessionFacts]) -> tuple[Outcome, list[str]]:
    """Return the outcome of the plan with its reasons."""
    red = [session for session in sessions if session.state in _RED]
    if red:
        return "failed", [f"{it.name} {'failed' if it.state == 'failed' else 'is flaky'}" for it in red]
    unproven = [it.name for it in sessions if it.state in _LEFT]
    counted = [it for it in sessions if it.state != "not recorded"]
    if unproven:
        return "unproven", [f"{len(unproven)} of {count_text(len(counted), 'session')} did not pass yet"]
    if not counted:
        return "unproven", ["no session leaves a verdict"]
    return "passed", [f"{count_text(len(counted), 'session')} with a verdict"]


def _graph(sessions: Sequence[SessionFacts]) -> Graph:
    """Return the graph of needs, with the instances of a session as one node."""
    groups: dict[str, list[SessionFacts]] = {}
    for session in sessions:
        groups.setdefault(session.planned.session.function, []).append(session)
    functions = {it.name: it.planned.session.function for it in sessions}
    pairs = {
        (functions[need], functions[it.name])
        for it in sessions
        for need in it.planned.session.needs
        if need in functions
    }
    pairs = {it for it in pairs if it[0] != it[1]}
    joined = [name for name in groups if any(name in it for it in pairs)][:_MOST_NODES]
    places = {name: number for number, name in enumerate(joined)}
    edges = sorted((places[one], places[two]) for one, two in pairs if one in places and two in places)
    alone = len(groups) - len(joined)
    more = f" {count_text(alone, 'session')} that need and serve no other {'are' if alone > 1 else 'is'} left out."
    nodes = []
    for name in joined:
        number = f" \N{MULTIPLICATION SIGN} {len(groups[name])}" if len(groups[name]) > 1 else ""
        nodes.append(Node(name + number, min(groups[name], key=_rank).state))
    caption = f"What each session needs, from left to right.{more if alone else ''}"
    return Graph(caption, nodes, _without_detours(edges))


def _without_detours(edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the edges that no longer way replaces, so that a reader can follow them."""
    after: dict[int, set[int]] = {}
    for one, two in edges:
        after.setdefault(one, set()).add(two)

    def reaches(one: int, two: int, seen: set[int]) -> bool:
        seen.add(one)
        return two in after.get(one, set()) or any(reaches(it, two, seen) for it in after.get(one, set()) - seen)

    return [(one, two) for one, two in edges if not any(reaches(it, two, set()) for it in after[one] - {two})]


def time_section(sessions: Sequence[SessionFacts]) -> Section:
    """Return the section about time: spent on this commit, saved by earlier verdicts, and left."""
    rows = []
    for words, states in (
        ("spent on this commit", {"passed", *_RED}),
        ("saved by verdicts of earlier commits", {"covered"}),
        ("left, as long as it took before", _LEFT),
    ):
        times = [session.seconds for session in sessions if session.state in states]
        unknown = f" and {times.count(None):,} of unknown length" if None in times else ""
        rows.append((words, f"{len(times):,}", f"{duration_text(sum(seconds or 0.0 for seconds in times))}{unknown}"))
    caption = "Time, added up over sessions that may have run side by side"
    return Section("Time", [Table(caption, {"time": "text", "sessions": "number", "took": "number"}, rows)])


def red_section(sessions: Sequence[SessionFacts]) -> Section:
    """Return the section with commands that reproduce each red session."""
    blocks: list[Block] = []
    for session in sessions:
        if session.state in _RED:
            command = shlex.join(["nox", "-s", session.name])
            blocks.append(Code(f"{session.name} {session.state}: run it again", command))
            if session.log:
                blocks.append(Code(f"The last lines of {session.name}", session.log, folded=True))
    blocks = blocks or ["No session is red."]
    if left := [it.name for it in sessions if it.state in _LEFT]:
        command = shlex.join(["headworks", "run", *left])
        blocks.append(Code("What has not passed yet, with all that it needs", command))
    return Section("How to reproduce", blocks)
