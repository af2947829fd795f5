"""Escapes texts of unknown origin for Markdown, which shows them and does nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headworks._lines import shown

# Signs that mean something within a line of GitHub's Markdown, and at its start.
_MARKS: dict[str, str | int | None] = {it: f"\\{it}" for it in "\\`*_[]|~$"}
_ENTITIES: dict[str, str | int | None] = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "@": "@\N{WORD JOINER}",
    "#": "\\#\N{WORD JOINER}",
}
# What GitHub makes a link of by itself.
_LINKS = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=\bGH)(?=-)")
_START = re.compile(r"^(?:[-+=](?!\d)|\d+(?=[.)](?: |$)))")
_TICKS = re.compile(r"`+")


def without_control(text: str) -> str:
    """Return lines in which everything that could mislead a terminal or a reader's eye is escaped."""
    return "\n".join(shown(it.expandtabs()) for it in text.replace("\r\n", "\n").split("\n"))


def one_line(text: str) -> str:
    """Return a text in one line, in which everything that could mislead a terminal or a reader's eye is escaped."""
    return " ".join(map(shown, text.split()))


def plain(text: str) -> str:
    """Return a text in one line that Markdown shows literally, without a mention, a reference or a link."""
    shown = _LINKS.sub("\N{WORD JOINER}", one_line(text)).translate(str.maketrans(_MARKS | _ENTITIES))
    return _START.sub(lambda it: f"\\{it[0]}" if not it[0].isdecimal() else f"{it[0]}\N{WORD JOINER}", shown)


def code(text: str, *, in_table: bool = False) -> str:
    """Return a text as code within a line, behind more backticks than it has itself."""
    shown = one_line(text)
    if not shown:
        return ""
    ticks = "`" * (max(map(len, _TICKS.findall(shown)), default=0) + 1)
    shown = f" {shown} " if "`" in shown else shown
    return f"{ticks}{shown.replace('|', chr(92) + '|') if in_table else shown}{ticks}"


def fenced(lines: Sequence[str]) -> list[str]:
    """Return lines as a block of code, behind more backticks than they have themselves."""
    cleaned = [*map(without_control, lines)]
    longest = max((len(it) for line in cleaned for it in _TICKS.findall(line)), default=0)
    ticks = "`" * max(3, longest + 1)
    return [f"{ticks}text", *(part for line in cleaned for part in line.split("\n")), ticks]
