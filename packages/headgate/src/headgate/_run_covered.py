"""A run in which nothing is to be done, told as fast as a plan."""

from __future__ import annotations

from headgate._run_outcome import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate._plan import Plan
    from headgate._store import Store

__all__ = ["covered"]


def covered(planned: Plan, asked: frozenset[str], store: Store) -> dict[str, Outcome] | None:
    """Return an outcome for each session if verdicts cover all of them and the outputs lie in place; else None.

    Args:
        planned: The plan.
        asked: The sessions that were asked for. Those that only others need may lie elsewhere.
        store: Where the outputs are.
    """
    outcomes: dict[str, Outcome] = {}
    for it in planned.sessions:
        verdict = it.verdict
        if verdict is None or (it.session.name in asked and not _in_place(verdict.outputs, planned.root, store)):
            return None
        outcomes[it.session.name] = Outcome(
            session=it.session.name, status="cached", saved=verdict.seconds, verdict=verdict, outputs=verdict.outputs
        )
    if any(it.outputs for it in outcomes.values()):
        store.outputs(planned.root).save()
    return outcomes


def _in_place(outputs: Mapping[str, str], root: str, store: Store) -> bool:
    """Whether all outputs of a session lie in the work tree as they are recorded."""
    if not outputs:
        return True
    found = store.outputs(root)
    return all(found.is_in_place(path, content) for path, content in outputs.items())
