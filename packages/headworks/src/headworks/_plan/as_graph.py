"""A plan as a graph of its sessions, in the language of Mermaid or of Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._lines import shown, text_of

if TYPE_CHECKING:
    from headworks._plan.plan import Plan

_COLOURS = {"run": "#f9c74f", "waiting": "#f9e7b9", "cached": "#b7e4c7"}


def as_mermaid(plan: Plan) -> str:
    """Return a plan as a Mermaid flowchart, with a colour for each state."""
    numbers = {it.session.name: number for number, it in enumerate(plan.sessions)}
    lines = ["flowchart LR"]
    for it in plan.sessions:
        name = shown(it.session.name).replace('"', "#quot;")
        lines.append(f'  s{numbers[it.session.name]}["{name}"]:::{it.state}')
        lines += [f"  s{numbers[need]} --> s{numbers[it.session.name]}" for need in it.session.needs]
    lines += [f"  classDef {state} fill:{colour},stroke:#333,color:#000" for state, colour in _COLOURS.items()]
    return text_of(lines)


def as_dot(plan: Plan) -> str:
    """Return a plan as a Graphviz digraph, with a colour for each state."""

    def quoted(name: str) -> str:
        return '"' + shown(name).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph plan {", "  rankdir=LR;", "  node [shape=box, style=filled];"]
    for it in plan.sessions:
        name = quoted(it.session.name)
        lines.append(f'  {name} [fillcolor="{_COLOURS[it.state]}", tooltip="{it.state}"];')
        lines += [f"  {quoted(need)} -> {name};" for need in it.session.needs]
    return text_of([*lines, "}"])
