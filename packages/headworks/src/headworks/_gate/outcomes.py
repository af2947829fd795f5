"""Outcomes of exported models, by their files' digests, which the store keeps for promotions."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headworks._gate.base_outputs import BaseOutputs, NoBaseError
from headworks._gate.base_predictions import model_digest
from headworks._metrics.condition import BASE
from headworks._promote.evidence import GATE, evidence
from headworks._store.files import hash_file
from headworks._store.journal import Journal, journal_of
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._gate.result import GateResult
    from headworks._project.gate_settings import GateSettings

_DECISIVE = (
    *("anchor", "budget", "classes", "columns", "error_bound", "group", "log_loss_clip", "measurements", "min_shared"),
    *("model", "peers", "predict", "predictions", "reliability", "rows", "train"),
)


def terms(settings: GateSettings) -> dict[str, Any]:
    """Return all settings that decide about a model's outcome, as JSON has them.

    The order and the names of conditions decide nothing, nor does what only plans.
    """
    rows = [
        {"condition": named.condition.text, "on": settings.reads(named), "cannot-tell": named.cannot_tell}
        for named in settings.conditions
    ]
    decisive: dict[str, Any] = {name: getattr(settings, name) for name in _DECISIVE}
    decisive["conditions"] = sorted(rows, key=lambda row: sorted(row.items()))
    as_read: dict[str, Any] = json.loads(json.dumps(decisive))  # tuples become lists, as they are when read again
    return as_read


def record_outcome(
    result: GateResult, settings: GateSettings, outputs: BaseOutputs, firsts: Collection[str], *, anchor: str, when: str
) -> str:
    """Record a result by all conditions of the table for a project's exported model, if it says something about it.

    Args:
        result: The result.
        settings: The table.
        outputs: The outputs of the base.
        firsts: The names whose base are recorded first predictions.
        anchor: The SHA-256 of the promoted model that it was judged by; empty for none.
        when: The time, ISO 8601 in UTC.

    Returns:
        Why nothing was recorded; empty where it was, or need not be.
    """
    model = model_digest(outputs.root, settings)
    if not model:
        return ""
    doubt = _doubt(settings.model, outputs)
    unjudged = {it.condition.rival for it in settings.conditions if it.name in result.unjudged}
    if (
        not doubt
        and result.outcome == "passes"
        and BASE not in unjudged
        and _is_base(result, settings, outputs, firsts)
    ):
        (known,) = evidence(outputs.store, model, {GATE: ()}, terms(settings))
        if known.state == "passed":
            return ""
        base = outputs.base
        doubt = (
            f"the base, {base.name if base.commit else 'the first one'}, has this very model, which says nothing"
            " about it. Compare with an older one, as by `headworks gate --base HEAD^`"
        )
    if doubt:
        return f"nothing is recorded for a promotion: {doubt}"
    entry: dict[str, Any] = {
        "outcome": result.outcome,
        "base": outputs.base.commit if result.is_judged_by(BASE) else "",
        "anchor": anchor,
        "conditions": [
            {"condition": judged.condition.text, "on": judged.on, "outcome": judged.outcome}
            for judged in result.conditions
        ],
        "unjudged": list(result.unjudged),
        "when": when,
        "terms": terms(settings),
        "files": _files(settings, outputs) if result.outcome == "passes" else {},
        **({"first": list(firsts)} if firsts else {}),
    }
    store = outputs.store
    Journal(store.root, "gates", model).note(entry)
    if (
        store.remote is not None and store.remote.writes and store.remote.is_exclusive
    ):  # else no alias can be moved there
        store.remote.keep(entry["files"].values(), store.blobs, what="What the model was judged by", is_promoted=False)
        journal_of(store, "gates", model).note(entry)
    return ""


def _files(settings: GateSettings, outputs: BaseOutputs) -> dict[str, str]:
    """Keep what the model was judged by, for candidates that replace it once it is promoted."""
    places = {path: Path(outputs.root, path) for path in settings.predictions.values()}
    return {path: outputs.store.blobs.put_file(place) for path, place in places.items() if place.is_file()}


def _doubt(path: str, outputs: BaseOutputs) -> str:
    """Return why the predictions may be of another model than the exported one; empty where they are not."""
    try:
        is_current = outputs.is_current(path)
    except ConfigurationError as error:
        return str(error)
    if is_current is False:
        return f"{path} is not what its session gives as it is now. Run `headworks run`"
    unproven = [path] if is_current is None else outputs.unproven
    return f"no verdict says where {', '.join(unproven)} came from. Run `headworks run`" if unproven else ""


def _is_base(result: GateResult, settings: GateSettings, outputs: BaseOutputs, firsts: Collection[str]) -> bool:
    """Tell whether a model was compared with nothing but itself."""
    if not result.is_judged_by(BASE):
        return False
    if not firsts:  # which may be its own, whatever model the base has
        with contextlib.suppress(NoBaseError):
            mine = model_digest(outputs.root, settings)
            return hash_file(Path(outputs.find(settings.model)))[0] == mine
    return all(comparison.is_same for comparison in result.comparisons if comparison.rival == BASE)
