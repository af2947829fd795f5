"""What of a tree the code of a noxfile reads."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from headworks._quick.sha256 import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headworks._tree.listing import Listing

__all__ = ["TreeReader"]

_HOLE = "\0"


class TreeReader:
    """Finds what texts stand for in a listing; a hole in a text stands for anything."""

    def __init__(self, listing: Listing, prefix: str) -> None:
        """Take the files, and the folder that texts are relative to, empty or with a slash at its end."""
        self._listing = listing
        self._prefix = prefix
        self._patterns: dict[str, list[tuple[int, int]]] = {}
        self._found: dict[str, list[tuple[int, int]]] = {}
        self._named: dict[str, list[bytes]] = {}

    def slices(self, text: str) -> list[tuple[int, int]]:
        """Return the slices of the listing with the files that a text stands for."""
        if text not in self._found:
            self._found[text] = self._find(text)
        return self._found[text]

    def content(self, texts: Iterable[str]) -> str:
        """Return a hash of the files that some texts stand for."""
        raw = self._listing.raw
        return digest(*(raw[start:end] for text in sorted(texts) for start, end in self.slices(text)))

    def names(self, texts: Iterable[str]) -> str:
        """Return a hash of the names of the files that some texts stand for."""
        return digest(*(path for text in sorted(texts) for path in self._paths(text)))

    def _paths(self, text: str) -> list[bytes]:
        """Return the names of the files that a text stands for; those of a pattern can be as many as the packages."""
        if text not in self._named:
            raw = self._listing.raw
            lines = (line for start, end in self.slices(text) for line in raw[start:end].split(b"\0")[:-1])
            self._named[text] = [line.partition(b"\t")[2] for line in lines]
        return self._named[text]

    def named(self, pattern: str) -> list[tuple[int, int]]:
        """Return the slices of the listing with the files that a pattern of a table names."""
        from headworks._tree.patterns import slices

        if pattern not in self._patterns:
            self._patterns[pattern] = slices(self._listing, self._prefix, pattern)
        return self._patterns[pattern]

    def is_outside(self, text: str) -> bool:
        """Tell whether a text leads out of the repository."""
        return posixpath.normpath(self._prefix + text.partition(_HOLE)[0]).startswith("..")

    def _find(self, text: str) -> list[tuple[int, int]]:
        """Return the slices of the listing with the files that a text stands for."""
        raw = self._listing.raw
        before, hole, rest = text.partition(_HOLE)
        if not hole:
            start, end = self._listing.span(os.fsencode(_normal(self._prefix + before)))
            return [(start, end)] if start < end else []
        folder, _, name = before.rpartition("/")
        folder = _normal(self._prefix + folder)
        start, end = self._listing.below(os.fsencode(folder))
        beginning = os.fsencode(f"{folder}/{name}" if folder else name)
        ending = os.fsencode(rest.rpartition(_HOLE)[2]) + b"\0"
        found = []
        while (after := raw.find(ending, start, end)) >= 0:
            after += len(ending)
            first = max(raw.rfind(b"\0", 0, after - 1) + 1, 0)
            if raw.startswith(beginning, raw.index(b"\t", first) + 1):
                found.append((first, after))
            start = after
        return found


def _normal(path: str) -> str:
    """Return a path without detours, empty for the top."""
    text = posixpath.normpath(path)
    return "" if text == "." else text
