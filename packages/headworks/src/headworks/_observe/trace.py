"""Parses what strace writes, strictly: a line that nobody understands could hide a read, so it is an error."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_TEXT = rb'"((?:[^"\\]|\\.)*)"'
_PLACE = rb"<((?:[^<>\\]|\\.)*)>(?:\(deleted\))?"
_CALL = re.compile(
    rb"(\d+) +(\w+)\((.*)\) += (?:(-?\d+|0x[0-9a-f]+)|\?)(?:%b)?(?: ([A-Z]\w*) \([^<>()]*\))?" % _PLACE, re.DOTALL
)
_UNFINISHED = re.compile(rb"(\d+) +((?:\w+|\?+)\(.*) <unfinished \.\.\.>(?:\) += \?)?", re.DOTALL)
_RESUMED = re.compile(rb"(\d+) +<\.\.\. (\w+|\?+) resumed>(.*)", re.DOTALL)
_ENDED = re.compile(rb"(\d+) +\+\+\+ (?:exited with \d+|killed by (\w+)(?: \(core dumped\))?) \+\+\+")
_REPLACED = re.compile(rb"(\d+) +\+\+\+ superseded by execve in pid (\d+) \+\+\+")
# A signal, and a call that strace did not see begin and that never returned, since its process was killed.
_IDLE = re.compile(rb"\d+ +(?:--- .* ---|\?+\(.*\) += \?)", re.DOTALL)
_BIRTH = re.compile(rb"(\d+) +(?:(?:clone3?|v?fork)(\(.*)|<\.\.\. (?:clone3?|v?fork) resumed>)")
_NUMBER = re.compile(rb" = (\d+)$")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}
CUT = "it ends before the processes do, so that strace was killed or one of them still runs"
_SHOWN = 120  # bytes of a line, in a message

# The forms of arguments: `d` is a descriptor with its path, `p` a path, `t` the text of a link. A text that strace cut
# short ends with dots, and fits none of them.
_ARGUMENTS = {"d": rb"(?:AT_FDCWD|-?\d+)(?:%b)?" % _PLACE, "p": rb"(?:%b|NULL|0x[0-9a-f]+)" % _TEXT, "t": _TEXT}
_FORMS = {
    form: re.compile(b", ".join(map(_ARGUMENTS.__getitem__, form)) + b"(?:, (.*))?", re.DOTALL)
    for form in ("d", "p", "dp", "pp", "tp", "tdp", "dpdp")
}


class TraceError(Exception):
    """A trace is not whole, or has a line that is not understood; the message says why no witness can be made."""


class Call(NamedTuple):
    """A system call that has ended.

    Attributes:
        process: The process or thread that made it.
        name: Its name.
        arguments: Its arguments as strace writes them.
        result: Its result; None where it never returned.
        place: The path of the descriptor that it returned, as strace writes it.
        error: The name of its error, empty where it succeeded.
    """

    process: int
    name: str
    arguments: bytes
    result: int | None
    place: bytes | None
    error: str


class Ended(NamedTuple):
    """The end of a process or thread.

    Attributes:
        process: The process or thread.
        successor: The one that goes on in its place, after an execve.
        is_killed: Whether it was killed.
    """

    process: int
    successor: int = 0
    is_killed: bool = False


def calls(trace: Iterable[bytes]) -> Iterator[Call | Ended]:
    """Yield the calls and the ends of processes, in the order in which they ended.

    Args:
        trace: The lines that strace wrote, each with its end.

    Raises:
        TraceError: A line is not understood, or the trace ends before its processes do.
    """
    begun: dict[int, bytes] = {}
    running: set[int] = set()
    for line in _joined(trace, begun):
        event = _event(line)
        if isinstance(event, Call):
            running.add(event.process)
        elif isinstance(event, Ended):
            running.discard(event.successor or event.process)
            start = begun.pop(event.successor or event.process, None)
            if event.successor and start is not None:
                begun[event.process] = start
        if event is not None:
            yield event
    if running or begun:
        raise TraceError(CUT)


def _joined(trace: Iterable[bytes], begun: dict[int, bytes]) -> Iterator[bytes]:
    """Yield the lines without their ends, the two halves of each interrupted call joined; note those that begin."""
    for whole in trace:
        if not whole.endswith(b"\n"):
            message = "its last line is not whole, so that strace was killed or its disk is full"
            raise TraceError(message)
        line = whole[:-1]
        # To look for some bytes takes a tenth of the time that a pattern takes which does not match.
        if b" <unfinished ...>" in line and (found := _UNFINISHED.fullmatch(line)):
            begun[int(found[1])] = found[2]
        elif b" resumed>" in line and (found := _RESUMED.fullmatch(line)):
            start = begun.pop(int(found[1]), b"")
            if not start.startswith(found[2] + b"("):
                message = f"it has the end of a call without its start: {_shown(line)}"
                raise TraceError(message)
            yield found[1] + b" " + start + found[3]
        else:
            yield line


def _event(line: bytes) -> Call | Ended | None:
    """Return what a line says; None where it says nothing about calls."""
    if call := _CALL.fullmatch(line):
        result = None if call[4] is None else int(call[4], 0)
        return Call(int(call[1]), call[2].decode(), call[3], result, call[5], (call[6] or b"").decode())
    if found := _ENDED.fullmatch(line):
        return Ended(int(found[1]), is_killed=found[2] == b"SIGKILL")
    if found := _REPLACED.fullmatch(line):
        return Ended(int(found[1]), int(found[2]))
    if _IDLE.fullmatch(line):
        return None
    message = f"it has a line that is not understood: {_shown(line)}"
    raise TraceError(message)


def births(trace: Iterable[bytes]) -> dict[int, deque[tuple[int, bool]]]:
    """Return what made each process, and whether both share a working folder.

    A child's first line may stand before the line in which its parent learns its number, so this takes a pass of its
    own. A number that is used again has several, in their order.
    """
    found: defaultdict[int, deque[tuple[int, bool]]] = defaultdict(deque)
    shares: dict[bytes, bool] = {}
    for line in trace:
        if begun := _BIRTH.match(line):
            process, start = begun.groups()
            if start is not None:
                shares[process] = b"CLONE_FS" in start
            if end := _NUMBER.search(line):
                found[int(end[1])].append((int(process), shares.get(process, False)))
    return found


def match_arguments(call: Call, form: str) -> tuple[list[bytes | None], bytes]:
    """Return the first arguments of a call, and the rest of them as strace writes it.

    Args:
        call: The call.
        form: One letter for each argument: `d` a descriptor, of which the path is returned, `p` a path, and `t` a text.
            An argument that has no path, such as a null pointer, is None.

    Raises:
        TraceError: It has other arguments, or a path that strace cut short.
    """
    found = _FORMS[form].fullmatch(call.arguments)
    if found is None:
        message = f"it has a call that is not understood: {_shown(f'{call.name}('.encode() + call.arguments)}"
        raise TraceError(message)
    *first, rest = found.groups()
    return [None if it is None else unescape(it) for it in first], rest or b""


def unescape(text: bytes) -> bytes:
    """Return a text as it is, from how strace writes it."""
    if b"\\" not in text:
        return text

    def replace(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes([int(code, 8)]) if code.isdigit() else _LETTERS.get(code, code)

    return _ESCAPE.sub(replace, text)


def _shown(line: bytes) -> str:
    return repr(line[:_SHOWN].decode("utf-8", "backslashreplace"))
