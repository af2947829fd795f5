"""Small datasets for the tests."""

from __future__ import annotations

import numpy as np
import pytest
from headworks_data import SPLITS, Dataset, Split, content_ids


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
