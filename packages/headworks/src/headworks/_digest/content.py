"""Hashes over the files of a tree, with some patterns left out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headworks._project.reads import TreeReader
    from headworks._tree.listing import Listing

    Span = tuple[int, int]


class Content:
    """Cuts slices out of a listing and hashes them; every slice is hashed once."""

    def __init__(self, listing: Listing, reader: TreeReader) -> None:
        """Take the files, and their reader by patterns."""
        self._listing = listing
        self._reader = reader
        self._ignored = cache(self._holes)

    def hash(self, spans: Iterable[Span], ignore: tuple[str, ...]) -> str:
        """Return a hash of some slices, without the files that some patterns name."""
        raw, function = self._listing.raw, sha256()
        for start, end in self.kept(spans, ignore):
            function.update(raw[start:end])
        return function.hexdigest()

    def kept(self, spans: Iterable[Span], ignore: tuple[str, ...]) -> list[Span]:
        """Return the slices without the files that some patterns match."""
        return cut(spans, self._ignored(ignore)) if ignore else [it for it in spans if it[0] < it[1]]

    def _holes(self, ignore: tuple[str, ...]) -> list[Span]:
        """Return the slices that some patterns name, in order and without overlap."""
        merged: list[Span] = []
        for start, end in sorted(span for pattern in ignore for span in self._reader.named(pattern)):
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        return merged


def cut(spans: Iterable[Span], holes: list[Span]) -> list[Span]:
    """Return slices without some holes, which are in order."""
    left: list[Span] = []
    for start, end in spans:
        position = start
        for hole_start, hole_end in holes[max(bisect_right(holes, (start, start)) - 1, 0) :]:
            if hole_start >= end:
                break
            if hole_end > position:
                left.append((position, max(hole_start, position)))
                position = hole_end
        left.append((position, end))
    return [(start, end) for start, end in left if start < end]
