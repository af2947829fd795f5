"""What somebody may have meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["suggestion"]

_FEW = 12


def suggestion(name: str, choices: Iterable[str]) -> str:
    """Return a sentence that names the choice nearest to a name, or all of them where there are few; with a space."""
    from difflib import get_close_matches

    known = sorted(set(choices))
    near = get_close_matches(name, known, n=1)
    if near:
        return f" Did you mean {near[0]!r}?"
    if known and len(known) <= _FEW:
        return f" There are: {', '.join(known)}."
    return ""
