"""Files that a person asks a command to write: all of a file or nothing of it."""

from __future__ import annotations

import os

from headgate.errors import UsageError

__all__ = ["write"]


def write(path: str, text: str, *, append: bool = False) -> None:
    """Write a text into a file, and make the folders that it lies in.

    Args:
        path: The file.
        text: All of its content, or what comes after it.
        append: Whether what the file has is kept, as GitHub wants it of the files that it names.

    Raises:
        UsageError: Where that cannot be written.
    """
    part = f"{path}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        if append:
            with open(path, "a", encoding="utf-8") as file:
                file.write(text)
            return
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, path)
    except OSError as error:
        message = f"{path} could not be written: {error.strerror or error}. Name a file that can be."
        raise UsageError(message) from error
