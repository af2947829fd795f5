"""Judges a session after nox has run it: whether it passed, and whether a verdict of that may be recorded."""

from __future__ import annotations

import datetime as dt
import os
import platform
import sys
from typing import TYPE_CHECKING, cast

from headworks._audit.compare import declared_files
from headworks._run.outcome import Outcome
from headworks._run.proof import unproven
from headworks._store.files import UnwritableError
from headworks._store.verdict import Verdict, flaky_reason
from headworks.errors import HeadworksError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headworks._digest.digest import Digest, Digester
    from headworks._plan.plan import PlannedSession
    from headworks._project.session import Session
    from headworks._run.attempt import Result
    from headworks._run.task import SharedState, Task
    from headworks._tree.snapshot import WorkTreeSnapshot

__all__ = ["Look", "judge"]


class Look:
    """One look, taken when it is first asked for."""

    def __init__(self, before: Digester) -> None:
        """Take what computed the digests when the run began."""
        self._before = before
        self._now: Digester | None = None
        self._written: set[str] = set()

    def _look(self) -> Digester:
        """Return what computes digests from the work tree as it is now."""
        if self._now is None:
            self._now = self._before.again()
            earlier, now = (cast("WorkTreeSnapshot", it.snapshot) for it in (self._before, self._now))
            self._written = set(map(os.fsdecode, now.written_since(earlier)))
        return self._now

    def digest(self, planned: PlannedSession, needs: Mapping[str, Mapping[str, str]]) -> Digest:
        """Return the digest that a session has now."""
        return self._look().digest(planned.session, needs)

    def written(self, session: Session) -> list[str]:
        """Return the files that count for a session and were written to, although they are again what they were."""
        now = self._look()
        if not self._written:
            return []
        return sorted(self._written & declared_files(now, session))


def judge(result: Result, shared: SharedState, now: Look) -> Outcome | Task:
    """Return what became of a session, its verdict recorded; or the task to be tried again.

    Args:
        result: What nox says.
        shared: What all sessions share.
        now: The work tree as it was when this one had ended.
    """
    task = result.task
    if not result.word:
        return task
    ran = type(task)(**vars(task) | {"seconds": task.seconds + result.seconds})
    required = task.planned.session.required
    if result.word == "skipped":
        return _outcome(ran, result, "unproven" if required else "skipped", result.reason or "nox skipped it")
    if result.word != "success":
        return _failed(ran, result, shared, now)
    unseen = _unproven(result) if required else ""
    return _outcome(ran, result, "unproven", unseen) if unseen else _passed(ran, result, shared, now)


def _unproven(result: Result) -> str:
    """Return what of the tests of a session was not seen to run; empty where all was."""
    try:
        return unproven(result.log)
    except OSError as error:
        return f"nobody can tell whether its tests ran: {error}"


def _outcome(task: Task, result: Result, status: str, note: str, outputs: Mapping[str, str] | None = None) -> Outcome:
    """Return an outcome."""
    log = str(result.log)
    return Outcome(session=task.name, status=status, seconds=task.seconds, outputs=outputs, note=note, log=log)


def _failed(task: Task, result: Result, shared: SharedState, now: Look) -> Outcome | Task:
    """Record a failure, unless the machine is at fault; try again if that was asked for."""
    why = (
        f"{result.interruption}; not recorded, since that says nothing of it" if result.interruption else result.reason
    )
    if not result.interruption:
        _record(task, result, shared, now, passed=False, outputs={})
    count = {"interruptions": task.interruptions + 1} if result.interruption else {"failures": task.failures + 1}
    task = type(task)(**vars(task) | count)
    times = task.failures + task.interruptions
    if times <= shared.settings.retries:
        retry = f"trying again ({times} of {shared.settings.retries})"
        shared.display.say(f"{task.name}: FAILED{': ' if why else ''}{why}; {retry}")
        return task
    return _outcome(task, result, "failed", ", ".join([*([why] if why else []), *([f"{times} times"] * (times > 1))]))


def _passed(task: Task, result: Result, shared: SharedState, now: Look) -> Outcome:
    """Record a pass, unless there is nothing to show for it."""
    outputs: dict[str, str] = {}
    for path in task.planned.session.outputs:
        try:
            content = shared.store.outputs(shared.root).content(path)
        except (StoreError, OSError) as error:
            return _outcome(task, result, "failed", str(error))
        if content is not None:
            outputs[path] = content
        elif not task.arguments:
            return _outcome(task, result, "failed", f"it passed, but did not write its output {path}")
    note = _record(task, result, shared, now, passed=True, outputs=outputs)
    if not task.failures:
        note = note or (flaky_reason(task.name) if shared.store.is_flaky(task.digest.value) else "")
        return _outcome(task, result, "passed", note, outputs)
    times = f"it failed {task.failures} times before" if task.failures > 1 else "it failed before"
    return _outcome(task, result, "flaky", "; ".join(filter(None, [times, note])), outputs)


def _record(
    task: Task, result: Result, shared: SharedState, now: Look, *, passed: bool, outputs: Mapping[str, str]
) -> str:
    """Record a verdict if it can be relied upon; return why not, or an empty text."""
    if task.arguments or result.others:
        besides = f"nox ran {', '.join(result.others)} with it" if result.others else "it ran with extra arguments"
        return f"not recorded, since {besides}"
    if task.watch is not None or not task.planned.session.cache:
        return ""
    try:
        if changed := _changed(task, shared, now):
            return f"not recorded, since this changed while it ran: {changed}"
        verdict = Verdict(
            session=task.name,
            digest=task.digest.value,
            passed=passed,
            finished=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            seconds=round(result.seconds, 3),
            commit=shared.commit,
            platform=f"{sys.platform}-{platform.machine()}",
            outputs=outputs,
            components=task.digest.components,
        )
        shared.store.record(verdict, shared.root)
    except UnwritableError as error:  # which the store's problems tell of once, for all sessions
        return f"not recorded: the store cannot be written ({error.reason})"
    except (HeadworksError, OSError) as error:  # a broken noxfile, say, cannot be looked at again
        return f"not recorded: {error}"
    return ""


def _changed(task: Task, shared: SharedState, now: Look) -> str:
    """Return what is no longer as it was when the session started."""
    digest = now.digest(task.planned, task.needs)
    if digest.value != task.digest.value:
        before, after = task.digest.components, digest.components
        names = sorted(it for it in before.keys() | after.keys() if before.get(it) != after.get(it))
        return ", ".join(names or ["a variable of the environment"])
    if written := now.written(task.planned.session):
        return f"{', '.join(written)} (written to, and now as before)"
    found = shared.store.outputs(shared.root)
    outputs = [(need, path, content) for need, its in task.needs.items() for path, content in its.items()]
    return ", ".join(f"{path} of {need}" for need, path, content in outputs if found.content(path) != content)
