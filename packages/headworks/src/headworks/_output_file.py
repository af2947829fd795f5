"""Files that a command was asked to write."""

from __future__ import annotations

import os

from headworks.errors import UsageError

__all__ = ["append_output", "write_output"]


def write_output(path: str, content: str) -> None:
    """Write a file whole or not at all, its folder as well.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
        with open(f"{path}.part", "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(content)
        os.replace(f"{path}.part", path)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}. Name another place with --output."
        raise UsageError(message) from None


def append_output(path: str, content: str) -> None:
    """Add to the end of a file, as GitHub wants it of the files that it names; make its folder as well.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(content)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}. Name another file."
        raise UsageError(message) from None
