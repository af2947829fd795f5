"""Watches a command: through strace where it is, which sees every read, through Python's audit hooks elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._observe import hook as _audit_hook
from headworks._observe.reads import Notes, Reads
from headworks._observe.replay import replay

if TYPE_CHECKING:
    from headworks._observe.places import Places

__all__ = ["HookWatch", "StraceWatch", "Watch", "can_see_all", "make_watch"]

# A question mark lets strace pass over a call that this kind of processor does not have. Asking for calls about files
# alone takes 1.44 times the processor time of a session; without those that only look at a file it would be 1.13, and
# miss that mypy with a warm cache opens no source at all.
_CALLS = (
    *("%file", "?getdents", "getdents64", "fchdir", "clone", "?clone3", "?fork", "?vfork", "unshare", "setns"),
    *(
        "socket",
        "bind",
        "connect",
        "getsockname",
        "getsockopt",
        "ptrace",
        "?io_uring_setup",
        "?open_by_handle_at",
        "?fsmount",
        "?move_mount",
        "?open_tree",
    ),
)
_LONGEST = 4096  # bytes of a path on Linux


class StraceWatch:
    """Sees every file that the session's processes read, whatever they are written in.

    Attributes:
        name: What watches.
        is_tracer: Whether it goes on until all processes of the session have ended; not within a watched session.
        cannot_see: What it does not see, in words; empty where it sees all.
        since: When the command was started, in seconds since the epoch.
    """

    name = "strace"
    cannot_see = ""

    def __init__(self, folder: Path) -> None:
        """Keep its notes in a folder, which need not exist yet."""
        self.is_tracer = not _is_watched()
        self._folder = folder
        self._notes = str(folder / "strace")
        self.since = 0.0

    def wrap(self, command: list[str]) -> list[str]:
        """Return the command that runs another one watched."""
        self._folder.mkdir(exist_ok=True)
        self.since = time.time()
        if not self.is_tracer:
            return command
        # With -D the first process becomes the command itself, whose end is then not that of all that it started.
        traced = ["-D", "-f", "-q", "-y", "-s", str(_LONGEST), "--seccomp-bpf", "-e", f"trace={','.join(_CALLS)}"]
        return ["strace", *traced, "-o", self._notes, "--", *command]

    @property
    def environ(self) -> dict[str, str]:
        """The variables that the watched processes need."""
        return {}

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
            return Reads(unseen="it ran in a session that strace watched already, and strace cannot watch both")
        return replay(self._notes, places, os.path.realpath(folder))


class HookWatch:
    """Sees the files that Python code opens; its attributes are those of `StraceWatch`."""

    name = "Python's audit hooks"
    is_tracer = False
    cannot_see = (
        "files that other programs open, that compiled extensions open by themselves, and that a Python opens which is"
        " started with -I or -E"
    )

    def __init__(self, folder: Path) -> None:
        """Keep the hook and its notes in a folder, which need not exist yet."""
        self._folder = folder / "hook"
        self._notes = folder / "notes"
        self.since = 0.0

    def wrap(self, command: list[str]) -> list[str]:
        """Return the command that runs another one watched."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.since = time.time()
        shutil.copyfile(_audit_hook.__file__, self._folder / "sitecustomize.py")
        return command

    @property
    def environ(self) -> dict[str, str]:
        """The variables that the watched processes need."""
        return {"PYTHONPATH": str(self._folder), "HEADWORKS_AUDIT": str(self._notes)}

    @property
    def caches(self) -> dict[str, str]:
        """The variables that give tools an empty cache; see `StraceWatch.caches`."""
        return {"MYPY_CACHE_DIR": str(self._folder.parent / "mypy")}

    def reads(self, places: Places, _folder: str) -> Reads:
        """Return what the command opened to read, once it has ended; see `StraceWatch.reads`."""
        notes = Notes(places)
        for path in self._notes.read_bytes().split(b"\0")[:-1] if self._notes.exists() else ():
            if os.path.exists(path):
                notes.note(os.path.realpath(os.fsdecode(path)), notes.reads.opened)
        notes.doubt(f"{self.name} do not see {self.cannot_see}")
        return notes.reads


Watch = StraceWatch | HookWatch


def _is_watched() -> bool:
    """Return whether strace watches this process, as in a session that runs Headworks itself."""
    status = Path("/proc/self/status")
    return status.exists() and b"\nTracerPid:\t0\n" not in status.read_bytes()


def can_see_all() -> bool:
    """Return whether this machine has strace."""
    return sys.platform == "linux" and shutil.which("strace") is not None


def make_watch(folder: Path) -> Watch:
    """Return the watch that sees most on this machine."""
    return StraceWatch(folder) if can_see_all() else HookWatch(folder)
