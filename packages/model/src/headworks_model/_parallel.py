"""Training by several processes, each of which computes a part of every batch, to the result that one alone has.

Every process draws the same numbers for the whole batch and takes its own rows of them, gradients are added up, and
batch normalisation averages over the rows of all. So the batches, and all that is drawn, are those of one process; what
is left are the last bits of sums that are added up in another order.
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
    """What this process computes of every batch: all of it, where there is no other process."""

    rank: int = 0
    """Number of this process, from 0."""
    size: int = 1
    """How many processes there are."""
    grouped: bool = False
    """Whether they are a process group, in which all have to be told what each has found."""

    @classmethod
    def current(cls) -> Shard:
        """Return that of the process group which `torchrun` has started, if it has."""
        if not distributed.is_initialized():
            return cls()
        return cls(rank=distributed.get_rank(), size=distributed.get_world_size(), grouped=True)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def rows(self, number: int) -> slice:
        """Return which of so many rows are those of this process."""
        return slice(number * self.rank // self.size, number * (self.rank + 1) // self.size)

    def add_up(self, tensor: torch.Tensor) -> torch.Tensor:
        """Put the sum over all processes into a tensor, and return it."""
        if self.grouped:
            distributed.all_reduce(tensor)
        return tensor

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give each parameter the sum of its gradients over all processes, in one message."""
        if self.grouped:
            gradients = [it.grad for it in parameters if it.grad is not None]
            sizes = [it.numel() for it in gradients]
            total = self.add_up(torch.cat([it.reshape(-1) for it in gradients]))
            for gradient, part in zip(gradients, torch.split(total, sizes), strict=True):
                gradient.copy_(part.view_as(gradient))

    def of_first(self, *values: float) -> list[float]:
        """Return the numbers that the first process gave, so that all decide alike; it is waited for."""
        tensor = torch.tensor(values, dtype=torch.float64)
        if self.grouped:
            distributed.broadcast(tensor, src=0)
        numbers: list[float] = tensor.tolist()
        return numbers


@contextmanager
def joined() -> Iterator[Shard]:
    """Within the block, this process is one of those that `torchrun` started, if it did start it; they meet by gloo."""
    if "WORLD_SIZE" not in os.environ:
        yield Shard()
        return
    distributed.init_process_group("gloo")
    try:
        yield Shard.current()
    finally:
        distributed.destroy_process_group()


def share_layers(network: nn.Module) -> None:
    """Have the batch normalisation and the dropout of a network look at the rows of all processes.

    Names of weights stay as they are. A network that looks at its batch, or draws, in layers of its own is trained all
    the same, but not to the very result of one process.
    """
    for name, child in network.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - it is the base of all three kinds
            setattr(network, name, SharedBatchNorm.like(child))
        elif type(child) is nn.Dropout:
            setattr(network, name, SharedDropout(child.p))
        else:
            share_layers(child)


class Total(torch.autograd.Function):
    """The sum of a tensor over all processes, through which gradients flow back to all of them."""

    @staticmethod
    def forward(_: Any, tensor: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - torch names no type for it
        """Return the sum."""
        return Shard.current().add_up(tensor.clone())

    @staticmethod
    def backward(_: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - as above
        """Return the sum of what every process asks of the sum."""
        return Shard.current().add_up(gradient.clone())


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - it is the base of all three kinds
    """Batch normalisation over the rows of all processes; torch's own kind of that is for GPUs only.

    Ioffe and Szegedy, "Batch Normalization" (2015), algorithm 1.
    """

    @classmethod
    def like(cls, layer: nn.modules.batchnorm._BatchNorm) -> SharedBatchNorm:
        """Return one with the settings and weights of another layer."""
        settings = {name: getattr(layer, name) for name in ("eps", "momentum", "affine", "track_running_stats")}
        shared = cls(layer.num_features, **settings)
        shared.load_state_dict(layer.state_dict())
        return shared

    def _check_input_dim(self, input: torch.Tensor) -> None:  # noqa: A002 - torch calls it so
        """Take any number of dimensions."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch calls it so
        """Normalise each channel of a tensor [B, C, ...]."""
        if not self.training:
            return super().forward(input)
        shape = (1, -1, *(1 for _ in input.shape[2:]))
        dims = [0, *range(2, input.dim())]
        rows = input.new_tensor([input.numel() / input.shape[1]])
        sums = Total.apply(torch.cat([input.sum(dims), rows]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = input - mean.view(shape)
        variance = Total.apply(centred.square().sum(dims)) / count
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


class SharedDropout(nn.Dropout):
    """Dropout that draws for the rows of all processes, and takes its own."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch calls it so
        """Drop numbers of a tensor [B, ...] in training."""
        if not self.training:
            return input
        shard = Shard.current()
        rows = int(shard.add_up(torch.tensor(len(input))))
        kept = functional.dropout(input.new_ones((rows, *input.shape[1:])), self.p)
        return input * kept[shard.rows(rows)]
