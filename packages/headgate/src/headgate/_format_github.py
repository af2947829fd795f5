"""A plan as outputs of a GitHub Actions step, for a matrix of jobs.

`any` tells whether there is anything to run. `matrix` has one entry for each job: its `name`, the `sessions` to give to
`headgate run` as the shell takes them, and the `seconds` expected. Sessions that read each other's outputs are in one
job, and the jobs are about equally long.
"""

from __future__ import annotations

import json
import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headgate._plan import Plan, PlannedSession

__all__ = ["as_github"]

_UNKNOWN = 60.0  # seconds that are expected of a session that never passed, where no other tells more
_NAMED = 3  # sessions in the name of a job


def as_github(plan: Plan, *, jobs: int) -> str:
    """Return the lines to append to the file that GITHUB_OUTPUT names.

    Args:
        plan: the plan.
        jobs: how many jobs there may be; GitHub allows 256 in a matrix.
    """
    parts = _parts([it for it in plan.sessions if it.state != "cached"])
    known = [it.seconds for it in plan.sessions if it.seconds is not None]
    usual = sum(known) / len(known) if known else _UNKNOWN
    lengths = [sum(usual if it.seconds is None else it.seconds for it in part) for part in parts]
    shares: list[tuple[float, list[PlannedSession]]] = [(0.0, []) for _ in range(min(jobs, len(parts)))]
    # The longest first, each to the job that has least to do: at most a third longer than the best there is.
    for length, part in sorted(zip(lengths, parts, strict=True), key=lambda it: -it[0]):
        shares.sort(key=lambda it: it[0])
        shares[0] = (shares[0][0] + length, shares[0][1] + part)
    entries = [_entry(seconds, sessions) for seconds, sessions in sorted(shares, key=lambda it: -it[0])]
    matrix = json.dumps({"include": entries}, separators=(",", ":"))
    return f"any={'true' if entries else 'false'}\nmatrix={matrix}\n"


def _parts(sessions: list[PlannedSession]) -> list[list[PlannedSession]]:
    """Return the sessions in groups of those that are joined by needs, each in order."""
    names = {it.session.name for it in sessions}
    groups: list[set[str]] = []
    for it in sessions:
        group = {it.session.name, *(name for name in it.needs if name in names)}
        joined = [other for other in groups if other & group]
        groups = [other for other in groups if not other & group] + [group.union(*joined)]
    return [[it for it in sessions if it.session.name in group] for group in groups]


def _entry(seconds: float, sessions: list[PlannedSession]) -> dict[str, str | int]:
    """Return what a job is told."""
    names = [it.session.name for it in sessions]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return {"name": ", ".join(names[:_NAMED]) + more, "sessions": shlex.join(names), "seconds": round(seconds)}
