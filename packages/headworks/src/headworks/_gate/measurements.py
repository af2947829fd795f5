"""Measurements of a model: numbers, or the requests of several runs, as a JSON file has them."""

from __future__ import annotations

import json
import math
import os
import reprlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any

from scipy import special

from headworks._gate.result import Finding
from headworks._metrics.condition import BASE, LARGEST, Condition
from headworks._metrics.metrics import METRICS
from headworks._metrics.proportions import Interval
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from headworks._gate.result import Method

SIZE = "model_bytes"  # which is measured here, of the model's file
CANDIDATE = "candidate"
_PERCENTILES = {f"latency_p{percent}_ms": percent for percent in (50, 95, 99)}
_RATE = "requests_per_second"
_RUNS = "runs"


def measurements_of(path: str, model: str) -> dict[str, tuple[float, ...]]:
    """Return the measurements in a file that conditions can name, one for each run, and the size of a model.

    Args:
        path: The file; empty for none.
        model: The model's file; empty for none.

    Raises:
        UsageError: There is no such file.
        ConfigurationError: It is no JSON, a measurement is no number from 0 to 1e30, or runs of two models do not take
            turns.
    """
    data = _read(path) if path else {}
    measured = _numbers_of(path, data) | _of_runs(path, data, CANDIDATE)
    if model and os.path.isfile(model):
        measured[SIZE] = (float(os.path.getsize(model)),)
    return measured


def base_measurements_of(path: str, candidate: str) -> dict[str, tuple[float, ...]]:
    """Return the measurements of the base: in a file of its own, or in runs that took turns with the candidate's.

    Args:
        path: The file of the base; empty for none.
        candidate: The file of the candidate, with the runs of both; empty for none.

    Raises:
        UsageError: There is no such file.
        ConfigurationError: As for the candidate, or the base's own file has runs.
    """
    data = _read(path) if path else {}
    if _RUNS in data:
        message = (
            f"{path} has runs, which say nothing beside runs of another time. Give one file in which the runs of both"
            " models take turns, in --candidate-measurements alone."
        )
        raise ConfigurationError(message)
    return _numbers_of(path, data) | (_of_runs(candidate, _read(candidate), BASE) if candidate else {})


def models_of(path: str) -> dict[str, str]:
    """Return the SHA-256 of the models that the runs in a file are of, as far as it names them."""
    models = _read(path).get("models") if path else {}
    return models if isinstance(models, dict) else {}


def _read(path: str) -> dict[str, object]:
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}. Run the session that writes it, or name another file."
        raise UsageError(message) from None
    except (RecursionError, ValueError) as error:
        message = f"{path} is no valid JSON: {error}"
        raise ConfigurationError(message) from None
    if not isinstance(data, dict):
        message = f'{path} has to hold an object of measurements, as in {{"latency_p99_ms": 3.2}}.'
        raise ConfigurationError(message)
    return data


def _numbers_of(path: str, data: Mapping[str, object]) -> dict[str, tuple[float, ...]]:
    return {name: _numbers(path, name, data[name]) for name, it in METRICS.items() if not it.sums and name in data}


def _numbers(source: str, name: str, value: object, *, is_one: bool = False) -> tuple[float, ...]:
    """Return one measurement or several, each checked."""
    values = value if isinstance(value, (list, tuple)) and not is_one else [value]
    numbers = [it for it in values if isinstance(it, (int, float)) and not isinstance(it, bool)]
    if not numbers or len(numbers) < len(values) or not all(0 <= it <= LARGEST for it in numbers):
        wanted = f"a number{'' if is_one else ', or a list of numbers,'} from 0 to {LARGEST:g}"
        message = f"{source}: {name} is {reprlib.repr(value)}; it has to be {wanted}."
        raise ConfigurationError(message)
    return tuple(map(float, numbers))


def _of_runs(path: str, data: Mapping[str, object], whose: str) -> dict[str, tuple[float, ...]]:
    """Return what the runs of one side give: percentiles by nearest rank, and throughput.

    A percentile that takes more requests than the shortest run has is left out.
    """
    runs = data.get(_RUNS, [])
    listed: list[Any] = runs if isinstance(runs, list) else [None]
    models = [str(it.get("model")) if isinstance(it, dict) else "" for it in listed]
    pairs = [set(models[start : start + 2]) for start in range(0, len(models), 2)]
    if set(models) - {CANDIDATE, BASE} or (BASE in models and any(it != {CANDIDATE, BASE} for it in pairs)):
        message = (
            f"{path}: the runs have to be in the order of time, each with `model`, which is {CANDIDATE!r} or {BASE!r}."
            " Where there are both, they have to take turns, so that each two in a row are one of each."
        )
        raise ConfigurationError(message)
    mine = [it for it in listed if it["model"] == whose]
    times = [sorted(_numbers(path, "latencies_ms", it.get("latencies_ms"))) for it in mine]
    measured = {
        name: tuple(it[math.ceil(percent / 100 * len(it)) - 1] for it in times)
        for name, percent in _PERCENTILES.items()
        if times and min(map(len, times)) * (100 - percent) >= 100  # noqa: PLR2004  # a request above the percentile
    }
    if mine and all(_RATE in it for it in mine):
        measured[_RATE] = tuple(_numbers(path, _RATE, it[_RATE], is_one=True)[0] for it in mine)
    return measured


