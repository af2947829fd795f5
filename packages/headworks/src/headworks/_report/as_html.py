"""The report as one HTML file that needs nothing else: no script, no font, no image from anywhere."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from headworks._report.charts import Lines, draw
from headworks._report.escape import one_line, without_control
from headworks._report.layout import layout
from headworks._report.page import Matrix
from headworks._report.source import ODD
from headworks._report.states import mark, tone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headworks._report.charts import Chart
    from headworks._report.page import Block, Page

__all__ = ["as_html"]

_SIDE_BY_SIDE = (Matrix, Lines)


def as_html(page: Page) -> str:
    """Return a page as an HTML file; every text in it is in one line, without control characters, and escaped."""

    def finalize(value: object) -> object:
        return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        autoescape=True, finalize=finalize, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "chart": _chart,
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


def _chart(chart: Chart) -> Markup:
    """Return a chart as an SVG element, whose texts matplotlib escapes; or why it cannot be drawn."""
    try:
        drawn = draw(chart)
    except ODD as error:
        return Markup("<p>This cannot be drawn ({}).</p>").format(one_line(str(error)))
    return Markup(drawn)  # noqa: S704  # see above


def _grouped(blocks: Sequence[Block]) -> list[list[Block]]:
    """Return blocks in groups: matrices and charts that follow each other are shown side by side."""
    groups: list[list[Block]] = []
    for block in blocks:
        if groups and isinstance(block, _SIDE_BY_SIDE) and type(groups[-1][0]) is type(block):
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def _shaded(matrix: Matrix) -> list[list[tuple[str, str, str]]]:
    """Return a matrix's cells: text, how strongly they are tinted from 0 to 1, and which tint.

    Counts are tinted by their share of the row, so that a rare class shows as well; differences by the largest one.
    """
    largest = max((abs(it) for row in matrix.counts for it in row), default=0)
    shaded: list[list[tuple[str, str, str]]] = []
    for row in matrix.counts:
        whole = (largest if matrix.signed else sum(row)) or 1
        sign = "+" if matrix.signed else ""
        shaded.append(
            [
                (f"{it:{sign},}", f"{abs(it) / whole:.3f}", "less" if it < 0 else "more") if it else ("0", "0", "zero")
                for it in row
            ]
        )
    return shaded
