"""One start of nox, for one session or several short ones: its command, its environment, and its results.

Results come from nox's report. Where the machine ended nox or a program that it ran, the result counts as an
interruption: it says nothing about the session.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._machine.environ import session_environment
from headworks._run.logs import log_name, log_tail
from headworks._run.process import SessionProcess
from headworks._store.files import read

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from pathlib import Path

    from headworks._run.task import SharedState, Task

__all__ = ["Attempt", "Result", "Results", "interruption", "nox_names", "nox_results", "split_log"]

_REPORT_LIMIT = 64 << 20  # bytes
_BAD = {"failed", "aborted"}
_PASSED_ON = {"HEADWORKS_STORE", "HEADWORKS_REMOTE", "NOX_DOWNLOAD_PYTHON"}  # where the store is, what nox may fetch
_START = re.compile(rb"nox > Running session (.*?)\r?\n")
_PIECE = 1 << 16  # bytes; of a line that is longer, the rest is read after it
# For each session, by each name that it has: nox's word for what became of it, its reason, and how long it ran.
Results = dict[str, tuple[str, str, float]]
_SHELL = 128  # a shell and nox itself add this to the number of the signal that ended something
_NOT_STARTED = {126, 127}  # what a shell says of a program that it cannot start
_ENDING = {it.value for it in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))}
# A program that kills itself with SIGSEGV or SIGABRT is at fault itself; one that was told to end or killed is not.
_COMMAND = re.compile(r" failed with exit code (-?\d+):?\r?$", re.MULTILINE)
_SAID = re.compile(r"No space left on device|Disk quota exceeded|Cannot allocate memory")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What nox says of one session.

    Attributes:
        task: The session.
        word: `success`, `failed`, `aborted` or `skipped`; empty where it has not run because of another.
        reason: Nox's reason, which may be empty.
        seconds: How long it ran.
        log: The file with all that it printed.
        interruption: What the machine did to it, where that is why it did not pass: nothing is known of it then.
        others: What nox ran beside it, though it was not to be run: nobody knows which session had it run.
    """

    task: Task
    word: str
    reason: str
    seconds: float
    log: Path
    interruption: str
    others: tuple[str, ...] = ()


class Attempt:
    """Sessions being run, one after the other, by one nox."""

    def __init__(self, tasks: Sequence[Task], shared: SharedState) -> None:
        """Clear away what an earlier run of them left, and start nox.

        Raises:
            StoreError: Where an output of before is in the way.
            OSError: Where nox cannot be started.
        """
        self.tasks = list(tasks)
        self._shared = shared
        self._logs = [shared.logs / log_name(task.name) for task in tasks]
        self._report = self._logs[0].with_suffix(".json")
        self._outputs = shared.store.outputs(shared.root)
        paths = [path for task in tasks for path in task.planned.session.outputs]
        for path in paths if not tasks[0].arguments else ():
            self._outputs.clear(path)
        if self.notifies:  # nox runs again what they need
            paths += [path for task in tasks for its in task.needs.values() for path in its]
        self._own = self._outputs.not_foreign(paths)
        self._report.unlink(missing_ok=True)
        self.process = SessionProcess(
            self._command(), folder=shared.root, environ=self._environ(), log=self._logs[0], watchdog=shared.watchdog
        )

    @property
    def notifies(self) -> bool:
        """Whether the sessions may have nox run others, which it lets none do that runs without what it requires."""
        return self.tasks[0].planned.session.notifies

    def _command(self) -> list[str]:
        """Return the command that runs the sessions."""
        alone = [] if self.notifies else ["--no-dependencies"]
        command = [*self._shared.nox, *alone, "--no-stop-on-first-error", f"--report={self._report}"]
        if self._shared.settings.is_ci:
            command.append("--error-on-missing-interpreters")  # as nox does itself where it sees that it is in CI
        command += ["--sessions", *(task.name for task in self.tasks)]
        command += ["--", *self.tasks[0].arguments] if self.tasks[0].arguments else []
        watch = self.tasks[0].watch
        return command if watch is None else watch.wrap(command)

    def _environ(self) -> dict[str, str]:
        """Return the environment of the sessions: what their digest covers, and what leads back here."""
        environ = self._shared.environ
        passed_on = {name: value for name, value in environ.items() if name in _PASSED_ON}
        declared = session_environment(environ, self.tasks[0].planned.session.env)
        called = self._shared.claims.environ(task.name for task in self.tasks)
        watched = {} if self.tasks[0].watch is None else self.tasks[0].watch.environ
        return declared | passed_on | watched | called | {"PYTHONUNBUFFERED": "1"}

    def note(self) -> None:
        """Note that what lies at the outputs now is of these sessions, once the process has ended."""
        self._outputs.note(self._own)

    def others(self, needed: Container[str]) -> list[str]:
        """Return the sessions that nox ran besides these and what they need."""
        own = {task.name for task in self.tasks}
        return [it for it in nox_names(self._said()) if it not in own and it not in needed]

    def results(self, others: Sequence[str] = (), joined: Sequence[Task] = ()) -> list[Result]:
        """Return what became of the sessions, once the process has ended.

        Where one of several has brought nox down with it, nothing is known of any.

        Args:
            others: What `others` returned.
            joined: Those of them that were to be run as well.
        """
        code = self.process.poll() or 0
        self.note()
        found = nox_results(self._said())
        tasks, logs = [*self.tasks, *joined], [*self._logs, *(self._shared.logs / log_name(it.name) for it in joined)]
        if len(tasks) > 1:
            split_log(self._logs[0], dict(zip((task.name for task in tasks), logs, strict=True)))
        bad = [it for it in others if found[it][0] in _BAD]
        # One that was to be run as well has an outcome of its own.
        blamed = [it for it in bad if it not in {task.name for task in joined}]
        code = 0 if bad and not blamed else code
        results = [self._result(task, log, code, found, blamed) for task, log in zip(tasks, logs, strict=True)]
        return [self._with_others(it, others) for it in results]

    def _with_others(self, result: Result, others: Sequence[str]) -> Result:
        """Return what became of a session, with the others that nox ran: for one of these, those that are no such."""
        own = [task.name for task in self.tasks]
        return Result(**vars(result) | {"others": tuple(own if result.task.name in others else others)})

    def _said(self) -> bytes | None:
        """Return nox's report."""
        return read(str(self._report), _REPORT_LIMIT)

    def _result(self, task: Task, log: Path, code: int, found: Results, blamed: Sequence[str]) -> Result:
        """Return what became of one session, given how nox ended, and which others that it ran failed it."""
        word, reason, seconds = found.get(task.name, ("", "", self.process.seconds))
        if word == "success" and blamed:
            word, reason = "failed", f"{', '.join(blamed)}, which nox ran after it, failed"
        elif self.tasks == [task]:
            seconds = self.process.seconds
            word = word or "failed"
            reason = reason or (f"nox ended with {code} and without a report" if not found else "")
            if word == "success" and code:
                word, reason = "failed", f"nox ended with {code}"
        why = interruption(code, log, is_reported=task.name in found) if word in _BAD else ""
        return Result(task=task, word=word, reason=reason, seconds=seconds, log=log, interruption=why)


