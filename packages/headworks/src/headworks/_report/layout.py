"""Layout of a graph: nodes in columns, each to the right of all that come before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headworks._report.page import Graph

__all__ = ["Layout", "Place", "layout"]

_LETTER = 7.6  # pixels that a letter takes, and a little more
_HEIGHT = 40
_GAP = (36, 14)  # between columns, and between rows


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a node is drawn.

    Attributes:
        name: its name.
        state: its state.
        x: its left edge, in pixels.
        y: its upper edge.
        width: its width.
        height: its height.
    """

    name: str
    state: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a graph is drawn.

    Attributes:
        places: the nodes.
        paths: the edges, as paths of SVG.
        width: the width of the whole, in pixels.
        height: its height.
    """

    places: tuple[Place, ...]
    paths: tuple[str, ...]
    width: float
    height: float


def layout(graph: Graph) -> Layout:
    """Lay out a graph."""
    columns = _columns(graph)
    places: dict[int, Place] = {}
    x, height = 0.0, 0.0

    def middle(number: int) -> float:
        """Return the mean height of the nodes that come before one."""
        heights = [places[one].y for one, two in graph.edges if two == number]
        return sum(heights) / len(heights) if heights else 0.0

    for column in columns:
        nodes = [graph.nodes[number] for number in column]
        width = max(len(line) for node in nodes for line in (node.name, f"? {node.state}")) * _LETTER + 20
        for row, number in enumerate(sorted(column, key=lambda it: (middle(it), it))):
            node = graph.nodes[number]
            y = row * (_HEIGHT + _GAP[1])
            places[number] = Place(name=node.name, state=node.state, x=x, y=y, width=width, height=_HEIGHT)
            height = max(height, y + _HEIGHT)
        x += width + _GAP[0]
    paths = tuple(_path(places[one], places[two]) for one, two in graph.edges)
    ordered_places = tuple(places[number] for number in range(len(graph.nodes)))
    return Layout(places=ordered_places, paths=paths, width=x - _GAP[0] if columns else 0.0, height=height)


def _columns(graph: Graph) -> list[list[int]]:
    """Return the nodes by the length of the longest way that leads to them."""
    depths = dict.fromkeys(range(len(graph.nodes)), 0)
    for _ in graph.nodes:
        for one, two in graph.edges:
            depths[two] = max(depths[two], depths[one] + 1)
    columns: list[list[int]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for number, depth in depths.items():
        columns[depth].append(number)
    return columns


def _path(one: Place, two: Place) -> str:
    """Return a curve from the right edge of a node to the left edge of another."""
    start, end = one.x + one.width, two.x
    bend = (end - start) / 2
    high, low = one.y + one.height / 2, two.y + two.height / 2
    return f"M{start:.0f} {high:.0f}C{start + bend:.0f} {high:.0f} {end - bend:.0f} {low:.0f} {end:.0f} {low:.0f}"
