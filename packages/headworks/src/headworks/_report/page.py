"""The report's page: what was found, in sections of a few kinds of blocks, before it is Markdown or HTML.

All texts are plain: whoever renders them escapes them. Both renderers draw from this, so that they say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    Kind = Literal["text", "code", "number", "state"]
    Outcome = Literal["failed", "cannot tell", "unproven", "passed"]
    Block: TypeAlias = "Text | Code | Table | Graph | Matrix | Lines | Intervals | Reliability | Gallery"

__all__ = [
    "Code",
    "Column",
    "Gallery",
    "Graph",
    "Intervals",
    "Lines",
    "Matrix",
    "Node",
    "Page",
    "Picture",
    "Reliability",
    "Section",
    "Series",
    "Side",
    "Table",
    "Text",
]


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph.

    Attributes:
        text: what it says.
    """

    text: str


@dataclass(frozen=True, kw_only=True)
class Code:
    """Lines to run, or that were printed, shown as they are.

    Attributes:
        caption: what they are.
        text: the lines.
        folded: whether a reader opens them first.
    """

    caption: str
    text: str
    folded: bool = False


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        title: its heading.
        kind: what its cells are: words, names as a machine knows them, numbers, or a state.
    """

    title: str
    kind: Kind = "text"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        caption: what it shows.
        columns: its columns.
        rows: a text for each column.
        folded: whether a reader opens it first.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    folded: bool = False


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of a graph.

    Attributes:
        name: what it is called.
        state: its state, one of those that tables show.
    """

    name: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A graph without cycles.

    Attributes:
        caption: what it shows.
        nodes: its nodes.
        edges: pairs of places of nodes; the first comes before the second.
    """

    caption: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Counts of rows by label and prediction.

    Attributes:
        caption: what it shows.
        classes: names of the K classes.
        counts: K rows of K numbers, by label and by prediction.
        signed: whether the numbers are differences.
    """

    caption: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line of a chart.

    Attributes:
        name: what it shows.
        points: pairs of numbers, from left to right.
        is_base: whether it is the base's.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    is_base: bool = False


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A chart of lines.

    Attributes:
        caption: what it shows.
        across: what the horizontal axis is.
        up: what the vertical axis is.
        series: the lines.
        is_log: whether the vertical axis is logarithmic.
    """

    caption: str
    across: str
    up: str
    series: tuple[Series, ...]
    is_log: bool = False


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """A chart of values with the intervals they lie in.

    Attributes:
        caption: what it shows.
        across: what the horizontal axis is.
        names: one for each row.
        values: value, low and high of the candidate.
        base: the same of the base; empty without one.
    """

    caption: str
    across: str
    names: tuple[str, ...]
    values: tuple[tuple[float, float, float], ...]
    base: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Side:
    """What a model was sure of and how often it was right, in bins of confidence.

    Attributes:
        name: whose it is.
        bins: mean confidence, accuracy and rows of each bin that has rows.
        is_base: whether it is the base.
    """

    name: str
    bins: tuple[tuple[float, float, int], ...]
    is_base: bool = False


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """A reliability diagram.

    Attributes:
        caption: what it shows.
        sides: the candidate, and the base where there is one.
    """

    caption: str
    sides: tuple[Side, ...]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image and what is said of it.

    Attributes:
        source: a `data:` URL.
        alt: what it shows, for who cannot see it.
        lines: what stands below it.
    """

    source: str
    alt: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Images side by side.

    Attributes:
        caption: what they are.
        pictures: the images.
    """

    caption: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading.
        blocks: what it shows; where facts are missing, a paragraph that says so.
        outcome: what it adds to the verdict; None where it only informs.
        reasons: what the outcome is due to, each a few words.
    """

    title: str
    blocks: tuple[Block, ...]
    outcome: Outcome | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole page.

    Attributes:
        project: the name of the project's folder.
        about: pairs of a word and what it says: commit, base, time.
        outcome: the verdict.
        verdict: the verdict in one line.
        sections: its parts in order.
    """

    project: str
    about: Mapping[str, str]
    outcome: Outcome
    verdict: str
    sections: tuple[Section, ...]
