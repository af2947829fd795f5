"""The name that somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable

_FEW = 12  # choices that fit into one line


def suggestion(name: str, choices: Iterable[str]) -> str:
    """Return a sentence, a space before it, that names the nearest choice, or all choices where they are few."""
    from difflib import get_close_matches  # which takes 1 ms, and is needed for mistakes only

    known = sorted(set(choices))
    near = get_close_matches(name, known, n=1)
    if near:
        return f" Did you mean {near[0]!r}?"
    if known and len(known) <= _FEW:
        return f" There are: {', '.join(known)}."
    return ""
