"""Outcomes of exported models, by their files' digests, which the store keeps for promotions."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headworks._gate.base_outputs import NoBaseError
from headworks._promote.evidence import GATE, evidence
from headworks._store.files import hash_file
from headworks._store.journal import Journal
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection

    from headworks._gate.base_outputs import BaseOutputs
    from headworks._gate.result import GateResult
    from headworks._project.gate_settings import GateSettings
    from headworks._store.store import Store

__all__ = ["Outcomes", "terms"]

_DECISIVE = ("reliability", "predictions", "measurements", "model", "min_shared", "group", "columns", "predict", "rows")


def terms(settings: GateSettings) -> dict[str, Any]:
    """Return all settings that decide about a model's outcome, as JSON has them.

    The order and the names of conditions decide nothing, nor does what only plans or counts.
    """
    rows = [
        {"condition": named.condition.text, "on": settings.reads(named), "cannot-tell": named.cannot_tell}
        for named in settings.conditions
    ]
    decisive: dict[str, Any] = {name: getattr(settings, name) for name in _DECISIVE}
    decisive["conditions"] = sorted(rows, key=lambda row: sorted(row.items()))
    as_read: dict[str, Any] = json.loads(json.dumps(decisive))  # tuples become lists, as they are when read again
    return as_read


class Outcomes:
    """The recorded outcomes of a project's exported model."""

    def __init__(
        self, root: str, store: Store, settings: GateSettings, outputs: BaseOutputs, firsts: Collection[str]
    ) -> None:
        """Take the table of the project, the base, and the names whose base are recorded first predictions."""
        self._path = Path(root, settings.model)
        self._store = store
        self._settings = settings
        self._outputs = outputs
        self._firsts = list(firsts)

    def record(self, result: GateResult, when: str) -> str:
        """Record a result by all conditions of the table, if it is about this model and says something.

        Args:
            result: The result.
            when: The time, ISO 8601 in UTC.

        Returns:
            Why nothing was recorded; empty where it was, or need not be.
        """
        if not self._settings.model or not self._path.is_file():
            return ""
        model = hash_file(self._path)[0]
        doubt = self._doubt()
        if not doubt and result.outcome == "passes" and not result.unjudged and self._is_base(result, model):
            (known,) = evidence(self._store, model, {GATE: ()}, terms(self._settings))
            if known.state == "passed":
                return ""
            base = self._outputs.base
            doubt = (
                f"the base, {base.name if base.commit else 'the first one'}, has this very model, which says nothing"
                " about it. Compare with an older one, as by `headworks gate --base HEAD^`"
            )
        if doubt:
            return f"nothing is recorded for a promotion: {doubt}"
        entry = {
            "outcome": result.outcome,
            "base": self._outputs.base.commit if result.is_relative else "",
            "conditions": [
                {"condition": judged.condition.text, "on": judged.on, "outcome": judged.outcome}
                for judged in result.conditions
            ],
            "unjudged": list(result.unjudged),
            "when": when,
            "terms": terms(self._settings),
        }
        Journal(self._store.root, "gates", model).note(entry | ({"first": self._firsts} if self._firsts else {}))
        return ""

    def _doubt(self) -> str:
        """Return why the predictions may be of another model than the exported one; empty where they are not."""
        path = self._settings.model
        try:
            is_current = self._outputs.is_current(path)
        except ConfigurationError as error:
            return str(error)
        if is_current is False:
            return f"{path} is not what its session gives as it is now. Run `headworks run`"
        unproven = [path] if is_current is None else self._outputs.unproven
        return f"no verdict says where {', '.join(unproven)} came from. Run `headworks run`" if unproven else ""

    def _is_base(self, result: GateResult, model: str) -> bool:
        """Tell whether a model was compared with nothing but itself."""
        if not result.is_relative:
            return False
        if not self._firsts:  # which may be its own, whatever model the base has
            with contextlib.suppress(NoBaseError):
                return hash_file(Path(self._outputs.find(self._settings.model)))[0] == model
        return all(comparison.is_same for comparison in result.comparisons if comparison.base)
