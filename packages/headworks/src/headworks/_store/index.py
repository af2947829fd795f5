"""All passed verdicts of a store in one file, so that thousands are looked up in one read.

The file only saves time: it is made anew from the records if a byte of it is wrong, and a verdict that it lacks is
looked up among the records. A line has tab-separated fields: the checksum of the rest, the digest, the place and the
session, then the verdict as JSON, which is read only where it is asked for. A later line for a digest replaces an
earlier one.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from headworks._store.files import append, read, write_atomically
from headworks._store.verdict import Verdict

if TYPE_CHECKING:
    from headworks._store.records import Record, Records

_LIMIT = 1 << 30  # bytes, over a million verdicts
_CHECKSUM = 9  # characters, the tab included
_DIGEST = 64  # characters
_FORM = 4  # of a line; each has checksums of its own, so that lines of another form look damaged


class Index:
    """The index of one store, read again whenever another process has changed it."""

    def __init__(self, root: str, records: Records) -> None:
        """Look below `root`; verdicts and fields that the index lacks are read from `records`."""
        self._path = os.path.join(root, "index")
        self._temporary = os.path.join(root, "tmp")
        self._records = records
        self._version: tuple[int, int, int] | None = None
        self._lines: dict[bytes, bytes] = {}
        self._newest: dict[tuple[bytes, bytes], bytes] = {}

    def find(self, digests: Iterable[str]) -> dict[str, Verdict]:
        """Return the verdicts of the digests that the index has."""
        self._refresh()
        known = ((digest, self._lines.get(digest.encode())) for digest in digests)
        return {digest: self._verdict(line) for digest, line in known if line is not None}

    def last(self, session: str, place: str) -> Verdict | None:
        """Return the newest verdict of a session in a repository, else in any."""
        self._refresh()
        if not self._newest:
            for each in self._lines.values():
                _, place_, session_, _ = each.split(b"\t", 3)
                self._newest[session_, place_] = self._newest[session_, b""] = each
        name = json.dumps(session).encode()
        line = self._newest.get((name, place.encode())) or self._newest.get((name, b""))
        return None if line is None else self._verdict(line)

    def add(self, records: Iterable[Record]) -> None:
        """Append records."""
        append(self._path, b"".join(map(_line, records)))

    def drop(self, digests: set[str]) -> None:
        """Write the index anew without some digests."""
        self._refresh()
        gone = {digest.encode() for digest in digests}
        try:
            self._write(b"".join(_sum_up(line) for digest, line in self._lines.items() if digest not in gone))
        except OSError:  # on a full disk, which `gc` is to free: a missing index is made anew
            if os.path.lexists(self._path):
                os.unlink(self._path)

    def _refresh(self) -> None:
        """Read the index if it has changed since it was last read; make it anew if it is damaged or missing."""
        if self._version is not None and self._version == self._stat():
            return
        self._version = self._stat()
        data = read(self._path, _LIMIT)
        lines = None if data is None else _parse(data)
        if lines is None:
            read_ones = (self._records.read(digest, passed=True) for digest in self._records.passed())
            ordered = sorted(filter(None, read_ones), key=lambda record: record.verdict.finished)
            content = b"".join(map(_line, ordered))
            lines = _parse(content) or []
            if content or data is not None:
                with contextlib.suppress(OSError):  # each process makes the index of a read-only store for itself
                    self._write(content)
            self._version = self._stat()
        self._newest = {}
        self._lines = {line[:_DIGEST]: line for line in lines}

    def _stat(self) -> tuple[int, int, int] | None:
        """Return a version that changes whenever the index does; None if there is no index."""
        try:
            info = os.stat(self._path)
        except OSError:
            return None
        return info.st_mtime_ns, info.st_size, info.st_ino

    def _write(self, content: bytes) -> None:
        write_atomically(self._path, content, temporary=self._temporary)

    def _verdict(self, line: bytes) -> Verdict:
        """Return the verdict of a line, without its witness; its components are read when they are first used."""
        fields = json.loads(line.split(b"\t", 3)[3])
        return Verdict(**fields, components=_Components(self._records, fields["digest"]))


class _Components(Mapping[str, str]):
    """The components of a passed verdict, read from its record when first used; none if that is damaged."""

    def __init__(self, records: Records, digest: str) -> None:
        """Remember where to look."""
        self._records = records
        self._digest = digest

    @cached_property
    def _components(self) -> Mapping[str, str]:
        record = self._records.read(self._digest, passed=True)
        return {} if record is None else record.verdict.components

    def __getitem__(self, name: str) -> str:
        """Return the hash of a component."""
        return self._components[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the components."""
        return iter(self._components)

    def __len__(self) -> int:
        """Return how many components there are."""
        return len(self._components)


def _line(record: Record) -> bytes:
    verdict = record.verdict
    fields = {name: value for name, value in verdict.as_data().items() if name not in {"components", "witness"}}
    texts = [verdict.digest, record.place, json.dumps(verdict.session), json.dumps(fields)]
    return _sum_up("\t".join(texts).encode())


def _sum_up(line: bytes) -> bytes:
    """Return a line with its checksum, as in the file."""
    return b"%08x\t%b\n" % (zlib.crc32(line, _FORM), line)


def _parse(data: bytes) -> list[bytes] | None:
    """Return the lines of an index, None if one is damaged; a last line without an end is still being written."""
    lines: list[bytes] = []
    for raw in data.split(b"\n")[:-1]:
        line = raw[_CHECKSUM:]
        if raw[:_CHECKSUM] != b"%08x\t" % zlib.crc32(line, _FORM):
            return None
        lines.append(line)
    return lines
