"""A run from its start to its end: lock, signals, sessions."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._observe.witness import Tree
from headworks._plan.ignored import refuse_visible_outputs
from headworks._run.display import make_display
from headworks._run.file_lock import hold, is_inside, share
from headworks._run.logs import make_log_folder
from headworks._run.loop import Runner
from headworks._run.outcome import Outcome
from headworks._run.stale import caches_without_local_builds, forget_local_builds, remove_stale_bytecode
from headworks._run.task import SharedState
from headworks._signals import interrupt_on_sigterm
from headworks._store.output_hashes import OutputHashes

if TYPE_CHECKING:
    from headworks._plan.plan import Plan
    from headworks._run.display import Display
    from headworks._run.task import Settings
    from headworks._store.store import Store


def covered(planned: Plan, asked: frozenset[str]) -> dict[str, Outcome] | None:
    """Return an outcome for each session if verdicts cover all of them and their outputs lie in place; else None.

    Args:
        planned: The plan.
        asked: The sessions that were asked for. The outputs of the others need not lie in place.
    """
    outcomes: dict[str, Outcome] = {}
    hashes = OutputHashes(planned.root)
    try:
        for row in planned.sessions:
            name, verdict = row.session.name, row.verdict
            if verdict is None:
                return None
            if name in asked and not all(hashes.is_in_place(*output) for output in verdict.outputs.items()):
                return None
            outcomes[name] = Outcome(session=name, status="cached", verdict=verdict, outputs=verdict.outputs)
        return outcomes
    finally:
        hashes.save()  # the run that follows need not read the same outputs again


def run_plan(
    planned: Plan,
    make_plan: Callable[[], Plan],
    asked: frozenset[str],
    store: Store,
    settings: Settings,
    display: Display | None = None,
) -> tuple[dict[str, Outcome], bool]:
    """Run the sessions of a plan.

    Args:
        planned: The plan.
        make_plan: Makes the plan anew, which is done if another run has worked in the same work tree meanwhile.
        asked: The names of the sessions that were asked for.
        store: The store in which verdicts are recorded.
        settings: The settings of the run.
        display: Shows progress; by default the one for the standard output.

    Returns:
        The outcome of each session, and whether the run was interrupted.

    Raises:
        UsageError: A session that it would run has started it.
    """
    display = display or make_display()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        display.say(text)

    with (
        interrupt_on_sigterm() as is_hasty,
        hold(planned.root, os.environ, say) as watchdog,
        share(planned.root, os.environ) as claims,
        contextlib.ExitStack() as stack,
    ):
        planned = make_plan() if said else planned
        digester = planned.digester
        owners = {path: it.session.function for it in planned.sessions for path in it.session.outputs}
        refuse_visible_outputs(owners, digester.snapshot)
        outputs = store.outputs(planned.root)
        outputs.say = display.say
        if not is_inside(planned.root, os.environ):
            outputs.remove_leftovers(owners)
        remove_stale_bytecode(digester.snapshot)
        forget_local_builds(os.environ, planned.root)
        before = Tree(digester.snapshot)
        before.note_git()
        _ = digester.parts  # read before anything runs and could edit it
        shared = SharedState(
            root=planned.root,
            commit=digester.snapshot.repository.head(),
            nox=digester.machine.nox.path,
            environ=os.environ,
            settings=settings,
            store=store,
            display=display,
            logs=make_log_folder(planned.root),
            watchdog=watchdog,
            digester=digester,
            claims=claims,
            before=before,
            notes=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headworks-"))),
            make_cache=stack.enter_context(caches_without_local_builds(os.environ, planned.root)),
            is_hasty=is_hasty,
        )
        runner = Runner(planned.sessions, asked, shared)
        runner.refuse_callers()
        is_ended = False
        try:
            runner.run()
        except KeyboardInterrupt:
            is_ended = True
        outputs.save()
        return runner.outcomes, is_ended
