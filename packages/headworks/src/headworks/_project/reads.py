"""The files of a tree that a path in a noxfile or a pattern of the table stands for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache, partial
from typing import TYPE_CHECKING

from headworks._hashes import digest
from headworks._noxfile.paths import HOLE, normal
from headworks._tree.patterns import slices

if TYPE_CHECKING:
    from headworks._tree.listing import Listing


class TreeReader:
    """Finds files in a listing; a hole in a path stands for anything.

    Attributes:
        slices: Returns the slices of the listing with the files of a path.
        named: Returns the slices of the listing with the files of a pattern of the table.
    """

    def __init__(self, listing: Listing, prefix: str) -> None:
        """Take the files, and the folder that paths are relative to, empty or with a slash at its end."""
        self._listing = listing
        self._prefix = prefix
        self.slices = cache(self._find)
        self.named = cache(partial(slices, listing, prefix))
        self._names = cache(self._find_names)  # of a path with a hole they can be as many as the packages

    def content(self, paths: Iterable[str]) -> str:
        """Return a hash of the files of some paths."""
        raw = self._listing.raw
        return digest(*(raw[start:end] for path in sorted(paths) for start, end in self.slices(path)))

    def names(self, paths: Iterable[str]) -> str:
        """Return a hash of the names of the files of some paths."""
        return digest(*(name for path in sorted(paths) for name in self._names(path)))

    def _find_names(self, path: str) -> list[bytes]:
        raw = self._listing.raw
        lines = (line for start, end in self.slices(path) for line in raw[start:end].split(b"\0")[:-1])
        return [line.partition(b"\t")[2] for line in lines]

    def is_outside(self, path: str) -> bool:
        """Tell whether a path leads out of the repository."""
        return normal(self._prefix + path.partition(HOLE)[0]).startswith("..")

    def _find(self, path: str) -> list[tuple[int, int]]:
        raw = self._listing.raw
        before, hole, rest = path.partition(HOLE)
        if not hole:
            start, end = self._listing.span(os.fsencode(normal(self._prefix + before)))
            return [(start, end)] if start < end else []
        folder, _, name = before.rpartition("/")
        folder = normal(self._prefix + folder)
        start, end = self._listing.below(os.fsencode(folder))
        beginning = os.fsencode(f"{folder}/{name}" if folder else name)
        ending = os.fsencode(rest.rpartition(HOLE)[2]) + b"\0"
        slices = []
        while (after := raw.find(ending, start, end)) >= 0:
            after += len(ending)
            first = max(raw.rfind(b"\0", 0, after - 1) + 1, 0)
            if raw.startswith(beginning, raw.index(b"\t", first) + 1):
                slices.append((first, after))
            start = after
        return slices
