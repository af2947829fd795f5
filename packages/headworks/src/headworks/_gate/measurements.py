"""Measurements of a model: a JSON object of names with a number each, or a list of numbers measured anew."""

from __future__ import annotations

import json
import math
import os
import reprlib
from collections.abc import Mapping
from statistics import fmean, variance

from scipy import special

from headworks._gate.result import Finding
from headworks._metrics.condition import LARGEST, Condition
from headworks._metrics.metrics import METRICS
from headworks._metrics.proportions import Interval
from headworks.errors import ConfigurationError, UsageError

SIZE = "model_bytes"  # which is measured here, of the model's file


def measurements_of(path: str, model: str) -> dict[str, tuple[float, ...]]:
    """Return the measurements in a file that conditions can name, and the size of a model.

    Args:
        path: The file; empty for none.
        model: The model's file; empty for none.

    Raises:
        UsageError: There is no such file.
        ConfigurationError: It is no JSON, or a measurement is no number from 0 to 1e30.
    """
    data = _read(path) if path else {}
    measured = {name: _numbers(path, name, data[name]) for name, it in METRICS.items() if not it.sums and name in data}
    if model and os.path.isfile(model):
        measured[SIZE] = (float(os.path.getsize(model)),)
    return measured


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


def _numbers(source: str, name: str, value: object) -> tuple[float, ...]:
    """Return one measurement or several, each checked."""
    values = value if isinstance(value, (list, tuple)) else [value]
    numbers = [it for it in values if isinstance(it, (int, float)) and not isinstance(it, bool)]
    if not numbers or len(numbers) < len(values) or not all(0 <= it <= LARGEST for it in numbers):
        wanted = f"a number, or a list of numbers, from 0 to {LARGEST:g}"
        message = f"{source}: {name} is {reprlib.repr(value)}; it has to be {wanted}."
        raise ConfigurationError(message)
    return tuple(map(float, numbers))


def judge_measurement(
    condition: Condition,
    candidate: Mapping[str, tuple[float, ...]],
    base: Mapping[str, tuple[float, ...]] | None,
    *,
    error: float,
) -> Finding:
    """Return the finding about a measurement, its outcome still open.

    One that was measured once on each side is taken at its word, as a file's size may be.

    Raises:
        ConfigurationError: It was not measured, or is no number from 0 to 1e30.

    Source:
        Welch, "The generalization of 'Student's' problem when several different population variances are involved",
        Biometrika 34 (1947) 28-35.
    """
    name = condition.subject.metric
    sides = [(1.0, _measured(name, candidate, "candidate"))]
    if condition.is_relative:
        sides.append((-condition.factor, _measured(name, base or {}, "base")))
    estimate = sum(factor * fmean(values) for factor, values in sides)
    gap = (estimate - condition.offset) * (1 if condition.is_floor else -1)
    squares = [(factor**2 * variance(it) / len(it), len(it) - 1) for factor, it in sides if len(it) > 1]
    total, half = sum(square for square, _ in squares), 0.0
    spread = math.sqrt(total)
    p_fails = 0.0 if gap < 0 else 1.0
    p_passes = 1 - p_fails
    if spread:
        freedom = 1 / sum((square / total) ** 2 / number for square, number in squares)
        p_fails = float(special.stdtr(freedom, gap / spread))
        p_passes = float(special.stdtr(freedom, -gap / spread))
        half = float(special.stdtrit(freedom, 1 - error)) * spread
    return Finding(
        subject=str(condition.subject),
        method="t" if spread else "measured",
        candidate=fmean(sides[0][1]),
        base=fmean(sides[1][1]) if condition.is_relative else None,
        estimate=estimate,
        bound=condition.offset,
        interval=Interval(low=estimate - half, high=estimate + half) if spread else None,
        p_passes=p_passes,
        p_fails=p_fails,
        rows=0,
    )


def _measured(name: str, values: Mapping[str, tuple[float, ...]], whose: str) -> tuple[float, ...]:
    if name not in values:
        message = f"{name} was not measured of the {whose}. Name a file with it in --{whose}-measurements."
        raise ConfigurationError(message)
    return _numbers(f"The measurements of the {whose}", name, values[name])
