"""One pass over the train split, and what the validation split says afterwards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from headworks_model._augment import augment
from headworks_model._parallel import Shard
from headworks_model._runtime import predict
from headworks_model._state import Epoch
from headworks_model._trial import ask
from headworks_model.errors import TrainingError
from torch.nn import functional

if TYPE_CHECKING:
    from headworks_data import Split
    from headworks_model._config import TrainConfig
    from headworks_model._progress import Progress
    from headworks_model._state import State


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
    shard = Shard.current()
    rows = shard.rows(len(labels))
    # The mean over the batch is the sum over the processes of their parts of it.
    loss = functional.cross_entropy(ask(state.network, images[rows]), labels[rows]) * (len(labels[rows]) / len(labels))
    state.optimizer.zero_grad()
    torch.autograd.backward(loss)
    shard.add_gradients(state.network.parameters())
    state.optimizer.step()
    return shard.add_up(loss.detach()).item()


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
    measured = functional.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).double().mean().item()
    loss, accuracy = Shard.current().of_first(*measured)
    number = len(state.history) + 1
    epoch = Epoch(epoch=number, train_loss=train_loss, validation_loss=loss, validation_accuracy=accuracy)
    if not math.isfinite(train_loss + epoch.validation_loss):
        message = (
            f"the loss is no finite number in epoch {epoch.epoch}: lower learning_rate, now {config.learning_rate:g}."
        )
        raise TrainingError(message)
    return epoch
