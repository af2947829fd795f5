"""Settings of a training."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from headworks_model import _settings
from headworks_model._settings import Range

if TYPE_CHECKING:
    from collections.abc import Iterable

POSITIVE = Range(least=1)
SHARE = Range(least=0, below=1)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is built and trained.

    Raises:
        ConfigError: A value is of the wrong type or out of range.
    """

    network: str = "conv"
    """Name of the network: `conv`, or one that a package registers under `headworks_model.networks`."""
    width: Annotated[int, Range(least=1, most=4096)] = 32
    """Channels of the first convolution; deeper ones have up to four times as many."""
    dropout: Annotated[float, SHARE] = 0.2
    """Share of features that are dropped before the last layer, in training only."""
    seed: Annotated[int, Range(least=0, most=2**63 - 1)] = 0
    """Start of all random numbers: first weights, order of rows, augmentation, dropout."""
    threads: Annotated[int, Range(least=1, most=1024)] = 1
    """Processor threads that torch may use; a small network is slower on many."""
    epochs: Annotated[int, POSITIVE] = 40
    """Most passes over the train split."""
    patience: Annotated[int, POSITIVE] = 10
    """Epochs without a lower validation loss after which training stops."""
    batch_size: Annotated[int, POSITIVE] = 64
    """Images per step."""
    learning_rate: Annotated[float, Range(above=0)] = 3e-3
    """Highest learning rate of AdamW."""
    warmup: Annotated[int, Range(least=0)] = 2
    """Epochs in which the learning rate rises; afterwards it falls along half a cosine."""
    weight_decay: Annotated[float, Range(least=0)] = 0.01
    """Decoupled weight decay of AdamW."""
    shift: Annotated[float, Range(least=0)] = 1.0
    """Augmentation: images move by up to this many pixels."""
    rotation: Annotated[float, Range(least=0, most=180)] = 10.0
    """Augmentation: images turn by up to this many degrees."""
    scale: Annotated[float, SHARE] = 0.1
    """Augmentation: images grow or shrink by up to this share."""
    noise: Annotated[float, Range(least=0)] = 0.05
    """Augmentation: standard deviation of added noise, as a share of the brightest pixel in the train split."""

    def __post_init__(self) -> None:
        """Refuse values of the wrong type or out of range."""
        _settings.validate(self)

    def to_dict(self) -> dict[str, object]:
        """Return the settings as plain values, as they stand in `train.json`."""
        return dataclasses.asdict(self)


def load_config(path: str | Path | None = None, *, overrides: Iterable[str] = ()) -> TrainConfig:
    """Read the settings of a training.

    Args:
        path: A TOML file; without one, the defaults hold.
        overrides: `key=value` texts that go before the file.

    Raises:
        ConfigError: The file cannot be read; or a setting is unknown, of the wrong type or out of range.
    """
    return _settings.override(_settings.read(TrainConfig, None if path is None else Path(path)), overrides)
