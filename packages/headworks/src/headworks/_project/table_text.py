"""Rows of [tool.headworks.sessions] as text, put into a pyproject.toml of which every other line stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from headworks._lines import shown
from headworks._project.table import read_table
from headworks._project.toml import parse, table
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    Value = Sequence[str] | bool

_HEAD = """\
[tool.headworks]
# Files that no session with `packages` depends on, as in "README.md": name the files that only people read.
ignore = []

# The dependencies of each session: `headworks plan` shows the sessions to run, `headworks explain SESSION` all parts.
# A session without a row depends on what its run is seen to read, or else on all files; a row is a promise.
#   packages = [ "..." ]  packages, with all that they need; "{package}" stands for a parameter; without it, all files
#   inputs   = [ "..." ]  patterns of further files
#   needs    = [ "..." ]  sessions that must pass before, whose outputs it reads
#   outputs  = [ "..." ]  files and folders that it writes for others; may have "{python}" in it
#   groups   = [ "..." ]  the dependency groups that it installs; without it, all of them
#   tools    = [ "..." ]  the [tool.*] tables that count for it; without it, all of them
#   env      = [ "..." ]  environment variables that it reads; no others reach it, but those every program needs
#   cache    = false      its outcome depends on time or the network
#   observe  = true       its verdicts count what each run is seen to read, not what the row names; false: never watched
"""
_SECTION = ("tool", "headworks", "sessions")
_HEADER = f"[{'.'.join(_SECTION)}]\n"
_WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A row to be written.

    Attributes:
        name: The function of its sessions.
        settings: Its keys and their values, in the order in which they are written.
        remark: A comment after it.
        is_row: Whether it is a row; else it is written as a comment.
    """

    name: str
    settings: Mapping[str, Value]
    remark: str = ""
    is_row: bool = True

    @property
    def text(self) -> str:
        """The row in TOML, with its line end."""
        row = self._row(_text)
        remark = f"  # {shown(self.remark)}" if self.remark else ""
        if not self.is_row:
            return f"# {row}{remark}\n"
        return f"{row if len(row) <= _WIDTH else self._row(_wrapped)}{remark}\n"

    def _row(self, write: Callable[[Value], str]) -> str:
        is_bare = self.name.isascii() and self.name.replace("-", "").replace("_", "").isalnum()
        values = ", ".join(f"{key} = {write(value)}" for key, value in self.settings.items())
        return f"{self.name if is_bare else _text(self.name)} = {f'{{ {values} }}' if values else '{}'}"


def with_table(content: bytes, drafts: Iterable[Draft]) -> bytes:
    """Return a pyproject.toml with a table [tool.headworks] added at the end.

    Args:
        content: The file, empty where there is none.
        drafts: The rows.

    Raises:
        UsageError: There is such a table already, or none can be added at the end.
        ConfigurationError: The file is not TOML.
    """
    if "headworks" in table(parse(content, "pyproject.toml"), "tool"):
        message = (
            "pyproject.toml has a table [tool.headworks] already; `headworks plan` shows what follows from it, and"
            " `headworks init --observe SESSION` writes the rows of some sessions anew."
        )
        raise UsageError(message)
    rows = list(drafts)
    text = _HEAD + _HEADER + "".join(it.text for it in rows)
    separator = "" if not content else "\n" if content.endswith(b"\n") else "\n\n"
    return _checked(content, content + _encoded(separator + text, content).encode(), rows, text)


def with_rows(content: bytes, drafts: Iterable[Draft]) -> bytes:
    """Return a pyproject.toml with the rows of some sessions replaced or added, and every other line as it was.

    Args:
        content: The file, empty where there is none.
        drafts: The rows.

    Raises:
        UsageError: The rows cannot be put into the file as it is written.
        ConfigurationError: The file is not TOML.
    """
    rows = list(drafts)
    if "headworks" not in table(parse(content, "pyproject.toml"), "tool"):
        return with_table(content, rows)
    waiting = {it.name: it.text for it in rows}
    new: list[str] = []
    end = 0
    for piece in _pieces(re.findall(r"[^\n]*\n|[^\n]+", content.decode())):
        is_old = piece.row in {it.name for it in rows}
        text = _encoded(waiting.pop(piece.row, ""), content) if is_old and piece.is_entry else ""
        new.append(text if is_old else piece.text)
        end = len(new) if piece.is_entry else end
    if waiting:
        end, head = (end, "") if end else (len(new), f"\n{_HEADER}")
        is_open = not "".join(new[:end]).endswith("\n")
        new.insert(end, _encoded("\n" * is_open + head + "".join(waiting.values()), content))
    return _checked(content, "".join(new).encode(), rows, "".join(it.text for it in rows))


class _Piece(NamedTuple):
    """Some lines of a file: a header, an assignment, or one line that is neither.

    Attributes:
        text: The lines.
        row: The session whose row it is or belongs to; empty for others.
        is_entry: Whether a row can stand behind it: it is a row, or the header above the rows.
    """

    text: str
    row: str
    is_entry: bool


def _pieces(lines: Sequence[str]) -> Iterator[_Piece]:
    """Yield the pieces of a file that is TOML."""
    row, is_here = "", False
    start = 0
    while start < len(lines):
        end = start + 1
        while (parsed := _parsed("".join(lines[start:end]))) is None:
            end += 1
        text = "".join(lines[start:end])
        is_header = text.lstrip().startswith("[")
        if is_header:
            is_here = parsed == _parsed(_HEADER)
            row = next(iter(table(parsed, *_SECTION)), "")
        elif is_here:
            commented = _parsed(text.removeprefix("# ")) if " = {" in text else None
            row = next(iter(parsed or commented or ""), "")
        yield _Piece(text, row, is_here and (is_header or row != ""))
        start = end


def _parsed(text: str) -> dict[str, Any] | None:
    """Return the content of some lines; None where they are only the beginning of something."""
    try:
        return parse(text.encode(), "")
    except ConfigurationError:
        return None


def _checked(content: bytes, changed: bytes, drafts: Iterable[Draft], text: str) -> bytes:
    """Return a changed file, once it says what the file said before, and what the rows say."""
    wanted, found = parse(content, "pyproject.toml"), _parsed(changed.decode())
    if found is not None:
        rows = _filled(wanted)["sessions"]
        for it in drafts:
            rows.pop(it.name, None)
            if it.is_row:
                rows[it.name] = json.loads(_text(it.settings))
        own = _filled(found)
    if found != wanted:
        message = (
            f"pyproject.toml is written so that no table or row can be put into it line by line. Put this into it:\n\n"
            f"{text}"
        )
        raise UsageError(message)
    read_table(own)
    return changed


def _filled(data: dict[str, Any]) -> dict[str, Any]:
    """Return [tool.headworks], with what it need not say filled in."""
    own: dict[str, Any] = data.setdefault("tool", {}).setdefault("headworks", {})
    own.setdefault("ignore", [])
    own.setdefault("sessions", {})
    return own


def _encoded(text: str, content: bytes) -> str:
    """Return a text with the line ends of a file."""
    return text.replace("\n", "\r\n" if b"\r\n" in content else "\n")


def _text(value: object) -> str:
    """Return a value of JSON that is one of TOML too."""
    return json.dumps(value, ensure_ascii=False)


def _wrapped(value: Value) -> str:
    """Return a value of TOML, with an array on lines of its own."""
    if isinstance(value, bool):
        return _text(value)
    lines = [" "]
    for text in map(_text, value):
        if len(lines[-1]) + len(text) + 2 > _WIDTH:
            lines.append(" ")
        lines[-1] += f" {text},"
    return "\n".join(["[", *lines, "]"])
