"""A plan as JSON, in the form that plan.schema.json describes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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
