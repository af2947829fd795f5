"""A plan as JSON, in the form that plan.schema.json describes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headworks._plan.plan import SYSTEMS

if TYPE_CHECKING:
    from headworks._plan.plan import Plan, PlannedSession

FORM = 1


def as_json(plan: Plan) -> str:
    """Return a plan as JSON."""
    data = {
        "format": FORM,
        "commit": plan.digester.snapshot.repository.head(),
        "base": None if plan.base is None else {"commit": plan.base.commit, "name": plan.base.name},
        "sessions": [_session(it, plan.digester.tree_digest(it.session)) for it in plan.sessions],
    }
    return json.dumps(data, indent=2) + "\n"


def _session(planned: PlannedSession, tree: str) -> dict[str, Any]:
    """Return one session as it is written in JSON."""
    session, verdict = planned.session, planned.verdict
    return {
        "name": session.name,
        "function": session.function,
        "python": session.python or None,
        "parameters": session.parameters,
        "tags": session.tags,
        "packages": session.packages,
        "state": planned.state,
        "covered_on": planned.covered_on,
        "digest": planned.digest,
        "tree": tree,
        "reasons": planned.reasons,
        "needs": session.needs,
        "outputs": session.outputs,
        "seconds": planned.seconds,
        "verdict": verdict
        and {
            "finished": verdict.finished,
            "seconds": verdict.seconds,
            "commit": verdict.commit,
            "platform": verdict.platform,
            "basis": planned.basis,
            "checked": verdict.checked or None,
            "until": verdict.until or None,
            "outputs": dict(verdict.outputs),
        },
    }


def needed_outputs(data: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """Return the outputs, each with its session, that the sessions to run need, directly or not.

    Args:
        data: A plan, read from JSON.

    Raises:
        KeyError: It lacks something.
        TypeError: It has something of another kind.
    """
    planned = {it["name"]: it for it in data["sessions"]}
    elsewhere = set(SYSTEMS.values())
    names = [name for name, it in planned.items() if it["state"] != "cached" or elsewhere & {*it["tags"]}]
    for name in names:  # grows while it is read
        names += [need for need in planned[name]["needs"] if need in planned and need not in names]
    return [(name, dict(planned[name]["verdict"]["outputs"])) for name in names if planned[name]["verdict"]]
