"""Programs that run beside this one, started as cheaply as the platform allows.

`subprocess` takes 5 ms more, for its import and the seven starts of a plan after a change. Reading a repository needs
no more than a program, its arguments, some bytes in and all bytes out, and `os.posix_spawn` gives that. `subprocess`
does it where there is none (Windows), where more bytes are given than a pipe takes, and where a failed program's
message is wanted.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing it from typing takes 5 ms
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

# What every platform's pipe takes before a reader is there; Linux takes 64 KiB, macOS 16 KiB.
MAX_INPUT = 16 * 1024
_LINES = 12  # of a complaint


class Process:
    """A program that was started; its output is collected when it is asked for."""

    def __init__(self, arguments: list[str], environ: Mapping[str, str], *, given: bytes = b"") -> None:
        """Start a program.

        Args:
            arguments: The program, looked up on PATH, and its arguments.
            environ: All of its environment.
            given: What it reads from its standard input.

        Raises:
            OSError: It cannot be started.
        """
        self.arguments = arguments
        self.environ = environ
        self.given = given
        self._output = -1
        self._id = self._spawn() if hasattr(os, "posix_spawnp") and len(given) <= MAX_INPUT else 0

    def _spawn(self) -> int:
        """Start the program with pipes and return its process id."""
        source, feed = os.pipe()
        self._output, sink = os.pipe()
        try:
            os.write(feed, self.given)
            actions = [
                (os.POSIX_SPAWN_DUP2, source, 0),
                (os.POSIX_SPAWN_DUP2, sink, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ]
            return os.posix_spawnp(self.arguments[0], self.arguments, self.environ, file_actions=actions)
        except OSError:
            os.close(self._output)
            raise
        finally:
            for pipe in (source, feed, sink):
                os.close(pipe)

    def output(self) -> tuple[int, bytes]:
        """Wait for the program to end and return its exit code, negative for a signal, and all that it wrote."""
        if not self._id:
            done = _run(self)
            return done.returncode, done.stdout
        with open(self._output, "rb", buffering=0) as pipe:
            data = pipe.readall()
        _, status = os.waitpid(self._id, 0)
        return os.waitstatus_to_exitcode(status), data


def _run(process: Process) -> subprocess.CompletedProcess[bytes]:
    """Run a program from its beginning to its end."""
    import subprocess  # see above

    return subprocess.run(  # noqa: S603  # the callers choose program and arguments
        process.arguments, env=process.environ, input=process.given, capture_output=True, check=False
    )


def complaint(process: Process) -> str:
    """Run a failed program again, and return the last lines of its message."""
    done = _run(process)
    said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    return "\n".join(said[-_LINES:]) or f"exit code {done.returncode}"
