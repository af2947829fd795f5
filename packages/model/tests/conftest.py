"""The digits, and a network that is trained on them once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from headgate_data import SPLITS, BuildSettings, Dataset, Split, content_ids, read_source, split_rows
from headgate_model import TrainConfig, Trained, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUICK = TrainConfig(epochs=8, width=16, batch_size=64)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """Return the committed dataset."""
    return split_rows(read_source("digits"), BuildSettings(salt="b"))


@pytest.fixture(scope="session")
def trained(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Return a network after a few epochs."""
    return train(digits, tmp_path_factory.mktemp("trained") / "out", config=QUICK)


def stripes(num_rows: int, seed: int) -> Split:
    """Return images of two classes, bright at the top or at the bottom."""
    labels = np.arange(num_rows, dtype=np.int64) % 2
    images = np.random.default_rng(seed).integers(0, 100, (num_rows, 6, 5, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 3] += 100
    names = np.array(["top", "bottom"])[labels]
    return Split(ids=content_ids(images), images=images, labels=labels, slices={"class": names})


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """Return a dataset that is learnt in no time."""
    splits = {name: stripes(rows, seed) for seed, (name, rows) in enumerate(zip(SPLITS, (40, 16, 16), strict=True))}
    return Dataset(classes=("top", "bottom"), image_shape=(6, 5, 1), source="tiny", salt="", splits=splits)


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts the command line in a process of its own, given arguments and variables."""

    def run(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        # Measuring the coverage of these would take longer than they do, and see nothing that is not seen elsewhere.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
        command = [sys.executable, "-m", "headgate_model", *arguments]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean | variables)

    return run


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder for results."""
    return tmp_path / "out"
