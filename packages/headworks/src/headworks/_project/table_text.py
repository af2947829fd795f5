"""Rows of [tool.headworks.sessions] as text, put into a pyproject.toml of which every other line stays as it is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from headworks._lines import shown
from headworks._project.table import read_table
from headworks._project.toml import parse, table
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Draft", "with_rows", "with_table"]

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
#   observe  = true       its verdicts count what each run is seen to read, not what the row names
"""
_SECTION = ("tool", "headworks", "sessions")
_HEADER = f"[{'.'.join(_SECTION)}]\n"
_WIDTH = 120
_COMMENTED = re.compile(r"# (\S.*?) = \{")


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
    settings: Mapping[str, Sequence[str] | bool]
    remark: str = ""
    is_row: bool = True

    @property
    def text(self) -> str:
        """The row in TOML, with its line end."""
        values = [f"{key} = {_value(value)}" for key, value in self.settings.items()]
        row = f"{_key(self.name)} = {{ {', '.join(values)} }}" if values else f"{_key(self.name)} = {{}}"
        remark = f"  # {shown(self.remark)}" if self.remark else ""
        if not self.is_row:
            return f"# {row}{remark}\n"
        if len(row) > _WIDTH:
            values = [
                f"{key} = {_value(it) if isinstance(it, bool) else _wrapped(it)}" for key, it in self.settings.items()
            ]
            row = f"{_key(self.name)} = {{ {', '.join(values)} }}"
        return f"{row}{remark}\n"


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
    return _checked(content, content + _encoded(separator + text, content), rows, text)


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
    lines = re.findall(r"[^\n]*\n|[^\n]+", content.decode())
    pieces = list(_pieces(lines))
    waiting = {it.name: it.text for it in rows}
    end = max((it.end for it in pieces if it.section == _SECTION and (it.row or it.is_header)), default=None)
    changes: list[tuple[int, int, str]] = []
    for piece in pieces:
        if piece.row in {it.name for it in rows}:
            is_here = piece.section == _SECTION
            changes.append((piece.start, piece.end, waiting.pop(piece.row, "") if is_here else ""))
    added = "".join(waiting.values())
    if end is None:
        changes.append((len(lines), len(lines), f"\n{_HEADER}{added}"))
    else:
        changes.append((end, end, added))
    new: list[bytes] = []
    position = 0
    for start, after, text in sorted(changes):
        before = "".join(lines[position:start]).encode()
        is_open = bool(text and before) and not before.endswith(b"\n")
        new += [before, _encoded("\n" * is_open + text, content)]
        position = after
    changed = b"".join([*new, "".join(lines[position:]).encode()])
    return _checked(content, changed, rows, "".join(it.text for it in rows))


class _Piece(NamedTuple):
    """Some lines of a file: a header, an assignment, or one line that is neither.

    Attributes:
        start: The number of the first line.
        end: The number of the line after the last.
        section: The table in which it stands.
        row: The session whose row it is or belongs to; empty for others.
        is_header: Whether it is the header of a table.
    """

    start: int
    end: int
    section: tuple[str, ...]
    row: str
    is_header: bool


def _pieces(lines: Sequence[str]) -> Iterator[_Piece]:
    """Yield the pieces of a file that is TOML."""
    section: tuple[str, ...] = ()
    start = 0
    while start < len(lines):
        end = start + 1
        while (parsed := _parsed(lines[start:end])) is None:
            end += 1
        is_header = lines[start].lstrip().startswith("[")
        if is_header:
            section = tuple(_path(parsed))
        row = ""
        if section[: len(_SECTION)] == _SECTION and len(section) > len(_SECTION):
            row = section[len(_SECTION)]
        elif section == _SECTION and not is_header:
            commented = _COMMENTED.match(lines[start])
            row = next(iter(parsed), "") or (_name(commented[1]) if commented else "")
        yield _Piece(start, end, section, row, is_header)
        start = end


def _parsed(lines: Iterable[str]) -> dict[str, Any] | None:
    """Return the content of some lines; None where they are only the beginning of something."""
    try:
        return parse("".join(lines).encode(), "")
    except ConfigurationError:
        return None


def _path(parsed: Any) -> Iterator[str]:  # noqa: ANN401  # what TOML can hold
    """Yield the names of which the header of a table is made."""
    while parsed:
        if isinstance(parsed, dict):
            name = next(iter(parsed))
            yield name
            parsed = parsed[name]
        else:
            [parsed] = parsed


def _name(key: str) -> str:
    """Return the name that a key of TOML stands for."""
    return next(iter(_parsed([f"{key} = 0"]) or ()), "")


def _checked(content: bytes, changed: bytes, drafts: Sequence[Draft], text: str) -> bytes:
    """Return a changed file, once it says what the file said before, and what the rows say."""
    wanted = parse(content, "pyproject.toml")
    own = {"ignore": []} | table(wanted, "tool", "headworks")
    names = {it.name for it in drafts}
    rows = {name: row for name, row in table(own, "sessions").items() if name not in names}
    rows |= {
        it.name: {key: value if isinstance(value, bool) else list(value) for key, value in it.settings.items()}
        for it in drafts
        if it.is_row
    }
    try:
        found = parse(changed, "pyproject.toml")
    except ConfigurationError:
        found = {}
    written = table(found, "tool", "headworks")
    others = {name: value for name, value in table(found, "tool").items() if name != "headworks"}
    is_same = {**found, "tool": others} == {
        **wanted,
        "tool": {name: value for name, value in table(wanted, "tool").items() if name != "headworks"},
    }
    if not is_same or {"ignore": [], **written} != {**own, "sessions": rows}:
        message = (
            f"pyproject.toml is written so that no table or row can be put into it line by line. Put this into it:\n\n"
            f"{text}"
        )
        raise UsageError(message)
    read_table(written)
    return changed


def _encoded(text: str, content: bytes) -> bytes:
    """Return a text with the line ends of a file."""
    return text.replace("\n", "\r\n" if b"\r\n" in content else "\n").encode()


def _value(value: Sequence[str] | bool) -> str:  # noqa: FBT001  # a value of TOML
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(_text, value))}]"


def _wrapped(texts: Sequence[str]) -> str:
    """Return an array on lines of its own."""
    lines = [" "]
    for text in map(_text, texts):
        if len(lines[-1]) + len(text) + 2 > _WIDTH:
            lines.append(" ")
        lines[-1] += f" {text},"
    return "\n".join(["[", *lines, "]"])


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else _text(name)
