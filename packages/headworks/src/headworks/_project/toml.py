"""TOML that people wrote, with an error for each way in which it can be wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from headworks._nearest import suggestion
from headworks.errors import ConfigurationError

MAX_SIZE = 64 * 2**20  # bytes; the locks of the largest public workspaces take a few percent of it


def parse(content: bytes, place: str) -> dict[str, Any]:
    """Return the parsed content of a TOML file.

    Args:
        content: The file.
        place: Its name, for the message.

    Raises:
        ConfigurationError: It is not TOML, or absurdly large or deep.
    """
    import tomllib  # which takes 2 ms, and is not needed where every file is known

    if len(content) > MAX_SIZE:
        message = f"{place} has {len(content):,} bytes; more than {MAX_SIZE:,} are refused."
        raise ConfigurationError(message)
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        message = f"{place} is not valid TOML: {reason}"
        raise ConfigurationError(message) from None


def table(value: object, *keys: str) -> dict[str, Any]:
    """Return the table under a path of keys; empty where there is none, or something other than a table."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def strings(value: object) -> Iterator[str]:
    """Yield every string in a value, keys included."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            waiting += part


def check_keys(data: Iterable[str], known: Iterable[str], place: str) -> None:
    """Refuse a table with an unknown key, and name the nearest known one.

    Raises:
        ConfigurationError: A key is unknown.
    """
    for key in set(data).difference(known):
        message = f"{place}: there is no key {key!r}.{suggestion(key, known)}"
        raise ConfigurationError(message)


def refuse(place: str, key: str, value: object, expected: str) -> NoReturn:
    """Refuse a value of a key, and say what it has to be.

    Raises:
        ConfigurationError: Always.
    """
    message = f"{place}: {key} is {value!r}; it has to be {expected}."
    raise ConfigurationError(message)
