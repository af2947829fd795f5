"""Imports what a plan needs while git looks at the work tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["prepare"]


def prepare() -> Iterator[None]:
    """Import what a plan needs next, in two steps, each about as long as git takes for a look at a small repository."""
    from headworks._digest import tree_memory
    from headworks._machine import machine
    from headworks._plan import plan
    from headworks._quick import memory

    yield
    from headworks._plan import selection
    from headworks._project import needs
    from headworks._store import store

    del machine, memory, needs, plan, selection, store, tree_memory
