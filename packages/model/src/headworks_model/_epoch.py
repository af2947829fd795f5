"""One pass over the augmented train split, and the figures of the validation split afterwards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from headworks_model._parallel import Shard
from headworks_model._runtime import predict
from headworks_model._state import Epoch
from headworks_model._trial import run_network
from headworks_model.errors import TrainingError
from torch.nn import functional

if TYPE_CHECKING:
    from headworks_data import Split
    from headworks_model._progress import Progress
    from headworks_model._settings import TrainConfig
    from headworks_model._state import State


def train_epoch(state: State, split: Split, config: TrainConfig, progress: Progress) -> float:
    """Train on each row of the train split once, and return the mean loss."""
    brightest = float(split.images.max())
    state.network.train()
    order = torch.randperm(len(split.labels), generator=state.generator)
    # Batches are of nearly equal size: a last one of a single row would be too few for batch normalisation.
    batches = order.tensor_split(math.ceil(len(order) / config.batch_size))
    total = 0.0
    for number, rows in enumerate(batches):
        rate = learning_rate(config, epoch=len(state.history) + number / len(batches))
        # Indexing copies, and torch does not accept arrays that are read-only.
        images, labels = (torch.from_numpy(array[rows.numpy()]) for array in (split.images, split.labels))
        inputs = augment(images, config=config, brightest=brightest, generator=state.generator)
        total += _step(state, inputs, labels, rate=rate) * len(rows)
        progress.step()
    return total / len(order)


def _step(state: State, images: torch.Tensor, labels: torch.Tensor, *, rate: float) -> float:
    """Change the weights by one batch, float32 [B, H, W, C] and int64 [B], and return its loss before the change."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    shard = Shard.current()
    rows = shard.rows(len(labels))
    # The mean over the batch is the sum of the parts of all processes.
    share = len(labels[rows]) / len(labels)
    loss = functional.cross_entropy(run_network(state.network, images[rows]), labels[rows]) * share
    state.optimizer.zero_grad()
    torch.autograd.backward(loss)
    shard.add_gradients(state.network.parameters())
    state.optimizer.step()
    return shard.add_up(loss.detach()).item()


def learning_rate(config: TrainConfig, *, epoch: float) -> float:
    """Return the learning rate at a time, counted in epochs from 0: a straight rise, then half a cosine down to 0.

    The cosine is that of Loshchilov and Hutter, "SGDR" (2017), equation 5, without restarts and with 0 as the minimum.
    """
    rise = min(1.0, (epoch + 0.1) / config.warmup) if config.warmup else 1.0
    return config.learning_rate * rise * (1 + math.cos(math.pi * epoch / config.epochs)) / 2


def judge(state: State, split: Split, config: TrainConfig, train_loss: float) -> Epoch:
    """Measure the network on the validation split, and refuse a loss that is not a finite number."""
    labels = torch.tensor(split.labels)
    logits = torch.from_numpy(predict(state.network, split.images, threads=config.threads))
    measured = functional.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).double().mean().item()
    loss, accuracy = Shard.current().broadcast(*measured)
    number = len(state.history) + 1
    epoch = Epoch(epoch=number, train_loss=train_loss, validation_loss=loss, validation_accuracy=accuracy)
    if not math.isfinite(train_loss + epoch.validation_loss):
        message = (
            f"the loss is not a finite number in epoch {epoch.epoch}: lower learning_rate, now {config.learning_rate:g}"
        )
        raise TrainingError(message)
    return epoch


def augment(images: torch.Tensor, *, config: TrainConfig, brightest: float, generator: torch.Generator) -> torch.Tensor:
    """Move, turn, scale and blur images with noise, each by its own random amount.

    Args:
        images: Pixels, uint8 [B, H, W, C].
        config: Amounts of each.
        brightest: Brightest pixel, of which `config.noise` is a share.
        generator: Source of every random number.

    Returns:
        Images on the same scale, float32 [B, H, W, C]; pixels from outside the edges are 0.
    """
    planes = images.permute(0, 3, 1, 2).float()
    maps = _affine_maps(images.shape, config=config, generator=generator)
    grid = functional.affine_grid(maps, list(planes.shape), align_corners=False)
    moved = functional.grid_sample(planes, grid, align_corners=False).permute(0, 2, 3, 1)
    noise = torch.randn(moved.shape, generator=generator) * (config.noise * brightest)
    return moved + noise


def _affine_maps(shape: torch.Size, *, config: TrainConfig, generator: torch.Generator) -> torch.Tensor:
    """Draw one affine map per image, float32 [B, 2, 3], from output to input coordinates, both -1 to 1.

    A map turns pixels, not these coordinates, so that it does not shear images that are not square.
    """
    rows, height, width, _ = shape
    angle, growth, across, down = (2 * torch.rand(4, rows, generator=generator) - 1).unbind()
    angle = torch.deg2rad(angle * config.rotation)
    zoom = 1 + growth * config.scale
    cosine, sine = zoom * torch.cos(angle), zoom * torch.sin(angle)
    first = torch.stack([cosine, -sine * height / width, across * config.shift * 2 / width])
    second = torch.stack([sine * width / height, cosine, down * config.shift * 2 / height])
    return torch.stack([first, second]).permute(2, 0, 1).contiguous()
