"""Training: it learns, repeats itself bit for bit, and resumes as if it had never stopped."""

from __future__ import annotations

import dataclasses
import io
import json
import signal
import tempfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import headworks_model
import numpy as np
import pytest
import torch
from headworks_data import Dataset, Split, content_ids, write
from headworks_model import (
    ConvNet,
    Probabilities,
    TrainConfig,
    Trained,
    build_network,
    errors,
    load_config,
    load_trained,
    predict,
    train,
)
from headworks_model import _network as network_module
from headworks_model import _training as training_module
from headworks_model._progress import ConsoleProgress
from headworks_model._runtime import reproducible
from hypothesis import given, settings, strategies
from rich.console import Console
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT = TrainConfig(epochs=4, width=4, batch_size=16, patience=4)


def batch(dataset: Dataset, rows: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first rows of the train split as tensors."""
    split = dataset.splits["train"]
    return torch.from_numpy(split.images[:rows].copy()), torch.from_numpy(split.labels[:rows].copy())


def test_the_public_names_are_pinned() -> None:
    """A name enters or leaves the public interface on purpose only."""
    assert headworks_model.__all__ == sorted(headworks_model.__all__, key=lambda it: (not it[0].isupper(), it))
    assert set(headworks_model.__all__) == {
        "ConvNet", "Epoch", "Floors", "FoldProgress", "NetworkFactory", "Probabilities", "Progress", "TrainConfig",
        "Trained", "build_network", "crossfit", "evaluate", "export", "load_config", "load_floors", "load_trained",
        "predict", "shortfalls", "train",
    }  # fmt: skip


@pytest.mark.parametrize("shape", [(8, 8, 1), (2, 2, 3), (64, 64, 3), (5, 17, 1)])
def test_the_network_takes_any_image(shape: tuple[int, int, int]) -> None:
    """It gives one logit for each class, for one image and for several."""
    network = ConvNet(shape, 7, width=4).eval()
    for rows in (1, 3):
        images = torch.zeros((rows, *shape), dtype=torch.uint8)
        assert network(images).shape == (rows, 7)
        assert torch.allclose(Probabilities(network)(images).sum(1), torch.ones(rows))


@pytest.mark.parametrize(("shape", "classes"), [((1, 8, 1), 3), ((8, 8, 2), 3), ((8, 8), 3), ((8, 8, 1), 1)])
def test_impossible_shapes_are_refused(shape: Any, classes: int) -> None:  # noqa: ANN401 - wrong on purpose
    """There must be pixels, known channels, and something to tell apart."""
    with pytest.raises(errors.ShapeError):
        ConvNet(shape, classes)


def test_images_of_another_shape_are_refused() -> None:
    """The message names both shapes."""
    with pytest.raises(errors.ShapeError, match=r"\[8, 8, 1\] expected, got a batch of \[1, 4, 4, 1\]"):
        ConvNet((8, 8, 1), 2)(torch.zeros((1, 4, 4, 1)))


def test_every_parameter_gets_gradient(digits: Dataset) -> None:
    """No layer is cut off from the loss."""
    images, labels = batch(digits)
    network = ConvNet((8, 8, 1), 10)
    torch.autograd.backward(functional.cross_entropy(network(images), labels))
    gradients = {name: value.grad for name, value in network.named_parameters()}
    assert gradients
    assert [name for name, grad in gradients.items() if grad is None or not grad.any()] == []


def test_one_batch_can_be_learnt_by_heart(digits: Dataset) -> None:
    """The loss on a batch that is repeated goes to nothing."""
    images, labels = batch(digits)
    torch.manual_seed(0)
    network = ConvNet((8, 8, 1), 10, width=8, dropout=0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 < losses[0]


def test_dropout_is_off_at_inference(trained: Trained, digits: Dataset) -> None:
    """A row is predicted as it is alone, whatever mode the network was left in and whatever torch drew before."""
    images = digits.splits["test"].images[:50]
    trained.network.train()
    together = predict(trained.network, images, threads=1)
    assert trained.network.training
    trained.network.eval()
    torch.rand(3)
    alone = [predict(trained.network, image[None], threads=1) for image in images]
    assert np.abs(together - np.concatenate(alone)).max() <= 1e-5


def test_inference_changes_neither_the_network_nor_what_torch_draws_next(trained: Trained, digits: Dataset) -> None:
    """Batch normalisation, say, learns nothing from what is predicted."""
    before = {name: value.clone() for name, value in trained.network.state_dict().items()}
    drawn = torch.get_rng_state()
    predict(trained.network, digits.splits["test"].images[:50], threads=1)
    assert all(torch.equal(value, before[name]) for name, value in trained.network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)


def test_the_loss_falls_and_the_digits_are_learnt(trained: Trained, digits: Dataset) -> None:
    """A few epochs give most of the accuracy, in every class."""
    split = digits.splits["test"]
    hits = predict(trained.network, split.images, threads=1).argmax(1) == split.labels
    assert hits.mean() >= 0.95
    assert min(hits[split.labels == label].mean() for label in range(10)) >= 0.8


@pytest.mark.parametrize(("axis", "step", "rate"), [(2, 1, 0.8), (2, -1, 0.8), (1, 1, 0.65), (1, -1, 0.65)])
def test_a_shift_by_a_pixel_rarely_changes_the_prediction(
    trained: Trained, digits: Dataset, axis: int, step: int, rate: float
) -> None:
    """At least 80% stay when moved sideways; upright digits fill all 8 rows, so that a shift up or down costs ink."""
    images = digits.splits["test"].images
    moved = np.roll(images, step, axis=axis)
    np.moveaxis(moved, axis, 0)[0 if step > 0 else -1] = 0
    same = predict(trained.network, images, threads=1).argmax(1) == predict(trained.network, moved, threads=1).argmax(1)
    assert same.mean() >= rate


def test_light_noise_rarely_changes_the_prediction(trained: Trained, digits: Dataset) -> None:
    """At least 97% of the predictions stay under noise of 4% of the range."""
    images = digits.splits["test"].images
    noise = np.random.default_rng(0).normal(0, 10, images.shape)
    noisy = np.clip(images + noise, 0, 255).astype(np.uint8)
    same = predict(trained.network, images, threads=1).argmax(1) == predict(trained.network, noisy, threads=1).argmax(1)
    assert same.mean() >= 0.97


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path, tiny: Dataset) -> None:
    """Weights depend on settings and data only, not on what torch drew before."""
    train(tiny, tmp_path / "a", config=SHORT)
    torch.rand(3)
    train(tiny, tmp_path / "b", config=SHORT)
    train(tiny, tmp_path / "c", config=dataclasses.replace(SHORT, seed=1))
    first, again, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "abc")
    assert first == again != other
    assert (tmp_path / "a" / "log.jsonl").read_bytes() == (tmp_path / "b" / "log.jsonl").read_bytes()
    log = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in log] == [1, 2, 3, 4]
    assert log[-1]["train_loss"] < log[0]["train_loss"]


def test_everything_that_is_drawn_depends_on_the_seed(tiny: Dataset) -> None:
    """First weights, dropout, and the generator of order and augmentation, each by itself."""
    drawn = []
    for seed in (0, 0, 1):
        with reproducible(threads=1):
            state = training_module.start(tiny, dataclasses.replace(SHORT, seed=seed))
            weights = next(iter(state.network.parameters())).detach().numpy().tobytes()
            drawn.append((weights, torch.rand(1).item(), torch.rand(1, generator=state.generator).item()))
    assert drawn[0] == drawn[1]
    assert all(one != other for one, other in zip(drawn[0], drawn[2], strict=True))


class Stop(headworks_model.Progress):
    """Interrupts a training after an epoch."""

    def __init__(self, after: int) -> None:
        """Remember after which."""
        self.after = after

    def epoch(self, epoch: headworks_model.Epoch) -> None:
        """Act like Ctrl-C."""
        if epoch.epoch == self.after:
            raise KeyboardInterrupt


def test_a_resumed_training_equals_a_straight_one(tmp_path: Path, tiny: Dataset) -> None:
    """Bit for bit, after one and after two interruptions; and a finished one is not repeated."""
    straight = train(tiny, tmp_path / "a", config=SHORT)
    for after in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            train(tiny, tmp_path / "b", config=SHORT, resume=True, progress=Stop(after))
        assert (tmp_path / "b" / "partial").is_dir()
    resumed = train(tiny, tmp_path / "b", config=SHORT, resume=True)
    assert resumed.weights_digest == straight.weights_digest
    assert (tmp_path / "a" / "log.jsonl").read_bytes() == (tmp_path / "b" / "log.jsonl").read_bytes()
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        "log.jsonl",
        "train.json",
        "weights.safetensors",
    ]
    again = train(tiny, tmp_path / "b", config=SHORT, resume=True, progress=Stop(1))
    assert again.weights_digest == straight.weights_digest


def test_a_killed_training_is_resumed_with_the_same_result(
    tmp_path: Path, tiny: Dataset, start: Callable[..., Any]
) -> None:
    """A real kill between two epochs costs at most the epoch that was begun."""
    write(tmp_path / "data", tiny)
    chosen = ["--set", "epochs=30", "--set", "patience=30", "--set", "width=4", "--set", "batch_size=16"]
    command = start("train", str(tmp_path / "data"), str(tmp_path / "b"), *chosen)
    command.wait_for("epoch 2/30")
    command.process.kill()
    assert command.end()[0] == -signal.SIGKILL
    assert not (tmp_path / "b" / "train.json").exists()
    config = dataclasses.replace(SHORT, epochs=30, patience=30)
    resumed = train(tiny, tmp_path / "b", config=config, resume=True)
    assert resumed.weights_digest == train(tiny, tmp_path / "a", config=config).weights_digest


@given(order=strategies.permutations(range(40)))
@settings(max_examples=5)
def test_the_order_of_rows_does_not_matter(tiny: Dataset, order: list[int]) -> None:
    """A dataset's digest does not depend on it, and what has the same digest gives the same weights."""
    split = tiny.splits["train"]
    mixed = dataclasses.replace(
        split,
        ids=split.ids[order],
        images=split.images[order],
        labels=split.labels[order],
        slices={"class": split.slices["class"][order]},
    )
    shuffled = dataclasses.replace(tiny, splits={**tiny.splits, "train": mixed})
    config = dataclasses.replace(SHORT, epochs=1)
    with tempfile.TemporaryDirectory() as folder:
        digests = {train(it, folder, config=config).weights_digest for it in (tiny, shuffled)}
    assert len(digests) == 1


def test_training_stops_early(tmp_path: Path, tiny: Dataset) -> None:
    """When the validation loss no longer falls, the best weights are kept."""
    done = train(tiny, tmp_path / "a", config=dataclasses.replace(SHORT, epochs=200, patience=1, learning_rate=0.05))
    assert done.best_epoch == done.epochs - 1 < 199


@pytest.mark.parametrize("damage", [b"", b"x" * 100])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, tiny: Dataset, damage: bytes) -> None:
    """It is never taken for the state of the training."""
    with pytest.raises(KeyboardInterrupt):
        train(tiny, tmp_path / "a", config=SHORT, progress=Stop(1))
    (checkpoint,) = (tmp_path / "a" / "partial").glob("*.safetensors")
    checkpoint.write_bytes(damage)
    with pytest.raises(errors.CheckpointError):
        train(tiny, tmp_path / "a", config=SHORT, resume=True)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path, tiny: Dataset) -> None:
    """Before and after the training is finished."""
    other = dataclasses.replace(SHORT, seed=5)
    with pytest.raises(KeyboardInterrupt):
        train(tiny, tmp_path / "a", config=SHORT, progress=Stop(1))
    with pytest.raises(errors.CheckpointError, match="seed"):
        train(tiny, tmp_path / "a", config=other, resume=True)
    train(tiny, tmp_path / "a", config=SHORT, resume=True)
    with pytest.raises(errors.CheckpointError, match="seed"):
        train(tiny, tmp_path / "a", config=other, resume=True)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path, tiny: Dataset) -> None:
    """The message says what to lower, and no result is written."""
    with pytest.raises(errors.TrainingError, match="lower learning_rate"):
        train(tiny, tmp_path / "a", config=dataclasses.replace(SHORT, learning_rate=1e30, warmup=0, epochs=30))
    assert not (tmp_path / "a" / "train.json").exists()


