"""The charts of the report as SVG to be put into its page, in the page's own colours, light or dark."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from headworks._report.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from headworks._report.page import Intervals, Lines, Reliability

__all__ = ["draw_intervals", "draw_lines", "draw_reliability"]

# Colours that stand for the page's: matplotlib writes them, and they are replaced by names that the page's style sets.
_INK, _FAINT, _MINE, _BASE = "#010101", "#020202", "#030303", "#040404"
_NAMES = {_INK: "var(--ink)", _FAINT: "var(--line)", _MINE: "var(--mine)", _BASE: "var(--base)"}
_DASHES = ["-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5))]  # so that no line is told by its colour alone
_SETTINGS: Any = {  # which matplotlib types by every name there is
    "axes.edgecolor": _INK,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 10,
    "grid.color": _FAINT,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "headworks",
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_WIDEST = 48  # letters of a name beside a chart


def draw_lines(chart: Lines) -> str:
    """Return a chart of lines as an SVG element."""

    def paint(axes: Axes) -> None:
        counts = {False: 0, True: 0}
        for it in chart.series:
            dash = _DASHES[counts[it.is_base] % len(_DASHES)]
            counts[it.is_base] += 1
            colour = _BASE if it.is_base else _MINE
            across, up = [x for x, _ in it.points], [y for _, y in it.points]
            axes.plot(across, up, color=colour, linestyle=dash, linewidth=1.8, label=_short(it.name))
        if chart.is_log:
            axes.set_yscale("log")
            # Their own would be formulas, which are not read as such here: a name may hold any sign.
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(_short(chart.across))
        axes.set_ylabel(_short(chart.up))
        axes.legend()

    return _drawn(paint, 6.4, 3.2, f"lines-{chart.caption}")


def draw_reliability(chart: Reliability) -> str:
    """Return a reliability diagram as an SVG element: on the diagonal, a model is right as often as it claims."""

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=_INK, linestyle=_DASHES[2], linewidth=1, label="as sure as right")
        for it in chart.sides:
            sure, right = [x for x, _, _ in it.bins], [y for _, y, _ in it.bins]
            marker, colour = ("s", _BASE) if it.is_base else ("o", _MINE)
            dash = _DASHES[1] if it.is_base else _DASHES[0]
            axes.plot(sure, right, color=colour, marker=marker, linestyle=dash, markersize=5, label=_short(it.name))
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("mean confidence")
        axes.set_ylabel("accuracy")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)

    return _drawn(paint, 4.8, 4.2, f"reliability-{chart.caption}")


def draw_intervals(chart: Intervals) -> str:
    """Return values with their intervals as an SVG element, one row for each."""

    def paint(axes: Axes) -> None:
        sides = [("candidate", chart.values, _MINE, "o", -0.14 if chart.base else 0.0)]
        sides += [("base", chart.base, _BASE, "s", 0.14)] if chart.base else []
        for name, values, colour, marker, shift in sides:
            middle, places = [it[0] for it in values], [row + shift for row in range(len(values))]
            ends = [[it[0] - it[1] for it in values], [it[2] - it[0] for it in values]]
            axes.errorbar(
                middle, places, xerr=ends, fmt=marker, color=colour, markersize=5, capsize=3, label=name, linewidth=1.4
            )
        axes.set_yticks(range(len(chart.names)), [_short(it) for it in chart.names])
        axes.invert_yaxis()
        axes.set_xlabel(_short(chart.across))
        # Below all rows, where no value can be.
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    return _drawn(paint, 6.4, 1.2 + 0.34 * len(chart.names), f"intervals-{chart.caption}")


def _short(text: str) -> str:
    """Return a text that has room beside a chart."""
    text = one_line(text)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _drawn(paint: Callable[[Axes], None], width: float, height: float, prefix: str) -> str:
    """Return what is painted on axes as an SVG element, whose ids no other element of the page has.

    Args:
        paint: paints.
        width: the width in inches, which tells the size of letters beside it.
        height: the height.
        prefix: what tells this chart from others.

    Raises:
        ArithmeticError: numbers are too far apart.
        ValueError: likewise.
    """
    content = io.StringIO()
    with rc_context(_SETTINGS), warnings.catch_warnings(), np.errstate(over="raise"):
        # The reader's own font draws the letters, and may know those that matplotlib's does not.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        # Names of any length may leave no room for the axes; the numbers are in the table beside.
        warnings.filterwarnings("ignore", "constrained_layout not applied", UserWarning)
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure.subplots())
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(content, format="svg", transparent=True, metadata=nothing)
    return _for_page(content.getvalue(), re.sub(r"\W+", "-", prefix))


def _for_page(svg: str, prefix: str) -> str:
    """Return an SVG file as an element of a page."""
    svg = svg[svg.index("<svg") :]
    head, _, rest = svg.partition(">")
    viewed = re.search(r'viewBox="[^"]*"', head)
    rest = re.sub(r"<(metadata|style)\b.*?</\1>", "", rest, flags=re.DOTALL)
    # Only between < and >, which matplotlib escapes in texts: a label may look like a colour or a font.
    rest = re.sub(r"<[^>]*>", lambda it: _tag_for_page(it[0], prefix), rest)
    return f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" aria-hidden="true" {viewed and viewed[0]}>{rest}'


def _tag_for_page(tag: str, prefix: str) -> str:
    """Return a tag with ids of its own and the page's fonts and colours."""
    tag = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{prefix}-", tag)
    tag = re.sub(r"font(?:-family)?: [^;\"]*(?=[;\"])", _without_family, tag)
    for colour, name in _NAMES.items():
        tag = tag.replace(colour, name)
    return tag


def _without_family(style: re.Match[str]) -> str:
    """Return the size of letters, without the font, which is the page's."""
    size = re.search(r"[\d.]+px", style[0])
    return f"font-size: {size[0]}" if size else "font-family: inherit"
