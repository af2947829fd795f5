"""Trains a network: deterministic, resumable, with early stopping on the validation split."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from headworks_model import _files, _state
from headworks_model._epoch import judge, train_epoch
from headworks_model._network import build_network
from headworks_model._parallel import Shard, share_layers
from headworks_model._progress import Progress
from headworks_model._runtime import reproducible
from headworks_model._settings import TrainConfig
from headworks_model._state import State
from headworks_model._trained import load_trained, log_lines, origin_of, save_trained
from headworks_model._trial import try_network
from headworks_model.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from headworks_data import Dataset, Split
    from headworks_model._trained import Trained

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
    Where `torch.distributed` is initialised, all processes of the group train together, to the result of one except for
    the last bits; the first one writes, and all must see the same folder.

    Args:
        dataset: Its train split is learnt, its validation split chooses the epoch to stop at and the weights to keep.
        out: Folder for `weights.safetensors`, `train.json` and `log.jsonl`.
        config: Settings; without them, the defaults.
        resume: Continue from the checkpoint in the folder, with the same result as without a break. Without one,
            training starts at the first epoch, or is not repeated if it was finished.
        progress: Receives every step and epoch.

    Returns:
        The network with the weights of the best epoch.

    Raises:
        ConfigError: The network is unknown, fails, gives no logits, or cannot be trained or kept; or a batch is too
            small for so many processes.
        ShapeError: The network cannot be built for the images of the dataset.
        CheckpointError: The checkpoint is damaged, or has other settings, data or torch.
        TrainingError: The loss is no longer a finite number.
    """
    out, config, progress = Path(out), config or TrainConfig(), progress or Progress()
    origin, shard = origin_of(dataset, config), Shard.current()
    interrupted, finished = _earlier_result(out, shard) if resume else (False, False)
    if finished:
        return _finished_before(out, origin)
    with reproducible(threads=config.threads):
        state = start(dataset, config)
        if interrupted:
            _state.load_checkpoint(out / _files.PARTIAL, state, origin=origin)
        shard.broadcast()  # Until every process has read it, the first one does not change the folder.
        if shard.first:
            _prepare(out / _files.PARTIAL, state, keep=interrupted)
        run(state, dataset, config, out / _files.PARTIAL, progress)
    if shard.first:
        save_trained(out, state, dataset=dataset, config=config)
        shutil.rmtree(out / _files.PARTIAL)
    shard.broadcast()  # Until it is written, no process reads the result.
    return load_trained(out)


def _earlier_result(out: Path, shard: Shard) -> tuple[bool, bool]:
    """Tell whether a folder holds an interrupted training, and if not, whether it holds a finished one."""
    interrupted = (out / _files.PARTIAL / _files.CHECKPOINT).is_file()
    finished = (out / "train.json").is_file() and not interrupted
    both = shard.broadcast(interrupted, finished)
    return bool(both[0]), bool(both[1])


def start(dataset: Dataset, config: TrainConfig) -> State:
    """Return the state before the first epoch, and seed torch's default generator."""
    for name in ("train", "validation"):
        if not len(dataset.splits[name].labels):
            message = f"the {name} split has no rows: build a dataset with some"
            raise ShapeError(message)
    check_batches(len(dataset.splits["train"]), config, Shard.current())
    torch.manual_seed(config.seed)
    network = build_network(config, image_shape=dataset.image_shape, num_classes=len(dataset.classes))
    try_network(network, config.network, dataset.image_shape, len(dataset.classes), trains=True)
    if Shard.current().grouped:
        share_layers(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    return State(network=network, optimizer=optimizer, generator=torch.Generator().manual_seed(config.seed))


def check_batches(rows: int, config: TrainConfig, shard: Shard) -> None:
    """Raise ConfigError unless every process has a row of every batch."""
    smallest = rows // math.ceil(rows / config.batch_size)
    if smallest < shard.size:
        message = f"a batch of {smallest} row(s) cannot be shared by {shard.size} processes: raise batch_size, now "
        message += f"{config.batch_size}, or use fewer processes"
        raise ConfigError(message)


def _finished_before(out: Path, origin: dict[str, object]) -> Trained:
    """Return the result of an earlier training, provided that this one would be the same."""
    trained = load_trained(out)
    _state.check_origin(trained.origin, origin, path=out / "train.json")
    return trained


def _prepare(partial: Path, state: State, *, keep: bool) -> None:
    """Make the folder for checkpoint and log, with the files of an interrupted training or empty."""
    if not keep:
        shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, exist_ok=True)
    (partial / LOG).write_bytes(log_lines(state.history))


def learnt_rows(dataset: Dataset) -> Split:
    """Return the rows that a network learns from, in the order of their ids.

    The digest of a dataset does not depend on the order of its rows, and so the weights must not.
    """
    split = dataset.splits["train"]
    return split.take(split.order())


def run(state: State, dataset: Dataset, config: TrainConfig, partial: Path, progress: Progress) -> None:
    """Train until all epochs are done or the validation loss no longer falls, with a checkpoint after every epoch."""
    learnt, held_out = learnt_rows(dataset), dataset.splits["validation"]
    held_out = held_out.take(held_out.order())
    steps, shard = math.ceil(len(learnt) / config.batch_size), Shard.current()
    progress.start(epochs=config.epochs, done=len(state.history), steps=steps)
    while not state.finished(epochs=config.epochs, patience=config.patience):
        loss = train_epoch(state, learnt, config, progress)
        state.add(judge(state, held_out, config, loss))
        if shard.first:
            _save_epoch(state, partial, origin=origin_of(dataset, config))
        progress.epoch(state.history[-1])


def _save_epoch(state: State, partial: Path, *, origin: dict[str, object]) -> None:
    """Write the checkpoint of an epoch and its line in the log."""
    _state.save_checkpoint(partial, state, origin=origin)
    with (partial / LOG).open("ab") as file:
        file.write(log_lines(state.history[-1:]))
