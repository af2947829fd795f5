"""The report's page: sections of a few kinds of blocks, before they are Markdown or HTML.

All texts are plain: whoever renders them escapes them. Both renderers draw from this, so that they say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headworks._report.charts import Chart

    Kind = Literal["text", "code", "number", "state"]
    Outcome = Literal["failed", "cannot tell", "unproven", "passed"]
    Block: TypeAlias = "Text | Code | Table | Graph | Matrix | Chart | Gallery"

__all__ = [
    "Code",
    "Column",
    "Gallery",
    "Graph",
    "Matrix",
    "Node",
    "Page",
    "Picture",
    "Section",
    "Table",
    "Text",
]


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph.

    Attributes:
        text: its text.
    """

    text: str


@dataclass(frozen=True, kw_only=True)
class Code:
    """Lines to run, or that were printed, shown as they are.

    Attributes:
        caption: their title.
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
        kind: the kind of its cells: words, names as a machine knows them, numbers, or a state.
    """

    title: str
    kind: Kind = "text"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        caption: its title.
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
        name: its name.
        state: its state, one of those that tables show.
    """

    name: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A graph without cycles.

    Attributes:
        caption: its title.
        nodes: its nodes.
        edges: pairs of places of nodes; the first comes before the second.
    """

    caption: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]

    @property
    def words(self) -> str:
        """A description for readers who cannot see it."""
        nodes = "; ".join(f"{node.name} {node.state}" for node in self.nodes)
        edges = "; ".join(f"{self.nodes[one].name} before {self.nodes[two].name}" for one, two in self.edges)
        return f"{nodes}. {edges}."


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Counts of rows by label and prediction.

    Attributes:
        caption: its title.
        classes: names of the K classes.
        counts: K rows of K numbers, by label and by prediction.
        signed: whether the numbers are differences.
    """

    caption: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image with its caption.

    Attributes:
        source: a `data:` URL.
        alt: a description for readers who cannot see it.
        lines: the lines below it.
    """

    source: str
    alt: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Images side by side.

    Attributes:
        caption: their title.
        pictures: the images.
    """

    caption: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading.
        blocks: its content; where facts are missing, a paragraph that says so.
        outcome: its part in the verdict; None where it only informs.
        reasons: the reasons of the outcome, each a few words.
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
        about: commit, base and time, by a word for each.
        outcome: the verdict.
        verdict: the verdict in one line.
        sections: its parts in order.
    """

    project: str
    about: Mapping[str, str]
    outcome: Outcome
    verdict: str
    sections: tuple[Section, ...]
