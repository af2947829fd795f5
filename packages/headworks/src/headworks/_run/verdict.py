"""Judges a session after nox has run it: whether it passed, and whether a verdict of that may be recorded."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from headworks._run.observation import findings_of, witness_of
from headworks._run.outcome import Outcome
from headworks._run.proof import unproven
from headworks._store.files import UnwritableError
from headworks._store.promises import Mark
from headworks._store.verdict import Verdict, flaky_reason, observed_digest
from headworks.errors import HeadworksError, StoreError

if TYPE_CHECKING:
    from headworks._digest.digest import Digest, Digester
    from headworks._plan.promise import Findings
    from headworks._run.attempt import Result
    from headworks._run.task import SharedState, Task
    from headworks._tree.snapshot import WorkTreeSnapshot

_SECONDS = len("2026-01-31T12:34:56")


class TreeCheck:
    """Compares the work tree with its state before the run; it is read once, when first asked for."""

    def __init__(self, before: Digester) -> None:
        """Take the digester of the state before the run."""
        self._before = before
        self._read: Digester | None = None
        self._written: set[str] = set()

    @property
    def now(self) -> Digester:
        """The digester of the work tree's current state."""
        if self._read is None:
            self._read = self._before.again()
            earlier, now = (cast("WorkTreeSnapshot", it.snapshot) for it in (self._before, self._read))
            self._written = set(map(os.fsdecode, now.written_since(earlier)))
        return self._read

    def changes(self, task: Task) -> str:
        """Return the parts of a session's digest that have changed, or the files that were only written to."""
        session = task.planned.session
        if text := _difference(task.digest, self.now.digest(session, task.needs)):
            return text
        written = self._written and self._written & self.now.files(session).union(self.now.project.noxfile.modules())
        return f"{', '.join(sorted(written))} (written to, and now as before)" if written else ""

    def core_changes(self, task: Task, core: Digest) -> str:
        """Return the parts that have changed of the digest of a session that was watched."""
        return _difference(core, self.now.observed_core(task.planned.session, task.needs))


def _difference(before: Digest, after: Digest) -> str:
    """Return the parts in which two digests differ."""
    if before.value == after.value:
        return ""
    old, new = before.components, after.components
    names = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
    return ", ".join(sorted(names)) or "a variable of the environment"


def conclude(result: Result, shared: SharedState, check: TreeCheck) -> Outcome | Task:
    """Return the outcome of a session, its verdict recorded; or the task to be tried again.

    Args:
        result: Nox's result.
        shared: The state that all sessions share.
        check: Compares the work tree after the session with that before the run.
    """
    task = result.task
    if not result.word:
        return task
    task = replace(task, seconds=task.seconds + result.seconds)
    if task.watch is not None and task.watch.gives_up():
        shared.display.say(f"{task.name}: it traces programs itself; running it again, unwatched")
        return task
    required = task.planned.session.required
    if result.word == "skipped":
        return _outcome(task, result, "unproven" if required else "skipped", result.reason or "nox skipped it")
    if result.word != "success":
        return _failed(task, result, shared, check)
    try:
        gap = unproven(result.log) if required else ""
    except OSError as error:
        gap = f"nobody can tell whether its tests ran: {error}"
    return _outcome(task, result, "unproven", gap) if gap else _passed(task, result, shared, check)


def _outcome(task: Task, result: Result, status: str, note: str, outputs: Mapping[str, str] | None = None) -> Outcome:
    log = str(result.log)
    return Outcome(session=task.name, status=status, seconds=task.seconds, outputs=outputs, note=note, log=log)


def _failed(task: Task, result: Result, shared: SharedState, check: TreeCheck) -> Outcome | Task:
    """Record a failure, unless the machine is at fault; try again if that was asked for."""
    if result.interruption:
        why = f"{result.interruption}; not recorded, since that says nothing of it"
        task = replace(task, interruptions=task.interruptions + 1)
    else:
        why = result.reason
        _record(task, result, shared, check, passed=False, outputs={})
        task = replace(task, failures=task.failures + 1)
    times = task.failures + task.interruptions
    if times <= shared.settings.retries:
        retry = f"trying again ({times} of {shared.settings.retries})"
        shared.display.say(f"{task.name}: FAILED{': ' if why else ''}{why}; {retry}")
        return task
    return _outcome(task, result, "failed", ", ".join([*([why] if why else []), *([f"{times} times"] * (times > 1))]))


