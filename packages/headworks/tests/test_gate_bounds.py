"""The gate errs no more often than it says, also where few rows differ, or none that were seen."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from headworks._gate.judge import judge
from headworks._metrics.bootstrap import located
from headworks._metrics.condition import Condition, parse_condition
from headworks._metrics.means import Mean, tail
from headworks._metrics.predictions import Predictions
from headworks._metrics.proportions import exact_interval
from headworks._metrics.rows import row_sums
from headworks._project.gate_table import gate_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Pair = tuple[Predictions, Predictions]

ERROR = 0.01
DRAWS = 500
PAIRS = 60  # for each case
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


def blundering(generator: np.random.Generator, share: float) -> Pair:
    """Return models that are equal to the last bit, but for rows of which the candidate is sure and wrong."""
    sure, is_wrong = generator.uniform(0.9, 0.999, ROWS), generator.random(ROWS) < share
    both = np.ones(ROWS, np.bool_)
    return predictions(~is_wrong, np.where(is_wrong, 1.0, sure)), predictions(both, sure)


def seldom_wrong(generator: np.random.Generator) -> Pair:
    """Return models of which the candidate has one row in 300 wrong that the base has right."""
    wrong, sure = generator.random(ROWS), generator.uniform(0.9, 0.999, ROWS)
    return predictions(wrong > 0.02 + 1 / 300, sure), predictions(wrong > 0.02, sure)


def rarely_right(generator: np.random.Generator) -> Pair:
    """Return labels alone of models that differ in a class of 1% of the rows, of which the candidate has half wrong."""
    labels = (generator.random(ROWS) < 0.01).astype(int)
    sides = [np.where(generator.random(ROWS) < it, 0, labels) for it in (0.5, 0)]
    sure = np.full(ROWS, 0.9)
    read = [replace(predictions(labels == it, sure), probabilities=None, confidence=None) for it in sides]
    one, other = (
        replace(it, labels=labels.astype(np.str_), predicted=side.astype(np.str_)[None])
        for it, side in zip(read, sides, strict=True)
    )
    return one, other


def misranked(generator: np.random.Generator, sunk: float, raised: float) -> Pair:
    """Return models of two classes, of which the candidate ranks some rows of a class of 10% last, or others first."""
    labels, place = (generator.random(ROWS) < 0.1).astype(int), generator.random(ROWS)
    base = np.clip(generator.normal(0.2 + 0.6 * labels, 0.1), 0.01, 0.99)
    candidate = np.where(place < np.where(labels == 1, sunk, raised), 1 - labels, base)
    sides = [replace(predictions(labels == (it > 0.5), it), labels=labels.astype(np.str_)) for it in (candidate, base)]
    probabilities = [np.stack([1 - it, it], axis=1)[None] for it in (candidate, base)]
    one, other = (replace(it, probabilities=said) for it, said in zip(sides, probabilities, strict=True))
    return one, other


def far_off(generator: np.random.Generator) -> Pair:
    """Return regressions of which the candidate is off by 200 once in 200 rows."""
    errors = generator.normal(size=ROWS)
    sides = [np.where(generator.random(ROWS) < it, 200.0, errors) for it in (0.005, 0)]
    right, sure = np.ones(ROWS, np.bool_), np.full(ROWS, 0.9)
    fields: dict[str, Any] = {"predicted": np.empty((1, 0), np.str_), "probabilities": None, "confidence": None}
    fields["labels"] = generator.normal(0, 20, ROWS).astype(np.str_)
    one, other = (replace(predictions(right, sure), errors=it[None], **fields) for it in sides)
    return one, other


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


DECLARED = gate_settings({"log-loss-clip": 10, "error-bound": 220, "classes": ["0", "1"]})


@pytest.mark.parametrize(
    ("name", "models", "rows", "error", "size"),
    [
        ("macro_f1", rarely_right, 100, 0.05, 1),
        ("macro_f1", rarely_right, 360, 0.01, 1),
        ("macro_f1", seldom_wrong, 360, 0.01, 1),
        ('precision["0"]', rarely_right, 360, 0.01, 1),
        ('f1["1"]', rarely_right, 360, 0.01, 1),
        ("log_loss", partial(blundering, share=0.003), 360, 0.01, 1),
        ("log_loss", partial(blundering, share=0.0005), 1797, 0.01, 1),
        ("brier", partial(blundering, share=0.02), 100, 0.01, 1),
        ("brier", partial(blundering, share=0.005), 360, 0.01, 1),
        ("mae", far_off, 360, 0.01, 1),
        ("rmse", far_off, 360, 0.01, 1),
        ("r2", far_off, 360, 0.01, 1),
        ('roc_auc["1"]', partial(misranked, sunk=0.05, raised=0), 360, 0.01, 1),
        ('roc_auc["1"]', partial(misranked, sunk=0, raised=0.01), 360, 0.01, 1),
        ('average_precision["1"]', partial(misranked, sunk=0.05, raised=0), 360, 0.01, 1),
        ('average_precision["1"]', partial(misranked, sunk=0, raised=0.005), 360, 0.01, 1),
        ("ece", less_sure, 360, 0.01, 1),
        ("accuracy", together, 360, 0.01, 20),
    ],
)
def test_a_model_that_is_just_too_bad_hardly_ever_passes(
    name: str, models: Callable[[np.random.Generator], Pair], rows: int, error: float, size: int
) -> None:
    """Each of these would pass 5 to 60% of the models that are as bad as the bound, if what was seen were all."""
    generator = np.random.default_rng(7)
    pair = models(generator)
    parsed = DECLARED.declared(parse_condition(f"{name} >= base.{name}"))
    offset = whole(parsed, pair)
    condition = Condition(**dict(vars(parsed)) | {"offset": offset, "is_floor": offset < 0})
    outcomes, pairs = [], PAIRS // 3 if name in {"ece", "r2", "rmse"} else PAIRS  # which draw every row
    for _ in range(pairs):
        first = generator.integers(ROWS // size, size=rows // size)[:, None] * size
        candidate, base = (it.take((first + np.arange(size)).reshape(-1)) for it in pair)
        outcomes += [it.outcome for it in judge(condition, candidate, base, error=error, draws=DRAWS)]
    # Where each is wrong as often as stated, so many come up once in a thousand times.
    assert outcomes.count("passes") <= stats.binom.isf(1e-3, pairs, error)
    assert outcomes.count("fails") <= stats.binom.isf(1e-3, pairs, error)


@pytest.mark.parametrize(
    "condition",
    [
        *("macro_f1 >= base.macro_f1 - 0.03", 'f1["1"] >= base.f1["1"] - 0.03'),
        *('precision["1"] >= base.precision["1"] - 0.03', "log_loss <= base.log_loss + 0.1"),
        *("brier <= base.brier + 0.03", "ece <= base.ece + 0.03"),
        *('roc_auc["1"] >= base.roc_auc["1"] - 0.03', 'average_precision["1"] >= base.average_precision["1"] - 0.05'),
    ],
)
def test_an_equal_model_passes_on_1797_rows(condition: str) -> None:
    """One that was trained from another seed: it says most classes as sure, and has other rows wrong."""
    generator = np.random.default_rng(3)
    wrong, passes = generator.random((2, ROWS)) < 0.005, 0
    both, labels = generator.random(ROWS) < 0.02, generator.integers(2, size=ROWS)
    logits = generator.normal(5, 2, ROWS) + generator.normal(0, 0.3, (2, ROWS))
    sides = []
    for mine, logit in zip(wrong, logits, strict=True):
        predicted = np.where(mine | both, 1 - labels, labels)
        sure = 1 / (1 + np.exp(-np.where(mine | both, 1.0, np.maximum(logit, 0.1))))
        first = np.where(predicted == 0, sure, 1 - sure)
        fields: dict[str, Any] = {"probabilities": np.stack([first, 1 - first], axis=1)[None]}
        fields |= {"labels": labels.astype(np.str_), "predicted": predicted.astype(np.str_)[None]}
        sides.append(replace(predictions(~mine, sure), **fields))
    tries = 3 if condition.startswith(("roc_auc", "average")) else 10  # those take long
    for _ in range(tries):
        rows = generator.integers(ROWS, size=1797)
        candidate, base = (it.take(rows) for it in sides)
        parsed = DECLARED.declared(parse_condition(condition))
        passes += judge(parsed, candidate, base, error=ERROR, draws=DRAWS)[0].outcome == "passes"
    assert passes >= tries - 1


@pytest.mark.parametrize(("wrong", "rows"), [(0, 40), (3, 100), (40, 60), (60, 60)])
def test_the_bound_of_a_share_is_the_exact_one(wrong: int, rows: int) -> None:
    """As its source says: with one row more, the bound of a mean of two values is that of Clopper and Pearson."""
    interval = Mean((np.arange(rows) >= wrong).astype(float), low=0, high=1).interval(ERROR)
    exact = exact_interval(rows - wrong, rows, ERROR)
    assert interval.low == pytest.approx(exact.low, abs=0.0005)
    assert interval.high == pytest.approx(exact.high, abs=0.0005)


def test_the_chance_of_a_weighted_sum_is_that_of_draws() -> None:
    """Of many parts and of few, some of them large; where all are on one side there is none."""
    generator = np.random.default_rng(0)
    for parts in (generator.normal(-0.03, 0.3, 200), generator.pareto(3, 20) - 0.6, np.array([-1.0, -1.0, 3.0, 0.0])):
        drawn = (generator.standard_exponential((200_000, len(parts))) @ parts >= 0).mean()
        assert tail(parts) == pytest.approx(drawn, rel=0.02)
    assert tail(np.array([-1.0, 1.0])) == pytest.approx(0.5, abs=1e-3)
    assert (tail(np.array([1.0, 0.0])), tail(np.array([-1.0, 0.0]))) == (1, 0)


@pytest.mark.parametrize("number", [2, 5, 20])
def test_the_chance_of_a_weighted_sum_is_close_to_the_exact_one(number: int) -> None:
    """From 3% below it to 20% above it, for parts of many sizes."""
    generator = np.random.default_rng(0)
    for _ in range(100):
        sizes = 10 ** generator.uniform(0, 4, number)
        parts = np.unique((sizes * 1e6 * generator.choice([-1, 1], number)).astype(np.int64)).tolist()
        shares = [math.prod(Fraction(one, one - other) for other in parts if other != one) for one in parts if one > 0]
        exact = float(sum(shares))
        assert 0.96 * exact <= tail(np.array(parts, float)) <= 1.2 * exact


def test_a_bound_on_tiny_differences_is_that_of_what_was_not_seen() -> None:
    """A copy in half precision passes: a row that costs 10 is no more frequent than 4.6 of those that were seen."""
    sure = np.random.default_rng(0).uniform(0.9, 0.999, 1797)
    right = np.ones(1797, np.bool_)
    condition = DECLARED.declared(parse_condition("log_loss <= base.log_loss + 0.1"))
    copy = predictions(right, sure.astype(np.float16).astype(float))
    (found,) = judge(condition, copy, predictions(right, sure), error=ERROR, draws=DRAWS)
    assert found.outcome == "passes"
    assert found.interval is not None
    assert found.interval.high == pytest.approx(10 * -np.log(ERROR) / 1797, rel=0.03)


@pytest.mark.parametrize("name", ["macro_f1", 'f1["0"]', "log_loss", "brier"])
def test_two_models_without_a_mistake_are_not_known_to_be_alike_by_forty_rows(name: str) -> None:
    """They say the same classes with other probabilities; that neither was wrong yet says little at forty rows."""
    right = np.ones(40, np.bool_)
    pair = predictions(right, np.full(40, 0.95)), predictions(right, np.full(40, 0.96))
    margin = "- 0.03" if "f1" in name else "+ 0.03"
    condition = DECLARED.declared(parse_condition(f"{name} {'>' if 'f1' in name else '<'}= base.{name} {margin}"))
    (drawn,) = located(condition, *pair, error=ERROR, draws=DRAWS)
    assert min(drawn.p_above, drawn.p_below) > ERROR
    assert drawn.interval.low <= 0 <= drawn.interval.high


def test_a_class_without_a_row_leaves_macro_f1_open() -> None:
    """The probabilities name it, or the table does; where neither does, it is not known which classes there are."""
    right = np.ones(2000, np.bool_)
    read = predictions(right, np.full(2000, 0.9))
    bare = replace(read, probabilities=None, confidence=None, classes=("0",))
    condition = parse_condition("macro_f1 >= base.macro_f1 - 0.03")
    for one, declared, words in (
        (read, (), "no row is of class 1: judge by rows of every class"),
        (bare, ("0", "1"), "no row is of class 1: judge by rows of every class"),
        (bare, (), "a class may have no row yet: name all that there are in `classes` of the table"),
        (read, ("0",), "`classes` in the table does not name class 1: name all that there are"),
        (bare, ("0",), ""),
    ):
        asked = gate_settings({"classes": [*declared]}).declared(condition)
        (found,) = judge(asked, one, one, error=ERROR, draws=DRAWS)
        assert found.reason == words
        assert found.outcome == ("cannot tell" if words else "passes")
