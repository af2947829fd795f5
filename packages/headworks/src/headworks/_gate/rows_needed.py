"""The rows that conditions need of a test set, before anything is trained."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headworks._lines import text_of
from headworks._metrics.sizes import bennett, hoeffding, score_rows

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings, NamedCondition


@dataclass(frozen=True, kw_only=True)
class RowsNeeded:
    """The rows that one condition needs: of its class or slice, where it is about one.

    Attributes:
        name: the name of the condition.
        condition: the condition.
        tolerance: how closely the true value has to be known; None for a metric that is no share of rows, for which
            there is no such bound.
        hoeffding: rows for one model, and for the whole budget, whatever the models are.
        bennett: the same where two models disagree on few rows; None for a condition without a base.
        score: rows at which the score test passes an equal model nine times in ten; None for a condition without a
            base or a margin.
        at_hand: rows that there are; None where that is not known.
    """

    name: str
    condition: str
    tolerance: float | None = None
    hoeffding: tuple[int, int] | None = None
    bennett: tuple[int, int] | None = None
    score: int | None = None
    at_hand: int | None


def rows_needed(named: NamedCondition, settings: GateSettings, at_hand: int | None) -> RowsNeeded:
    """Return the rows that a condition needs.

    Args:
        named: The condition.
        settings: Reliability, budget, tolerance and disagreement.
        at_hand: The rows that there are; None where that is not known.
    """
    condition, error, share = named.condition, settings.error, settings.disagreement
    if not condition.subject.definition.is_share or condition.factor not in {0, 1}:
        return RowsNeeded(name=named.name, condition=condition.text, at_hand=at_hand)
    margin = abs(condition.offset) if condition.is_relative else 0.0
    tolerance = margin or settings.tolerance
    whole: dict[str, Any] = {"budget": settings.budget, "adaptive": settings.adaptive}
    sides = 2 if condition.is_relative else 1
    large = [hoeffding(tolerance, error, variables=sides, **more) for more in ({}, whole)]
    small = [bennett(tolerance, error, disagreement=share, **more) for more in ({}, whole)]
    return RowsNeeded(
        name=named.name,
        condition=condition.text,
        tolerance=tolerance,
        hoeffding=(large[0], large[1]),
        bennett=(small[0], small[1]) if condition.is_relative else None,
        score=score_rows(margin, error, disagreement=share) if margin else None,
        at_hand=at_hand,
    )


def rows_at_hand(
    conditions: Sequence[NamedCondition], files: str | Mapping[str, str], settings: GateSettings
) -> dict[str, int]:
    """Return the rows that there are for each condition by its name: of its class, and of the smallest of its slices.

    Args:
        conditions: The conditions.
        files: Files of predictions by name; one stands for all. One that is not there yet says nothing.
        settings: How files are read.
    """
    # Imported here, since --rows reads no file and so needs neither NumPy nor Arrow.
    from headworks._gate.compare import read_needed
    from headworks._metrics.rows import parts_of

    counts = {}
    for named in conditions:
        path = files if isinstance(files, str) else files.get(settings.reads(named), "")
        if not named.condition.subject.is_measurement and os.path.isfile(path):
            predictions = read_needed(path, [named.condition], settings)
            counts[named.name] = min(len(rows) for _, rows in parts_of(named.condition.subject, predictions))
    return counts


def as_text(needed: Sequence[RowsNeeded], settings: GateSettings) -> str:
    """Return the rows that conditions need as text."""
    models = f"{settings.budget} models" + (", each after the outcome of the last" if settings.adaptive else "")
    lines = [f"rows needed at reliability {settings.reliability:.4g}, for one model and for {models}"]
    for rows in needed:
        named = f"{rows.name}: " if rows.name != rows.condition else ""
        lines += ["", named + rows.condition, *(f"  {line}" for line in _lines(rows, settings))]
    return text_of(lines)


def _lines(needed: RowsNeeded, settings: GateSettings) -> Iterator[str]:
    if needed.hoeffding is None:
        yield "no share of rows: there is no bound beforehand, and it is said afterwards whether it can be told"
    else:
        yield f"to within {needed.tolerance:g} whatever the models: {_both(needed.hoeffding)} (Hoeffding)"
    if needed.bennett is not None:
        yield f"where they disagree on {settings.disagreement:g} of the rows: {_both(needed.bennett)} (Bennett)"
    if needed.score is not None:
        yield f"to pass one that is as good, 9 times in 10, if they disagree as much: {needed.score:,} (score test)"
    rows = needed.at_hand
    if rows is None:
        yield "how many there are is not known: run the stage that predicts, or say --rows"
    elif needed.hoeffding is None:
        yield f"there are {rows:,}: judged as it comes"
    elif rows >= min(needed.hoeffding[1], (needed.bennett or needed.hoeffding)[1]):
        yield f"there are {rows:,}: enough for the whole budget"
    elif rows >= (needed.score or needed.hoeffding[0]):
        yield f"there are {rows:,}: enough for one model, not for the budget"
    else:
        yield f"there are {rows:,}: not enough: widen the margin, or judge on more rows, as by cross-fitting"


def _both(sizes: tuple[int, int]) -> str:
    """Return the rows for one model and for the budget."""
    return f"{sizes[0]:,} and {sizes[1]:,}"
