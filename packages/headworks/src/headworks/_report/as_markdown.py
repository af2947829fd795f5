"""The report as Markdown, for a job's summary or a comment on a pull request.

Charts and images are left to the HTML file; the numbers of each are in a table beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from headworks._report.escape import code, fenced, one_line, plain
from headworks._report.page import Bars, Block, Code, Graph, Kind, Matrix, Page, Section, Table, mark, tone

LIMIT = 60_000  # characters; a comment on GitHub may have 65,536
_ROWS = (1_000, 200, 50, 20, 8, 3, 0)  # of a table, and lines of a log; the first that lets all of it fit
_CLASSES = 12  # of a matrix that a reader can take in
_LEFT_OUT = "This section does not fit here; report.html has it."
_CUT = "\n\nThe rest does not fit here; report.html has all of it.\n"
_UNSAFE = re.compile(r"[^\w .,:()\-+/\N{MULTIPLICATION SIGN}]")  # in the language of Mermaid
_COLOURS = {"bad": "#d55e00", "open": "#f0c75e", "none": "#cccccc", "good": "#7fc8a9", "calm": "#b9d9f0"}


def as_markdown(page: Page, limit: int = LIMIT) -> str:
    """Return a page as Markdown of at most so many characters.

    Tables and logs are cut first, then the sections left out that do not fit; each cut is stated.
    """
    about = " · ".join(f"{word} {plain(text)}" for word, text in page.about.items())
    head = f"# {mark(page.outcome)} {plain(page.verdict)}\n\n{plain(page.project)} · {about}\n"
    for rows in _ROWS:
        text = "\n".join([head, *(_section(section, rows) for section in page.sections)])
        if len(text) <= limit:
            return text
    # Sections for which no room is left are named; those before others go first.
    parts = [f"## {plain(it.title)}\n\n{_LEFT_OUT}\n" for it in page.sections]
    size = len(head) + sum(len(it) + 1 for it in parts)
    for place, section in enumerate(page.sections):
        text = _section(section, _ROWS[-1])
        if size + len(text) - len(parts[place]) <= limit:
            size += len(text) - len(parts[place])
            parts[place] = text
    text = "\n".join([head, *parts])
    return text if len(text) <= limit else f"{text[: limit - len(_CUT)]}{_CUT}"


def _section(section: Section, most: int) -> str:
    blocks = ("\n".join(_block(block, most)) for block in section.blocks)
    return "".join(f"{it}\n\n" for it in [f"## {plain(section.title)}", *blocks] if it).removesuffix("\n")


def _block(block: Block, most: int) -> Iterator[str]:
    """Yield the lines of a block; none of a chart, whose numbers a table has."""
    match block:
        case str():
            yield plain(block)
        case Code():
            yield from _code(block, most)
        case Table():
            yield from _captioned(block.caption, _table(block, most), is_folded=block.folded)
        case Graph() if block.nodes:
            yield from _captioned(block.caption, _mermaid(block), is_folded=False)
        case Bars():
            yield from _captioned(block.caption, _bars(block), is_folded=False)
        case Matrix() if len(block.classes) <= _CLASSES:
            yield from _captioned(block.caption, _matrix(block), is_folded=True)
        case _:
            return


def _captioned(caption: str, lines: Iterable[str], *, is_folded: bool) -> Iterator[str]:
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
    yield from _captioned(f"{block.caption}{more}", fenced(lines[-most:]), is_folded=block.folded)


def _table(block: Table, most: int) -> Iterator[str]:
    """Yield the lines of a table, the first ones where it has many."""
    kinds = block.columns.values()
    yield _line(map(plain, block.columns))
    yield _line("---:" if it == "number" else "---" for it in kinds)
    for row in block.rows[:most]:
        yield _line(_cell(text, kind) for text, kind in zip(row, kinds, strict=True))
    if len(block.rows) > most:
        yield from ("", f"{len(block.rows) - most:,} more rows are in report.html.")


def _line(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def _cell(text: str, kind: Kind) -> str:
    if kind == "code":
        return code(text, in_table=True)
    return f"{mark(text)} {plain(text)}" if text and kind == "state" else plain(text)


def _matrix(block: Matrix) -> Iterator[str]:
    sign = "+" if block.signed else ""
    yield _line(["label", *map(plain, block.classes)])
    yield _line(["---", *("---:" for _ in block.classes)])
    for name, row in zip(block.classes, block.counts, strict=True):
        yield _line([f"**{plain(name)}**", *(f"{it:{sign},}" if it else "·" for it in row)])


def _bars(block: Bars) -> Iterator[str]:
    """Yield bars in the language of Mermaid, which GitHub draws."""
    yield from ("```mermaid", "xychart-beta")
    yield f"  x-axis [{', '.join(_quoted(it) for it in block.names)}]"
    yield f'  y-axis "rows" 0 --> {max(1, *block.base, *block.candidate)}'
    yield from (f"  bar [{_numbers(block.base)}]", f"  line [{_numbers(block.candidate)}]", "```")


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _quoted(name: str) -> str:
    """Return a name in the language of Mermaid."""
    return f'"{_UNSAFE.sub(lambda it: f"#{ord(it[0])};", one_line(name))}"'


def _mermaid(graph: Graph) -> Iterator[str]:
    """Yield a graph in the language of Mermaid, which GitHub draws."""
    yield from ("```mermaid", "flowchart LR")
    for number, node in enumerate(graph.nodes):
        yield f"  s{number}[{_quoted(f'{node.name}: {node.state}')}]:::{node.state.replace(' ', '')}"
    yield from (f"  s{one} --> s{two}" for one, two in graph.edges)
    for state in sorted({it.state for it in graph.nodes}):
        yield f"  classDef {state.replace(' ', '')} fill:{_COLOURS[tone(state)]},stroke:#333,color:#000"
    yield "```"
