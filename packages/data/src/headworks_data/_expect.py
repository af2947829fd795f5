"""Refuse settings that cannot be meant."""

from __future__ import annotations

from headworks_data.errors import SettingsError


def expect(condition: bool, message: str) -> None:  # noqa: FBT001 - a condition and what to say reads best in order
    """Raise SettingsError with a message unless a condition holds; one that compares with NaN never does."""
    if not condition:
        raise SettingsError(message)
