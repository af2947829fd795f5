"""A planted fault turns the session red that is there for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Scratch


@pytest.fixture
def faulty(built: Scratch) -> Iterator[Scratch]:
    """Take the sources back after a fault; artifacts are ignored by git and stay."""
    yield built
    built.run("git", "checkout", "--quiet", "--", "packages/data", "packages/serving")


def test_a_class_that_is_gone_turns_dataset_red(faulty: Scratch) -> None:
    """The contract names every class, and says which one has no row."""
    faulty.replace(
        "packages/data/src/headgate_data/_build.py",
        "assign(ids, salt=settings.salt, shares=settings.shares)",
        "{name: rows_of[rows.labels[rows_of] != 3] for name, rows_of in "
        "assign(ids, salt=settings.salt, shares=settings.shares).items()}",
    )
    result = faulty.nox("dataset", check=False)
    assert result.red == {"dataset"}
    assert "classes have no row: 3" in result.output


def test_test_rows_in_train_turn_dataset_red(faulty: Scratch) -> None:
    """The contract finds content that is in two splits."""
    faulty.replace(
        "packages/data/src/headgate_data/_splits.py",
        "np.flatnonzero(chosen == number)",
        "np.flatnonzero((chosen == number) | ((number == 0) & (chosen == 2)))",
    )
    result = faulty.nox("dataset", check=False)
    assert result.red == {"dataset"}
    assert "leak: train and test: 360 x images are in both splits" in result.output


def test_near_duplicates_across_splits_turn_dataset_red(faulty: Scratch) -> None:
    """Copies that differ in the last bit of their pixels have other ids, and so often another split."""
    faulty.replace(
        "packages/data/src/headgate_data/_digits.py",
        "    classes = tuple(",
        "    images[900:950], digits.target[900:950] = images[:50] | 1, digits.target[:50]\n    classes = tuple(",
    )
    result = faulty.nox("dataset", check=False)
    assert result.red == {"dataset"}
    assert "near-duplicate: train and test: " in result.output
    assert "in 3 ways" in result.output


def test_scaled_pixels_in_serving_turn_serve_check_red(faulty: Scratch) -> None:
    """The server's predictions are held against the evaluation's."""
    faulty.nox("dataset")
    faulty.replace("packages/serving/src/headgate_serving/_model.py", "{INPUT: images}", "{INPUT: images // 16}")
    result = faulty.nox("--no-dependencies", "-s", "serve-check", check=False)
    assert result.red == {"serve-check"}
