"""Settings: dataclasses whose annotations say what each value may be, and the strict reader of their TOML files."""

from __future__ import annotations

import difflib
import math
import sys
import tomllib
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from headworks_data._advice import advice
from headworks_data.errors import SettingsError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
_KINDS = {int: "a whole number", float: "a finite number", str: "a text", bool: "true or false"}


@dataclass(frozen=True, kw_only=True)
class Range:
    """Bounds of a number; stands beside its type in `typing.Annotated`."""

    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf
    below: float = math.inf

    def __contains__(self, value: float) -> bool:
        """Tell whether a number is within all bounds."""
        return self.least <= value <= self.most and self.above < value < self.below

    def __str__(self) -> str:
        """Name the bounds."""
        words = {"least": "at least", "above": "above", "most": "at most", "below": "below"}
        bounds = {word: getattr(self, name) for name, word in words.items()}
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound))


def expect(condition: bool, message: str) -> None:  # noqa: FBT001 - a condition and its message read best in order
    """Raise SettingsError with a message unless a condition holds; a comparison with NaN never holds."""
    if not condition:
        raise SettingsError(message)


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not known, with the nearest known one, or else with all of them.

    Args:
        what: The kind of thing, such as "source".
        name: The unknown name.
        known: All names that would do.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
    return f"there is no {what} {name!r}: {hint}"


def read_settings(path: str | os.PathLike[str], kind: type[T]) -> T:
    """Read a dataclass from a TOML file.

    Args:
        path: The file.
        kind: The dataclass; its fields are the keys, fields that are dataclasses are tables.

    Raises:
        SettingsError: The file cannot be read, or a key or a value in it is wrong; the message names the file.
    """
    try:
        # Editors on Windows put a mark in front of UTF-8.
        table = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}: {advice(error)}"
        raise SettingsError(message) from error
    except UnicodeDecodeError as error:
        message = f"cannot read {path}: it is not UTF-8, as TOML must be: save it as UTF-8"
        raise SettingsError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"cannot read {path}: {error}: correct the TOML"
        raise SettingsError(message) from error
    try:
        return parse_settings(table, kind)
    except SettingsError as error:
        message = f"{path}: {error}"
        raise SettingsError(message) from error


def parse_settings(table: Mapping[str, Any], kind: type[T], prefix: str = "") -> T:
    """Make a dataclass from a table of TOML, strictly: an unknown or missing key is an error.

    Args:
        table: Keys and values.
        kind: The dataclass.
        prefix: Text in front of each key in messages, such as "shares." for a table inside another one.

    Raises:
        SettingsError: A key or a value is wrong.
    """
    hints = get_type_hints(kind, include_extras=True)
    for key in table:
        expect(key in hints, unknown_name("setting", prefix + key, [prefix + name for name in hints]))
    required = [field.name for field in fields(kind) if field.default is field.default_factory is MISSING]
    missing = [f"'{prefix}{name}'" for name in required if name not in table]
    expect(not missing, f"{', '.join(missing)} must be given and is missing")
    return kind(**{key: _fit(value, hints[key], prefix + key) for key, value in table.items()})


def validate(settings: DataclassInstance) -> None:
    """Check every field of a frozen dataclass against its annotation, for its `__post_init__`.

    Raises:
        SettingsError: A value is of the wrong type or out of range.
    """
    for name, hint in get_type_hints(type(settings), include_extras=True).items():
        object.__setattr__(settings, name, _fit(getattr(settings, name), hint, name))


def _fit(value: Any, hint: Any, name: str) -> Any:  # noqa: ANN401 - whatever TOML and a dataclass can hold
    """Return a value as its annotation has it: a table as a dataclass, a list as a tuple, 1 as 1.0 for a float."""
    if get_origin(hint) is Annotated:
        hint, *ranges = get_args(hint)
        value = _fit(value, hint, name)
        for bounds in ranges:
            expect(value is None or value in bounds, f"'{name}' must be {bounds}, not {value}")
        return value
    if isinstance(hint, UnionType):  # X | None, where None stands for a key that is left out
        return None if value is None else _fit(value, get_args(hint)[0], name)
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        return tuple(_fit(part, get_args(hint)[0], f"{name}[{number}]") for number, part in enumerate(value))
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return parse_settings(value, hint, f"{name}.")
    # Up to here every whole number is a float as well; beyond, it is a mistake.
    if hint is float and type(value) is int and abs(value) <= 2**sys.float_info.mant_dig:
        value = float(value)
    # Exactly: true and false are not numbers.
    fits = type(value) is hint and (hint is not float or math.isfinite(value))
    words = "a list" if get_origin(hint) is tuple else _KINDS.get(hint, "a table")
    expect(fits, f"'{name}' must be {words}, not {value!r}")
    return value
