"""Watches which files a session opens to read: through strace where it is, through Python's audit hooks elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

from headworks._audit import hook as _audit_hook
from headworks._store.files import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["HookWatch", "StraceWatch", "Watch", "make_watch"]

_LIMIT = 4 << 30  # bytes
_CALLS = "open,openat,openat2,creat,execve,execveat"
_LINE = re.compile(rb"(\d+) +(\w+)\((.*)\) += \d+(?:<((?:[^<>\\]|\\.)*)>)?(?:\(deleted\))?$")
_UNFINISHED = re.compile(rb"(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(rb"(\d+) +<\.\.\. \w+ resumed>(.*)$")
_PROGRAM = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}


class StraceWatch:
    """Sees every file that the session's processes open, whatever they are written in.

    Attributes:
        name: What watches.
        cannot_see: What it does not see, in words; empty where it sees all.
    """

    name = "strace"
    cannot_see = ""

    def __init__(self, folder: Path) -> None:
        """Keep its notes in a folder."""
        self._notes = folder / "strace"

    def wrap(self, command: list[str]) -> list[str]:
        """Return the command that runs another one watched."""
        traced = ["-f", "-qq", "-y", "-s", "4096", "--seccomp-bpf", "-e", f"trace={_CALLS}", "-o", str(self._notes)]
        return ["strace", *traced, "--", *command]

    @property
    def environ(self) -> dict[str, str]:
        """The variables that the watched processes need."""
        return {}

    def reads(self) -> set[str]:
        """Return the absolute paths of the files that were opened to read, or executed."""
        return {os.fsdecode(path) for path in self._paths()}

    def _paths(self) -> Iterator[bytes]:
        """Yield them from the output of strace."""
        begun: dict[bytes, bytes] = {}
        for line in (read(str(self._notes), _LIMIT) or b"").split(b"\n"):
            if found := _UNFINISHED.fullmatch(line):
                begun[found[1]] = found[0][: found.end(2)]
                continue
            if found := _RESUMED.fullmatch(line):
                line = begun.pop(found[1], b"") + found[2]  # noqa: PLW2901  # the line is the two halves
            call = _LINE.fullmatch(line)
            if call is None:
                continue
            if call[2].startswith(b"exec"):
                yield from (_unescape(it) for it in _PROGRAM.findall(call[3])[:1])
            elif call[4] and b"O_WRONLY" not in call[3] and call[2] != b"creat":
                yield _unescape(call[4])


class HookWatch:
    """Sees the files that Python code opens."""

    name = "Python's audit hooks"
    cannot_see = (
        "files that other programs open, that compiled extensions open by themselves, and that a Python opens which is"
        " started with -I or -E"
    )

    def __init__(self, folder: Path) -> None:
        """Keep the hook and its notes in a folder."""
        self._folder = folder / "hook"
        self._notes = folder / "notes"

    def wrap(self, command: list[str]) -> list[str]:
        """Return the command that runs another one watched."""
        self._folder.mkdir(exist_ok=True)
        shutil.copyfile(_audit_hook.__file__, self._folder / "sitecustomize.py")
        return command

    @property
    def environ(self) -> dict[str, str]:
        """The variables that the watched processes need."""
        return {"PYTHONPATH": str(self._folder), "HEADWORKS_AUDIT": str(self._notes)}

    def reads(self) -> set[str]:
        """Return the absolute paths of the files that were opened to read."""
        notes = (read(str(self._notes), _LIMIT) or b"").split(b"\0")
        return {os.path.realpath(os.fsdecode(path)) for path in notes if path}


Watch = StraceWatch | HookWatch


def make_watch(folder: Path) -> Watch:
    """Return the watch that sees most on this machine."""
    return StraceWatch(folder) if sys.platform == "linux" and shutil.which("strace") else HookWatch(folder)


def _unescape(text: bytes) -> bytes:
    """Return a path as it is, from how strace writes it."""

    def replace(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes([int(code, 8)]) if code.isdigit() else _LETTERS.get(code, code)

    return _ESCAPE.sub(replace, text)
