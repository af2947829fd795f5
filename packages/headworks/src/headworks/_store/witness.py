"""The witness of a session: what it read, one line for each thing, and many witnesses as one table."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

_NUMBER = "I"  # four bytes on every platform that Python runs on


class Line(NamedTuple):
    """One thing that a session read.

    Attributes:
        kind: What it is: `file`, `exec`, `link`, `folder`, `missing`, `names`, `entries`, `made`, `index`, `history`
            or `refs`; `until` for the day on which the witness ends; `installed` for a package in the session's
            environment, which only tells: its version, and its name as the path.
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
    """Many witnesses by name, such as the digest of the verdict that each belongs to, as one table.

    Each line is kept once. So a thousand witnesses of the same tree are read, and held against a tree, in the time of
    some thousand lines.

    Attributes:
        lines: The lines, as bytes.
        numbers: For each witness the numbers of its lines, as the bytes of an array.
    """

    def __init__(self, lines: Sequence[bytes] = (), numbers: Mapping[str, bytes] | None = None) -> None:
        """Take the content of a table; without one, it is empty."""
        self.lines = lines
        self.numbers = numbers or {}

    @classmethod
    def of(cls, witnesses: Mapping[str, Witness]) -> Witnesses:
        """Return the table of some witnesses."""
        encoded = {name: [line.encode() for line in it.lines] for name, it in witnesses.items()}
        lines = sorted({line for own in encoded.values() for line in own})
        places = {line: number for number, line in enumerate(lines)}
        numbers = {name: array(_NUMBER, map(places.__getitem__, own)).tobytes() for name, own in encoded.items()}
        return cls(lines, numbers)

    def __getitem__(self, name: str) -> Witness:
        """Return one witness."""
        return Witness(tuple(Line.decode(self.lines[number]) for number in array(_NUMBER, self.numbers[name])))

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self.numbers)

    def holding(self, names: Iterable[str], is_same: Callable[[Line], bool]) -> set[str]:
        """Return those of some witnesses of which every line is still true; no line is asked about twice."""
        chosen = {name: array(_NUMBER, self.numbers[name]) for name in names if name in self.numbers}
        asked = {number for own in chosen.values() for number in own}
        wrong = {number for number in asked if not is_same(Line.decode(self.lines[number]))}
        return {name for name, own in chosen.items() if not wrong or wrong.isdisjoint(own)}
