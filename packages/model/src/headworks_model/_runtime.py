"""Makes torch repeat its results bit for bit, without changing its global state."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from headworks_model._trial import run_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

ROWS = 256
"""Rows per batch at inference: a fixed number, because the last bits of a sum may depend on it."""


@contextmanager
def reproducible(*, threads: int) -> Iterator[None]:
    """Within the block, torch is deterministic, uses so many threads, and its default generator may be seeded."""
    before = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.use_deterministic_algorithms(mode=strict)
        torch.set_num_threads(before)


def predict(network: nn.Module, images: NDArray[np.uint8], *, threads: int) -> NDArray[np.float32]:
    """Return the output of a network for images, in inference mode.

    Args:
        network: From uint8 [B, H, W, C] to float32 [B, K].
        images: Pixels, uint8 (N, H, W, C), N at least 1.
        threads: Processor threads for torch.

    Raises:
        ConfigError: The network fails.
    """
    was_training = network.training
    network.eval()
    try:
        with reproducible(threads=threads), torch.inference_mode():
            batches = (torch.tensor(images[first : first + ROWS]) for first in range(0, len(images), ROWS))
            outputs: NDArray[np.float32] = torch.cat([run_network(network, batch) for batch in batches]).numpy()
            return outputs
    finally:
        network.train(was_training)
