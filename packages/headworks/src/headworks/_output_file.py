"""Files written at a path that somebody named: whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from headworks.errors import UsageError


def replace_file(path: str, content: bytes) -> None:
    """Write a file whole or not at all, with the mode of the file that it replaces."""
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            file.write(content)
        with contextlib.suppress(FileNotFoundError):
            os.chmod(part, os.stat(path).st_mode)
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def write_output(path: str, content: str) -> None:
    """Write a text file whole or not at all, its folder as well.

    Raises:
        UsageError: It cannot be written.
    """
    with _writing(path, "Name another place with --output."):
        replace_file(path, content.encode(errors="backslashreplace"))


def append_output(path: str, content: str) -> None:
    """Append to a text file, as GitHub asks for the files that it names; make its folder as well.

    Raises:
        UsageError: It cannot be written.
    """
    with _writing(path, "Name another file."), open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(content)


@contextlib.contextmanager
def _writing(path: str, advice: str) -> Iterator[None]:
    try:
        os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
        yield
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}. {advice}"
        raise UsageError(message) from None
