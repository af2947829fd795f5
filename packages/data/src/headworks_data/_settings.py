"""Settings in TOML files, read strictly: what is not known is an error, with the nearest name that is."""

from __future__ import annotations

import difflib
import math
import tomllib
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_type_hints

from headworks_data._advice import advice
from headworks_data._dataset import is_text
from headworks_data._expect import expect
from headworks_data._splits import Shares
from headworks_data.errors import SettingsError

if TYPE_CHECKING:
    import os

    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """What a dataset is built from.

    Attributes:
        source: Name of a source, with an argument after a colon where it takes one.
        salt: Text that the splits depend on.
        shares: How much each split gets.
    """

    source: str = "digits"
    salt: str = "headworks"
    shares: Shares = field(default_factory=Shares)

    def __post_init__(self) -> None:
        """Refuse a salt that cannot be hashed or written down."""
        expect(is_text(self.salt), f"'salt' must be text, not bytes that are no UTF-8: {self.salt!r}")


def read_settings(path: str | os.PathLike[str], kind: type[T]) -> T:
    """Read a dataclass from a TOML file.

    Args:
        path: The file.
        kind: The dataclass; its fields are the keys, fields that are dataclasses are tables.

    Raises:
        SettingsError: The file cannot be read, or a key or a value in it is wrong.
    """
    try:
        # Editors on Windows put a mark in front of UTF-8.
        table = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}: {advice(error)}"
        raise SettingsError(message) from error
    except UnicodeDecodeError as error:
        message = f"cannot read {path}: it is no UTF-8, as TOML must be: save it as UTF-8"
        raise SettingsError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"cannot read {path}: {error}"
        raise SettingsError(message) from error
    try:
        return _parse(table, kind, "")
    except SettingsError as error:
        message = f"{path}: {error}"
        raise SettingsError(message) from error


def _parse(table: dict[str, Any], kind: type[T], prefix: str) -> T:
    hints = get_type_hints(kind)
    known = [it.name for it in fields(kind)]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean '{prefix}{near[0]}'?" if near else f"known are {', '.join(known)}"
            message = f"there is no '{prefix}{key}': {hint}"
            raise SettingsError(message)
    required = [it.name for it in fields(kind) if it.default is it.default_factory is MISSING]
    if missing := [f"'{prefix}{name}'" for name in required if name not in table]:
        message = f"{', '.join(missing)} is missing"
        raise SettingsError(message)
    return kind(**{key: _value(value, hints[key], prefix + key) for key, value in table.items()})


def _finite(value: float, name: str) -> float:
    try:
        number = float(value)
    except OverflowError:  # an integer may be too large for one
        number = math.inf
    if not math.isfinite(number):
        message = f"'{name}' must be a finite number, not {value}"
        raise SettingsError(message)
    return number


def _value(value: Any, kind: Any, name: str) -> Any:  # noqa: ANN401 - whatever TOML and a dataclass can hold
    if isinstance(kind, UnionType):  # X | None, where None stands for a key that is left out
        kind = next(it for it in get_args(kind) if it is not NoneType)
    if is_dataclass(kind) and isinstance(value, dict):
        return _parse(value, cast("type[DataclassInstance]", kind), f"{name}.")
    if kind is float and type(value) in {int, float}:
        return _finite(value, name)
    if isinstance(value, list) and str(kind).startswith("tuple["):
        inner = kind.__args__[0]
        return tuple(_value(it, inner, f"{name}[{number}]") for number, it in enumerate(value))
    if not isinstance(kind, type) or type(value) is not kind:
        wanted = "a table" if is_dataclass(kind) else f"of type {getattr(kind, '__name__', kind)}"
        message = f"'{name}' must be {wanted}, not {value!r}"
        raise SettingsError(message)
    return value