def judge_measurement(
    condition: Condition,
    candidate: Mapping[str, tuple[float, ...]],
    base: Mapping[str, tuple[float, ...]] | None,
    *,
    error: float,
    is_same: bool = False,
) -> Finding:
    """Return the finding about a measurement, its outcome still open.

    The size of a file is what it is. Everything else is different in each run, and a condition is about the median over
    all runs of that machine, as they could be: of the runs that were measured, enough have to reach the bound. The runs
    of two models are paired, the first with the first. Each may lie anywhere that is rounded to the number.

    Args:
        condition: The condition.
        candidate: Measurements of the candidate by name.
        base: Those of the base; needed where the condition is relative.
        error: How often the finding may be wrong.
        is_same: Whether both are the same model, so that no relative condition is left to chance.

    Raises:
        ConfigurationError: It was not measured, not as often of both models, or is no number from 0 to 1e30.

    Source:
        Dixon and Mood, "The statistical sign test", Journal of the American Statistical Association 41 (1946) 557-566.
        It asks nothing of how runs are distributed but that one pair does not depend on another.
    """
    name = condition.subject.metric
    mine = _measured(name, candidate, CANDIDATE)
    theirs = (
        mine
        if is_same
        else _measured(name, base or {}, condition.rival)
        if condition.is_relative
        else (0.0,) * len(mine)
    )
    if len(mine) != len(theirs):
        message = (
            f"{name} was measured {len(mine):,} times of the candidate and {len(theirs):,} times of the"
            f" {condition.rival}. Measure both in turns on the same machine, one as often as the other."
        )
        raise ConfigurationError(message)
    gaps = sorted(one - condition.factor * other for one, other in zip(mine, theirs, strict=True))
    number, bound, estimate = len(gaps), condition.offset, median(gaps)
    is_identical = is_same and condition.is_relative
    interval = None
    if is_identical or (name == SIZE and number == 1):
        method: Method = "identical" if is_identical else "measured"
        above, below = float(estimate < bound), float(estimate > bound)
        if estimate == bound:  # which meets the condition
            above, below = (0.0, 1.0) if condition.is_floor else (1.0, 0.0)
    else:
        method, slack = "runs", _resolution([*mine, *theirs]) * (1 + condition.factor) / 2
        above, below = (
            float(special.bdtr(number - sum(sign * (it - bound) > slack for it in gaps), number, 0.5))
            for sign in (1, -1)
        )
        beyond = sum(float(special.bdtr(it, number, 0.5)) <= error for it in range(number))
        if beyond:  # so many runs may lie at the other side of the median
            interval = Interval(low=gaps[beyond - 1] - slack, high=gaps[-beyond] + slack)
    return Finding(
        subject=str(condition.subject),
        method=method,
        candidate=median(mine),
        base=median(theirs) if condition.is_relative else None,
        estimate=estimate,
        bound=bound,
        interval=interval,
        p_passes=above if condition.is_floor else below,
        p_fails=below if condition.is_floor else above,
        rows=0,
        runs=number if method == "runs" else 0,
    )


def _resolution(values: Sequence[float]) -> float:
    """Return the unit of the last decimal that any of some numbers has, to which all of them may be rounded."""
    exponents = (int(Decimal(repr(it)).normalize().as_tuple().exponent) for it in values if it)
    return 10.0 ** min(exponents, default=0)


def _measured(name: str, values: Mapping[str, tuple[float, ...]], whose: str) -> tuple[float, ...]:
    if name not in values:
        needed = f" in runs of {100 // (100 - _PERCENTILES[name])} requests or more" if name in _PERCENTILES else ""
        message = f"{name} was not measured of the {whose}{needed}. Name a file with it in --{whose}-measurements, or"
        message += " as `measurements` in the table one with runs, in which both models take turns."
        raise ConfigurationError(message)
    return _numbers(f"The measurements of the {whose}", name, values[name])
