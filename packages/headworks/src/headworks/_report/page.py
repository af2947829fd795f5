"""The report's page: sections of a few kinds of blocks, before they are Markdown or HTML.

All texts are plain: whoever renders them escapes them. Both renderers draw from this, so that they say the same.
States and outcomes are told by a word and a sign, and only besides by a colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from headworks._report.charts import Chart

Kind = Literal["text", "code", "number", "state"]
Outcome = Literal["failed", "cannot tell", "unproven", "passed"]
Block: TypeAlias = "str | Code | Table | Graph | Matrix | Bars | Chart | Gallery"  # a bare text is a paragraph

# From the worst, each with its words in the first line.
OUTCOMES: dict[Outcome, str] = {
    "failed": "Failed",
    "cannot tell": "Cannot tell",
    "unproven": "Not everything is proven",
    "passed": "Passed",
}
_TONES = {
    "passed": "good",
    "passes": "good",
    "covered": "calm",
    "failed": "bad",
    "fails": "bad",
    "flaky": "bad",
    "cannot tell": "open",
    "unproven": "open",
    "not run": "open",
    "waiting": "open",
    "not recorded": "none",
}
_MARKS = {"good": "\N{CHECK MARK}", "calm": "\N{CHECK MARK}", "bad": "\N{BALLOT X}", "open": "?", "none": "\N{EN DASH}"}


def tone(state: str) -> str:
    """Return the tone of a state: `good`, `calm`, `bad`, `open` or `none`.

    Args:
        state: A state or an outcome; of `fails, counts as passes` the last one counts.
    """
    return _TONES[state.rpartition("counts as ")[2]]


def mark(state: str) -> str:
    """Return the sign of a state."""
    return _MARKS[tone(state)]


@dataclass(frozen=True)
class Code:
    """Lines to run, or that were printed, shown as they are; a reader opens folded ones first."""

    caption: str
    text: str
    folded: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: its title.
        columns: the kind of the cells below each heading: words, names as a machine knows them, numbers, or a state.
        rows: a text for each column.
        folded: whether a reader opens it first.
    """

    caption: str
    columns: Mapping[str, Kind]
    rows: Sequence[Sequence[str]]
    folded: bool = False


class Node(NamedTuple):
    """A node of a graph, in one of the states that tables show."""

    name: str
    state: str


@dataclass(frozen=True)
class Graph:
    """A graph without cycles.

    Attributes:
        caption: its title.
        nodes: its nodes.
        edges: pairs of places of nodes; the first comes before the second.
    """

    caption: str
    nodes: Sequence[Node]
    edges: Sequence[tuple[int, int]]

    @property
    def words(self) -> str:
        """A description for readers who cannot see it."""
        nodes = "; ".join(f"{node.name} {node.state}" for node in self.nodes)
        edges = "; ".join(f"{self.nodes[one].name} before {self.nodes[two].name}" for one, two in self.edges)
        return f"{nodes}. {edges}."


@dataclass(frozen=True)
class Matrix:
    """Counts of rows by label and prediction.

    Attributes:
        caption: its title.
        classes: names of the K classes.
        counts: K rows of K numbers, by label and by prediction.
        signed: whether the numbers are differences.
    """

    caption: str
    classes: Sequence[str]
    counts: Sequence[Sequence[int]]
    signed: bool = False


@dataclass(frozen=True)
class Bars:
    """Counts of the base as bars, with those of the candidate as a line across them; for a comment alone.

    Attributes:
        caption: its title.
        names: what was counted.
        base: a count for each name.
        candidate: a count for each name.
    """

    caption: str
    names: Sequence[str]
    base: Sequence[int]
    candidate: Sequence[int]


class Picture(NamedTuple):
    """An image as a `data:` URL, a description for readers who cannot see it, and the lines below it."""

    source: str
    alt: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Gallery:
    """Images side by side."""

    caption: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading.
        blocks: its content; where facts are missing, a paragraph that says so.
        outcome: its part in the verdict; None where it only informs.
        reasons: the reasons of the outcome, each a few words.
    """

    title: str
    blocks: Sequence[Block]
    outcome: Outcome | None = None
    reasons: Sequence[str] = ()


@dataclass(frozen=True)
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
    sections: Sequence[Section]
