"""Tries a network on blank images, to refuse one that cannot be trained, judged or served before the first epoch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from headworks_model._state import plain
from headworks_model.errors import ConfigError, ModelError
from torch.nn import functional
from torch.nn.parameter import is_lazy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

ROWS = 2
"""Batch normalisation has nothing to average over for a single row."""


def first_line(error: Exception) -> str:
    """Return the kind of an error and the first line of its message."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def run_network(network: nn.Module, images: torch.Tensor) -> Any:  # noqa: ANN401 - a network may return anything
    """Return the output of a network for images, [B, H, W, C].

    Raises:
        ConfigError: The network fails.
    """
    try:
        return network(images)
    except Exception as error:
        # Registered code may raise anything.
        message = (
            f"the network fails on {len(images)} image(s), {images.dtype} {list(images.shape)}: {first_line(error)}"
        )
        raise ConfigError(message) from error


@contextmanager
def unchanged(network: nn.Module) -> Iterator[None]:
    """Give a network copies of its buffers within the block, and its own ones back after it.

    Those of a lazy module are made when it first runs, and stay.
    """
    kept = [
        (module, name, buffer)
        for module in network.modules()
        for name, buffer in module.named_buffers(recurse=False)
        if not is_lazy(buffer)
    ]
    for module, name, buffer in kept:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in kept:
            setattr(module, name, buffer)


def try_network(
    network: nn.Module, name: str, image_shape: tuple[int, int, int], num_classes: int, *, trains: bool
) -> None:
    """Refuse a network that does not give logits, without changing it.

    Args:
        network: From uint8 or float32 [B, H, W, C] to float32 [B, K].
        name: Its name.
        image_shape: Height, width, channels.
        num_classes: K.
        trains: Whether it has to be trained, and not only to predict.

    Raises:
        ConfigError: It fails, gives something else, has no weight to train, or state other than tensors.
    """
    modes = [(module, module.training) for module in network.modules()]
    blank = torch.zeros((ROWS, *image_shape), dtype=torch.uint8)
    try:
        with torch.random.fork_rng(devices=[]):
            # The `eval` and `train` of some networks return nothing.
            network.eval()
            with unchanged(network):
                _predicts(network, name, blank, num_classes)
            if trains:
                network.train()
                with unchanged(network):
                    learns(network, name, blank.float(), num_classes)
                _reloads(network, name)
    except ModelError:
        raise
    except Exception as error:
        # Registered code may raise anything.
        message = (
            f"network {name!r} fails on {ROWS} blank images, {blank.dtype} {list(blank.shape)}: {first_line(error)}"
        )
        raise ConfigError(message) from error
    finally:
        for module, was_training in modes:
            module.training = was_training
        network.zero_grad(set_to_none=True)


def _predicts(network: nn.Module, name: str, blank: torch.Tensor, num_classes: int) -> None:
    """Refuse a network without finite logits for blank images, which servers predict when they start."""
    with torch.no_grad():
        logits = _logits_of(network, name, blank, num_classes)
    if not logits.isfinite().all():
        message = (
            f"network {name!r} gives numbers for a blank image that are not finite, so that no server would start "
        )
        message += "with it: look for a division by a value that is 0 in an even image"
        raise ConfigError(message)


def learns(network: nn.Module, name: str, blank: torch.Tensor, num_classes: int) -> None:
    """Refuse a network through which no gradient flows to any weight."""
    if not any(parameter.requires_grad for parameter in network.parameters()):
        message = f"network {name!r} has no weight that could be trained: set requires_grad of some"
        raise ConfigError(message)
    labels = torch.zeros(len(blank), dtype=torch.int64)
    torch.autograd.backward(functional.cross_entropy(_logits_of(network, name, blank, num_classes), labels))


def _reloads(network: nn.Module, name: str) -> None:
    """Refuse a network whose state cannot be saved as plain tensors and loaded again."""
    state = network.state_dict()
    if odd := [key for key, value in state.items() if not isinstance(value, torch.Tensor)]:
        message = (
            f"network {name!r} has state that is no tensor and cannot be kept: {', '.join(odd)}; make buffers of it, "
        )
        message += "or leave it out of state_dict"
        raise ConfigError(message)
    try:
        network.load_state_dict(plain(state))
    except Exception as error:
        # Registered code may raise anything.
        message = f"the state of network {name!r} cannot be loaded again: {' '.join(str(error).split())}"
        raise ConfigError(message) from error


def _logits_of(network: nn.Module, name: str, images: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Return the logits of images, and refuse any other output."""
    logits = network(images)
    expected = (torch.float32, [len(images), num_classes])
    is_tensor = isinstance(logits, torch.Tensor)
    if not is_tensor or (logits.dtype, list(logits.shape)) != expected:
        given = f"{logits.dtype} {list(logits.shape)}" if is_tensor else f"a {type(logits).__name__}"
        mode = "training" if network.training else "inference"
        message = (
            f"network {name!r} gives {given} in {mode}, and must give logits, {expected[0]} {expected[1]}: one for "
        )
        message += f"each image and each of the {num_classes} classes"
        raise ConfigError(message)
    return cast("torch.Tensor", logits)
