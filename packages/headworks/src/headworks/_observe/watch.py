"""Watches a command through strace, which sees every read."""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._observe.reads import Reads
from headworks._observe.replay import replay
from headworks.errors import UsageError

if TYPE_CHECKING:
    from headworks._observe.places import Places

__all__ = ["StraceWatch", "can_see_all", "require_strace"]

# A question mark lets strace pass over a call that this kind of processor does not have. Asking for calls about files
# alone takes 1.44 times the processor time of a session; without those that only look at a file it would be 1.13, and
# miss that mypy with a warm cache opens no source at all.
_CALLS = (
    *("%file", "?getdents", "getdents64", "fchdir", "clone", "?clone3", "?fork", "?vfork", "unshare", "setns"),
    *("socket", "bind", "connect", "getsockname", "getsockopt", "ptrace", "?io_uring_setup", "?open_by_handle_at"),
    *("?fsmount", "?move_mount", "?open_tree"),
)
# Only the success of these calls counts; to fetch and write what they return is 8 % of what strace adds to a call.
_UNDECODED = "%%stat,%%statfs,?getdents,getdents64"
_LONGEST = 4096  # bytes of a path on Linux
_NESTED = "it ran in a session that strace watched already, and strace cannot watch both"
_TRACES = "it traces programs itself, which nobody can under strace (a row with `observe = false` has it never watched)"


class StraceWatch:
    """Sees every file that the session's processes read, whatever they are written in.

    Attributes:
        since: When the command was started, in seconds since the epoch.
    """

    def __init__(self, folder: Path) -> None:
        """Keep its notes in a folder, which need not exist yet."""
        self._unseen = _NESTED if _is_watched() else ""
        self._folder = folder
        self._notes = str(folder / "strace")
        self._reads: Reads | None = None
        self.since = 0.0

    def wrap(self, command: list[str]) -> list[str]:
        """Return the command that runs another one watched."""
        self._folder.mkdir(exist_ok=True)
        self.since, self._reads = time.time(), None
        if not self.is_tracer:
            return command
        # With -D the first process becomes the command itself, whose end is then not that of all that it started.
        traced = ["-D", "-f", "-q", "-y", "-s", str(_LONGEST), "--seccomp-bpf", "-e", f"trace={','.join(_CALLS)}"]
        return ["strace", *traced, "-e", f"verbose=!{_UNDECODED}", "-o", self._notes, "--", *command]

    @property
    def is_tracer(self) -> bool:
        """Whether it goes on until all processes of the session have ended."""
        return not self._unseen

    def gives_up(self) -> bool:
        """Return whether the command asked in vain to trace a program; it is to run again then, and is not watched."""
        if self.is_tracer and _holds(self._notes, b" ptrace("):
            self._unseen = _TRACES
            return True
        return False

    @property
    def caches(self) -> dict[str, str]:
        """The variables that give tools an empty cache: with a full one, they look again for nothing that they miss."""
        return {"MYPY_CACHE_DIR": str(self._folder / "mypy")}

    def reads(self, places: Places, folder: str) -> Reads:
        """Return what the command read, once it has ended.

        Args:
            places: The places that count.
            folder: The folder in which it started.
        """
        if not self.is_tracer:
            return Reads(unseen=self._unseen)
        # A promise and a witness are about the same reads, and to follow a trace takes long.
        self._reads = self._reads or replay(self._notes, places, os.path.realpath(folder))
        return self._reads


def _is_watched() -> bool:
    """Return whether strace watches this process, as in a session that runs Headworks itself."""
    status = Path("/proc/self/status")
    return status.exists() and b"\nTracerPid:\t0\n" not in status.read_bytes()


def _holds(file: str, text: bytes) -> bool:
    """Return whether a file holds a text; one that is empty or missing does not."""
    with (
        contextlib.suppress(OSError, ValueError),
        open(file, "rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(text) >= 0
    return False


def can_see_all() -> bool:
    """Return whether this machine has strace."""
    return sys.platform == "linux" and shutil.which("strace") is not None


def require_strace(command: str) -> None:
    """Refuse a command that has to see all that a session reads.

    Raises:
        UsageError: This machine has no strace.
    """
    if not can_see_all():
        message = (
            f"`{command}` needs strace, which sees what a session reads, and runs on Linux alone: install it there."
        )
        raise UsageError(message)
