"""The digits, and a network that is trained on them once."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from headworks_data import SPLITS, BuildSettings, Dataset, Split, content_ids, read_source, split_rows, write
from headworks_model import TrainConfig, Trained, train
from headworks_model import _metrics as metrics_module
from headworks_model._cli import main
from headworks_model._workers import context
from hypothesis import settings
from torch.onnx._internal.exporter._registration import ONNXRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# How long one example takes says more about the machine than about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

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


class Command:
    """The command line in a process of its own."""

    def __init__(self, arguments: tuple[str, ...], variables: dict[str, str]) -> None:
        """Start it with arguments and environment variables."""
        server = context()
        reader, writer = server.Pipe(duplex=False)
        given = {"arguments": arguments, "variables": variables, "stderr": writer}
        self.process = server.Process(target=exec, args=(CODE, given))
        self.process.start()
        writer.close()
        self.stderr = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()

    def wait_for(self, text: str) -> None:
        """Read what it writes to standard error up to a line with a text."""
        while text not in self.stderr.readline():
            assert self.process.is_alive()

    def end(self) -> tuple[int | None, str]:
        """Wait until it is over, and return its exit code and the rest of what it wrote to standard error."""
        with self.stderr:
            rest = self.stderr.read()
        self.process.join()
        return self.process.exitcode, rest


CODE = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, [])
signal.signal(signal.SIGINT, signal.default_int_handler)
os.dup2(stderr.fileno(), 2)
os.environ.update(variables)
from headworks_model._cli import main
sys.exit(main(arguments))
"""


@pytest.fixture(scope="session")
def start() -> Callable[..., Command]:
    """Return a function that starts the command line in a process of its own, given arguments and variables.

    All come from the one process that has loaded torch, which takes several seconds, and nothing of ONNX Runtime.
    """
    with pytest.MonkeyPatch.context() as patched:
        # Measuring the coverage of these would take longer than they do, and see nothing that is not seen elsewhere.
        for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
            patched.delenv(name)
        context()
    return lambda *arguments, **variables: Command(arguments, variables)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Have torch use one thread outside of what chooses its own: two that wait for each other take much longer."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def few_resamples() -> Iterator[None]:
    """Draw the intervals from fewer resamples: that takes most of an evaluation, and says no more about it here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(metrics_module, "RESAMPLES", 10)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_registry() -> Iterator[None]:
    """Have torch read the translations of its operators once: for each export anew, that takes longer than the rest."""
    with pytest.MonkeyPatch.context() as patched:
        once = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
        patched.setattr(ONNXRegistry, "from_torchlib", once)
        yield


@pytest.fixture(scope="session")
def stages(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the three commands on a tiny dataset and return the folder that holds all results."""
    folder = tmp_path_factory.mktemp("stages")
    write(folder / "dataset", tiny)
    data, trained = str(folder / "dataset"), str(folder / "train")
    assert main(["train", data, trained, "--set", "epochs=20", "--set", "width=8", "--set", "batch_size=16"]) == 0
    assert main(["evaluate", data, trained, str(folder / "evaluate")]) == 0
    assert main(["export", data, trained, str(folder / "export")]) == 0
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder for results."""
    return tmp_path / "out"
