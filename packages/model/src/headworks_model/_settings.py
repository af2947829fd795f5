"""Settings from TOML files: of a training, and of the floors of an evaluation."""

from __future__ import annotations

import dataclasses
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from headworks_data import Range, parse_settings, read_settings, validate
from headworks_data.errors import SettingsError
from headworks_model.errors import ConfigError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

POSITIVE = Range(least=1)
NOT_NEGATIVE = Range(least=0)
SHARE = Range(least=0, below=1)
PROBABILITY = Range(least=0, most=1)
PEER_CHOICES = ("auto", "all", "none")


@contextmanager
def _config_errors() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        raise ConfigError(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a network and its training.

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
    warmup: Annotated[int, NOT_NEGATIVE] = 2
    """Epochs in which the learning rate rises; afterwards it falls along half a cosine."""
    weight_decay: Annotated[float, NOT_NEGATIVE] = 0.01
    """Decoupled weight decay of AdamW."""
    shift: Annotated[float, NOT_NEGATIVE] = 1.0
    """Augmentation: images move by up to this many pixels."""
    rotation: Annotated[float, Range(least=0, most=180)] = 10.0
    """Augmentation: images turn by up to this many degrees."""
    scale: Annotated[float, SHARE] = 0.1
    """Augmentation: images grow or shrink by up to this share."""
    noise: Annotated[float, NOT_NEGATIVE] = 0.05
    """Augmentation: standard deviation of added noise, as a share of the brightest pixel in the train split."""

    @_config_errors()
    def __post_init__(self) -> None:
        """Refuse values of the wrong type or out of range."""
        validate(self)

    def to_dict(self) -> dict[str, object]:
        """Return the settings as plain values, as in `train.json`."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class Floors:
    """Least metrics of a model that is worth exporting.

    Raises:
        ConfigError: A value is of the wrong type or not a share.
    """

    accuracy: Annotated[float, PROBABILITY] = 0.0
    """Least accuracy over all test rows."""
    recall: Annotated[float, PROBABILITY] = 0.0
    """Least recall of any class."""

    @_config_errors()
    def __post_init__(self) -> None:
        """Refuse values of the wrong type or out of range."""
        validate(self)


@_config_errors()
def load_config(path: str | os.PathLike[str] | None = None, *, overrides: Iterable[str] = ()) -> TrainConfig:
    """Read the settings of a training.

    Args:
        path: A TOML file; without one, the defaults hold.
        overrides: Texts `key=value` with the value as in TOML (quotes may be left out), which override the file.

    Raises:
        ConfigError: The file cannot be read; or a setting is unknown, of the wrong type or out of range.
    """
    config = TrainConfig() if path is None else read_settings(path, TrainConfig)
    return parse_settings(config.to_dict() | dict(map(_override, overrides)), TrainConfig)


def _override(assignment: str) -> tuple[str, object]:
    key, equals, text = assignment.partition("=")
    if not equals:
        message = f"{assignment!r} is not a setting: write key=value, such as epochs=20"
        raise ConfigError(message)
    try:
        return key.strip(), tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return key.strip(), text.strip()


@_config_errors()
def load_floors(path: str | os.PathLike[str] | None) -> Floors:
    """Read the floors from a TOML file; without one, they are 0.

    Raises:
        ConfigError: The file cannot be read, or a value in it is wrong.
    """
    return Floors() if path is None else read_settings(path, Floors)
