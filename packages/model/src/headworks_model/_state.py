"""The whole state of a training, and its checkpoint: one safetensors file per epoch, no pickle."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch
from headworks_data import replace_files
from headworks_model import _files
from headworks_model.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """The figures of one epoch in the log, without times, so that every run writes the same."""

    epoch: int
    """Number of the epoch, from 1."""
    train_loss: float
    """Mean cross entropy over the augmented train split, while the weights were changing."""
    validation_loss: float
    """Mean cross entropy over the validation split, after the epoch."""
    validation_accuracy: float
    """Share of the validation split with a correct prediction."""


@dataclass(kw_only=True)
class State:
    """All inputs of the next epoch."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    """Draws the order of rows and the augmentation; dropout draws from torch's default generator."""
    history: list[Epoch] = field(default_factory=list)
    best: Tensors = field(default_factory=dict)
    """Weights after the epoch with the lowest validation loss."""

    @property
    def best_epoch(self) -> Epoch:
        """The epoch with the lowest validation loss, the first of equals."""
        return min(self.history, key=lambda epoch: epoch.validation_loss)

    def add(self, epoch: Epoch) -> None:
        """Record a finished epoch, and keep its weights if it is the best one."""
        self.history.append(epoch)
        if self.best_epoch is epoch:
            self.best = plain(self.network.state_dict())

    def finished(self, *, epochs: int, patience: int) -> bool:
        """Tell whether all epochs are done, or too many passed without a lower validation loss."""
        done = len(self.history)
        return done >= epochs or (done > 0 and done - self.best_epoch.epoch >= patience)


def plain(tensors: Tensors) -> Tensors:
    """Return copies of tensors that share no memory, as safetensors needs them."""
    return {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}


def save_checkpoint(folder: Path, state: State, *, origin: dict[str, object]) -> None:
    """Write the state of a training into a folder, in place of the one before.

    Args:
        folder: The folder of `checkpoint.safetensors`.
        state: The state after a whole epoch.
        origin: Settings, data and version of torch; only a run with the same ones can resume.
    """
    sections: dict[str, Tensors] = {
        "best": state.best,
        "weights": state.network.state_dict(),
        "optimizer": {
            f"{index}.{name}": tensor
            for index, values in state.optimizer.state_dict()["state"].items()
            for name, tensor in values.items()
        },
        "random": {"default": torch.get_rng_state(), "training": state.generator.get_state()},
    }
    tensors = {f"{section}/{name}": tensor for section, values in sections.items() for name, tensor in values.items()}
    # One key only: safetensors writes several in no fixed order.
    about = {
        "headworks": json.dumps({"origin": origin, "history": [dataclasses.asdict(epoch) for epoch in state.history]})
    }
    replace_files(folder, {_files.CHECKPOINT: safetensors.torch.save(plain(tensors), about)})


def load_checkpoint(folder: Path, state: State, *, origin: dict[str, object]) -> None:
    """Move a fresh state of the same settings to the checkpoint, and torch's default generator as well.

    Raises:
        CheckpointError: The checkpoint is damaged, or was written by a run with other settings, data or torch.
    """
    path = folder / _files.CHECKPOINT
    try:
        about, sections = _read_sections(path)
        check_origin(about["origin"], origin, path=path)
        state.history = [Epoch(**epoch) for epoch in about["history"]]
        state.best = sections["best"]
        state.network.load_state_dict(sections["weights"])
        state.optimizer.load_state_dict(_optimizer_state(state.optimizer, sections["optimizer"]))
        state.generator.set_state(sections["random"]["training"])
        torch.set_rng_state(sections["random"]["default"])
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        if isinstance(error, CheckpointError):
            raise
        message = f"{path} is damaged ({error}): train again without --resume"
        raise CheckpointError(message) from error


def _read_sections(path: Path) -> tuple[dict[str, Any], dict[str, Tensors]]:
    """Read a checkpoint: its description, and its tensors by section."""
    sections: dict[str, Tensors] = {"best": {}, "weights": {}, "optimizer": {}, "random": {}}
    with safetensors.safe_open(path, framework="pt") as file:
        about: dict[str, Any] = json.loads(file.metadata()["headworks"])
        for key in file.keys():  # noqa: SIM118 - the reader is not a mapping and cannot be iterated over
            section, _, name = key.partition("/")
            sections[section][name] = file.get_tensor(key)
    return about, sections


def _optimizer_state(optimizer: torch.optim.Optimizer, tensors: Tensors) -> dict[str, Any]:
    """Return tensors named `index.name` as the state dictionary of an optimizer."""
    state: dict[int, Tensors] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def check_origin(then: dict[str, object], now: dict[str, object], *, path: Path) -> None:
    """Raise CheckpointError, with the differences, unless a checkpoint comes from a run like this one."""
    differing = [
        f"{name} was {then.get(name)!r} and is {now.get(name)!r}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    if differing:
        message = (
            f"{path} comes from another run: {'; '.join(differing)}: "
            "resume with the former values, or train again without --resume"
        )
        raise CheckpointError(message)
