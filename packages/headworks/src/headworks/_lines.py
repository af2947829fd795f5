r"""Lines for people, terminals and CI, in which a name is shown and does nothing.

Files, sessions and branches may be called anything: their names may hold a line end, so that the rest reads as a line
of ours; a command to the CI, as GitHub takes every line that begins with `::`; a sequence by which a terminal moves or
hides what stands there; marks by which text runs the other way, or cannot be seen. So every command writes through
`say` and `complain`, which escape whatever is not printable, and every text is made of lines by `text_of`, after which
a line end in a name is `\n`. Escapes have a form that is good in JSON as well, wherever something of JSON needs one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

_ANYWHERE = ("##[", "##vso[")  # begin commands to GitHub's and Azure's runners wherever they stand in a line


def shown(line: str) -> str:
    """Return a line as it can be shown: all that is not printable is escaped, and no CI takes it for a command."""
    if not line.isprintable():
        line = "".join(it if it.isprintable() else it.encode("unicode_escape").decode() for it in line)
    for command in _ANYWHERE:
        line = line.replace(command, f"\\u0023{command[1:]}")
    return line.replace("::", "\\u003a:", 1) if line.lstrip().startswith("::") else line


def as_error(message: str, file: str = "", line: int = 0) -> str:
    """Return an annotation for GitHub's page of a change; empty where no runner of GitHub reads it.

    Args:
        message: The message.
        file: The file that it is about, by its path in the repository.
        line: The line in it.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return ""
    text, path = (shown(it).replace("%", "%25") for it in (message, file))
    place = f" file={path.replace(':', '%3A').replace(',', '%2C')},line={line}" if file else ""
    return f"::error{place}::{text}\n"


def annotate(message: str) -> None:
    """Write an annotation for GitHub's page of a change."""
    sys.stdout.write(as_error(message))


def text_of(lines: Iterable[str]) -> str:
    """Return lines as a text; each stays one, whatever is in it."""
    return "".join(f"{shown(it)}\n" for it in lines)


def as_said(text: str) -> str:
    """Return a text as `say` writes it, with a line end."""
    return text_of(text.removesuffix("\n").split("\n"))


def say(text: str) -> None:
    """Write a text to the standard output."""
    sys.stdout.write(as_said(text))


def as_complained(message: str) -> str:
    """Return a message, if it is one, as `complain` writes it; further lines of it, as of another program, below it."""
    return text_of(f"headworks: {message}".replace("\n", "\n  ").split("\n")) if message else ""


def complain(message: str) -> None:
    """Write a message, if it is one, to the standard error."""
    if message:
        sys.stderr.write(as_complained(message))
        sys.stderr.flush()
