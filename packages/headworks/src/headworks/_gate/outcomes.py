"""The outcome for exactly the exported model's file, noted in the store where a promotion may rely on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headworks._gate.base import NoBaseError
from headworks._gate.terms import terms
from headworks._promote.evidence import GATE, evidence
from headworks._store.files import hash_file
from headworks._store.journal import Journal
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headworks._gate.base import BaseTree
    from headworks._gate.result import GateResult
    from headworks._project.gate_settings import GateSettings
    from headworks._store.store import Store

__all__ = ["Outcomes"]


class Outcomes:
    """What is noted about the exported model of a work tree."""

    def __init__(self, root: str, store: Store, settings: GateSettings, tree: BaseTree, firsts: Sequence[str]) -> None:
        """Take where everything is, the table of the project, and the names whose base are first predictions."""
        self._firsts = list(firsts)
        self._path = Path(root, settings.model)
        self._store = store
        self._settings = settings
        self._tree = tree

    def note(self, found: GateResult, when: str) -> str:
        """Note an outcome by all conditions of the table, if it is about this model and says something.

        Args:
            found: the outcome.
            when: the time, ISO 8601 in UTC.

        Returns:
            Why nothing was noted; empty where it was, or need not be.
        """
        if not self._settings.model or not self._path.is_file():
            return ""
        model = hash_file(self._path)[0]
        doubt = self._doubt()
        if not doubt and found.outcome == "passes" and not found.unjudged and self._is_base(found, model):
            (known,) = evidence(self._store, model, {GATE: ()}, terms(self._settings))
            if known.state == "passed":
                return ""
            doubt = self._compared_with_itself()
        if doubt:
            return f"nothing is recorded for a promotion: {doubt}"
        base = self._tree.base.commit if _is_relative(found) else ""
        rows = [{"condition": it.condition.text, "on": it.on, "outcome": it.outcome} for it in found.conditions]
        left_out = list(found.unjudged)
        entry = {"outcome": found.outcome, "base": base, "conditions": rows, "unjudged": left_out, "when": when}
        entry |= {"first": self._firsts} if self._firsts else {}
        Journal(self._store.root, "gates", model).note(entry | {"terms": terms(self._settings)})
        return ""

    def _doubt(self) -> str:
        """Return why what was judged may be of another model than the exported one; empty where it is not."""
        path = self._settings.model
        try:
            is_current = self._tree.is_current(path)
        except ConfigurationError as error:
            return str(error)
        if is_current is False:
            return f"{path} is not what its session gives as it is now. Run `headworks run`"
        unproven = [path] if is_current is None else self._tree.unproven
        return f"no verdict says where {', '.join(unproven)} came from. Run `headworks run`" if unproven else ""

    def _is_base(self, found: GateResult, model: str) -> bool:
        """Tell whether a model was compared with nothing but itself."""
        if not _is_relative(found):
            return False
        try:
            return hash_file(Path(self._tree.find(self._settings.model)))[0] == model
        except NoBaseError:  # the recorded first predictions may be its own
            return all(it.is_same for it in found.comparisons if it.base)

    def _compared_with_itself(self) -> str:
        """Return that, and what to do."""
        base = self._tree.base.name if self._tree.base.commit else "the first one"
        return (
            f"the base, {base}, has this very model, which says nothing about it."
            " Compare with an older one, as by `headworks gate --base HEAD^`"
        )


def _is_relative(found: GateResult) -> bool:
    """Tell whether any condition was judged by the base."""
    return any(it.condition.is_relative for it in found.conditions)
