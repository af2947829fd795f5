"""A run from its start to its end: lock, signals, sessions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._plan.ignored import refuse_visible_outputs
from headworks._run.display import make_display
from headworks._run.lock import hold, is_inside, share
from headworks._run.logs import make_log_folder
from headworks._run.loop import Runner
from headworks._run.task import SharedState
from headworks._run.verdict import Look
from headworks._signals import interrupt_on_sigterm

if TYPE_CHECKING:
    from collections.abc import Callable

    from headworks._plan.plan import Plan
    from headworks._run.display import Display
    from headworks._run.lock import Claims
    from headworks._run.outcome import Outcome
    from headworks._run.process import Watchdog
    from headworks._run.task import Settings
    from headworks._store.store import Store

__all__ = ["run_plan"]


def run_plan(
    planned: Plan,
    make_plan: Callable[[], Plan],
    asked: frozenset[str],
    store: Store,
    settings: Settings,
    display: Display | None = None,
) -> tuple[dict[str, Outcome], bool]:
    """Run what a plan says.

    Args:
        planned: The plan.
        make_plan: Makes it anew, should another run have gone on in the same work tree meanwhile.
        asked: The names of the sessions that were asked for.
        store: Where verdicts are recorded.
        settings: What the person who runs wants.
        display: Where the person looks; what suits the standard output if not given.

    Returns:
        What became of each session, and whether the run was ended before its end.

    Raises:
        UsageError: Where it is called by a session that it would run.
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
    ):
        planned = make_plan() if said else planned
        sessions = [it.session for it in planned.sessions]
        refuse_visible_outputs(sessions, planned.digester.snapshot)
        outputs = store.outputs(planned.root)
        outputs.say = display.say
        if not is_inside(planned.root, os.environ):
            outputs.remove_leftovers(path for it in sessions for path in it.outputs)
        _ = planned.digester.parts  # read before anything runs and could edit it
        shared = _shared_state(planned, store, settings, display, watchdog, claims, is_hasty)
        runner = Runner(planned.sessions, asked, shared)
        runner.refuse_callers()
        is_ended = False
        try:
            runner.run()
        except KeyboardInterrupt:
            is_ended = True
        outputs.save()
        return runner.outcomes, is_ended


def _shared_state(
    planned: Plan,
    store: Store,
    settings: Settings,
    display: Display,
    watchdog: Watchdog,
    claims: Claims,
    is_hasty: Callable[[], bool],
) -> SharedState:
    """Return what all sessions share."""
    digester = planned.digester

    return SharedState(
        root=planned.root,
        commit=digester.snapshot.repository.head(),
        nox=(digester.machine.nox.path,),
        environ=os.environ,
        settings=settings,
        store=store,
        display=display,
        logs=make_log_folder(planned.root),
        watchdog=watchdog,
        digest=lambda it, needs: digester.digest(it.session, needs),
        claims=claims,
        look=lambda: Look(digester),
        is_hasty=is_hasty,
    )
