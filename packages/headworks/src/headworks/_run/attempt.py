"""One start of nox, for one session or several short ones: its command, its environment, and its results.

Results come from nox's report. Where the machine ended nox or a program that it ran, the result counts as an
interruption: it says nothing about the session.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._machine.environ import session_environment
from headworks._run.logs import log_name, log_tail
from headworks._run.process import SessionProcess
from headworks._store.files import read

if TYPE_CHECKING:
    from pathlib import Path

    from headworks._run.task import SharedState, Task

_REPORT_LIMIT = 64 << 20  # bytes
_BAD = {"failed", "aborted"}
_PASSED_ON = {"HEADWORKS_STORE", "HEADWORKS_REMOTE", "NOX_DOWNLOAD_PYTHON"}  # where the store is, what nox may fetch
_START = re.compile(rb"nox > Running session (.*?)\r?\n")
_CLEAR = 'if [ -e "$0/pyvenv.cfg" ]; then rm -rf "$0"; fi; exec "$@"'
_PIECE = 1 << 16  # bytes that are read of a long line at a time
_SHELL = 128  # a shell and nox itself add this to the number of the signal that ended something
_NOT_STARTED = {126, 127}  # a shell's exit codes for a program that it cannot start
# A program that ends by SIGSEGV or SIGABRT is at fault itself; one that was told to end or killed is not.
_ENDING = {it.value for it in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))}
_EXIT_CODE = re.compile(r" failed with exit code (-?\d+):?\r?$", re.MULTILINE)
_EXHAUSTED = re.compile(r"No space left on device|Disk quota exceeded|Cannot allocate memory")


@dataclass(frozen=True, kw_only=True)
class NoxResult:
    """A session in nox's report.

    Attributes:
        name: Its name as nox shows it.
        word: `success`, `failed`, `aborted` or `skipped`.
        reason: Nox's reason, which may be empty.
        seconds: How long it ran.
    """

    name: str
    word: str
    reason: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Result(NoxResult):
    """The result of one session; its word is empty if it has not run, because another one of the process ended nox.

    Attributes:
        task: The session.
        log: The file with its output.
        interruption: How the machine ended it; empty if the session itself is at fault.
        others: Further sessions that nox ran: nobody knows which session of the process had it run them.
    """

    task: Task
    log: Path
    interruption: str
    others: tuple[str, ...]


class Attempt:
    """Sessions that one nox runs, one after the other."""

    def __init__(self, tasks: Sequence[Task], shared: SharedState) -> None:
        """Clear the outputs of earlier runs, and start nox.

        Raises:
            StoreError: An output of an earlier run cannot be cleared.
            OSError: Nox cannot be started.
        """
        self.tasks = list(tasks)
        self._shared = shared
        self._log = shared.logs / log_name(tasks[0].name)
        self._report = self._log.with_suffix(".json")
        self._outputs = shared.store.outputs(shared.root)
        paths = [path for task in tasks for path in task.planned.session.outputs]
        for path in paths if not tasks[0].arguments else ():
            self._outputs.clear(path)
        if self.notifies:  # nox also runs the sessions that they need
            paths += [path for task in tasks for contents in task.needs.values() for path in contents]
        self._own = self._outputs.not_foreign(paths)
        self._report.unlink(missing_ok=True)
        self.process = SessionProcess(
            self._command(),
            folder=shared.root,
            environ=self._environ(),
            log=self._log,
            watchdog=shared.watchdog,
            is_traced=self._is_traced,
        )

    @property
    def _is_traced(self) -> bool:
        """Whether strace watches the sessions."""
        watch = self.tasks[0].watch
        return watch is not None and watch.is_tracer

    @property
    def notifies(self) -> bool:
        """Whether nox may run others with the sessions; it refuses that where it runs without dependencies."""
        session = self.tasks[0].planned.session
        return session.notifies or session.has_unknown_needs

    def _command(self) -> list[str]:
        alone = [] if self.notifies else ["--no-dependencies"]
        command = [self._shared.nox, *alone, "--no-stop-on-first-error", f"--report={self._report}"]
        if any(task.watch is not None or (task.planned.session.cache and not task.arguments) for task in self.tasks):
            command.append("--reuse-venv=never")  # what an earlier run installed counts in no digest
        if self._shared.settings.is_ci:
            command.append("--error-on-missing-interpreters")  # nox's own default in CI
        command += ["--sessions", *(task.name for task in self.tasks)]
        command += ["--", *self.tasks[0].arguments] if self.tasks[0].arguments else []
        watch = self.tasks[0].watch
        command = command if watch is None else watch.wrap(command)
        return without_environment(command, self._shared.root, self.tasks[0].name) if self._is_traced else command

    def _environ(self) -> dict[str, str]:
        """Return the environment of the sessions: the variables that their digest covers, and those of Headworks."""
        environ = self._shared.environ
        passed_on = {name: value for name, value in environ.items() if name in _PASSED_ON}
        declared = session_environment(environ, self.tasks[0].planned.session.env)
        called = self._shared.claims.environ(task.name for task in self.tasks)
        watch = self.tasks[0].watch
        caches = {} if watch is None else watch.caches
        # In that of uv itself, the reads of a build by another session would not be seen.
        own = {} if watch is None else self._shared.make_cache()
        return caches | declared | passed_on | called | own | {"PYTHONUNBUFFERED": "1"}

    def note(self) -> None:
        """Note that the outputs are now as these sessions left them, once the process has ended."""
        self._outputs.note(self._own)

    def others(self, needed: Container[str]) -> list[str]:
        """Return the sessions that nox ran besides these and those that they need."""
        own = {task.name for task in self.tasks}
        names = dict.fromkeys(result.name for result in self._results().values())
        return [name for name in names if name not in own and name not in needed]

    def results(self, others: Sequence[str] = (), joined: Sequence[Task] = ()) -> list[Result]:
        """Return the results of the sessions, once the process has ended.

        Args:
            others: The further sessions that nox ran; see `others`.
            joined: Those of them that were to be run as well.
        """
        code = self.process.poll() or 0
        self.note()
        reported = self._results()
        tasks = [*self.tasks, *joined]
        if len(tasks) > 1:
            split_log(self._log, {task.name: self._shared.logs / log_name(task.name) for task in tasks})
        bad = [name for name in others if reported[name].word in _BAD]
        names = {task.name for task in joined}  # each of these has an outcome of its own
        blamed = [name for name in bad if name not in names]
        code = 0 if bad and not blamed else code
        own = [task.name for task in self.tasks]
        return [self._result(it, code, reported, blamed, own if it.name in others else others) for it in tasks]

    def _results(self) -> dict[str, NoxResult]:
        return nox_results(read(str(self._report), _REPORT_LIMIT))

    def _result(
        self, task: Task, code: int, reported: Mapping[str, NoxResult], blamed: Sequence[str], others: Sequence[str]
    ) -> Result:
        """Return the result of one session, given nox's exit code, and the further sessions that failed with it."""
        result = reported.get(task.name, NoxResult(name=task.name, word="", reason="", seconds=self.process.seconds))
        word, reason, seconds = result.word, result.reason, result.seconds
        if word == "success" and blamed:
            word, reason = "failed", f"{', '.join(blamed)}, which nox ran after it, failed"
        elif self.tasks == [task]:
            seconds = self.process.seconds
            word = word or "failed"
            reason = reason or (f"nox ended with {code} and without a report" if not reported else "")
            if word == "success" and code:
                word, reason = "failed", f"nox ended with {code}"
        log = self._shared.logs / log_name(task.name)
        why = interruption(code, log, is_reported=task.name in reported) if word in _BAD else ""
        found = vars(result) | {"word": word, "reason": reason, "seconds": seconds}
        return Result(**found, task=task, log=log, interruption=why, others=tuple(others))


