"""Patterns that name files of a tree.

A pattern is a path relative to the project: a file, a folder with all that is below it, or either with `*` and `?` for
letters of one name, `[...]` for one letter of a choice, and `**` for any number of folders.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headworks._tree.listing import Listing


def is_at(path: str, place: str) -> bool:
    """Tell whether a path is that of a file or folder, or of something in it."""
    return path == place or path.startswith(f"{place}/")


def is_plain(pattern: str) -> bool:
    """Tell whether a pattern names one file or folder."""
    return not any(letter in pattern for letter in "*?[")


@functools.cache  # few patterns, but each is asked for once for every package
def matcher(pattern: str, *, exact: bool = False) -> Callable[[str], bool]:
    """Return a function that tells whether a path is, or where not exact lies below, what a pattern names."""

    def part(name: str) -> str:
        text = re.escape(name).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        return re.sub(r"\\\[(!?)(.+?)\\\]", lambda it: f"[{'^' if it[1] else ''}{it[2]}]", text)

    text = "/".join("**" if name == "**" else part(name) for name in pattern.strip("/").split("/"))
    text = text.replace("/**/", "/(?:.*/)?")
    if text.startswith("**/"):
        text = "(?:.*/)?" + text[3:]
    expression = re.compile(text.replace("**", ".*") + ("" if exact else "(?:/.*)?"), re.DOTALL)
    return lambda path: expression.fullmatch(path) is not None


def slices(listing: Listing, prefix: str, pattern: str) -> list[tuple[int, int]]:
    """Return the slices of a listing with the files that a pattern names.

    Args:
        listing: the files.
        prefix: the folder that the pattern is relative to, empty or with a slash at its end.
        pattern: the pattern.
    """
    names = (prefix + pattern).strip("/").split("/")
    fixed = next((number for number, name in enumerate(names) if not is_plain(name)), len(names))
    if names[fixed:] in ([], ["**"]):
        start, end = listing.span(os.fsencode("/".join(names[:fixed])))
        return [(start, end)] if start < end else []
    fits = matcher("/".join(names))
    position, end = listing.below(os.fsencode("/".join(names[:fixed])))
    found: list[tuple[int, int]] = []
    while position < end:
        after = listing.raw.index(b"\0", position) + 1
        if fits(os.fsdecode(listing.raw[listing.raw.index(b"\t", position) + 1 : after - 1])):
            found.append((position, after))
        position = after
    return found
