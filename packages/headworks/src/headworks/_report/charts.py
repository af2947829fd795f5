"""The charts of the report, a class each, drawn as SVG in the page's own colours, light or dark."""

from __future__ import annotations

import io
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from headworks._report.escape import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Placeholders that matplotlib writes, each replaced by the name of a colour in the page's style.
_INK, _FAINT, _MINE, _BASE = "#010101", "#020202", "#030303", "#040404"
_NAMES = {_INK: "var(--ink)", _FAINT: "var(--line)", _MINE: "var(--mine)", _BASE: "var(--base)"}
_DASHES: Any = ["-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5))]  # so that no line is told by its colour alone
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


@dataclass(frozen=True, kw_only=True)
class Series:
    """The numbers of one model in a chart.

    Attributes:
        name: its name in the legend.
        points: numbers that belong together, as each kind of chart says.
        is_base: whether it is the base's.
    """

    name: str
    points: Sequence[tuple[float, ...]]
    is_base: bool = False

    @property
    def colour(self) -> str:
        """The colour of its side."""
        return _BASE if self.is_base else _MINE

    @property
    def marker(self) -> str:
        """The sign of its side, so that no side is told by its colour alone."""
        return "s" if self.is_base else "o"


@dataclass(frozen=True, kw_only=True)
class Chart(ABC):
    """A chart; the table that follows it has its numbers.

    Attributes:
        caption: its title.
        series: the numbers of each model.
    """

    caption: str
    series: Sequence[Series]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches, which tell the size of letters beside it."""
        return 6.4, 3.2

    @property
    @abstractmethod
    def words(self) -> str:
        """A description for readers who cannot see it."""
        ...

    @abstractmethod
    def paint(self, axes: Axes) -> None:
        """Paint it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Lines(Chart):
    """A chart of lines, whose points are pairs from left to right.

    Attributes:
        across: the title of the horizontal axis.
        up: the title of the vertical axis.
        is_log: whether the vertical axis is logarithmic.
    """

    across: str
    up: str
    is_log: bool = False

    @property
    def words(self) -> str:
        """Where each line begins and ends."""
        drawn = [line for line in self.series if line.points]
        ends = [f"{it.name} from {it.points[0][1]:.3g} to {it.points[-1][1]:.3g}" for it in drawn]
        return f"by {self.across}, {'; '.join(ends)}"

    def paint(self, axes: Axes) -> None:
        """Paint each line of a side in a dash of its own."""
        dashes = {False: cycle(_DASHES), True: cycle(_DASHES)}
        for line in self.series:
            across, up = [x for x, _ in line.points], [y for _, y in line.points]
            dash = next(dashes[line.is_base])
            axes.plot(across, up, color=line.colour, linestyle=dash, linewidth=1.8, label=_short(line.name))
        if self.is_log:
            axes.set_yscale("log")
            # The default formatters write formulas, which are not parsed here: a name may hold any sign.
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(_short(self.across))
        axes.set_ylabel(_short(self.up))
        axes.legend()


@dataclass(frozen=True, kw_only=True)
class Reliability(Chart):
    """A reliability diagram: on the diagonal, a model is right as often as it claims.

    Its points are mean confidence, accuracy and rows of each bin of confidence that has rows.
    """

    @property
    def size(self) -> tuple[float, float]:
        """Nearly a square."""
        return 4.8, 4.2

    @property
    def words(self) -> str:
        """The mean gap between confidence and accuracy over all rows."""
        gaps = []
        for side in self.series:
            rows = sum(number for _, _, number in side.points)
            gap = sum(abs(sure - right) * number for sure, right, number in side.points) / rows
            gaps.append(f"{side.name} {gap:.3f}")
        return f"mean gap between confidence and accuracy: {', '.join(gaps)}"

    def paint(self, axes: Axes) -> None:
        """Paint the diagonal and a line for each model."""
        axes.plot([0, 1], [0, 1], color=_INK, linestyle=_DASHES[2], linewidth=1, label="as sure as right")
        for side in self.series:
            sure, right = [x for x, _, _ in side.points], [y for _, y, _ in side.points]
            look: Any = {
                "color": side.colour,
                "marker": side.marker,
                "linestyle": _DASHES[side.is_base],
                "markersize": 5,
            }
            axes.plot(sure, right, label=_short(side.name), **look)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("mean confidence")
        axes.set_ylabel("accuracy")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


@dataclass(frozen=True, kw_only=True)
class Intervals(Chart):
    """A chart of values with the intervals they lie in; its points are value, low and high of each row.

    Attributes:
        across: the title of the horizontal axis.
        names: one for each row.
    """

    across: str
    names: Sequence[str]

    @property
    def size(self) -> tuple[float, float]:
        """As high as its rows."""
        return 6.4, 1.2 + 0.34 * len(self.names)

    @property
    def words(self) -> str:
        """The range of the candidate's values."""
        values = [value[0] for value in self.series[0].points]
        return f"{len(values)} rows, {self.across} from {min(values):.3g} to {max(values):.3g}"

    def paint(self, axes: Axes) -> None:
        """Paint a row for each value, the base's below the candidate's."""
        for side in self.series:
            shift = 0.14 * (2 * side.is_base - 1) if len(self.series) > 1 else 0.0
            middle, places = [it[0] for it in side.points], [row + shift for row in range(len(side.points))]
            ends = [[it[0] - it[1] for it in side.points], [it[2] - it[0] for it in side.points]]
            look: Any = {"color": side.colour, "markersize": 5, "capsize": 3, "linewidth": 1.4}
            axes.errorbar(middle, places, xerr=ends, fmt=side.marker, label=side.name, **look)
        axes.set_yticks(range(len(self.names)), [_short(it) for it in self.names])
        axes.invert_yaxis()
        axes.set_xlabel(_short(self.across))
        # Below all rows, where no value can be.
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _short(text: str) -> str:
    """Return a text that has room beside a chart."""
    text = one_line(text)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def draw(chart: Chart) -> str:
    """Return a chart as an SVG element, whose ids no other element of the page has.

    Raises:
        ArithmeticError: Numbers are too far apart.
        ValueError: Likewise.
    """
    content = io.StringIO()
    with rc_context(_SETTINGS), warnings.catch_warnings(), np.errstate(over="raise"):
        # The reader's own font draws the letters, and may know those that matplotlib's does not.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        # Names of any length may leave no room for the axes; the numbers are in the table beside.
        warnings.filterwarnings("ignore", "constrained_layout not applied", UserWarning)
        figure = Figure(figsize=chart.size, layout="constrained")
        chart.paint(figure.subplots())
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(content, format="svg", transparent=True, metadata=nothing)
    return _for_page(content.getvalue(), re.sub(r"\W+", "-", f"{type(chart).__name__.lower()}-{chart.caption}"))


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
    # Of a font, only the size of its letters.
    tag = re.sub(r"font: [^;\"]*?([\d.]+px)[^;\"]*(?=[;\"])", r"font-size: \1", tag)
    tag = re.sub(r"font(?:-family)?: [^;\"]*(?=[;\"])", "font-family: inherit", tag)
    for colour, name in _NAMES.items():
        tag = tag.replace(colour, name)
    return tag
