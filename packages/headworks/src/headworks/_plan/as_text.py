"""A plan as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from headworks._lines import text_of
from headworks._quantities import count_text, duration_text

if TYPE_CHECKING:
    from headworks._plan.plan import Plan, PlannedSession
    from headworks._store.verdict import Verdict

_WIDTH = 100  # of lists of names
_REASONS = 4  # that are shown of a session


def as_text(plan: Plan) -> str:
    """Return a plan as text: sessions that run with reasons, those that wait, and verdicts of the rest."""
    lines: list[str] = []
    for state, title in (("run", "Run"), ("waiting", "Waiting"), ("cached", "Cached")):
        sessions = [it for it in plan.sessions if it.state == state]
        if sessions:
            lines.append(f"{title}: {_summary(sessions, state)}")
            lines += _groups(sessions)
    if plan.base is not None:
        lines.append(f"Compared with {plan.base.name}.")
    return text_of(lines or ["There is no session to plan."])


def _summary(sessions: list[PlannedSession], state: str) -> str:
    """Return how many sessions there are, and how long they take."""
    count = count_text(len(sessions), "session")
    known = [it.seconds for it in sessions if it.seconds is not None]
    if not known:
        return count
    if state == "cached":
        return f"{count}, which took {duration_text(sum(known))}"
    unknown = len(sessions) - len(known)
    more = f", and {unknown:,} of unknown length" if unknown else ""
    return f"{count}, about {duration_text(sum(known))} one after the other{more}"


def _groups(sessions: Iterable[PlannedSession]) -> Iterator[str]:
    """Yield lines in which sessions with the same reasons or verdicts are grouped."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for it in sessions:
        said = it.reasons if it.verdict is None else (_covered_by(it.verdict, it.basis_text),)
        groups.setdefault(said, []).append(it.session.name)
    for said, names in groups.items():
        shown = said[:_REASONS]
        if len(said) > _REASONS:
            shown = (*shown, f"and {len(said) - _REASONS} more reasons")
        if len(names) == len(shown) == 1:
            yield f"  {names[0]}: {shown[0]}"
            continue
        yield from _wrapped(names)
        yield from (f"      {it}" for it in shown)


def _covered_by(verdict: Verdict, basis: str) -> str:
    """Return when a session passed that need not run, and what the verdict rests on."""
    commit = f" at {verdict.commit[:12]}" if verdict.commit else ""
    return f"passed on {verdict.finished[:10]}{commit} ({basis})"


def _wrapped(names: list[str]) -> Iterator[str]:
    """Yield lines with names that are not too long."""
    line = "  "
    for number, name in enumerate(names):
        part = name + (", " if number + 1 < len(names) else "")
        if len(line) + len(part) > _WIDTH and line.strip():
            yield line.rstrip()
            line = "  "
        line += part
    yield line
