"""Values are put on a scale of their own."""

from __future__ import annotations

import statistics

import example_features
import pytest
from example_features import errors, standardise
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.integers(-1000, 1000), min_size=2).filter(lambda values: len(set(values)) > 1))
def test_mean_is_zero_and_deviation_one(values: list[int]) -> None:
    """Whatever the unit was, it is gone."""
    scaled = standardise(values)
    assert statistics.fmean(scaled) == pytest.approx(0, abs=1e-9)
    assert statistics.pstdev(scaled) == pytest.approx(1)


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0]])
def test_values_that_are_all_equal_are_refused(values: list[float]) -> None:
    """The message says how many there are, and what to do."""
    with pytest.raises(errors.NoSpreadError, match=rf"^{len(values)} values .*leave this feature out"):
        standardise(values)


def test_public_names_are_the_documented_ones() -> None:
    """A name that is added or dropped is a decision."""
    assert example_features.__all__ == ["errors", "standardise"]
    assert set(errors.__all__) == {"FeaturesError", "NoSpreadError"}


def test_every_error_is_of_this_package_and_a_builtin() -> None:
    """A caller can catch either."""
    assert issubclass(errors.NoSpreadError, errors.FeaturesError)
    assert issubclass(errors.NoSpreadError, ValueError)
