"""Trains a network: deterministic, resumable, with early stopping on the validation split."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from headgate_model import _files, _state
from headgate_model._config import TrainConfig
from headgate_model._epoch import judge, train_epoch
from headgate_model._network import build_network
from headgate_model._progress import Progress
from headgate_model._rows import in_stored_order
from headgate_model._runtime import reproducible
from headgate_model._state import State
from headgate_model._trained import load_trained, log_lines, origin_of, save_trained
from headgate_model.errors import ShapeError

if TYPE_CHECKING:
    from headgate_data import Dataset
    from headgate_model._trained import Trained

__all__ = ["train"]

LOG = "log.jsonl"


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
    partial, origin = out / _files.PARTIAL, origin_of(dataset, config)
    interrupted = (partial / _files.CHECKPOINT).is_file()
    if resume and not interrupted and (out / "train.json").is_file():
        return finished_before(out, origin)
    with reproducible(threads=config.threads):
        state = start(dataset, config)
        if resume and interrupted:
            _state.load_checkpoint(partial, state, origin=origin)
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
    (partial / LOG).write_bytes(log_lines(state.history))
    learnt, held_out = (in_stored_order(dataset.splits[name]) for name in ("train", "validation"))
    steps = math.ceil(len(learnt) / config.batch_size)
    progress.start(epochs=config.epochs, done=len(state.history), steps=steps)
    while not state.finished(epochs=config.epochs, patience=config.patience):
        loss = train_epoch(state, learnt, config, progress)
        state.add(judge(state, held_out, config, loss))
        keep(state, partial, origin=origin_of(dataset, config))
        progress.epoch(state.history[-1])


def keep(state: State, partial: Path, *, origin: dict[str, object]) -> None:
    """Write the checkpoint of an epoch and its line in the log."""
    _state.save_checkpoint(partial, state, origin=origin)
    with (partial / LOG).open("ab") as file:
        file.write(log_lines(state.history[-1:]))
