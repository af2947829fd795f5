"""The report as one HTML file that needs nothing else: no script, no font, no image from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from headworks._report.charts import Chart, Lines, draw
from headworks._report.escape import one_line, without_control
from headworks._report.page import Block, Graph, Matrix, Node, Page, mark, tone
from headworks._report.source import ODD

_LETTER = 7.6  # pixels that a letter of a graph takes, and a little more
_HEIGHT = 40  # of a node
_GAP = (36, 14)  # between columns of nodes, and between rows


def as_html(page: Page) -> str:
    """Return a page as an HTML file; every text in it is in one line, without control characters, and escaped."""

    def finalize(value: object) -> object:
        return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("headworks", "_report"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "chart": _chart,
        "grouped": _grouped,
        "kind": lambda block: type(block).__name__,
        "layout": _layout,
        "lines": lambda text: escape(without_control(text)),
        "mark": mark,
        "shaded": _shaded,
        "tone": tone,
    }
    return environment.get_template("report.html.jinja").render(page=page)


def _chart(chart: Chart) -> Markup:
    """Return a chart as an SVG element, whose texts matplotlib escapes; or why it cannot be drawn."""
    try:
        return Markup(draw(chart))  # noqa: S704  # see above
    except ODD as error:
        return Markup("<p>This cannot be drawn ({}).</p>").format(one_line(str(error)))


def _grouped(blocks: Sequence[Block]) -> list[list[Block]]:
    """Return blocks in groups: matrices and charts that follow each other are shown side by side."""
    kinds = groupby(enumerate(blocks), lambda it: type(it[1]) if isinstance(it[1], (Matrix, Lines)) else it[0])
    return [[block for _, block in group] for _, group in kinds]


def _shaded(matrix: Matrix) -> Iterator[list[tuple[str, str, str]]]:
    """Yield the rows of a matrix: text of each cell, how strongly it is tinted from 0 to 1, and which tint.

    Counts are tinted by their share of the row, so that a rare class shows as well; differences by the largest one.
    """
    largest = max((abs(it) for row in matrix.counts for it in row), default=0)
    sign = "+" if matrix.signed else ""
    for row in matrix.counts:
        whole = (largest if matrix.signed else sum(row)) or 1
        yield [
            (f"{it:{sign},}", f"{abs(it) / whole:.3f}", "less" if it < 0 else "more") if it else ("0", "0", "zero")
            for it in row
        ]


class _Place(NamedTuple):
    """A node with its left and upper edge and its width, in pixels."""

    node: Node
    x: float
    y: float
    width: float


def _layout(graph: Graph) -> tuple[list[_Place], list[str], float, float]:
    """Return the places of nodes, each to the right of all that come before it; edges as paths; width and height."""
    columns = [0] * len(graph.nodes)  # by the length of the longest way that leads to a node
    for _ in graph.nodes:
        for one, two in graph.edges:
            columns[two] = max(columns[two], columns[one] + 1)
    places: dict[int, _Place] = {}
    x, height = 0.0, 0.0

    def middle(number: int) -> float:
        """Return the mean height of the nodes that come before one."""
        heights = [places[one].y for one, two in graph.edges if two == number]
        return sum(heights) / len(heights) if heights else 0.0

    for column in range(max(columns) + 1):
        numbers = [number for number, it in enumerate(columns) if it == column]
        lines = [line for it in numbers for line in (graph.nodes[it].name, f"? {graph.nodes[it].state}")]
        width = max(map(len, lines)) * _LETTER + 20
        for row, number in enumerate(sorted(numbers, key=lambda it: (middle(it), it))):
            places[number] = _Place(graph.nodes[number], x, row * (_HEIGHT + _GAP[1]), width)
            height = max(height, places[number].y + _HEIGHT)
        x += width + _GAP[0]
    paths = [_path(places[one], places[two]) for one, two in graph.edges]
    return [places[number] for number in range(len(columns))], paths, x - _GAP[0], height


def _path(one: _Place, two: _Place) -> str:
    """Return a curve from the right edge of a node to the left edge of another."""
    start, end = one.x + one.width, two.x
    bend = (end - start) / 2
    high, low = one.y + _HEIGHT / 2, two.y + _HEIGHT / 2
    return f"M{start:.0f} {high:.0f}C{start + bend:.0f} {high:.0f} {end - bend:.0f} {low:.0f} {end:.0f} {low:.0f}"
