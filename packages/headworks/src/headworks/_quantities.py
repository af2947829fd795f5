"""Sizes and times as people read and write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from headworks.errors import UsageError

if TYPE_CHECKING:
    Value = TypeVar("Value")

_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_AGES = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def option_value(read: Callable[[str], Value], text: str | None, option: str, rule: str) -> Value | None:
    """Return the value of an option; None where it was not given.

    Args:
        read: Parses the text; raises ValueError.
        text: The text.
        option: The option's name.
        rule: The advice of the error message.

    Raises:
        UsageError: The text cannot be parsed.
    """
    try:
        return None if text is None else read(text)
    except ValueError:
        message = f"{option} is {text!r}; {rule}."
        raise UsageError(message) from None


def few(names: Sequence[str], most: int = 3) -> str:
    """Return some names, and the number of the others."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def size_of(text: str) -> int:
    """Return the bytes of a size such as `5GB` or `300 MB`; a bare number counts bytes.

    Raises:
        ValueError: It is not a size.
    """
    number = text.rstrip("BKMGTbkmgt").rstrip()
    return int(_product(number, text[len(number) :].strip().upper(), _SIZES))


def age_of(text: str) -> float:
    """Return the seconds of an age such as `30d`, `12h` or `2w`.

    Raises:
        ValueError: It is not an age.
    """
    return _product(text[:-1], text[-1:], _AGES)


def _product(text: str, unit: str, units: dict[str, int]) -> float:
    number = float(text)
    if unit not in units or not 0 <= number < float("inf"):
        raise ValueError(text)
    return number * units[unit]


def size_text(size: int) -> str:
    """Return a size in bytes for people, as in `4.1 MB`."""
    unit, factor = next((row for row in reversed(_SIZES.items()) if row[0] and size >= row[1]), ("B", 1))
    return f"{size} B" if factor == 1 else f"{size / factor:.1f} {unit}"


def count_text(number: int, thing: str) -> str:
    """Return a number of things, as in `1 verdict` or `2 verdicts`."""
    return f"{number:,} {thing}{'s' if number != 1 else ''}"


def number_text(value: float, sign: str = "") -> str:
    """Return a number with four decimals, fewer where it is large."""
    return f"{value:{sign}.4f}" if abs(value) < 100 else f"{value:{sign},.0f}"  # noqa: PLR2004  # a percentage at most


def duration_text(seconds: float) -> str:
    """Return a duration for people, as in `0.4 s`, `3 min 20 s` or `2 h 05 min`."""
    if seconds < 9.95:  # noqa: PLR2004  # what rounds to less than 10.0
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"  # noqa: PLR2004  # minutes of an hour