def test_an_empty_split_is_refused(tmp_path: Path, tiny: Dataset) -> None:
    """Nothing can be learnt from no rows."""
    none = np.zeros((0, 6, 5, 1), np.uint8)
    empty = Split(
        ids=content_ids(none), images=none, labels=np.zeros(0, np.int64), slices={"class": np.array([], "U1")}
    )
    for name in ("train", "validation"):
        dataset = dataclasses.replace(tiny, splits={**tiny.splits, name: empty}, digest="")
        with pytest.raises(errors.ShapeError, match=f"the {name} split has no rows"):
            train(dataset, tmp_path / "a", config=SHORT)


def test_a_missing_or_damaged_result_is_refused(tmp_path: Path, tiny: Dataset) -> None:
    """Weights and their description must belong together."""
    with pytest.raises(errors.TrainedError, match="holds no finished training"):
        load_trained(tmp_path)
    train(tiny, tmp_path / "a", config=SHORT)
    about = tmp_path / "a" / "train.json"
    text = about.read_text()
    about.write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(errors.TrainedError, match="of format 2"):
        load_trained(tmp_path / "a")
    about.write_text(text.replace('"network": "conv"', '"network": "convx"'))
    with pytest.raises(errors.ConfigError, match="did you mean 'conv'"):
        load_trained(tmp_path / "a")
    about.write_text(text.replace('"top"', '"high"'))
    with pytest.raises(errors.TrainedError, match="the classes of the network, high, bottom, are not those"):
        load_trained(tmp_path / "a").check_dataset(tiny)
    about.write_text(text)
    (tmp_path / "a" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(errors.TrainedError, match=r"is not the file that train\.json describes"):
        load_trained(tmp_path / "a")
    (tmp_path / "a" / "weights.safetensors").unlink()
    with pytest.raises(errors.TrainedError, match="No such file"):
        load_trained(tmp_path / "a")


def test_another_network_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point names a factory."""
    point = EntryPoint(name="line", value=f"{__name__}:unused", group=network_module.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda _: lambda *given: torch.nn.Linear(given[1], 1))
    monkeypatch.setattr(network_module, "entry_points", lambda group: [point] if group == point.group else [])
    built = build_network(TrainConfig(network="line"), image_shape=(2, 2, 1), num_classes=3)
    assert isinstance(built, torch.nn.Linear)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "did you mean 'epochs'"),
        ("zzzz = 3", "known are"),
        ("epochs = 'x'", "'epochs' must be a whole number, not 'x'"),
        ("epochs = true", "'epochs' must be a whole number"),
        ("learning_rate = 1" + 400 * "0", "'learning_rate' must be a finite number"),
        ("width = 1" + 400 * "0", "'width' must be at least 1 and at most 4096"),
        ("epochs = 0", "'epochs' must be at least 1, not 0"),
        ("learning_rate = nan", "'learning_rate' must be a finite number, not nan"),
        ("network = [1]", "'network' must be a text"),
        ("epochs = ", "Invalid value"),
        ("epochs = " + 9999 * "[", "recursion"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    """So is the file it stands in."""
    path = tmp_path / "train.toml"
    path.write_text(text)
    with pytest.raises(errors.ConfigError, match=message) as raised:
        load_config(path)
    assert str(path) in str(raised.value)


def test_settings_that_windows_saved_are_read(tmp_path: Path) -> None:
    """The mark that its editors put in front of UTF-8 is no part of the file."""
    (tmp_path / "train.toml").write_bytes(b"\xef\xbb\xbfepochs = 3\r\n")
    assert load_config(tmp_path / "train.toml").epochs == 3


def test_the_committed_settings_are_the_defaults() -> None:
    """What holds without a file is what was chosen and measured."""
    assert load_config(Path(__file__).parents[1] / "train.toml") == TrainConfig()


def test_settings_are_overridden_from_the_command_line(tmp_path: Path) -> None:
    """Values are written as in TOML, texts also without quotes."""
    config = load_config(overrides=["epochs=3", "learning_rate = 1", "network=other"])
    assert (config.epochs, config.learning_rate, config.network) == (3, 1.0, "other")
    with pytest.raises(errors.ConfigError, match="write key=value"):
        load_config(overrides=["epochs"])
    with pytest.raises(errors.ConfigError, match="No such file or directory: correct the name"):
        load_config(tmp_path / "none.toml")


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown(tmp_path: Path, tiny: Dataset, *, terminal: bool) -> None:
    """A line for each epoch with the time left, and on a terminal a bar as well."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=200)
    with ConsoleProgress(console) as progress:
        train(tiny, tmp_path / "a", config=SHORT, progress=progress)
    assert "epoch 4/4: loss " in shown.getvalue()
    assert "; at most " in shown.getvalue()
    assert ("epochs" in shown.getvalue()) == terminal
