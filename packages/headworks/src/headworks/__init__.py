"""Re-prove exactly what a change can reach in a machine learning monorepo."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headworks._gate.compare import gate
    from headworks._gate.result import GateResult
    from headworks._plan.explanation import Explanation, explain
    from headworks._plan.plan import Plan, PlannedSession, plan
    from headworks._project.session import Session
    from headworks._store.verdict import Verdict
    from headworks._tree.merge_base import Base

__all__ = [
    "Base",
    "Explanation",
    "GateResult",
    "Plan",
    "PlannedSession",
    "Session",
    "Verdict",
    "explain",
    "gate",
    "plan",
]

_MODULES = {
    "Base": "_tree.merge_base",
    "Explanation": "_plan.explanation",
    "GateResult": "_gate.result",
    "Plan": "_plan.plan",
    "PlannedSession": "_plan.plan",
    "Session": "_project.session",
    "Verdict": "_store.verdict",
    "explain": "_plan.explanation",
    "gate": "_gate.compare",
    "plan": "_plan.plan",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for, since every start of the command imports this module."""
    if name not in _MODULES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """List what can be imported."""
    return sorted([*globals(), *__all__])
