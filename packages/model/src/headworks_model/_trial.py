"""Tries a network on blank images, so that what cannot be trained, judged or served is told before the first epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from headworks_model.errors import ConfigError, ModelError
from torch.nn import functional

if TYPE_CHECKING:
    from torch import nn

__all__ = ["first_line", "try_network"]

ROWS = 2
"""One row alone would leave batch normalisation nothing to average over."""


def first_line(error: Exception) -> str:
    """Return the kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def try_network(
    network: nn.Module, name: str, image_shape: tuple[int, int, int], num_classes: int, *, trains: bool
) -> None:
    """Refuse a network that does not give logits, and leave it as it was.

    Args:
        network: should take uint8 or float32 [B, H, W, C] and return float32 [B, K].
        name: what it is called.
        image_shape: height, width, channels.
        num_classes: K.
        trains: whether it is to be trained, and not only to predict.

    Raises:
        ConfigError: it fails, gives something else, or has no weight that could be trained.
    """
    was_training, buffers = network.training, [(it, it.clone()) for it in network.buffers()]
    blank = torch.zeros((ROWS, *image_shape), dtype=torch.uint8)
    try:
        with torch.random.fork_rng(devices=[]):
            predicts(network.eval(), name, blank, num_classes)
            if trains:
                learns(network.train(), name, blank.float(), num_classes)
    except ModelError:
        raise
    except Exception as error:
        # It is code of others, which may raise anything.
        msg = f"network {name!r} fails on {ROWS} blank images, {blank.dtype} {list(blank.shape)}: {first_line(error)}"
        raise ConfigError(msg) from error
    finally:
        network.train(was_training).zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def predicts(network: nn.Module, name: str, blank: torch.Tensor, num_classes: int) -> None:
    """Refuse a network that gives no finite logits for blank images, as servers ask for when they start."""
    with torch.no_grad():
        logits = logits_of(network, name, blank, num_classes)
    if not logits.isfinite().all():
        msg = f"network {name!r} gives numbers for a blank image that are not finite, so that no server would start "
        msg += "with it: see whether it divides by what is 0 in an even image."
        raise ConfigError(msg)


def learns(network: nn.Module, name: str, blank: torch.Tensor, num_classes: int) -> None:
    """Refuse a network through which no gradient flows to any weight."""
    if not any(it.requires_grad for it in network.parameters()):
        msg = f"network {name!r} has no weight that could be trained: set requires_grad of some."
        raise ConfigError(msg)
    labels = torch.zeros(len(blank), dtype=torch.int64)
    torch.autograd.backward(functional.cross_entropy(logits_of(network, name, blank, num_classes), labels))


def logits_of(network: nn.Module, name: str, images: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Return the logits of images, and refuse whatever is none."""
    logits = network(images)
    expected = (torch.float32, [len(images), num_classes])
    is_tensor = isinstance(logits, torch.Tensor)
    if not is_tensor or (logits.dtype, list(logits.shape)) != expected:
        given = f"{logits.dtype} {list(logits.shape)}" if is_tensor else f"a {type(logits).__name__}"
        mode = "training" if network.training else "inference"
        msg = f"network {name!r} gives {given} in {mode}, and must give logits, {expected[0]} {expected[1]}: one for "
        msg += f"each image and each of the {num_classes} classes."
        raise ConfigError(msg)
    return cast("torch.Tensor", logits)
