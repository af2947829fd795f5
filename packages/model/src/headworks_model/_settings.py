"""Reads and validates settings: frozen dataclasses whose annotations say what each value may be."""

from __future__ import annotations

import dataclasses
import difflib
import math
import sys
import tomllib
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from headworks_data import advice
from headworks_model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


@dataclass(frozen=True, kw_only=True)
class Range:
    """The numbers that a setting may take; stands beside its type in `typing.Annotated`."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __contains__(self, value: float) -> bool:
        """Say whether a number is finite and within all bounds."""
        return abs(value) < math.inf and self.least <= value <= self.most and self.above < value < self.below

    def __str__(self) -> str:
        """Say in words which numbers are meant."""
        words = {"least": "at least", "most": "at most", "above": "above", "below": "below"}
        bounds = {word: getattr(self, name) for name, word in words.items()}
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound))


def named(known: Iterable[str], *, unknown: str, what: str) -> ConfigError:
    """Return the error for an unknown name, which offers the nearest known one."""
    names = sorted(known)
    near = difflib.get_close_matches(unknown, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names) or 'none'}."
    return ConfigError(f"unknown {what} {unknown!r}: {hint}")


def read(kind: type[Config], path: Path | None) -> Config:
    """Build settings from a TOML file, or from the defaults where there is none.

    Raises:
        ConfigError: The file cannot be read, or a setting in it is not as it must be; the message names the file.
    """
    if path is None:
        return kind()
    try:
        # Editors on Windows put a mark in front of UTF-8.
        return _build(kind, tomllib.loads(path.read_text("utf-8-sig")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ConfigError) as error:
        reason = f"{error.strerror}: {advice(error)}" if isinstance(error, OSError) else error
        message = f"{path}: {reason}"
        raise ConfigError(message) from error


def override(config: Config, assignments: Iterable[str]) -> Config:
    """Return settings changed by `key=value` texts, whose values are written as in TOML (quotes may be left out).

    Raises:
        ConfigError: A text has no equals sign, names no setting, or gives a value that the setting cannot take.
    """
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            message = f"{assignment!r} is no setting: write key=value, such as epochs=20."
            raise ConfigError(message)
        values[key.strip()] = _value(text.strip())
    return _build(type(config), values)


def _value(text: str) -> object:
    """Return what a text means in TOML, or else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _build(kind: type[Config], values: Mapping[str, object]) -> Config:
    """Build settings from names and values."""
    hints = typing.get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise named(hints, unknown=name, what="setting")
    return kind(**values)


def validate(config: DataclassInstance) -> None:
    """Check every field of a frozen dataclass against its annotation; whole numbers become floats where due.

    Raises:
        ConfigError: A value is of the wrong type or out of range.
    """
    for name, hint in typing.get_type_hints(type(config), include_extras=True).items():
        kind, *limits = typing.get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
        value = getattr(config, name)
        # Up to here, every whole number is a float as well; beyond, it is a mistake.
        if kind is float and type(value) is int and abs(value) <= 2**sys.float_info.mant_dig:
            value = float(value)
            object.__setattr__(config, name, value)
        if type(value) is not kind:  # exactly: true and false are no numbers
            message = f"{name} must be {_WORDS[kind]}, not {value!r}."
            raise ConfigError(message)
        for limit in limits:
            if value not in limit:
                message = f"{name} must be {limit}, not {value!r}."
                raise ConfigError(message)


_WORDS: Mapping[object, str] = {int: "a whole number", float: "a number", str: "a text"}
