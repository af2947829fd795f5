"""TOML that people wrote, and what can be wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_SIZE", "parse", "strings", "table"]

MAX_SIZE = 64 * 2**20  # bytes; the lock of the largest workspaces in public takes a few percent of that


def parse(content: bytes, place: str) -> dict[str, Any]:
    """Return the parsed content of a TOML file.

    Args:
        content: the file.
        place: its name, for the message.

    Raises:
        ConfigurationError: it is no TOML, or absurdly large or deep.
    """
    import tomllib

    if len(content) > MAX_SIZE:
        message = f"{place} has {len(content):,} bytes; more than {MAX_SIZE:,} are refused."
        raise ConfigurationError(message)
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        message = f"{place} is no valid TOML: {reason}"
        raise ConfigurationError(message) from None


def table(value: object, *keys: str) -> dict[str, Any]:
    """Return the table under a path of keys, empty where there is none or something else is there."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def strings(value: object) -> Iterator[str]:
    """Yield every string in a value, keys included."""
    waiting = [value]
    while waiting:
        it = waiting.pop()
        if isinstance(it, str):
            yield it
        elif isinstance(it, dict):
            waiting += it.keys()
            waiting += it.values()
        elif isinstance(it, list):
            waiting += it