def without_environment(command: list[str], root: str, session: str) -> list[str]:
    """Return a command that removes the environment of a session and runs a watched command then.

    Nox would remove it as well, but strace would stop at each of its files: at a quarter of all calls of a session that
    uses torch. An environment whose name nox shortens is left to it.
    """
    name = re.sub(r"[\W-]+", "-", session.lower(), flags=re.ASCII).strip("-")
    return ["/bin/sh", "-c", _CLEAR, f"{root}/.nox/{name}", *command]


def nox_results(report: bytes | None) -> dict[str, NoxResult]:
    """Return the results in a file that `nox --report` wrote, by each name of a session; none if it cannot be read."""
    results: dict[str, NoxResult] = {}
    try:
        for session in json.loads(report or b"")["sessions"]:
            for signature in session["signatures"]:
                results[signature] = NoxResult(
                    name=session["signatures"][0],
                    word=str(session["result"]),
                    reason=str(session.get("reason") or ""),
                    seconds=float(session["duration"]),
                )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return results


def split_log(log: Path, parts: Mapping[str, Path]) -> None:
    """Split nox's output into one log for each session.

    Args:
        log: Nox's output. It is removed, unless it is one of the logs that are written.
        parts: The log to write for each session, by the name that nox shows.
    """
    whole = log.with_suffix(".all")
    log.replace(whole)
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(path.open("wb")) for name, path in parts.items()}
        source = stack.enter_context(whole.open("rb"))
        file, is_start = None, True
        while piece := source.readline(_PIECE):
            start = _START.match(piece) if is_start else None
            # Each starts once: a later line like this is from a nox that a session runs itself.
            if start and (name := start[1].decode("utf-8", "replace")) in files:
                file = files.pop(name)
            if file is not None:
                file.write(piece)
            is_start = piece.endswith(b"\n")
    whole.unlink()


def interruption(code: int, log: Path, *, is_reported: bool) -> str:
    """Return how the machine ended a session that did not pass; empty if it did not.

    Args:
        code: Nox's exit code.
        log: The session's log.
        is_reported: Whether nox reported a result for the session.
    """
    if code < 0:
        return f"nox was ended by {_signal_name(-code)}"
    if not is_reported and code in _NOT_STARTED:
        return "nox could not be started"
    if not is_reported and code - _SHELL in _ENDING:
        return f"nox was ended by {_signal_name(code - _SHELL)}"
    try:
        text, _ = log_tail(str(log))
    except OSError:
        return ""
    for match in _EXIT_CODE.finditer(text):
        number = abs(int(match[1]))
        number -= _SHELL if number > _SHELL else 0
        if number in _ENDING and match[1] != str(number):  # an exit code as small as that is no signal
            return f"what it ran was ended by {_signal_name(number)}"
    exhausted = _EXHAUSTED.search(text)
    return exhausted[0] if exhausted else ""


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name}, as where memory runs out" if name == "SIGKILL" else name