def _passed(task: Task, result: Result, shared: SharedState, check: TreeCheck) -> Outcome:
    """Record a pass, unless a declared output is missing."""
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
    findings = None if result.others else findings_of(task, shared)
    note = "" if findings is None else _promise_note(findings, task, shared)
    if not (findings and findings.broken):
        note = "; ".join(filter(None, [note, _record(task, result, shared, check, passed=True, outputs=outputs)]))
    status = "passed"
    if task.failures:
        times = f"it failed {task.failures} times before" if task.failures > 1 else "it failed before"
        status, note = "flaky", "; ".join(filter(None, [times, note]))
    elif not note and shared.store.is_flaky(task.digest.value):
        note = flaky_reason(task.name)
    is_asked = shared.settings.audit or shared.settings.observe
    return replace(_outcome(task, result, status, note, outputs), findings=findings if is_asked else None)


def _promise_note(findings: Findings, task: Task, shared: SharedState) -> str:
    """Note whether a session kept the promise of its row; return how it broke it, or why nobody knows whether it did.

    An audit tells both by itself.
    """
    session, settings = task.planned.session, shared.settings
    if session.is_declared and not task.arguments:
        when = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")
        mark = Mark(when, findings.broken or findings.unseen)
        with contextlib.suppress(OSError):  # the store says so itself when the verdict is written
            shared.store.promises.note(shared.digester.promise(session), mark, is_kept=findings.is_kept)
    if settings.audit:
        return ""
    if findings.broken:
        return f"not recorded, since {findings.broken}"
    return f"whether it read more than its row promises is not known: {findings.unseen}" if findings.unseen else ""


def _record(
    task: Task, result: Result, shared: SharedState, check: TreeCheck, *, passed: bool, outputs: Mapping[str, str]
) -> str:
    """Record a verdict if it can be relied on; return why not, or an empty text."""
    if task.arguments or result.others:
        besides = f"nox ran {', '.join(result.others)} with it" if result.others else "it ran with extra arguments"
        return f"not recorded, since {besides}"
    is_audited = shared.settings.audit and task.watch is not None
    if is_audited or not task.planned.session.cache:
        return ""
    try:
        return _write(task, result, shared, check, passed=passed, outputs=outputs)
    except UnwritableError as error:  # among the store's problems, it is shown once for all sessions
        return f"not recorded: the store cannot be written ({error.reason})"
    except (HeadworksError, OSError) as error:  # a broken noxfile, say, which cannot be read again
        return f"not recorded: {error}"


def _write(
    task: Task, result: Result, shared: SharedState, check: TreeCheck, *, passed: bool, outputs: Mapping[str, str]
) -> str:
    """Write a verdict, bound to what the session read where that is known; return why not or why that is not."""
    session = task.planned.session
    witness, doubt = witness_of(task, result.log, shared, check)
    core = None if witness is None else task.core
    if (doubt or witness is None) and session.unseen:
        return f"not recorded, since {doubt or session.unseen}"
    is_bound = core is not None and session.is_observed
    changes = "" if is_bound and not doubt else check.changes(task)
    if changes := changes or (core and check.core_changes(task, core)) or _changed_inputs(task, shared):
        return f"not recorded, since this changed while it ran: {changes}"
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
        checked=_checked(task, shared),
    )
    if core and witness and (passed or session.is_observed):
        # Where a read may have gone unseen, all files count as well.
        base = task.digest.value if doubt else core.value
        seen = replace(
            verdict,
            digest=observed_digest(base, witness),
            components=core.components,
            core=base,
            witness=witness.texts(),
            checked="",
            until=witness.until,
        )
        shared.store.record(seen, shared.root)
    if not is_bound:
        shared.store.record(verdict, shared.root)
    return f"recorded for all files, since {doubt}" if doubt and session.is_observed else ""


def _checked(task: Task, shared: SharedState) -> str:
    """Return when the promise of a session's row was last checked; empty where it was not, or not everything seen."""
    session = task.planned.session
    kept = shared.store.promises.kept(shared.digester.promise(session)) if session.is_declared else None
    return "" if kept is None or kept.why else kept.when[:_SECONDS] + "+00:00"


def _changed_inputs(task: Task, shared: SharedState) -> str:
    """Return the outputs of needed sessions that have changed since the session started."""
    outputs = shared.store.outputs(shared.root)
    rows = [(need, path, content) for need, contents in task.needs.items() for path, content in contents.items()]
    return ", ".join(f"{path} of {need}" for need, path, content in rows if outputs.content(path) != content)
