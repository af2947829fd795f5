"""The report as Markdown, for a job's summary or a comment on a pull request.

Charts and images are left to the HTML file; the numbers of each are in a table beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._report.escape import code, fenced, mermaid, plain
from headworks._report.page import Code, Graph, Matrix, Table, Text
from headworks._report.states import mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headworks._report.page import Block, Column, Page, Section

__all__ = ["LIMIT", "as_markdown"]

LIMIT = 60_000  # characters; a comment on GitHub may have 65,536
_ROWS = (1_000, 200, 50, 20, 8, 3, 0)  # of a table, and lines of a log; the first that lets all of it fit
_CLASSES = 12  # of a matrix that a reader can take in
_ALIGNED = {"number": "---:"}
_LEFT_OUT = "This section does not fit here; report.html has it."
_CUT = "\n\nThe rest does not fit here; report.html has all of it.\n"


def as_markdown(page: Page, limit: int = LIMIT) -> str:
    """Return a page as Markdown of at most so many characters.

    Tables and logs are cut first, then the sections left out that do not fit; each cut is stated.
    """
    for rows in _ROWS:
        text = "\n".join([*_head(page), *(line for section in page.sections for line in _section(section, rows))])
        if len(text) <= limit:
            return text
    return _fitting(page, limit)


def _fitting(page: Page, limit: int) -> str:
    """Return a page without the sections for which no room is left, which it names; those before others go first."""
    head = "\n".join(_head(page))
    parts = [f"## {plain(it.title)}\n\n{_LEFT_OUT}\n" for it in page.sections]
    size = len(head) + sum(len(it) + 1 for it in parts)
    for place, section in enumerate(page.sections):
        text = "\n".join(_section(section, _ROWS[-1]))
        if size + len(text) - len(parts[place]) <= limit:
            size += len(text) - len(parts[place])
            parts[place] = text
    text = "\n".join([head, *parts])
    return text if len(text) <= limit else f"{text[: limit - len(_CUT)]}{_CUT}"


def _head(page: Page) -> list[str]:
    """Return the lines before all sections: the verdict."""
    about = " · ".join(f"{word} {plain(text)}" for word, text in page.about.items())
    return [f"# {mark(page.outcome)} {plain(page.verdict)}", "", f"{plain(page.project)} · {about}", ""]


def _section(section: Section, most: int) -> Iterator[str]:
    """Yield the lines of a section."""
    yield f"## {plain(section.title)}"
    yield ""
    for block in section.blocks:
        lines = list(_block(block, most))
        if lines:
            yield from lines
            yield ""


def _block(block: Block, most: int) -> Iterator[str]:
    """Yield the lines of a block; none of a chart, whose numbers a table has."""
    match block:
        case Text():
            yield plain(block.text)
        case Code():
            yield from _code(block, most)
        case Table():
            yield from _folded(block.caption, _table(block, most), is_folded=block.folded)
        case Graph() if block.nodes:
            yield f"**{plain(block.caption)}**"
            yield ""
            yield from mermaid(block)
        case Matrix() if len(block.classes) <= _CLASSES:
            yield from _folded(block.caption, _matrix(block), is_folded=True)
        case _:
            return


def _folded(caption: str, lines: list[str], *, is_folded: bool) -> Iterator[str]:
    """Yield lines with their caption, which a reader opens first where they are folded."""
    if is_folded:
        yield from (f"<details><summary>{plain(caption)}</summary>", "", *lines, "", "</details>")
    else:
        yield from (f"**{plain(caption)}**", "", *lines)


def _code(block: Code, most: int) -> Iterator[str]:
    """Yield lines as they are, the last ones where there are many; at least one of a command."""
    lines = block.text.split("\n")
    if block.folded and not most:
        yield plain(f"{block.caption} are in report.html.")
        return
    most = max(1, most)
    more = f" (the last {most} of {len(lines)} lines)" if len(lines) > most else ""
    yield from _folded(f"{block.caption}{more}", fenced(lines[-most:]), is_folded=block.folded)


def _table(block: Table, most: int) -> list[str]:
    """Return the lines of a table, the first ones where it has many."""
    lines = [
        _line([plain(column.title) for column in block.columns]),
        _line([_ALIGNED.get(it.kind, "---") for it in block.columns]),
    ]
    lines += [
        _line([_cell(text, it) for text, it in zip(row, block.columns, strict=True)]) for row in block.rows[:most]
    ]
    if len(block.rows) > most:
        lines += ["", f"{len(block.rows) - most:,} more rows are in report.html."]
    return lines


def _line(cells: list[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def _cell(text: str, column: Column) -> str:
    """Return a cell by the kind of its column."""
    if not text:
        return ""
    if column.kind == "code":
        return code(text, in_table=True)
    return f"{mark(text)} {plain(text)}" if column.kind == "state" else plain(text)


def _matrix(block: Matrix) -> list[str]:
    """Return the lines of a matrix."""
    sign = "+" if block.signed else ""
    lines = [_line(["label", *map(plain, block.classes)]), _line(["---", *("---:" for _ in block.classes)])]
    for name, row in zip(block.classes, block.counts, strict=True):
        lines.append(_line([f"**{plain(name)}**", *(f"{it:{sign},}" if it else "·" for it in row)]))
    return lines
