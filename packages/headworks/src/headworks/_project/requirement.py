"""Names in requirements (https://packaging.python.org/en/latest/specifications/dependency-specifiers/)."""

from __future__ import annotations

__all__ = ["is_requirement", "normalised", "required_name"]

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NAME = _LETTERS | frozenset("-_.")


def normalised(name: str) -> str:
    """Return the form in which all spellings of a distribution's name are equal."""
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def required_name(requirement: str) -> str:
    """Return the normalised name that a requirement starts with."""
    text = requirement.strip()
    end = next((number for number, letter in enumerate(text) if letter not in _NAME), len(text))
    return normalised(text[:end])


def is_requirement(text: str) -> bool:
    """Tell whether a text could be a requirement: a name, and after it nothing or what may follow a name."""
    text = text.strip()
    rest = text.lstrip("".join(_NAME)).lstrip()
    return text[:1] in _LETTERS and (not rest or rest[0] in "[(<>=!~;@,^")
