"""Processes of sessions, each in a process group, so that everything that it starts ends with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from headworks._run import watchdog

if TYPE_CHECKING:
    from pathlib import Path

# A session gets the signal of Ctrl-C first, so that it can clean up, then one that ends it, then one that kills it.
_STEPS = ((signal.SIGINT, 2.0), (signal.SIGTERM, 1.5))  # each with the seconds until the next
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no stronger one
# How long processes may outlive a session that strace watches, which ends when all of them have: seconds, and a share
# of the session's own time, which grows with the load of the machine.
_PATIENCE = (2.0, 0.1)
_KILLED = 1.0  # seconds until killed processes are gone, and strace has written so
# A shell waits for the word that the watchdog knows this process: one that nobody could end never starts.
_GATE = 'read -r word && exec "$@" </dev/null'


class Watchdog:
    """A process that kills the process groups of this run if the run itself is killed; see `watchdog.py`."""

    def __init__(self, lock: int | None) -> None:
        """Start it; it keeps the lock on the work tree open."""
        self._process: subprocess.Popen[bytes] | None = None
        if sys.platform == "win32":  # pragma: no cover  # there are no process groups to kill
            return
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter and a file of this package
            [sys.executable, "-IS", watchdog.__file__],
            stdin=subprocess.PIPE,
            pass_fds=() if lock is None else (lock,),
            start_new_session=True,
        )

    def tell(self, sign: str, group: int) -> None:
        """Write that a process group starts (`+`) or has ended (`-`)."""
        if self._process is not None and self._process.stdin is not None:  # pragma: no branch  # not on Windows
            with contextlib.suppress(BrokenPipeError):  # somebody has killed it
                self._process.stdin.write(b"%c%d\n" % (sign.encode(), group))
                self._process.stdin.flush()

    def close(self) -> None:
        """End it; it kills the groups that have not ended."""
        if self._process is not None:  # pragma: no branch  # there is none on Windows
            with contextlib.suppress(BrokenPipeError):
                self._process.communicate()


class SessionProcess:
    """One process that runs sessions, with all processes that it starts."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: str,
        environ: Mapping[str, str],
        log: Path,
        watchdog: Watchdog,
        is_traced: bool = False,
    ) -> None:
        """Start it.

        Args:
            command: The program and its arguments.
            folder: The folder to run in.
            environ: All of its environment.
            log: The file for its output.
            watchdog: Kills it if this process is killed.
            is_traced: Whether strace, in the same group, watches it.
        """
        self._watchdog = watchdog
        self._is_traced = is_traced
        self._is_over = False
        self.started = time.monotonic()
        self.seconds = 0.0
        with log.open("wb") as output:
            self._process = _start(command, folder, environ, output)
        watchdog.tell("+", self._process.pid)
        if self._process.stdin is not None:  # pragma: no branch  # there is none on Windows
            with contextlib.suppress(BrokenPipeError), self._process.stdin as gate:
                gate.write(b"go\n")

    def poll(self) -> int | None:
        """Return the exit code once the process has ended, else None; processes that it left behind are killed then."""
        code = self._process.poll()
        if code is None or self._is_over:
            return code
        self.seconds = self.seconds or max(time.monotonic() - self.started, 1e-6)
        if self._is_traced and watchdog.remaining(self._process.pid):
            seconds, share = _PATIENCE
            if time.monotonic() < self.started + (1 + share) * self.seconds + seconds:
                return None
            self._end_traced()
        self.signal(_KILL)
        self._watchdog.tell("-", self._process.pid)
        self._is_over = True
        return code

    def _end_traced(self) -> None:
        """Kill all processes that strace watches, and wait for it to write so and end."""
        limit = time.monotonic() + _KILLED
        while watchdog.remaining(self._process.pid) and time.monotonic() < limit:
            watchdog.kill_traced(self._process.pid)
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, if any of it is left."""
        if sys.platform == "win32":  # pragma: no cover  # measured on Linux
            if number == signal.SIGINT:
                self._process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                kill = ["taskkill", "/T", "/F", "/PID", str(self._process.pid)]
                subprocess.run(kill, check=False)  # noqa: S603  # a part of Windows
            return
        if number == _KILL and self._is_traced:
            watchdog.kill_traced(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def wait(self) -> None:
        """Wait until the process has ended, for at most a second: one in an uninterruptible call does not end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self.poll()


def _start(
    command: Sequence[str], folder: str, environ: Mapping[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program as the first of a process group."""
    both: dict[str, Any] = {"cwd": folder, "env": dict(environ), "stdout": output, "stderr": subprocess.STDOUT}
    if sys.platform == "win32":  # pragma: no cover  # measured on Linux
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, creationflags=flags, **both)  # noqa: S603  # nox
    gated = ["/bin/sh", "-c", _GATE, "sh", *command]
    return subprocess.Popen(gated, stdin=subprocess.PIPE, start_new_session=True, **both)  # noqa: S603  # nox


def end_all(processes: Sequence[SessionProcess], is_hasty: Callable[[], bool]) -> None:
    """End processes and all that they started, within 5 seconds, or at once if the user is in a hurry."""
    for number, patience in _STEPS:
        for process in processes:
            if process.poll() is None:
                process.signal(number)
        limit = time.monotonic() + patience
        while not is_hasty() and time.monotonic() < limit and any(process.poll() is None for process in processes):
            time.sleep(0.01)
    for process in processes:
        process.signal(_KILL)
    for process in processes:
        process.wait()
