"""The scheduler: a loop over the graph of sessions, each session one nox in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from headworks._observe.watch import StraceWatch, can_see_all
from headworks._plan.plan import broken_promise, may_be_seen, observed, seen_of
from headworks._project.needs import with_all_needs
from headworks._run.attempt import Attempt
from headworks._run.logs import log_name
from headworks._run.outcome import Outcome
from headworks._run.process import end_all
from headworks._run.queue import Queue, chains, expected, time_left
from headworks._run.task import Settings, Task
from headworks._run.verdict import TreeCheck, conclude
from headworks.errors import StoreError, UsageError

if TYPE_CHECKING:
    from headworks._digest.digest import Digest, Outputs
    from headworks._plan.plan import PlannedSession
    from headworks._project.session import Session
    from headworks._run.task import SharedState
    from headworks._store.verdict import Verdict

_PAUSE = 0.02  # seconds between two polls of the processes
_REFRESH = 0.2  # seconds between two updates of the display


class Runner:
    """One run of the sessions of a plan.

    A session starts when all sessions that it needs are proven and their outputs lie in place; the one with the longest
    chain of work behind it comes first. Short sessions that nothing waits for share one start of nox. A session that
    must run alone (`allow_parallel=False` in the noxfile) runs once nothing else is ready. Whether a verdict covers a
    session is decided only when it is ready: if the sessions that it needs ran and gave the same outputs as an earlier
    run, it stays covered.
    """

    def __init__(self, planned: Sequence[PlannedSession], asked: frozenset[str], shared: SharedState) -> None:
        """Take the sessions of a plan.

        Args:
            planned: The sessions, with all that they need.
            asked: The names of the sessions that were asked for.
            shared: The state that all sessions share.
        """
        self._planned = {it.session.name: it for it in planned}
        self._asked = asked
        self._shared = shared
        self._needs = {name: list(it.session.needs) for name, it in self._planned.items()}
        self._needed_here = {need for name, needs in self._needs.items() if self._may_run(name) for need in needs}
        self._sorter = TopologicalSorter(self._needs)
        self._loads = expected({name: it.seconds for name, it in self._planned.items()})
        needed = {need for needs in self._needs.values() for need in needs}
        self._queue = Queue(chains(self._needs, self._loads), needed)
        self._running: list[Attempt] = []
        self._waiting: list[Task] = []
        self._waited: set[str] = set()
        self._shown = 0.0
        self._is_stopping = False
        self.outcomes: dict[str, Outcome] = {}

    def refuse_callers(self) -> None:
        """Refuse to run the sessions that started this run.

        Raises:
            UsageError: The plan has one of them.
        """
        called = [name for name in self._planned if name in self._shared.claims.callers and self._may_run(name)]
        if called:
            message = (
                f"{', '.join(called)} called this run and would be run by it in turn, without end. "
                "Name the sessions that are to be run, as in `headworks run SESSION`."
            )
            raise UsageError(message)

    def run(self) -> None:
        """Run until every session has an outcome. No process is left, whatever ends it early."""
        self._shared.display.expect(sum(self._may_run(name) for name in self._planned))
        self._sorter.prepare()
        try:
            while self._sorter.is_active():
                for name in self._sorter.get_ready():
                    self._arrive(name)
                self._fill()
                self._wait()
        except KeyboardInterrupt:
            if self._running:
                self._shared.display.say("Ending what runs; told so again, it ends at once.")
            raise
        finally:
            end_all([attempt.process for attempt in self._running], self._shared.is_hasty)
            for attempt in self._running:
                attempt.note()
            self._shared.display.close()
            for name in self._planned.keys() - self.outcomes.keys():
                self.outcomes[name] = Outcome(session=name, status="stopped")

    def _is_wanted(self, name: str) -> bool:
        """Whether a session runs even if a verdict covers it."""
        settings = self._shared.settings
        return name in self._asked and bool(settings.force or settings.arguments)

    def _may_run(self, name: str) -> bool:
        """Whether a session may run; the outputs of the sessions that it needs must then lie in place."""
        return self._is_wanted(name) or self._planned[name].state != "cached"

    def _arrive(self, name: str) -> None:
        """Queue a session whose needs all have an outcome, unless it is covered or cannot run."""
        planned = self._planned[name]
        missing = [need for need in planned.session.needs if not self.outcomes[need].is_proven]
        if missing:
            is_stopped = all(self.outcomes[need].status == "stopped" for need in missing)
            note = f"it needs {', '.join(missing)}"
            self._end(Outcome(session=name, status="stopped" if is_stopped else "blocked", note=note))
            return
        needs = {need: self.outcomes[need].outputs or {} for need in planned.session.needs}
        digest = self._shared.digester.digest(planned.session, needs)
        covered = self._covered(planned, digest, needs)
        if covered is None:
            settings = self._shared.settings if name in self._asked else Settings()
            watch = self._watch(planned)
            is_bound = watch is not None and planned.session.is_seen and not self._shared.settings.audit
            task = Task(
                planned=planned,
                digest=digest,
                needs=needs,
                arguments=settings.arguments,
                watch=watch,
                core=self._shared.digester.observed_core(planned.session, needs) if is_bound else None,
            )
            self._queue.put(task)
        else:
            self._end(covered)

    def _watch(self, planned: PlannedSession) -> StraceWatch | None:
        """Return what watches a session; None where what it reads decides nothing."""
        shared, session = self._shared, planned.session
        if shared.settings.audit:
            return StraceWatch(shared.notes / log_name(session.name)) if session.name in self._asked else None
        # Those that notify others share one start of nox, which then runs these once, so that no trace is of one alone.
        is_bound = session.is_observed and not session.notifies
        is_recorded = session.cache and not (session.name in self._asked and shared.settings.arguments)
        is_asked = is_bound or shared.settings.observe or self._is_unchecked(session)
        is_watched = is_recorded and session.is_watchable and is_asked
        return StraceWatch(shared.notes / log_name(session.name)) if is_watched and can_see_all() else None

    def _is_unchecked(self, session: Session) -> bool:
        """Return whether nobody has seen a session keep the promise of its row with the code that it has."""
        if not session.is_declared or session.notifies:
            return False
        return self._shared.store.promises.kept(self._shared.digester.promise(session)) is None

    def _covered(self, planned: PlannedSession, digest: Digest, needs: Outputs) -> Outcome | None:
        """Return the outcome of a session that a verdict covers; None if it must run."""
        name = planned.session.name
        is_new = planned.state != "run" or name in self._waited  # since the plan was made
        is_looked_up = planned.session.cache and is_new and not self._is_wanted(name)
        # A session without a row in the table may leave files behind that cannot be restored.
        is_whole = planned.session.is_declared or name not in self._needed_here
        verdict = self._find(planned.session, digest, needs) if is_looked_up and is_whole else None
        if verdict is None or verdict.outputs.keys() != set(planned.session.outputs):
            return None
        outcome = Outcome(session=name, status="cached", verdict=verdict, outputs=verdict.outputs)
        if name not in self._asked and name not in self._needed_here:
            return outcome
        restored = self._restore(outcome)
        return None if restored is None else replace(outcome, note=restored)

    def _find(self, session: Session, digest: Digest, needs: Outputs) -> Verdict | None:
        """Return the verdict that covers a session now."""
        digester, store = self._shared.digester, self._shared.store
        verdict = store.verdict(digest.value)
        if verdict is None and may_be_seen([session], {session.name: digest.value}, store):
            return seen_of([session], needs, digester, observed(digester, store))[session.name].verdict
        return None if verdict is None or broken_promise(session, verdict, digester, store) else verdict

    def _restore(self, outcome: Outcome) -> str | None:
        """Restore the outputs of a covered session; return the change in words, or None if that failed."""
        if outcome.verdict is None or not outcome.verdict.outputs:
            return ""
        try:
            restored = self._shared.store.restore(outcome.verdict, self._shared.root)
        except (StoreError, OSError) as error:
            self._shared.display.say(f"{outcome.session}: {error}")
            return None
        if restored is None:
            self._shared.display.say(f"{outcome.session}: its outputs are missing or damaged in the store")
            return None
        return f"restored {', '.join(restored)}" if restored else ""

    def _fill(self) -> None:
        """Start sessions while fewer than `jobs` processes run."""
        while self._queue and (room := self._room()) > 0:
            tasks = self._queue.take(room)
            if self._is_stopping:
                for task in tasks:
                    self._end(Outcome(session=task.name, status="stopped", note="an earlier session failed"))
            else:
                self._start([task for task in tasks if self._is_free(task) and self._is_ready(task)])

    def _room(self) -> int:
        """Return how many more processes may run; a failed one counts until its sessions have an outcome."""
        next_one = self._queue.first
        if self._running and any(task.planned.session.is_exclusive for task in (next_one, *self._running[0].tasks)):
            return 0
        return self._shared.settings.jobs - sum(attempt.process.poll() != 0 for attempt in self._running)

    def _is_free(self, task: Task) -> bool:
        """Whether a session runs in no other run, and no verdict of that one covers it now."""
        if not self._shared.claims.take(task.name):
            if task.name not in self._waited:
                self._shared.display.say(f"{task.name}: runs in another run already; waiting for it to end")
            self._waited.add(task.name)
            self._waiting.append(task)
            return False
        covered = self._covered(task.planned, task.digest, task.needs) if task.name in self._waited else None
        if covered is not None:
            self._end(covered)
        return covered is None

    def _is_ready(self, task: Task) -> bool:
        """Whether the outputs of all needed sessions lie in place; if one cannot be restored, the session fails."""
        lost = [need for need in task.planned.session.needs if self._restore(self.outcomes[need]) is None]
        if lost:
            note = f"the outputs of {', '.join(lost)} could not be put in place; run again to make them anew"
            self._end(Outcome(session=task.name, status="failed", note=note))
        return not lost

    def _start(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._shared.display.started(task.name, task.planned.seconds)
        try:
            self._running += [Attempt(tasks, self._shared)] if tasks else []
        except (StoreError, OSError) as error:
            for task in tasks:
                self._end(Outcome(session=task.name, status="failed", note=f"it could not be started: {error}"))

    def _wait(self) -> None:
        """Wait until a process ends, start others in its place, then take its results."""
        while self._running or self._waiting:
            ended = [attempt for attempt in self._running if attempt.process.poll() is not None]
            if ended:
                if not any(attempt.process.poll() for attempt in ended):  # after a failure, nothing may be started
                    self._fill()
                for attempt in ended:
                    self._settle(attempt)
                return
            self._show()
            time.sleep(_PAUSE)
            if self._waiting:
                self._try_again()
                return

    def _try_again(self) -> None:
        """Queue the sessions that wait for other runs; one for which such a run waits in turn has failed."""
        waiting, self._waiting = self._waiting, []
        circle = self._shared.claims.circle()
        for task in waiting:
            if task.name in circle:
                note = f"it runs in another run, which waits for {', '.join(self._shared.claims.callers)} in turn"
                self._end(Outcome(session=task.name, status="failed", note=note))
            else:
                self._queue.put(task)

    def _settle(self, attempt: Attempt) -> None:
        """Take the results of a process that has ended."""
        check = TreeCheck(self._shared.digester)
        others = (
            attempt.others(with_all_needs((need for it in attempt.tasks for need in self._needs[it.name]), self._needs))
            if attempt.notifies
            else []
        )
        joined = self._queue.take_named(others)
        for result in attempt.results(others, joined):
            conclusion = conclude(result, self._shared, check)
            if isinstance(conclusion, Outcome):
                self._end(conclusion)
            else:
                self._queue.alone.add(conclusion.name)
                self._queue.put(conclusion)
        self._running.remove(attempt)

    def _show(self) -> None:
        """Show the sessions that run and the time left."""
        now = time.monotonic()
        if now < self._shown + _REFRESH:
            return
        self._shown = now
        loads = {name: load for name, load in self._loads.items() if name not in self.outcomes}
        rows = []
        for attempt in self._running:
            task, started = attempt.tasks[0], attempt.process.started
            rows.append((task.name, started, task.planned.seconds))
            loads[task.name] = max(loads[task.name] - (now - started), 0.0)
        is_known = any(planned.seconds for planned in self._planned.values())
        left = time_left(self._needs, loads, self._shared.settings.jobs) if is_known else None
        self._shared.display.tick(rows, len(self._planned) - len(self.outcomes) - len(rows), left)

    def _end(self, outcome: Outcome) -> None:
        """Take the outcome of a session."""
        self._shared.claims.give(outcome.session)
        self.outcomes[outcome.session] = outcome
        self._sorter.done(outcome.session)
        if outcome.status != "cached" or outcome.note:
            self._shared.display.ended(outcome)
        if outcome.status == "failed" and not self._shared.settings.keep_going and not self._is_stopping:
            self._is_stopping = True
            tasks = [task.name for attempt in self._running for task in attempt.tasks]
            if running := [name for name in tasks if name not in self.outcomes]:
                self._shared.display.say(f"Waiting for {', '.join(running)}; nothing else is started after a failure.")
