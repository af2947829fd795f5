"""What conditions need of a test set, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headworks._lines import text_of
from headworks._metrics.sizes import bennett, hoeffding, score_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headworks._project.gate_settings import GateSettings, NamedCondition

__all__ = ["Need", "as_data", "as_text", "needs"]

_SHARES = frozenset({"accuracy", "recall"})


@dataclass(frozen=True, kw_only=True)
class Need:
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
    tolerance: float | None
    hoeffding: tuple[int, int] | None
    bennett: tuple[int, int] | None
    score: int | None
    at_hand: int | None


def needs(conditions: Sequence[NamedCondition], settings: GateSettings, at_hand: Mapping[str, int]) -> list[Need]:
    """Return what each condition needs.

    Args:
        conditions: the conditions.
        settings: reliability, budget, tolerance and disagreement.
        at_hand: how many rows there are, by the name of a condition.
    """
    return [_need(it, settings, at_hand.get(it.name)) for it in conditions]


def _need(it: NamedCondition, settings: GateSettings, at_hand: int | None) -> Need:
    """Return what one condition needs."""
    condition, error, share = it.condition, settings.error, settings.disagreement
    if condition.subject.metric not in _SHARES or condition.factor not in {0, 1}:
        nothing = dict.fromkeys(("tolerance", "hoeffding", "bennett", "score"))
        return Need(name=it.name, condition=condition.text, at_hand=at_hand, **nothing)
    margin = abs(condition.offset) if condition.is_relative else 0.0
    tolerance = margin or settings.tolerance
    whole: dict[str, Any] = {"budget": settings.budget, "adaptive": settings.adaptive}
    sides = 2 if condition.is_relative else 1
    large = [hoeffding(tolerance, error, variables=sides, **more) for more in ({}, whole)]
    small = [bennett(tolerance, error, disagreement=share, **more) for more in ({}, whole)]
    return Need(
        name=it.name,
        condition=condition.text,
        tolerance=tolerance,
        hoeffding=(large[0], large[1]),
        bennett=(small[0], small[1]) if condition.is_relative else None,
        score=score_rows(margin, error, disagreement=share) if margin else None,
        at_hand=at_hand,
    )


def as_data(found: Sequence[Need]) -> list[dict[str, Any]]:
    """Return needs as they are written in JSON."""
    return [dict(vars(it)) for it in found]


def as_text(found: Sequence[Need], settings: GateSettings) -> str:
    """Return needs as text."""
    models = f"{settings.budget} models" + (", each after the outcome of the last" if settings.adaptive else "")
    lines = [f"rows needed at reliability {settings.reliability:.4g}, for one model and for {models}"]
    for it in found:
        named = f"{it.name}: " if it.name != it.condition else ""
        lines += ["", named + it.condition, *(f"  {line}" for line in _lines(it, settings))]
    return text_of(lines)


def _lines(it: Need, settings: GateSettings) -> Iterator[str]:
    """Yield the lines about one condition."""
    if it.hoeffding is None:
        yield "no share of rows: there is no bound beforehand, and it is said afterwards whether it can be told"
    else:
        yield f"to within {it.tolerance:g} whatever the models: {_both(it.hoeffding)} (Hoeffding)"
    if it.bennett is not None:
        yield f"where they disagree on {settings.disagreement:g} of the rows: {_both(it.bennett)} (Bennett)"
    if it.score is not None:
        yield f"to pass one that is as good, 9 times in 10, if they disagree as much: {it.score:,} (score test)"
    if it.at_hand is None:
        yield "how many there are is not known: run the stage that predicts, or say --rows"
    else:
        yield f"there are {it.at_hand:,}: {_verdict(it, it.at_hand)}"


def _both(sizes: tuple[int, int]) -> str:
    """Return the rows for one model and for the budget."""
    return f"{sizes[0]:,} and {sizes[1]:,}"


def _verdict(it: Need, rows: int) -> str:
    """Return what the rows at hand are enough for."""
    if it.hoeffding is None:
        return "judged as it comes"
    if rows >= min(it.hoeffding[1], (it.bennett or it.hoeffding)[1]):
        return "enough for the whole budget"
    if rows >= (it.score or it.hoeffding[0]):
        return "enough for one model, not for the budget"
    return "not enough: widen the margin, or judge on more rows, as by cross-fitting"
