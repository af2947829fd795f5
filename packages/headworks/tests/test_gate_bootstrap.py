"""The bootstrap errs no more often than it says, also where few rows differ, or none that were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headworks._metrics.bootstrap import bootstrap
from headworks._metrics.condition import Condition, parse_condition
from headworks._metrics.predictions import Predictions
from headworks._metrics.proportions import exact_interval
from headworks._metrics.rows import row_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Pair = tuple[Predictions, Predictions]

ERROR = 0.01
DRAWS = 500
ROWS = 60_000  # that samples are drawn from


def predictions(
    right: NDArray[np.bool_], confidence: NDArray[np.float64], groups: NDArray[np.str_] | None = None
) -> Predictions:
    """Return what a model of two classes says about rows whose class is 0, some of which it has right."""
    predicted = np.where(right, "0", "1")
    first = np.where(right, confidence, 1 - confidence)
    fields: dict[str, Any] = {"labels": np.full(len(right), "0"), "predicted": predicted[None], "classes": ("0", "1")}
    fields |= {"probabilities": np.stack([first, 1 - first], axis=1)[None], "confidence": confidence[None]}
    ids = np.arange(len(right)).astype(np.str_)
    return Predictions(source="x", ids=ids, errors=None, slices={}, groups=groups, seeds=("",), **fields)


def whole(condition: Condition, pair: Pair) -> float:
    """Return the difference of two models over all rows that samples are drawn from."""
    values = [row_sums(condition.subject, it, 0)(np.ones((1, ROWS)))[0] for it in pair]
    return float(values[0] - values[1])


def seldom_wrong(generator: np.random.Generator) -> Pair:
    """Return models of which the candidate has one row in 300 wrong that the base has right."""
    wrong, sure = generator.random(ROWS), generator.uniform(0.9, 0.999, ROWS)
    return predictions(wrong > 0.02 + 1 / 300, sure), predictions(wrong > 0.02, sure)


def less_sure(generator: np.random.Generator) -> Pair:
    """Return models that say the same, the candidate with less confidence than it is right to have."""
    logits = generator.normal(5, 2, ROWS)
    right = generator.random(ROWS) > 0.02
    sides = [1 / (1 + np.exp(-np.maximum(it * logits, 0.1))) for it in (0.7, 1)]
    one, other = (predictions(right, it) for it in sides)
    return one, other


def together(generator: np.random.Generator) -> Pair:
    """Return models of which the candidate has whole groups of 20 rows wrong, one in 30."""
    wrong = np.repeat(generator.random(ROWS // 20) < 1 / 30, 20)
    groups = np.repeat(np.arange(ROWS // 20), 20).astype(np.str_)
    sure = np.full(ROWS, 0.9)
    both = generator.random(ROWS) > 0.02
    return predictions(both & ~wrong, sure, groups), predictions(both, sure, groups)


@pytest.mark.parametrize(
    ("name", "models", "size"),
    [("log_loss", seldom_wrong, 1), ("macro_f1", seldom_wrong, 1), ("ece", less_sure, 1), ("accuracy", together, 20)],
)
def test_a_model_that_is_just_too_bad_hardly_ever_passes(
    name: str, models: Callable[[np.random.Generator], Pair], size: int
) -> None:
    """Each of these lets percentiles alone pass 5 to 30% of the models that are as bad as the bound."""
    generator = np.random.default_rng(7)
    pair = models(generator)
    parsed = parse_condition(f"{name} >= base.{name}")
    condition = Condition(**dict(vars(parsed)) | {"offset": whole(parsed, pair)})
    passes = 0
    for _ in range(100):
        first = generator.integers(ROWS // size, size=360 // size)[:, None] * size
        candidate, base = (it.take((first + np.arange(size)).reshape(-1)) for it in pair)
        drawn = bootstrap(condition, candidate, base, error=ERROR, draws=DRAWS)
        passes += (drawn.p_above if name in {"macro_f1", "accuracy"} else drawn.p_below) <= ERROR
    assert passes <= 4  # five or more of a hundred come up once in 300 times where one in a hundred is wrong


@pytest.mark.parametrize(("wrong", "rows"), [(0, 40), (3, 100), (40, 60), (60, 60)])
def test_the_bound_of_a_share_is_the_exact_one(wrong: int, rows: int) -> None:
    """As its source says: with one row more, the bound of a mean of two values is that of Clopper and Pearson."""
    read = predictions(np.arange(rows) >= wrong, np.full(rows, 0.9))
    drawn = bootstrap(parse_condition("accuracy >= 0.5"), read, None, error=ERROR, draws=40_000)
    exact = exact_interval(rows - wrong, rows, ERROR)
    assert drawn.interval.low == pytest.approx(exact.low, abs=0.005)
    assert drawn.interval.high == pytest.approx(exact.high, abs=0.005)


@pytest.mark.parametrize("name", ["macro_f1", 'f1["0"]', "log_loss", "brier"])
def test_two_models_without_a_mistake_are_not_known_to_be_alike_by_forty_rows(name: str) -> None:
    """They say the same classes with other probabilities; that neither was wrong yet says little at forty rows."""
    right = np.ones(40, np.bool_)
    pair = predictions(right, np.full(40, 0.95)), predictions(right, np.full(40, 0.96))
    margin = "- 0.03" if "f1" in name else "+ 0.03"
    condition = parse_condition(f"{name} {'>' if 'f1' in name else '<'}= base.{name} {margin}")
    drawn = bootstrap(condition, *pair, error=ERROR, draws=DRAWS)
    assert min(drawn.p_above, drawn.p_below) > ERROR
    assert drawn.interval.low <= 0 <= drawn.interval.high
