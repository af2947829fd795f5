"""Training by several processes, each with a part of every batch, to the same result as by one process.

Every process draws the same random numbers for the whole batch and takes its own rows of them, gradients are summed,
and batch normalisation averages over the rows of all processes. So the batches and all random numbers are those of one
process; only the last bits of sums in another order differ.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The part of every batch that this process computes: all of it if there is no other process."""

    rank: int = 0
    """Number of this process, from 0."""
    size: int = 1
    """Number of processes."""
    grouped: bool = False
    """Whether the processes are a group that exchanges its results."""

    @classmethod
    def current(cls) -> Shard:
        """Return the part for this process in the group that `torchrun` started, if it did."""
        if not distributed.is_initialized():
            return cls()
        return cls(rank=distributed.get_rank(), size=distributed.get_world_size(), grouped=True)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def rows(self, number: int) -> slice:
        """Return the rows of this process among so many."""
        return slice(number * self.rank // self.size, number * (self.rank + 1) // self.size)

    def add_up(self, tensor: torch.Tensor) -> torch.Tensor:
        """Replace a tensor by its sum over all processes, and return it."""
        if self.grouped:
            distributed.all_reduce(tensor)
        return tensor

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give each parameter the sum of its gradients over all processes, in one message."""
        if self.grouped:
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            sizes = [gradient.numel() for gradient in gradients]
            total = self.add_up(torch.cat([gradient.reshape(-1) for gradient in gradients]))
            for gradient, part in zip(gradients, torch.split(total, sizes), strict=True):
                gradient.copy_(part.view_as(gradient))

    def broadcast(self, *values: float) -> list[float]:
        """Wait for the first process, and return its numbers, so that all processes decide alike."""
        tensor = torch.tensor(values, dtype=torch.float64)
        if self.grouped:
            distributed.broadcast(tensor, src=0)
        numbers: list[float] = tensor.tolist()
        return numbers


@contextmanager
def process_group() -> Iterator[Shard]:
    """Within the block, this process is in a group (gloo) with the others that `torchrun` started, if it did."""
    if "WORLD_SIZE" not in os.environ:
        yield Shard()
        return
    distributed.init_process_group("gloo")
    try:
        yield Shard.current()
    finally:
        distributed.destroy_process_group()


def share_layers(network: nn.Module) -> None:
    """Replace batch normalisation and dropout in a network by layers for the rows of all processes.

    Names of weights stay. A network with other layers that depend on the batch or on chance can be trained, but not to
    the same result as by one process.
    """
    for name, child in network.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - the base of all three kinds
            setattr(network, name, SharedBatchNorm.like(child))
        elif type(child) is nn.Dropout:
            setattr(network, name, _SharedDropout(child.p))
        else:
            share_layers(child)


class _Total(torch.autograd.Function):
    """The sum of a tensor over all processes, through which gradients flow back to all of them."""

    @staticmethod
    def forward(_: Any, tensor: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - torch names no type for it
        return Shard.current().add_up(tensor.clone())

    @staticmethod
    def backward(_: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - as above
        """Sum the gradients of all processes."""
        return Shard.current().add_up(gradient.clone())


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - the base of all three kinds
    """Batch normalisation over the rows of all processes; that of torch is for GPUs only.

    Ioffe and Szegedy, "Batch Normalization" (2015), algorithm 1.
    """

    @classmethod
    def like(cls, layer: nn.modules.batchnorm._BatchNorm) -> SharedBatchNorm:
        """Return a layer with the settings and weights of another one."""
        settings = {name: getattr(layer, name) for name in ("eps", "momentum", "affine", "track_running_stats")}
        shared = cls(layer.num_features, **settings)
        shared.load_state_dict(layer.state_dict())
        return shared

    def _check_input_dim(self, input: torch.Tensor) -> None:  # noqa: A002 - the name in torch
        """Accept any number of dimensions."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - the name in torch
        """Normalise each channel of a tensor [B, C, ...]."""
        if not self.training:
            return super().forward(input)
        shape = (1, -1, *(1 for _ in input.shape[2:]))
        dims = [0, *range(2, input.dim())]
        rows = input.new_tensor([input.numel() / input.shape[1]])
        sums = _Total.apply(torch.cat([input.sum(dims), rows]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = input - mean.view(shape)
        variance = _Total.apply(centred.square().sum(dims)) / count
        self.remember(mean.detach(), variance.detach() * count / (count - 1))
        result: torch.Tensor = centred * torch.rsqrt(variance + self.eps).view(shape)
        return result * self.weight.view(shape) + self.bias.view(shape) if self.affine else result

    def remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Move the running mean and variance, [C] each, towards those of a batch."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class _SharedDropout(nn.Dropout):
    """Dropout that draws for the rows of all processes, and takes the numbers for its own rows."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - the name in torch
        """Set numbers of a tensor [B, ...] to 0 in training."""
        if not self.training:
            return input
        shard = Shard.current()
        rows = int(shard.add_up(torch.tensor(len(input))))
        kept = functional.dropout(input.new_ones((rows, *input.shape[1:])), self.p)
        return input * kept[shard.rows(rows)]
