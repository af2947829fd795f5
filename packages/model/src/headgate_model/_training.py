"""Trains a network: deterministic, resumable, with early stopping on the validation split."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from headgate_model import _files, _state
from headgate_model._augment import augment
from headgate_model._config import TrainConfig
from headgate_model._network import build_network
from headgate_model._progress import Progress
from headgate_model._runtime import predict, reproducible
from headgate_model._state import Epoch, State
from headgate_model._trained import load_trained, log_lines, origin_of, save_trained
from headgate_model.errors import ShapeError, TrainingError
from torch.nn import functional

if TYPE_CHECKING:
    from headgate_data import Dataset, Split
    from headgate_model._trained import Trained

__all__ = ["train"]


def train(
    dataset: Dataset,
    out: str | Path,
    *,
    config: TrainConfig | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Trained:
    """Train a network and write it.

    An earlier result in the folder stays until the new one is finished. A checkpoint is written after every epoch.

    Args:
        dataset: its train split is learnt, its validation split decides when to stop and which weights are kept.
        out: folder for `weights.safetensors`, `train.json` and `log.jsonl`.
        config: settings; without them, the defaults.
        resume: go on from the checkpoint in the folder, with the same result as without a break. Where there is none,
            training starts at the first epoch, or is not repeated if it was finished.
        progress: is told of every step and epoch.

    Returns:
        The network with the weights of the best epoch.

    Raises:
        ConfigError: the settings name an unknown network.
        ShapeError: the network cannot be built for the images of the dataset.
        CheckpointError: the checkpoint is damaged, or was written with other settings, data or torch.
        TrainingError: the loss is no longer a finite number.
    """
    out, config, progress = Path(out), config or TrainConfig(), progress or Progress()
    with reproducible(threads=config.threads):
        state = start(dataset, config)
        partial, origin = out / _files.PARTIAL, origin_of(dataset, config)
        if resume and (partial / _files.CHECKPOINT).is_file():
            _state.load_checkpoint(partial, state, origin=origin)
        elif resume and (out / "train.json").is_file():
            return finished_before(out, origin)
        else:
            shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True, exist_ok=True)
        run(state, dataset, config, partial, progress)
    save_trained(out, state, dataset=dataset, config=config)
    shutil.rmtree(partial)
    return load_trained(out)


def start(dataset: Dataset, config: TrainConfig) -> State:
    """Return the state before the first epoch, and seed torch's default generator."""
    for name in ("train", "validation"):
        if not len(dataset.splits[name].labels):
            msg = f"the {name} split has no rows: build a dataset that has some."
            raise ShapeError(msg)
    torch.manual_seed(config.seed)
    network = build_network(config, image_shape=dataset.image_shape, num_classes=len(dataset.classes))
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    return State(network=network, optimizer=optimizer, generator=torch.Generator().manual_seed(config.seed))


def finished_before(out: Path, origin: dict[str, object]) -> Trained:
    """Return the result of an earlier training, provided that this one would be the same."""
    trained = load_trained(out)
    _state.check_origin(trained.origin, origin, path=out / "train.json")
    return trained


def run(state: State, dataset: Dataset, config: TrainConfig, partial: Path, progress: Progress) -> None:
    """Train until all epochs are done or the validation loss no longer falls, with a checkpoint after every epoch."""
    log, origin = partial / "log.jsonl", origin_of(dataset, config)
    log.write_bytes(log_lines(state.history))
    train_split, validation_split = (in_stored_order(dataset.splits[name]) for name in ("train", "validation"))
    steps = math.ceil(len(train_split.labels) / config.batch_size)
    progress.start(epochs=config.epochs, done=len(state.history), steps=steps)
    while not state.finished(epochs=config.epochs, patience=config.patience):
        train_loss = train_epoch(state, train_split, config, progress)
        epoch = judge(state, validation_split, config, train_loss)
        state.history.append(epoch)
        if state.best_epoch is epoch:
            state.best = _state.plain(state.network.state_dict())
        _state.save_checkpoint(partial, state, origin=origin)
        with log.open("ab") as file:
            file.write(log_lines([epoch]))
        progress.epoch(epoch)


def in_stored_order(split: Split) -> Split:
    """Return a split with its rows in the order in which they are stored.

    The digest of a dataset says nothing of the order of its rows, so that the weights must not depend on it either.
    """
    order = split.order()
    slices = {name: values[order] for name, values in split.slices.items()}
    return dataclasses.replace(
        split, ids=split.ids[order], images=split.images[order], labels=split.labels[order], slices=slices
    )


def train_epoch(state: State, split: Split, config: TrainConfig, progress: Progress) -> float:
    """Go once over the train split and return the mean loss."""
    brightest = float(split.images.max())
    state.network.train()
    order = torch.randperm(len(split.labels), generator=state.generator)
    # Batches of nearly equal size: a last one of a single row would be too few for batch normalisation.
    batches = order.tensor_split(math.ceil(len(order) / config.batch_size))
    total = 0.0
    for number, rows in enumerate(batches):
        rate = learning_rate(config, epoch=len(state.history) + number / len(batches))
        # Indexing copies, which also turns read-only arrays into some that torch accepts.
        images, labels = (torch.from_numpy(array[rows.numpy()]) for array in (split.images, split.labels))
        inputs = augment(images, config=config, brightest=brightest, generator=state.generator)
        total += step(state, inputs, labels, rate=rate) * len(rows)
        progress.step()
    return total / len(order)


def step(state: State, images: torch.Tensor, labels: torch.Tensor, *, rate: float) -> float:
    """Change the weights by one batch, float32 [B, H, W, C] and int64 [B], and return its loss before that."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    loss = functional.cross_entropy(state.network(images), labels)
    state.optimizer.zero_grad()
    torch.autograd.backward(loss)
    state.optimizer.step()
    return loss.item()


def learning_rate(config: TrainConfig, *, epoch: float) -> float:
    """Return the learning rate at a moment, counted in epochs from 0: a straight rise, then half a cosine down to 0.

    The cosine is that of Loshchilov and Hutter, "SGDR" (2017), equation 5, without restarts and with 0 as the minimum.
    """
    rise = min(1.0, (epoch + 0.1) / config.warmup) if config.warmup else 1.0
    return config.learning_rate * rise * (1 + math.cos(math.pi * epoch / config.epochs)) / 2


def judge(state: State, split: Split, config: TrainConfig, train_loss: float) -> Epoch:
    """Measure the network on the validation split, and refuse to go on with a loss that is no number."""
    labels = torch.tensor(split.labels)
    logits = torch.from_numpy(predict(state.network, split.images, threads=config.threads))
    epoch = Epoch(
        epoch=len(state.history) + 1,
        train_loss=train_loss,
        validation_loss=functional.cross_entropy(logits, labels).item(),
        validation_accuracy=(logits.argmax(1) == labels).double().mean().item(),
    )
    if not math.isfinite(train_loss + epoch.validation_loss):
        msg = f"the loss is no finite number in epoch {epoch.epoch}: lower learning_rate, now {config.learning_rate:g}."
        raise TrainingError(msg)
    return epoch
