"""The statistics of the gate give published figures, and err no more often than they say."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headworks._metrics.proportions import (
    exact_interval,
    holm,
    mcnemar,
    p_above,
    score,
    score_interval,
    share_p_above,
)
from headworks._metrics.sizes import bennett, hoeffding, score_rows

ERROR = 0.01


@pytest.mark.parametrize(
    ("wins", "losses", "rows", "error", "low", "high"),
    [
        # Airway hyper-responsiveness (Bentur et al. 2009) in Fagerland, Lydersen and Laake, Statistics in Medicine 33
        # (2014) 2850-2875, table IV.
        (1, 7, 21, 0.025, -0.517, -0.026),
        # scoreci.mp(25, 28, 618, 0.90) of the R package PropCIs.
        (28, 25, 618, 0.05, -0.0148, 0.0247),
    ],
)
def test_the_score_interval_is_the_published_one(
    wins: int, losses: int, rows: int, error: float, low: float, high: float
) -> None:
    """Examples from a paper and from another implementation, as far as those print them."""
    interval = score_interval(wins, losses, rows, error)
    digits = len(str(low).partition(".")[2])
    assert round(interval.low, digits) == low
    assert round(interval.high, digits) == high


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200))
@settings(max_examples=60)
def test_the_score_interval_holds_what_its_test_does_not_reject(wins: int, losses: int, same: int) -> None:
    """At each end the score is as large as the normal distribution allows; swapping the models mirrors it."""
    rows = wins + losses + same + 1
    interval = score_interval(wins, losses, rows, ERROR)
    mirrored = score_interval(losses, wins, rows, ERROR)
    bound = stats.norm.isf(ERROR)
    assert -1 <= interval.low <= (wins - losses) / rows <= interval.high <= 1
    assert interval.low == pytest.approx(-mirrored.high, abs=1e-9)
    assert score(wins, losses, rows, interval.low) == pytest.approx(bound, abs=1e-4)
    assert score(wins, losses, rows, interval.high) == pytest.approx(-bound, abs=1e-4)


def test_the_interval_stays_in_range_where_one_model_has_every_row_right_and_the_other_none() -> None:
    """No row is agreed on: the interval reaches the end of the range, and the tests are sure."""
    assert score_interval(40, 0, 40, ERROR).high == pytest.approx(1)
    assert score_interval(0, 40, 40, ERROR).low == pytest.approx(-1)
    assert p_above(40, 0, 40, -0.03) < 1e-9
    assert p_above(0, 40, 40, -0.03) == 1


@functools.cache
def chance(wins: int, losses: int, rows: int, difference: float) -> float:
    """Return `p_above`, once for all chances of a loss."""
    return p_above(wins, losses, rows, difference)


@pytest.mark.parametrize(("rows", "margin"), [(60, 0.05), (360, 0.01)])
@pytest.mark.parametrize("loss", [0.0, 0.004, 0.02])
def test_a_model_at_the_margin_is_decided_about_no_more_often_than_stated(
    rows: int, margin: float, loss: float
) -> None:
    """Over all counts there can be, with their probabilities: neither passes nor fails come up more often."""
    most = 40
    wins, losses = np.meshgrid(np.arange(most), np.arange(most), indexing="ij")
    is_possible = wins + losses <= rows
    wins, losses = wins[is_possible], losses[is_possible]
    weight = stats.binom.pmf(wins, rows, loss) * stats.binom.pmf(losses, rows - wins, (loss + margin) / (1 - loss))
    is_likely = weight > 1e-4
    passes = fails = 0.0
    for win, lose, it in zip(wins[is_likely], losses[is_likely], weight[is_likely], strict=True):
        passes += it * (chance(int(win), int(lose), rows, -margin) <= ERROR)
        fails += it * (chance(int(lose), int(win), rows, margin) <= ERROR)
    assert passes <= ERROR
    assert fails <= ERROR


def test_a_single_p_value_is_never_below_that_of_the_interval() -> None:
    """So that no outcome contradicts the interval beside it."""
    for wins, losses in [(0, 0), (2, 3), (10, 4), (4, 30)]:
        low = score_interval(wins, losses, 360, ERROR).low
        if p_above(wins, losses, 360, -0.03) <= ERROR:
            assert low >= -0.03
    assert p_above(0, 0, 360, -0.03) <= ERROR < p_above(0, 0, 100, -0.03)


def test_mcnemars_test_is_the_binomial_one() -> None:
    """The exact test of Bentur's table, as published in the same paper (table III)."""
    assert round(mcnemar(1, 7), 4) == 0.0703
    assert mcnemar(1, 7) == pytest.approx(stats.binomtest(1, 8).pvalue)
    assert mcnemar(3, 3) == 1
    assert mcnemar(0, 0) == 1


@given(st.integers(0, 50), st.integers(0, 50))
@settings(max_examples=40)
def test_the_exact_interval_is_that_of_clopper_and_pearson(hits: int, misses: int) -> None:
    """As SciPy has it, and with the p-values that belong to it."""
    rows = hits + misses + 1
    interval = exact_interval(hits, rows, ERROR)
    known = stats.binomtest(hits, rows).proportion_ci(1 - 2 * ERROR, method="exact")
    assert (interval.low, interval.high) == pytest.approx((known.low, known.high))
    if hits:
        assert share_p_above(hits, rows, interval.low) == pytest.approx(ERROR)
    assert share_p_above(hits, rows, 1.5) == 1
    assert share_p_above(hits, rows, -0.5) == (0 if hits else 1)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_rejects_what_his_procedure_rejects(values: list[float]) -> None:
    """From the smallest on, each p-value is compared with its own share of the error, until one is too large."""
    rejected = set()
    for rank, index in enumerate(sorted(range(len(values)), key=lambda it: values[it])):
        if values[index] * (len(values) - rank) > 0.05:
            break
        rejected.add(index)
    assert {index for index, it in enumerate(holm(values)) if it <= 0.05} == rejected


def test_the_sizes_are_those_of_the_paper() -> None:
    """`n - o > 0.1 +/- 0.1` by Hoeffding, and a tolerance of one point by Bennett, as the paper prints them."""
    assert hoeffding(0.1, 0.01, budget=32, adaptive=True) == 5496
    assert bennett(0.01, 1e-4, disagreement=0.1) == 21_889
    assert bennett(0.01, 1e-4, disagreement=0.1, budget=32) == 29_048
    assert bennett(0.01, 1e-4, disagreement=0.1, budget=32, adaptive=True) == 67_706


@pytest.mark.parametrize("disagreement", [0.005, 0.02, 0.1])
def test_the_rows_for_the_score_test_pass_an_equal_model_nine_times_in_ten(disagreement: float) -> None:
    """Simulated, since the formula is an approximation."""
    rows = score_rows(0.03, ERROR, disagreement=disagreement)
    counts = np.random.default_rng(0).multinomial(rows, [disagreement / 2, disagreement / 2, 1 - disagreement], 2000)
    bound = stats.norm.isf(ERROR)
    passed = np.mean([score(wins, losses, rows, -0.03) > bound for wins, losses, _ in counts])
    assert 0.85 < passed < 0.97


def test_the_smallest_test_set_that_can_pass_anything() -> None:
    """Where no row is discordant, only rows count: none fewer can settle the margin."""
    rows = score_rows(0.03, ERROR, disagreement=0)
    assert rows == math.ceil(stats.norm.isf(ERROR) ** 2 * 0.97 / 0.03)
    assert score_interval(0, 0, rows, ERROR).low >= -0.03 > score_interval(0, 0, rows - 1, ERROR).low
