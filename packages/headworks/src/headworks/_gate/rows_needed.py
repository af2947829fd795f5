"""The rows that conditions need of a test set, before anything is trained."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from headworks._lines import text_of
from headworks._metrics.condition import TRAIN
from headworks._metrics.sizes import bennett, hoeffding, least_runs, score_rows

if TYPE_CHECKING:
    from headworks._metrics.condition import Condition
    from headworks._project.gate_settings import GateSettings, NamedCondition

_LEAST = 1e-6  # a margin, which takes a million million rows


@dataclass(frozen=True, kw_only=True)
class RowsNeeded:
    """The rows that one condition needs: of its class or slice, where it is about one.

    Attributes:
        name: the name of the condition.
        condition: the condition.
        reason: why no number of rows is enough, or none can be said beforehand; empty where one can.
        equal: rows at which an equal model passes, alone and as one of the budget: nine times in ten by the score test,
            or a model whose every row is the same, where a row may cost as much as the limit; None without a margin.
        limit: the most that a row may cost; None for a share of rows.
        tolerance: how closely the true share is known with the following; None for what is no share.
        hoeffding: rows for one model, and for the whole budget, whatever the models are.
        bennett: the same where two models disagree on few rows; None for a condition without a rival.
        disagreement: the share of rows on which they do, at least the margin, as a model that is worse by it does.
        at_hand: rows that there are; None where that is not known.
        is_measurement: whether it is measured of the model, and asks for no rows.
    """

    name: str
    condition: str
    is_measurement: bool
    reason: str = ""
    equal: tuple[int, int] | None = None
    limit: float | None = None
    tolerance: float | None = None
    hoeffding: tuple[int, int] | None = None
    bennett: tuple[int, int] | None = None
    disagreement: float | None = None
    at_hand: int | None


def rows_needed(named: NamedCondition, settings: GateSettings, at_hand: int | None) -> RowsNeeded:
    """Return the rows that a condition needs.

    Args:
        named: The condition.
        settings: Reliability, budget, tolerance, disagreement and what is declared of metrics.
        at_hand: The rows that there are; None where that is not known.
    """
    condition = settings.declared(named.condition)
    metric, room = condition.subject.definition, condition.offset if not condition.is_floor else -condition.offset
    is_measurement = condition.subject.is_measurement
    known = partial(
        RowsNeeded, name=named.name, condition=condition.text, at_hand=at_hand, is_measurement=is_measurement
    )
    if is_measurement:
        runs = f"{least_runs(settings.error)} runs of each model are the fewest that tell anything, in turns"
        return known(reason="the size is exact" if condition.subject.metric == "model_bytes" else runs)
    if condition.rival == TRAIN:
        return known(reason="the bound is known once the model is trained: plan with a number in its place")
    limit = condition.subject.most
    if reason := _hopeless(condition, room, limit):
        return known(reason=reason)
    margin = room if condition.is_relative else settings.tolerance
    if margin < _LEAST:
        return known(reason=f"no test set has the rows that a margin of {margin:g} takes")
    if metric.is_share:
        return _share(known, condition, room, settings)
    # An equal model differs in no row; the row more, which no row has shown yet, costs the limit.
    sizes = [math.ceil(math.log(it) / math.log1p(-room / limit)) for it in (settings.error, settings.shared_error)]
    return known(equal=(sizes[0], sizes[1]), limit=limit)


def _hopeless(condition: Condition, room: float, limit: float) -> str:
    """Return why no number of rows is enough, or why none can be said; empty where one can."""
    metric = condition.subject.definition
    if condition.factor == 1 and room <= 0:
        better = f" by more than {-room:g}" if room else ""
        return f"no number of rows passes a model that is only as good: it has to be better{better}"
    if condition.factor == 0 and metric.is_share and abs(room) in {0, 1}:
        return "no number of rows proves a share of all rows, or of none"
    if not metric.is_mean or (condition.factor != 1 and not (metric.is_share and condition.factor == 0)):
        return "there is no bound beforehand, and it is said afterwards whether it can be told"
    is_open = math.isinf(limit)
    return f"a row that was not seen yet may cost more: declare the most in `{metric.limit}`" if is_open else ""


def _share(known: partial[RowsNeeded], condition: Condition, room: float, settings: GateSettings) -> RowsNeeded:
    """Return the rows that a condition about a share of rows needs."""
    error, sides = settings.error, 2 if condition.is_relative else 1
    tolerance = room if condition.is_relative else settings.tolerance
    whole: dict[str, Any] = {"budget": settings.budget, "adaptive": settings.adaptive}
    large = [hoeffding(tolerance, error, variables=sides, **more) for more in ({}, whole)]
    needed = known(tolerance=tolerance, hoeffding=(large[0], large[1]))
    if not condition.is_relative:
        return needed
    share = max(settings.disagreement, tolerance)
    small = [bennett(tolerance, error, disagreement=share, **more) for more in ({}, whole)]
    equal = [score_rows(tolerance, it, disagreement=settings.disagreement) for it in (error, settings.shared_error)]
    return replace(needed, bennett=(small[0], small[1]), disagreement=share, equal=(equal[0], equal[1]))


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
    lines = [f"rows needed at reliability {settings.reliability:.4g}, for one model, and for each of {settings.budget}"]
    for rows in needed:
        named = f"{rows.name}: " if rows.name != rows.condition else ""
        lines += ["", named + rows.condition, *(f"  {line}" for line in _lines(rows, settings))]
    return text_of(lines)


def _lines(needed: RowsNeeded, settings: GateSettings) -> Iterator[str]:
    rows, how = needed.at_hand, ", each after the outcome of the last" if settings.adaptive else ""
    if needed.reason:
        yield needed.reason
    if needed.limit is not None and needed.equal is not None:
        yield f"to pass one whose rows are all the same, where a row may cost {needed.limit:g}: {_both(needed.equal)}"
        if rows:
            share = needed.limit * -math.expm1(math.log(settings.shared_error) / rows)
            yield f"what no row has shown yet takes {share:.2g} of the margin at {rows:,} rows"
    elif needed.equal is not None:
        disagree = f"if they disagree on {settings.disagreement:g} of the rows"
        yield f"to pass one that is as good, 9 times in 10, {disagree}: {_both(needed.equal)} (score test)"
    if needed.hoeffding is not None:
        yield f"to know it to within {needed.tolerance:g}, any models{how}: {_both(needed.hoeffding)} (Hoeffding)"
    if needed.bennett is not None:
        yield f"the same, if no two disagree on more than {needed.disagreement:g}: {_both(needed.bennett)} (Bennett)"
    if not needed.is_measurement:
        yield _enough(needed, settings.budget)


def _enough(needed: RowsNeeded, budget: int) -> str:
    """Return whether the rows that there are will do."""
    rows, enough = needed.at_hand, needed.equal or needed.hoeffding
    little = " whose rows differ little" if needed.limit is not None else ""
    if rows is None:
        return "how many there are is not known: run the stage that predicts, or say --rows"
    if enough is None:
        return f"there are {rows:,}: judged as it comes"
    if rows >= enough[1]:
        return f"there are {rows:,}: enough for each of {budget} models{little}"
    if rows >= enough[0]:
        return f"there are {rows:,}: enough for one model{little}, not for each of {budget}: lower `budget`"
    return f"there are {rows:,}: not enough: widen the margin, or judge on more rows, as by cross-fitting"


def _both(sizes: tuple[int, int]) -> str:
    """Return the rows for one model and for each of the budget."""
    return f"{sizes[0]:,} and {sizes[1]:,}"
