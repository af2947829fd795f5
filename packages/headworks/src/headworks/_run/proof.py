"""Checks in a session's log that its tests really ran.

A row with `required = true` is for sessions that must not skip tests unnoticed. Nox prints every command before it runs
it. So a command that runs pytest or unittest has to be followed by a sign that it ran a test: its closing line, or in
quiet mode the letters of its progress. Without one, the session is unproven. So it is after any closing line that
counts no test that ran. A session that runs no tests is proven by nox's result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PIECE = 1 << 20  # bytes that are searched together
_KEPT = 4096  # bytes of either end of an endless line
_COLOUR = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
# As in `2 passed, 1 skipped in 0.10s`.
_CLOSING = (
    rb"(?P<closing>no tests ran|\d+ [a-z][a-z ]*(?:, \d+ [a-z][a-z ]*)*) in \d[\d.]*s(?: \([^)\n]*\))?(?: =*)? *(?=\n)"
)
# A line that nox prints, one that unittest ends with, one of pytest's progress, or its closing line where it is quiet.
# Either begins with a letter that is found fast.
_LINE = re.compile(
    rb"\n(?:nox > (?P<nox>.*)|Ran (?P<ran>\d+) tests? in .*|(?P<ended>OK|FAILED|NO TESTS RAN)(?: \((?P<counts>.*)\))? *"
    rb"|(?P<letters>[.sxXFER]+)(?: *\[[^]\n]*\])? *|" + _CLOSING + rb")(?=\n)"
)
_FRAMED = re.compile(rb"= " + _CLOSING)  # whatever stands before it in the same line
_COUNT = re.compile(rb"(\d+) (?:[a-z]+ )*([a-z]+)")
_RAN = {b"passed", b"failed", b"error", b"errors", b"xfailed", b"xpassed"}
_OTHERS = {b"skipped", b"deselected", b"warning", b"warnings", b"rerun"}
_SKIPPED = re.compile(rb"skipped=(\d+)")
_RUNNERS = {"pytest", "py.test"}
_MODULES = {"pytest", "unittest"}
# Options with which pytest runs no tests.
_INFORMING = {"--version", "-V", "-VV", "--help", "-h", "--collect-only", "--co", "--fixtures", "--markers"}


def unproven(log: Path) -> str:
    """Return which of a session's tests did not run, in words; empty if all ran.

    Raises:
        OSError: The log cannot be read.
    """
    command, ran = "", -1
    for sign in _signs(log):
        kind = sign.lastgroup or ""
        if kind == "nox":
            if command:
                break
            line = sign["nox"].decode(errors="replace")
            command = line if _runs_tests(line) else ""
        elif kind == "ran":
            ran = int(sign["ran"])
        elif kind in {"ended", "counts"}:
            skipped = sum(map(int, _SKIPPED.findall(sign["counts"] or b"")))
            if 0 <= ran <= skipped:
                return f"unittest {'skipped all its tests' if skipped else 'ran no test'}"
            command, ran = "" if ran > skipped else command, -1
        elif kind == "letters":
            command = "" if sign["letters"].strip(b"s") else command
        else:
            kinds = {kind for number, kind in _COUNT.findall(sign["closing"]) if int(number)}
            if not kinds <= _RAN | _OTHERS:  # another program's line
                continue
            if not kinds & _RAN:
                return f"pytest {'skipped all its tests' if b'skipped' in kinds else 'ran no test'}"
            command = ""
    return f"no test was seen to run in `{command}`" if command else ""


def _runs_tests(command: str) -> bool:
    """Whether a command, as nox prints it, runs pytest or unittest, by itself or through something like `uv run`."""
    words = command.split()
    names = [re.split(r"[/\\]", word)[-1].removesuffix(".exe") for word in words]
    starts = [at for at, name in enumerate(names) if name in _RUNNERS and (not at or _runs_program(names[:at]))]
    starts += [at for at, name in enumerate(words) if at and words[at - 1] == "-m" and name in _MODULES]
    return bool(starts) and _INFORMING.isdisjoint(words[starts[0] :])


def _runs_program(words: list[str]) -> bool:
    """Whether a command that begins with these words runs the program that is named next."""
    return "run" in words and {"install", "add"}.isdisjoint(words)


def _signs(log: Path) -> Iterator[re.Match[bytes]]:
    """Yield the signs in a log, in order."""
    for text in _pieces(log):
        yield from sorted([*_LINE.finditer(text), *_FRAMED.finditer(text)], key=lambda match: match.end())


def _pieces(log: Path) -> Iterator[bytes]:
    """Yield a log in pieces of whole lines, without colours; of a line over 1 MiB, its two ends."""
    rest = b""
    with log.open("rb") as file:
        while piece := file.read(_PIECE):
            lines, _, begun = (rest + piece).rpartition(b"\n")
            yield _plain(lines)
            rest = begun if len(begun) < _PIECE else b"%b %b" % (begun[:_KEPT], begun[-_KEPT:])
    yield _plain(rest)


def _plain(lines: bytes) -> bytes:
    """Return lines without colours, each between two line ends."""
    return b"\n%b\n" % _COLOUR.sub(b"", lines).replace(b"\r\n", b"\n").rstrip(b"\r")
