"""A plan as outputs of a GitHub Actions step, for matrices of jobs.

`any` tells whether there is anything to run at all. `matrix` has one entry for each job: the `sessions` to give to
`headworks run`, as the shell takes them, the `name` of the job, which is the command of nox for the same sessions, the
`runner` and the `system` that it runs on, and the `seconds` expected. It is empty where there is no job.

Sessions that read each other's outputs are in one job. Jobs are about as long as the longest that cannot be divided,
since more machines would end no sooner, and no job is kept shorter than that for being tiny.

Sessions with a tag that is named have a matrix of their own, an output with the tag's name, so that a workflow can have
them wait for the others. A session tagged `macos` or `windows` runs there too, unless a verdict covers it: the digest
that it has on a system can be told here where its last verdict says what the machines there are like. One with needs
always starts there, since what these give on that system is not known here.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from headworks._plan.plan import Plan, PlannedSession
    from headworks._project.session import Session

    Runner: TypeAlias = "str | tuple[str, ...]"
    Entry: TypeAlias = "dict[str, Runner | int]"
    Group: TypeAlias = "tuple[str, Runner, list[PlannedSession]]"

# Never `-latest`, which becomes another system from one day to the next, with other versions of all that is on it:
# Docker 29, for one, means something else by the size and the id of an image.
RUNNERS = {"linux": "ubuntu-24.04", "macos": "macos-15", "windows": "windows-2025"}
_UNKNOWN = 60.0  # seconds that are expected of a session that never passed, where no other tells more
_WORTH = 180.0  # seconds of work that a machine of its own is worth, which takes a minute to set up


def as_github(plan: Plan, *, jobs: int, apart: Sequence[str] = ()) -> str:
    """Return the lines to append to the file that GITHUB_OUTPUT names.

    Args:
        plan: the plan.
        jobs: how many jobs a matrix may have; GitHub allows 256.
        apart: tags; the sessions that have one of them get the matrix of the first that they have.
    """
    seconds = _expected(plan.sessions)
    matrices: dict[str, list[Entry]] = {}
    for name in ("matrix", *apart):
        own = [it for it in plan.sessions if next((tag for tag in apart if tag in it.session.tags), "matrix") == name]
        groups = _groups(own)
        # One job at least for each system and runner, and for the first all that the others leave.
        shares = [max(1, jobs - len(groups) + 1), *(1 for _ in groups[1:])]
        entries = [
            it for group, most in zip(groups, shares, strict=False) for it in _entries(plan, group, most, seconds)
        ]
        matrices[name] = sorted(entries, key=lambda it: -cast("int", it["seconds"]))
    lines = [f"any={'true' if any(matrices.values()) else 'false'}"]
    for name, entries in matrices.items():
        text = json.dumps({"include": entries}, separators=(",", ":"))
        lines.append(f"{name}={text if entries else ''}")
    return "\n".join(lines) + "\n"


def _expected(sessions: Iterable[PlannedSession]) -> dict[str, float]:
    """Return how long each session should take: as it did, or else as others of its function did, or as all did."""
    known: dict[str, list[float]] = {}
    for it in sessions:
        if it.seconds is not None:
            for key in (it.session.function, ""):
                known.setdefault(key, []).append(it.seconds)
    usual = {key: sum(its) / len(its) for key, its in known.items()}
    rest = usual.get("", _UNKNOWN)
    return {
        it.session.name: usual.get(it.session.function, rest) if it.seconds is None else it.seconds for it in sessions
    }


def _groups(sessions: list[PlannedSession]) -> list[Group]:
    """Return the sessions that run on each system and runner, those without any left out."""
    here = [it for it in sessions if it.state != "cached"]
    labels = dict.fromkeys(it.session.runs_on for it in here)
    groups: list[Group] = [
        ("linux", runs_on or RUNNERS["linux"], [it for it in here if it.session.runs_on == runs_on])
        for runs_on in labels
    ]
    for tag, runner in list(RUNNERS.items())[1:]:
        there = [it for it in sessions if tag in it.session.tags and tag not in it.covered_on]
        groups += [(tag, runner, there)] * bool(there)
    return groups


def _entries(plan: Plan, group: Group, most: int, expected: Mapping[str, float]) -> list[Entry]:
    """Return the jobs of one system and runner."""
    system, runner, sessions = group
    parts = _parts(sessions)
    lengths = [sum(expected[it.session.name] for it in part) for part in parts]
    number = min(most, len(parts), math.ceil(sum(lengths) / max(_WORTH, *lengths)))
    shares: list[tuple[float, list[PlannedSession]]] = [(0.0, []) for _ in range(max(1, number))]
    # The longest first, each to the job that has least to do: at most a third longer than the best there is.
    for length, part in sorted(zip(lengths, parts, strict=True), key=lambda it: -it[0]):
        shares.sort(key=lambda it: it[0])
        shares[0] = (shares[0][0] + length, shares[0][1] + part)
    return [_entry(system, runner, seconds, _words(share, plan.digester.catalog)) for seconds, share in shares]


def _parts(sessions: list[PlannedSession]) -> list[list[PlannedSession]]:
    """Return the sessions in groups of those that are joined by needs, each in order."""
    names = {it.session.name for it in sessions}
    groups: list[set[str]] = []
    for it in sessions:
        group = {it.session.name, *(name for name in it.session.needs if name in names)}
        joined = [other for other in groups if other & group]
        groups = [other for other in groups if not other & group] + [group.union(*joined)]
    return [[it for it in sessions if it.session.name in group] for group in groups]


def _words(sessions: list[PlannedSession], catalog: Mapping[str, Session]) -> list[str]:
    """Return the shortest words by which nox and Headworks know some sessions: one for all instances of a function."""
    names = {it.session.name for it in sessions}
    instances: dict[str, set[str]] = {}
    for it in catalog.values():
        instances.setdefault(it.function, set()).add(it.name)
    functions = (it.session.function if instances[it.session.function] <= names else "" for it in sessions)
    return list(dict.fromkeys(it or one.session.name for it, one in zip(functions, sessions, strict=True)))


def _entry(system: str, runner: Runner, seconds: float, words: list[str]) -> Entry:
    """Return the entry of a job. After the command, its name has a comment, as shells have."""
    sessions = shlex.join(words)
    name = f"nox -s {sessions}{'' if system == 'linux' else f'  # {system}'}"
    return {"name": name, "sessions": sessions, "runner": runner, "system": system, "seconds": round(seconds)}
