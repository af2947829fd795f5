"""Training by several processes: it comes to what one process comes to."""

from __future__ import annotations

import dataclasses
import functools
import json
import operator
import socket
from typing import TYPE_CHECKING, Any

import pytest
import safetensors.torch
import torch
from headworks_data import Dataset, write
from headworks_model import ConvNet, TrainConfig, errors, load_trained, train
from headworks_model import _training as training_module
from headworks_model._cli import main
from headworks_model._parallel import Shard, SharedBatchNorm, process_group, share_layers
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIG = TrainConfig(epochs=3, width=4, batch_size=16)
CHOSEN = ["--set", "epochs=3", "--set", "width=4", "--set", "batch_size=16"]
TOLERANCE = 1e-4
"""How far a weight may be: sums in another order differ by 1e-7, and AdamW makes more of that."""


def variables(*, size: int, rank: int) -> dict[str, str]:
    """Return what torchrun tells a process of a group on this machine, but for the port."""
    return {"WORLD_SIZE": str(size), "RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}


def free_port() -> str:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have torchrun's variables speak of a group of one."""
    for name, value in {**variables(size=1, rank=0), "MASTER_PORT": free_port()}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def group(alone: None) -> Iterator[Shard]:
    """Make this process a group of one."""
    with process_group() as shard:
        yield shard


@pytest.fixture(scope="module")
def straight(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train in one process, without a group."""
    folder = tmp_path_factory.mktemp("straight")
    write(folder / "data", tiny)
    train(tiny, folder / "out", config=CONFIG)
    return folder


def assert_close(one: Path, other: Path) -> None:
    """Compare weights and logs of two trainings."""
    ours, theirs = (safetensors.torch.load_file(it / "weights.safetensors") for it in (one, other))
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name].double(), theirs[name].double(), atol=TOLERANCE) for name in ours)
    logs = [[json.loads(line) for line in (it / "log.jsonl").read_text().splitlines()] for it in (one, other)]
    assert len(logs[0]) == len(logs[1]) == 3
    for left, right in zip(*logs, strict=True):
        assert left == pytest.approx(right, abs=TOLERANCE)


def test_two_processes_come_to_what_one_comes_to(straight: Path, tmp_path: Path, start: Callable[..., Any]) -> None:
    """In weights and log; the first one writes and speaks, and a finished training is not repeated."""
    command = ["train", str(straight / "data"), str(tmp_path / "out"), *CHOSEN]
    for more in ([], ["--resume"]):
        port = free_port()
        processes = [start(*command, *more, **variables(size=2, rank=rank), MASTER_PORT=port) for rank in (0, 1)]
        (first, said), (second, said_second) = [it.end() for it in processes]
        assert (first, second) == (0, 0)
        assert ("epoch 3/3: loss " in said) == (not more)
        assert said_second == ""
    assert_close(straight / "out", tmp_path / "out")
    assert sorted(it.name for it in (tmp_path / "out").iterdir()) == ["log.jsonl", "train.json", "weights.safetensors"]


@pytest.mark.usefixtures("alone")
def test_a_group_of_one_comes_to_the_same(straight: Path, tmp_path: Path) -> None:
    """By the layers and messages of a group, and after an interruption as well."""
    assert main(["train", str(straight / "data"), str(tmp_path / "out"), *CHOSEN]) == 0
    assert_close(straight / "out", tmp_path / "out")
    assert main(["train", str(straight / "data"), str(tmp_path / "out"), *CHOSEN, "--resume"]) == 0
    assert load_trained(tmp_path / "out").epochs == 3


@pytest.mark.usefixtures("alone")
def test_a_process_that_is_not_the_first_writes_nothing(
    straight: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It reads the result of the one that is, and says nothing."""
    before = {it: (it.stat().st_mtime_ns, it.read_bytes()) for it in (straight / "out").iterdir()}
    monkeypatch.setattr(Shard, "first", False)
    assert main(["train", str(straight / "data"), str(straight / "out"), *CHOSEN]) == 0
    assert {it: (it.stat().st_mtime_ns, it.read_bytes()) for it in (straight / "out").iterdir()} == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("rows", "size"), [(7, 3), (2, 2), (64, 5)])
def test_processes_share_the_rows_of_a_batch(rows: int, size: int) -> None:
    """Every row is computed by one of them, and none of them is idle."""
    shards = [Shard(rank=rank, size=size) for rank in range(size)]
    found = [list(range(rows))[it.rows(rows)] for it in shards]
    assert functools.reduce(operator.iadd, found, []) == list(range(rows))
    assert min(map(len, found)) >= rows // size


def test_more_processes_than_rows_of_a_batch_are_refused() -> None:
    """The message says what to change."""
    with pytest.raises(errors.ConfigError, match=r"a batch of 13 row\(s\) cannot be shared by 14 processes"):
        training_module.check_batches(40, CONFIG, Shard(size=14, grouped=True))
    training_module.check_batches(40, CONFIG, Shard(size=13, grouped=True))


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(3),
        nn.BatchNorm2d(3, affine=False, momentum=0.3),
        nn.BatchNorm2d(3, momentum=None),
        nn.BatchNorm2d(3, track_running_stats=False),
    ],
)
def test_shared_batch_normalisation_is_that_of_torch(layer: nn.BatchNorm2d, group: Shard) -> None:
    """In what it gives, in gradients, and in what it remembers for inference."""
    shared = SharedBatchNorm.like(layer)
    images = torch.randn(6, 3, 2, 2, generator=torch.Generator().manual_seed(0)) * 3 + 1
    weights = torch.arange(72.0).view_as(images)
    for _ in range(2):
        results = []
        for module in (layer, shared):
            pixels = images.clone().requires_grad_()
            output = module.train()(pixels)
            torch.autograd.backward((output * weights).sum())
            results.append((output.detach(), pixels.grad))
        assert torch.allclose(results[0][0], results[1][0], atol=1e-5)
        assert results[0][1] is not None
        assert results[1][1] is not None
        assert torch.allclose(results[0][1], results[1][1], atol=1e-3)
    for name, value in layer.state_dict().items():
        assert torch.allclose(value, shared.state_dict()[name], atol=1e-5), name
    assert torch.allclose(layer.eval()(images), shared.eval()(images), atol=1e-5)
    assert group == Shard(rank=0, size=1, grouped=True)


def test_sharing_layers_keeps_the_names_of_weights(group: Shard) -> None:
    """So that the result can be read where nothing is shared; dropout draws as torch does, and is off at inference."""
    network, shared = (ConvNet((8, 8, 1), 3, width=4, dropout=0.5) for _ in range(2))
    share_layers(shared)
    shared.load_state_dict(network.state_dict())
    images = torch.arange(4 * 64, dtype=torch.uint8).view(4, 8, 8, 1)
    for train_mode in (True, False):
        outputs = []
        for module in (network, shared):
            torch.manual_seed(1)
            outputs.append(module.train(train_mode)(images))
        assert torch.allclose(outputs[0], outputs[1], atol=1e-5)


def test_without_torchrun_there_is_one_process(tiny: Dataset, tmp_path: Path) -> None:
    """It computes every row, and needs to ask nobody."""
    with process_group() as shard:
        assert shard == Shard() == Shard.current()
        assert train(tiny, tmp_path / "out", config=dataclasses.replace(CONFIG, epochs=1)).epochs == 1
