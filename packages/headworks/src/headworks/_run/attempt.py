"""A process that runs one session, or several short ones: what is made ready before it, and what it says after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._machine.environ import session_environment
from headworks._run.interruption import interruption
from headworks._run.logs import log_name
from headworks._run.nox_report import nox_names, nox_results, split_log
from headworks._run.process import SessionProcess
from headworks._store.files import read

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from pathlib import Path

    from headworks._run.nox_report import Results
    from headworks._run.task import SharedState, Task

__all__ = ["Attempt", "Result"]

_REPORT_LIMIT = 64 << 20  # bytes
_BAD = {"failed", "aborted"}
_PASSED_ON = {"HEADWORKS_STORE", "HEADWORKS_REMOTE", "NOX_DOWNLOAD_PYTHON"}  # where the store is, what nox may fetch


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