def nox_results(report: bytes | None) -> Results:
    """Return what nox says became of the sessions that it ran.

    Args:
        report: The content of the file that `nox --report` wrote, or None where there is none.

    Returns:
        `success`, `failed`, `aborted` or `skipped` with nox's reason, which may be empty, and the seconds. None of a
        report that cannot be read.
    """
    results: Results = {}
    try:
        for session in json.loads(report or b"")["sessions"]:
            result = str(session["result"]), str(session.get("reason") or ""), float(session["duration"])
            results.update(dict.fromkeys(session["signatures"], result))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return results


def nox_names(report: bytes | None) -> list[str]:
    """Return the names of the sessions that nox ran, as it shows them, in order; none where that cannot be read."""
    if not nox_results(report):
        return []
    return [session["signatures"][0] for session in json.loads(report or b"")["sessions"] if session["signatures"]]


def split_log(log: Path, parts: Mapping[str, Path]) -> None:
    """Write what nox printed of each session into a log of its own, however long it is.

    Args:
        log: What nox printed. It is gone then, unless it is one of the logs that are written.
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
            # Each starts once: what a session prints of a nox of its own starts none.
            if start and (name := start[1].decode("utf-8", "replace")) in files:
                file = files.pop(name)
            if file is not None:
                file.write(piece)
            is_start = piece.endswith(b"\n")
    whole.unlink()


def interruption(code: int | None, log: Path, *, is_reported: bool) -> str:
    """Return in words what the machine did to a session that did not pass; empty where it did nothing.

    Args:
        code: What nox ended with.
        log: What the session printed.
        is_reported: Whether nox said what became of the session.
    """
    code = code or 0
    if code < 0:
        return f"nox was ended by {_name(-code)}"
    if not is_reported and code in _NOT_STARTED:
        return "nox could not be started"
    if not is_reported and code - _SHELL in _ENDING:
        return f"nox was ended by {_name(code - _SHELL)}"
    try:
        text, _ = log_tail(str(log))
    except OSError:
        return ""
    for found in _COMMAND.finditer(text):
        number = abs(int(found[1]))
        number -= _SHELL if number > _SHELL else 0
        if number in _ENDING and found[1] != str(number):  # an exit code as small as that is no signal
            return f"what it ran was ended by {_name(number)}"
    said = _SAID.search(text)
    return said[0] if said else ""


def _name(number: int) -> str:
    """Return the name of a signal, and what it mostly means."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name}, as where memory runs out" if name == "SIGKILL" else name
