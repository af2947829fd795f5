"""The split of a row is a function of its content and the salt."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from headgate_data import SPLITS, BuildSettings, Dataset, Rows, Shares, assign, content_ids, errors, split_rows
from hypothesis import given
from hypothesis import strategies as st

PIXELS = st.binary(min_size=6, max_size=6)
ROWS = st.lists(st.tuples(PIXELS, st.integers(0, 1)), min_size=1, max_size=20)


def built(rows: list[tuple[bytes, int]], salt: str) -> Dataset:
    """Split rows of six pixels and two classes."""
    images = np.frombuffer(b"".join(pixels for pixels, _ in rows), np.uint8).reshape(-1, 2, 3, 1)
    labels = np.array([label for _, label in rows], dtype=np.int64)
    return split_rows(Rows(images=images, labels=labels, classes=("a", "b")), BuildSettings(source="few", salt=salt))


def places(dataset: Dataset) -> dict[str, str]:
    """Return the split of each id."""
    return {row_id: name for name, split in dataset.splits.items() for row_id in split.ids.tolist()}


@given(ROWS, ROWS, st.text(max_size=5))
def test_adding_or_removing_rows_moves_no_other_row(
    some: list[tuple[bytes, int]], more: list[tuple[bytes, int]], salt: str
) -> None:
    """Whatever else is in the data, in whatever order and with whatever labels, a row stays where it is."""
    alone, together = built(some, salt), built(more + some, salt)
    assert places(alone).items() <= places(together).items()
    assert sum(len(split) for split in together.splits.values()) == len(some) + len(more)


@given(PIXELS, ROWS, st.text(max_size=5))
def test_one_image_is_in_one_split_whatever_its_label(
    pixels: bytes, others: list[tuple[bytes, int]], salt: str
) -> None:
    """Copies cannot leak between splits, and a wrong label cannot hide one."""
    dataset = built([(pixels, 0), *others, (pixels, 1), (pixels, 1)], salt)
    row_id = content_ids(np.frombuffer(pixels, np.uint8).reshape(1, 2, 3, 1))[0]
    found = [int((split.ids == row_id).sum()) for split in dataset.splits.values()]
    assert sorted(found)[:2] == [0, 0]
    assert sum(found) >= 3


def test_the_rank_of_a_row_is_pinned() -> None:
    """Anybody can compute it: SHA-256 of salt, line break and id, as a fraction of its range."""
    row_id = content_ids(np.zeros((1, 8, 8, 1), np.uint8))[0]
    rank = int(hashlib.sha256(f"salt\n{row_id}".encode()).hexdigest(), 16) / 2**256
    assert rank == pytest.approx(0.8218, abs=1e-4)
    chosen = assign(np.array([row_id]), salt="salt", shares=Shares())
    assert {name: rows.tolist() for name, rows in chosen.items()} == {"train": [], "validation": [], "test": [0]}


def test_another_salt_gives_other_splits() -> None:
    """The salt is part of the rank."""
    rows = [(number.to_bytes(6, "big"), number % 2) for number in range(50)]
    assert places(built(rows, "a")) != places(built(rows, "b"))


def test_shares_are_met_on_average() -> None:
    """With many rows each split gets its share, and so does each class."""
    rows = [(number.to_bytes(6, "big"), number % 2) for number in range(6000)]
    for name, split in built(rows, "a").splits.items():
        assert len(split) / len(rows) == pytest.approx(getattr(Shares(), name), abs=0.02)
        assert split.labels.mean() == pytest.approx(0.5, abs=0.05)


def test_other_shares_cut_elsewhere() -> None:
    """A row changes its split only where a border moves over it."""
    ids = np.array([f"{number:064x}" for number in range(200)])
    usual = assign(ids, salt="a", shares=Shares())
    more = assign(ids, salt="a", shares=Shares(train=0.7, validation=0.1, test=0.2))
    assert set(usual["train"]) < set(more["train"])
    assert set(usual["test"]) == set(more["test"])
    assert sorted(np.concatenate([more[name] for name in SPLITS])) == list(range(200))


@pytest.mark.parametrize(
    "shares",
    [{"train": 0.0, "test": 0.8}, {"train": 0.9}, {"test": -0.2, "train": 1.0}, {"train": float("nan")}],
)
def test_impossible_shares_are_refused(shares: dict[str, float]) -> None:
    """Shares are positive numbers and add up to 1."""
    with pytest.raises(errors.SettingsError, match="shares must be above 0 and add up to 1"):
        Shares(**shares)
