"""Small datasets for the tests."""

from __future__ import annotations

import os

import numpy as np
import pytest
from headworks_data import SPLITS, Dataset, Split, content_ids
from hypothesis import settings

# How long one example takes says more about the machine than about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

_MEASURING = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep coverage out of the processes that a test starts, whose imports it slows."""
    for name in _MEASURING:
        monkeypatch.delenv(name)


@pytest.fixture
def measured(_unmeasured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the processes that a test starts, for lines that no test runs in its own."""
    for name, value in _MEASURING.items():
        monkeypatch.setenv(name, value)


def small_split(seed: int, num_rows: int, shape: tuple[int, int, int] = (4, 3, 1), num_classes: int = 2) -> Split:
    """Return a split of random images, the classes in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (num_rows, *shape), np.uint8)
    labels = np.arange(num_rows) % num_classes
    return Split(
        ids=content_ids(images),
        images=images,
        labels=labels,
        slices={"class": np.array([("cat", "dog")[it] for it in labels], dtype=np.str_)},
    )


@pytest.fixture
def small() -> Dataset:
    """Return a dataset of 16 grey images of two classes."""
    splits = {name: small_split(seed, rows) for seed, (name, rows) in enumerate(zip(SPLITS, (8, 4, 4), strict=True))}
    return Dataset(classes=("cat", "dog"), image_shape=(4, 3, 1), source="folder:pets", salt="s", splits=splits)
