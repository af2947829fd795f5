"""The longest chain of work goes first, and the time left is no less than it."""

from hypothesis import given
from hypothesis import strategies as st

from headworks._run.queue import chains, expected, time_left


def test_a_chain_is_what_waits_one_after_the_other() -> None:
    """The longest of them, where several sessions wait for one."""
    needs = {"data": [], "train": ["data"], "check": ["train"], "look": ["data"], "lint": []}
    loads = {"data": 1.0, "train": 5.0, "check": 2.0, "look": 3.0}
    assert chains(needs, loads) == {"data": 8, "train": 7, "check": 2, "look": 3, "lint": 0}


def test_what_is_not_known_is_taken_to_be_as_the_others() -> None:
    """Or a second where nothing is."""
    assert expected({"a": 1, "b": 3, "c": None}) == {"a": 1, "b": 3, "c": 2}
    assert expected({"c": None}) == {"c": 1}


def test_the_time_left_is_that_of_the_longer_bound() -> None:
    """The longest chain, or all work shared out."""
    assert time_left({"a": [], "b": ["a"]}, {"a": 40, "b": 10}, 2) == 50
    assert time_left({"a": [], "b": [], "c": []}, {"a": 10, "b": 10, "c": 10}, 2) == 15
    assert time_left({}, {}, 2) == 0


@given(st.dictionaries(st.text(), st.floats(min_value=0, max_value=1e6), min_size=1), st.integers(1, 64))
def test_the_time_left_is_no_less_than_any_session(loads: dict[str, float], jobs: int) -> None:
    """And no more than all of them one after the other."""
    left = time_left({name: [] for name in loads}, loads, jobs)
    assert max(loads.values()) <= left <= sum(loads.values()) * (1 + 1e-9)
