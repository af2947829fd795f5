"""Escapes texts of unknown origin for Markdown and Mermaid, which show them and do nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headworks._lines import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headworks._report.page import Graph

__all__ = ["code", "fenced", "mermaid", "one_line", "plain", "without_control"]

# Signs that mean something within a line of GitHub's Markdown, and at its start.
_MARKS: dict[str, str | int | None] = {it: f"\\{it}" for it in "\\`*_[]|~$"}
_ENTITIES: dict[str, str | int | None] = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "@": "@\N{WORD JOINER}",
    "#": "\\#\N{WORD JOINER}",
}
_START = re.compile(r"^(?:[-+=](?!\d)|\d+(?=[.)](?: |$)))")
_UNSAFE = re.compile(r"[^\w .,()\-+/\N{MULTIPLICATION SIGN}]")
_TICKS = re.compile(r"`+")
_COLOURS = {
    "failed": "#d55e00",
    "flaky": "#d55e00",
    "not run": "#f0c75e",
    "waiting": "#f0c75e",
    "not recorded": "#cccccc",
    "passed": "#7fc8a9",
    "covered": "#b9d9f0",
}


def without_control(text: str) -> str:
    """Return lines in which everything that could mislead a terminal or a reader's eye is escaped."""
    return "\n".join(shown(it.expandtabs()) for it in text.replace("\r\n", "\n").split("\n"))


def one_line(text: str) -> str:
    """Return a text in one line, in which everything that could mislead a terminal or a reader's eye is escaped."""
    return " ".join(map(shown, text.split()))


def plain(text: str) -> str:
    """Return a text in one line that Markdown shows literally, without a mention or a reference."""
    shown = one_line(text).translate(str.maketrans(_MARKS | _ENTITIES))
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


def mermaid(graph: Graph) -> Iterator[str]:
    """Yield a graph in the language of Mermaid, which GitHub draws."""
    yield "```mermaid"
    yield "flowchart LR"
    for number, node in enumerate(graph.nodes):
        name = _UNSAFE.sub(lambda it: f"#{ord(it[0])};", one_line(node.name))
        yield f'  s{number}["{name}: {node.state}"]:::{node.state.replace(" ", "")}'
    yield from (f"  s{one} --> s{two}" for one, two in graph.edges)
    for state in sorted({it.state for it in graph.nodes}):
        yield f"  classDef {state.replace(' ', '')} fill:{_COLOURS[state]},stroke:#333,color:#000"
    yield "```"
