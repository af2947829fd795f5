"""The report as one HTML file that needs nothing else: no script, no font, no image from anywhere."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from headworks._report.escape import one_line, without_control
from headworks._report.figures import draw_intervals, draw_lines, draw_reliability
from headworks._report.layout import layout
from headworks._report.page import Intervals, Lines, Matrix
from headworks._report.source import ODD
from headworks._report.states import mark, tone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headworks._report.page import Block, Graph, Page, Reliability, Side

__all__ = ["as_html"]

_SIDE_BY_SIDE = (Matrix, Lines)


def as_html(page: Page) -> str:
    """Return a page as an HTML file; every text in it is in one line, without control characters, and escaped."""
    environment = Environment(
        autoescape=True, finalize=_one_line, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "chart": _chart,
        "chart_alt": _chart_alt,
        "graph_alt": _graph_alt,
        "grouped": _grouped,
        "kind": lambda block: type(block).__name__,
        "layout": layout,
        "lines": lambda text: escape(without_control(text)),
        "mark": mark,
        "shaded": _shaded,
        "tone": tone,
    }
    folder = resources.files("headworks._report")
    template = environment.from_string((folder / "report.html.jinja").read_text(encoding="utf-8"))
    style = Markup((folder / "report.css").read_text(encoding="utf-8"))  # noqa: S704  # a file of this package
    return template.render(page=page, style=style)


def _one_line(value: object) -> object:
    """Return a text in one line; what is HTML already, or no text, as it is."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _chart(block: Lines | Intervals | Reliability) -> Markup:
    """Return a chart as an SVG element, whose texts matplotlib escapes; what it cannot draw, as numbers beyond any."""
    try:
        drawn = _drawn(block)
    except ODD as error:
        return Markup("<p>This cannot be drawn ({}).</p>").format(one_line(str(error)))
    return Markup(drawn)  # noqa: S704  # see above


def _drawn(block: Lines | Intervals | Reliability) -> str:
    """Return a chart as an SVG element."""
    match block:
        case Lines():
            return draw_lines(block)
        case Intervals():
            return draw_intervals(block)
        case _:
            return draw_reliability(block)


def _chart_alt(block: Lines | Intervals | Reliability) -> str:
    """Return what a chart shows, for who cannot see it; the table beside it has every number."""
    match block:
        case Lines():
            drawn = [it for it in block.series if it.points]
            ends = [f"{it.name} from {it.points[0][1]:.3g} to {it.points[-1][1]:.3g}" for it in drawn]
            said = f"by {block.across}, {'; '.join(ends)}"
        case Intervals():
            values = [it[0] for it in block.values]
            said = f"{len(values)} rows, {block.across} from {min(values):.3g} to {max(values):.3g}"
        case _:
            gaps = [f"{it.name} {_gap(it):.3f}" for it in block.sides]
            said = f"mean gap between confidence and accuracy: {', '.join(gaps)}"
    return f"{block.caption}: {said}. The numbers are in the table that follows."


def _gap(side: Side) -> float:
    """Return the mean gap between confidence and accuracy over all rows."""
    rows = sum(number for _, _, number in side.bins)
    return sum(abs(sure - right) * number for sure, right, number in side.bins) / rows


def _graph_alt(graph: Graph) -> str:
    """Return a graph in words."""
    edges = [f"{graph.nodes[one].name} before {graph.nodes[two].name}" for one, two in graph.edges]
    nodes = [f"{it.name} {it.state}" for it in graph.nodes]
    return f"{graph.caption} {'; '.join(nodes)}. {'; '.join(edges)}."


def _grouped(blocks: Sequence[Block]) -> list[list[Block]]:
    """Return blocks in groups: matrices and charts that follow each other are shown side by side."""
    groups: list[list[Block]] = []
    for it in blocks:
        if groups and isinstance(it, _SIDE_BY_SIDE) and type(groups[-1][0]) is type(it):
            groups[-1].append(it)
        else:
            groups.append([it])
    return groups


def _shaded(matrix: Matrix) -> list[list[tuple[str, str, str]]]:
    """Return a matrix's cells: text, how strongly they are tinted from 0 to 1, and which tint.

    Counts are tinted by their share of the row, so that a rare class shows as well; differences by the largest one.
    """
    largest = max((abs(it) for row in matrix.counts for it in row), default=0)
    found: list[list[tuple[str, str, str]]] = []
    for row in matrix.counts:
        whole = (largest if matrix.signed else sum(row)) or 1
        sign = "+" if matrix.signed else ""
        found.append(
            [
                (f"{it:{sign},}", f"{abs(it) / whole:.3f}", "less" if it < 0 else "more") if it else ("0", "0", "zero")
                for it in row
            ]
        )
    return found
