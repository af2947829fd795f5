"""The witness of a session: what it read, one line for each thing, and the form in which stores keep witnesses.

Many witnesses are one table. It holds each line once, `KIND VALUE PATH` in the order of their bytes, with a NUL between
two of them and two NULs after the last. For each witness, a text line follows with its name, a space and the count of
its lines, and after that as many numbers of lines, each of four bytes with the lowest first. So a thousand witnesses of
the same tree are read, and held against a tree, in the time of some thousand lines.
"""

from __future__ import annotations

import sys
from array import array
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from headworks._store.files import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Line", "Witness", "Witnesses"]

_NUMBER = "I"  # four bytes on every platform that Python runs on
_SIZE = 4


class Line(NamedTuple):
    """One thing that a session read.

    Attributes:
        kind: What it is: `file`, `exec`, `link`, `folder`, `missing`, `names`, `entries`, `made`, `index` or `history`;
            `until` for the day on which the witness ends.
        value: A hash of it, or a dash where the kind says it all.
        path: Where it is, relative to the top of the repository; absolute outside of it.
    """

    kind: str
    value: str
    path: str

    def encode(self) -> bytes:
        """Return the line as bytes, without its end."""
        return f"{self.kind} {self.value} {self.path}".encode("utf-8", "surrogateescape")

    @classmethod
    def decode(cls, text: bytes) -> Line:
        """Return the line that some bytes stand for.

        Raises:
            ValueError: They do not stand for a line.
        """
        kind, value, path = text.decode("utf-8", "surrogateescape").split(" ", 2)
        return cls(kind, value, path)


class Witness(NamedTuple):
    """All that a session read.

    Attributes:
        lines: The lines, in the order of their bytes.
    """

    lines: tuple[Line, ...]

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Witness:
        """Return the witness with some lines, in whatever order."""
        return cls(tuple(sorted(set(lines), key=Line.encode)))

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Witness:
        """Return the witness whose lines are given as texts.

        Raises:
            ValueError: One of them is no line.
        """
        return cls.of(Line.decode(it.encode("utf-8", "surrogateescape")) for it in texts)

    def texts(self) -> list[str]:
        """Return the lines as texts."""
        return [line.encode().decode("utf-8", "surrogateescape") for line in self.lines]

    @property
    def until(self) -> str:
        """The day on which it ends; empty where it has no end."""
        return next((line.value for line in self.lines if line.kind == "until"), "")

    @property
    def digest(self) -> str:
        """SHA-256 over all lines: of two runs that read the same, it is the same."""
        return sha256(b"".join(line.encode() + b"\0" for line in self.lines)).hexdigest()


class Witnesses:
    """Many witnesses by name, such as the digest of the verdict that each belongs to; each line is kept once."""

    def __init__(self, lines: list[bytes], numbers: dict[str, array[int]]) -> None:
        """Take the lines, and for each witness the numbers of its own."""
        self._lines = lines
        self._numbers = numbers

    @classmethod
    def of(cls, witnesses: Mapping[str, Witness]) -> Witnesses:
        """Return the table of some witnesses."""
        encoded = {name: [line.encode() for line in it.lines] for name, it in witnesses.items()}
        lines = sorted({line for own in encoded.values() for line in own})
        places = {line: number for number, line in enumerate(lines)}
        return cls(lines, {name: array(_NUMBER, map(places.__getitem__, own)) for name, own in encoded.items()})

    @classmethod
    def read(cls, sealed: bytes) -> Witnesses | None:
        """Return the table in a file; None if the file is damaged."""
        data = unseal(sealed)
        if data is None:
            return None
        position = data.index(b"\0\0")
        lines = data[:position].split(b"\0") if position else []
        position += 2
        numbers: dict[str, array[int]] = {}
        while position < len(data):
            end = data.index(b"\n", position)
            name, _, count = data[position:end].rpartition(b" ")
            position = end + 1 + int(count) * _SIZE
            numbers[name.decode()] = _ordered(array(_NUMBER, data[end + 1 : position]))
        return cls(lines, numbers)

    def write(self) -> bytes:
        """Return the content of the file of the table."""
        parts = [b"\0".join(self._lines), b"\0\0"]
        for name, numbers in sorted(self._numbers.items()):
            parts += [f"{name} {len(numbers)}\n".encode(), _ordered(numbers).tobytes()]
        return seal(b"".join(parts))

    def __getitem__(self, name: str) -> Witness:
        """Return one witness."""
        return Witness(tuple(Line.decode(self._lines[number]) for number in self._numbers[name]))

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._numbers)

    def holding(self, names: Iterable[str], is_same: Callable[[Line], bool]) -> set[str]:
        """Return those of some witnesses of which every line is still true; no line is asked about twice."""
        chosen = {name: self._numbers[name] for name in names if name in self._numbers}
        asked = {number for own in chosen.values() for number in own}
        wrong = {number for number in asked if not is_same(Line.decode(self._lines[number]))}
        return {name for name, own in chosen.items() if not wrong or wrong.isdisjoint(own)}


def _ordered(numbers: array[int]) -> array[int]:
    """Return numbers with the lowest byte first, or back from there."""
    if sys.byteorder == "big":  # pragma: no cover  # measured on processors that put the lowest byte first
        numbers = numbers[:]
        numbers.byteswap()
    return numbers
