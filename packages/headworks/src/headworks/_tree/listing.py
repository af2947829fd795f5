"""The files of a tree as git lists them: one sorted run of bytes, searched and cut without taking it apart.

A record is `H MODE OID 0<TAB>PATH<NUL>`, which is what `git ls-files -s -v -z` writes for an ordinary file. Records
are sorted by the bytes of their paths, so that everything below a folder is one slice, and the slice's hash is the
folder's content. At 5,000 files the whole is 400 kB, and taking it apart into objects would cost more than git's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

FILE, EXECUTABLE, LINK, SUBMODULE = b"100644", b"100755", b"120000", b"160000"


def record(mode: bytes, oid: bytes, path: bytes) -> bytes:
    """Return the record of a file."""
    return b"H %b %b 0\t%b\0" % (mode, oid, path)


class Listing:
    """A sorted run of records."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        """Take the records as they are."""
        self.raw = raw

    def records(self, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Yield mode, object id and path of every record of a slice."""
        for line in self.raw[start:end].split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            _, mode, oid, _ = head.split(b" ")
            yield mode, oid, path

    def paths(self) -> list[bytes]:
        """Return the path of every record."""
        return [line.partition(b"\t")[2] for line in self.raw.split(b"\0")[:-1]]

    def any_id(self) -> bytes:
        """Return the object id of the first record, empty where there is none."""
        return self.raw[9:74].partition(b" ")[0]

    def lines(self, part: bytes) -> Iterator[bytes]:
        """Yield the records that have some bytes in them."""
        raw, position = self.raw, -1
        while (position := raw.find(part, position + 1)) >= 0:
            yield raw[raw.rfind(b"\0", 0, position) + 1 : raw.index(b"\0", position) + 1]

    def ending(self, end: bytes) -> Iterator[bytes]:
        """Yield the paths that end with some bytes."""
        for line in self.lines(end + b"\0"):
            yield line[line.index(b"\t") + 1 : -1]

    def _locate(self, path: bytes) -> int:
        """Return where the record of a path starts, or would start."""
        raw, low, high = self.raw, 0, len(self.raw)
        while low < high:
            middle = (low + high) // 2
            start = max(raw.rfind(b"\0", low, middle) + 1, low)
            end = raw.find(b"\0", middle)
            if raw[raw.find(b"\t", start) + 1 : end] < path:
                low = end + 1
            else:
                high = start
        return low

    def get(self, path: bytes) -> tuple[bytes, bytes] | None:
        """Return mode and object id of a file, or None where there is no such file."""
        line, found, _ = self.raw[(start := self._locate(path)) : start + len(path) + 100].partition(b"\0")
        head, _, name = line.partition(b"\t")
        if not found or name != path:
            return None
        _, mode, oid, _ = head.split(b" ")
        return mode, oid

    def below(self, folder: bytes) -> tuple[int, int]:
        """Return start and end of the slice that holds all files below a folder; the empty folder is the whole."""
        if not folder:
            return 0, len(self.raw)
        # The character that follows a slash is "0", so that no path below the folder sorts at or after it.
        return self._locate(folder + b"/"), self._locate(folder + b"0")

    def span(self, path: bytes) -> tuple[int, int]:
        """Return start and end of the slice with a file, or with all files below a folder."""
        start = self._locate(path)
        end = self.raw.find(b"\0", start)
        if end >= 0 and self.raw[self.raw.find(b"\t", start) + 1 : end] == path:
            return start, end + 1
        return self.below(path)

    def has(self, path: bytes) -> bool:
        """Return whether there is a file, or a file below a folder."""
        start, end = self.span(path)
        return start < end

    def holder(self, path: bytes) -> bytes:
        """Return a path, or where it lies behind a link or in another repository, the path of that."""
        start, end = self.span(path)
        above = path
        while start == end and (above := above.rpartition(b"/")[0]):
            if (self.get(above) or (b"",))[0] in {LINK, SUBMODULE}:
                return above
        return path

    def inner(self, outer: tuple[int, int], path: bytes) -> tuple[int, int] | None:
        """Return what `span` returns for a path within a slice, or None where there is nothing."""
        raw, (start, end) = self.raw, outer
        first = raw.find(b"\t" + path + b"/", start, end)
        is_file = first < 0
        if is_file and (first := raw.find(b"\t" + path + b"\0", start, end)) < 0:
            return None
        start = raw.rfind(b"\0", 0, first) + 1
        if raw.find(b"\t", start) != first:  # within the name of a strange file
            return self.span(path)
        return start, raw.find(b"\0", first) + 1 if is_file else self._end(path + b"/", start, end)

    def spans(self, folders: Iterable[bytes]) -> dict[bytes, tuple[int, int]]:
        """Return what `below` returns for each of many folders, in one pass over the listing."""
        raw, position, starts = self.raw, 0, []
        names = sorted(it + b"/" for it in folders)
        for name in names:
            found = raw.find(b"\t" + name, position)
            start = raw.rfind(b"\0", 0, max(found, 0)) + 1
            if found < 0 or raw.find(b"\t", start) != found:  # not there, or within the name of a strange file
                start = self._locate(name)
            starts.append(start)
            position = start
        limits = [*starts[1:], len(raw)]
        return {
            name[:-1]: (start, self._end(name, start, limit))
            for name, start, limit in zip(names, starts, limits, strict=False)
        }

    def _end(self, name: bytes, start: int, limit: int) -> int:
        """Return where the slice of a folder ends, given where the next folder's starts."""
        raw = self.raw
        last = raw.rfind(b"\t" + name, start, limit)
        end = raw.find(b"\0", last) + 1
        is_outer = raw.startswith(name, raw.find(b"\t", limit) + 1)  # the next folder lies within this one
        if last < 0 or is_outer or raw.find(b"\t", raw.rfind(b"\0", 0, last) + 1) != last:
            return self._locate(name[:-1] + b"0")
        return end

    def replaced(self, changes: Mapping[bytes, bytes]) -> Listing:
        """Return the listing with the records of some paths put in, exchanged or, where empty, left out."""
        raw, pieces, position = self.raw, [], 0
        for path in sorted(changes):
            start = self._locate(path)
            pieces += [raw[position:start], changes[path]]
            position = start
            # A file in conflict has up to three records.
            while position < len(raw) and raw[raw.find(b"\t", position) + 1 : raw.find(b"\0", position)] == path:
                position = raw.find(b"\0", position) + 1
        pieces.append(raw[position:])
        return Listing(b"".join(pieces))
