"""The sections of the report about sessions: the plan, its times, and how to reproduce a red one."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._quantities import count_text, duration_text
from headworks._report.escape import without_control
from headworks._report.page import Code, Column, Graph, Node, Section, Table, Text
from headworks._run import logs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headworks._plan.plan import Plan, PlannedSession
    from headworks._report.page import Block, Outcome
    from headworks._store.store import Store

__all__ = ["SessionFacts", "plan_section", "red_section", "session_facts", "time_section"]

_RED = ("failed", "flaky")
# From the one that most needs a reader to the one that needs none; a group of sessions has the first of its states.
_STATES = (*_RED, "not run", "waiting", "not recorded", "passed", "covered")
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
    numbers = Counter(it.state for it in sessions)
    counts = ", ".join(f"{numbers[state]} {state}" for state in _STATES if state in numbers)
    open_ones = [session for session in sessions if session.state not in {"passed", "covered"}]
    proven = [it for it in sessions if it.state in {"passed", "covered"}]
    blocks: list[Block] = [Text(text=f"{count_text(len(sessions), 'session')}: {counts or 'none'}.")]
    if open_ones:
        blocks.append(_open(open_ones))
    blocks.append(_graph(sessions))
    if proven:
        blocks.append(_proven(proven))
    outcome, reasons = _outcome(sessions)
    return Section(title="Plan", blocks=tuple(blocks), outcome=outcome, reasons=reasons)


def _ranked(sessions: Iterable[SessionFacts]) -> list[SessionFacts]:
    """Return sessions by state, first those that need a reader."""
    return sorted(sessions, key=lambda it: _STATES.index(it.state))


def _open(sessions: Sequence[SessionFacts]) -> Table:
    """Return a table of the sessions that no verdict covers; those of one state and reason are in one row."""
    groups: dict[tuple[str, str], list[str]] = {}
    for session in _ranked(sessions):
        shown, more = session.planned.reasons[:_REASONS], len(session.planned.reasons) - _REASONS
        why = "; ".join([*shown, *([f"and {more} more reasons"] if more > 0 else [])])
        groups.setdefault((session.state, why), []).append(session.name)
    columns = (Column(title="sessions"), Column(title="state", kind="state"), Column(title="why"))
    rows = tuple((", ".join(names), state, why) for (state, why), names in groups.items())
    return Table(caption="Sessions without a verdict that counts", columns=columns, rows=rows)


def _proven(sessions: Sequence[SessionFacts]) -> Table:
    """Return a table of the verdicts that count."""
    columns = (
        *(Column(title="session", kind="code"), Column(title="state", kind="state"), Column(title="passed on")),
        *(Column(title="at commit", kind="code"), Column(title="took", kind="number")),
        *(Column(title="rests on"), Column(title="digest", kind="code")),
    )
    verdicts = [(session, session.planned.verdict) for session in _ranked(sessions)]
    rows = tuple(
        (
            it.name,
            it.state,
            verdict.finished[:10],
            verdict.commit[:12],
            duration_text(verdict.seconds),
            it.planned.basis_text,
            verdict.digest[:12],
        )
        for it, verdict in verdicts
        if verdict is not None
    )
    return Table(caption="Verdicts that count", columns=columns, rows=rows, folded=True)


def _outcome(sessions: Sequence[SessionFacts]) -> tuple[Outcome, tuple[str, ...]]:
    """Return the outcome of the plan with its reasons."""
    red = [session for session in sessions if session.state in _RED]
    if red:
        return "failed", tuple(f"{it.name} {'failed' if it.state == 'failed' else 'is flaky'}" for it in red)
    unproven = [it.name for it in sessions if it.state in {"not run", "waiting"}]
    counted = [it for it in sessions if it.state != "not recorded"]
    if unproven:
        return "unproven", (f"{len(unproven)} of {count_text(len(counted), 'session')} did not pass yet",)
    if not counted:
        return "unproven", ("no session leaves a verdict",)
    return "passed", (f"{count_text(len(counted), 'session')} with a verdict",)


def _graph(sessions: Sequence[SessionFacts]) -> Graph:
    """Return the graph of needs, with the instances of a session as one node."""
    groups: dict[str, list[SessionFacts]] = {}
    for session in sessions:
        groups.setdefault(session.planned.session.function, []).append(session)
    functions = {it.name: it.planned.session.function for it in sessions}
    pairs = {(functions[need], functions[it.name]) for it in sessions for need in it.planned.needs if need in functions}
    pairs = {it for it in pairs if it[0] != it[1]}
    joined = [name for name in groups if any(name in it for it in pairs)][:_MOST_NODES]
    places = {name: number for number, name in enumerate(joined)}
    edges = sorted((places[one], places[two]) for one, two in pairs if one in places and two in places)
    alone = len(groups) - len(joined)
    more = f" {count_text(alone, 'session')} that need and serve no other {'are' if alone > 1 else 'is'} left out."
    return Graph(
        caption=f"What each session needs, from left to right.{more if alone else ''}",
        nodes=tuple(
            Node(
                name=name + (f" \N{MULTIPLICATION SIGN} {len(groups[name])}" if len(groups[name]) > 1 else ""),
                state=_ranked(groups[name])[0].state,
            )
            for name in joined
        ),
        edges=tuple(_without_detours(edges)),
    )


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
    columns = (Column(title="time"), Column(title="sessions", kind="number"), Column(title="took", kind="number"))
    rows = []
    for words, states in (
        ("spent on this commit", {"passed", *_RED}),
        ("saved by verdicts of earlier commits", {"covered"}),
        ("left, as long as it took before", {"not run", "waiting"}),
    ):
        times = [session.seconds for session in sessions if session.state in states]
        unknown = f" and {times.count(None):,} of unknown length" if None in times else ""
        rows.append((words, f"{len(times):,}", f"{duration_text(sum(seconds or 0.0 for seconds in times))}{unknown}"))
    caption = "Time, added up over sessions that may have run side by side"
    return Section(title="Time", blocks=(Table(caption=caption, columns=columns, rows=tuple(rows)),))


def red_section(sessions: Sequence[SessionFacts]) -> Section:
    """Return the section with commands that reproduce each red session."""
    red = [it for it in sessions if it.state in _RED]
    blocks: list[Block] = []
    for session in red:
        blocks.append(
            Code(caption=f"{session.name} {session.state}: run it again", text=shlex.join(["nox", "-s", session.name]))
        )
        if session.log:
            blocks.append(Code(caption=f"The last lines of {session.name}", text=session.log, folded=True))
    if not red:
        blocks.append(Text(text="No session is red."))
    left = [it.name for it in sessions if it.state in {"not run", "waiting"}]
    if left:
        command = shlex.join(["headworks", "run", *left])
        blocks.append(Code(caption="What has not passed yet, with all that it needs", text=command))
    return Section(title="How to reproduce", blocks=tuple(blocks))
