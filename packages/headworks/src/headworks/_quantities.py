"""Sizes and times as people read and write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Value = TypeVar("Value")

__all__ = ["age_of", "count_text", "duration_text", "option_value", "size_of", "size_text"]

_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_AGES = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def option_value(read: Callable[[str], Value], text: str | None, option: str, rule: str) -> Value | None:
    """Return what the text of an option stands for; None where it was not given.

    Args:
        read: returns what a text stands for, and raises ValueError where it stands for nothing.
        text: the text.
        option: the option.
        rule: what to write instead of a text that stands for nothing.

    Raises:
        UsageError: the text stands for nothing.
    """
    try:
        return None if text is None else read(text)
    except ValueError:
        from headworks.errors import UsageError

        message = f"{option} is {text!r}; {rule}."
        raise UsageError(message) from None


def size_of(text: str) -> int:
    """Return the bytes of a size such as `5GB` or `300 MB`; a bare number counts bytes.

    Raises:
        ValueError: Where it is no size.
    """
    number = text.rstrip("BKMGTbkmgt").rstrip()
    return int(_number(number) * _SIZES[_unit(text[len(number) :].strip().upper(), _SIZES)])


def age_of(text: str) -> float:
    """Return the seconds of an age such as `30d`, `12h` or `2w`.

    Raises:
        ValueError: Where it is no age.
    """
    return _number(text[:-1]) * _AGES[_unit(text[-1:], _AGES)]


def _number(text: str) -> float:
    """Return a number that is finite and not negative."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(text)
    return number


def _unit(text: str, units: dict[str, int]) -> str:
    """Return a unit that is known."""
    if text not in units:
        raise ValueError(text)
    return text


def size_text(size: int) -> str:
    """Return a size in bytes for people, as in `4.1 MB`."""
    unit, factor = next(((it, by) for it, by in reversed(_SIZES.items()) if it and size >= by), ("B", 1))
    return f"{size} B" if factor == 1 else f"{size / factor:.1f} {unit}"


def count_text(number: int, thing: str) -> str:
    """Return a number of things, as in `1 verdict` or `2 verdicts`."""
    return f"{number:,} {thing}{'s' if number != 1 else ''}"


def duration_text(seconds: float) -> str:
    """Return a duration for people, as in `0.4 s`, `3 min 20 s` or `2 h 05 min`."""
    if seconds < 9.95:  # noqa: PLR2004  # what rounds to less than 10.0
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"  # noqa: PLR2004  # minutes of an hour
