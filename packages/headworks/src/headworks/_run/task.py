"""A session that is to be run, and the state that all sessions of a run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from headworks._audit.watch import Watch
    from headworks._digest.digest import Digest
    from headworks._plan.plan import PlannedSession
    from headworks._run.display import Display
    from headworks._run.lock import Claims
    from headworks._run.process import Watchdog
    from headworks._run.verdict import Look
    from headworks._store.store import Store

    Outputs = Mapping[str, Mapping[str, str]]
    Digests = Callable[[PlannedSession, Outputs], Digest]

__all__ = ["Settings", "SharedState", "Task"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the person who runs wants.

    Attributes:
        jobs: How many processes run at a time.
        force: Whether to run also what is covered by a verdict.
        keep_going: Whether to start sessions after one has failed.
        retries: How often to run a session again that failed.
        arguments: Extra arguments for the sessions that were asked for, with which nothing is recorded.
        is_ci: Whether what must run and did not is an error.
        watch: What watches the files that the sessions read that were asked for; nothing is recorded of them then.
    """

    jobs: int = 1
    force: bool = False
    keep_going: bool = False
    retries: int = 0
    arguments: tuple[str, ...] = ()
    is_ci: bool = False
    watch: Watch | None = None


@dataclass(frozen=True, kw_only=True)
class SharedState:
    """What all sessions of a run share.

    Attributes:
        root: The work tree.
        commit: What is checked out in it.
        nox: The command that starts nox.
        environ: The environment, not scrubbed yet.
        settings: What the person who runs wants.
        store: Where verdicts are looked up and recorded.
        display: Where the person looks.
        logs: The folder for what sessions print.
        watchdog: What ends the sessions if this process is killed.
        digest: Returns the digest of a session as the work tree was when the run began.
        claims: Tells other runs within this one, and those that it is within, which sessions run.
        look: Looks at the work tree as it is now.
        is_hasty: Tells whether what is to be ended shall end at once.
    """

    root: str
    commit: str
    nox: tuple[str, ...]
    environ: Mapping[str, str]
    settings: Settings
    store: Store
    display: Display
    logs: Path
    watchdog: Watchdog
    digest: Digests
    claims: Claims
    look: Callable[[], Look]
    is_hasty: Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A session that is to be run.

    Attributes:
        planned: The session.
        digest: Its digest before it runs.
        needs: What each session that it needs gave.
        arguments: Extra arguments for it, with which nothing is recorded.
        watch: What watches the files that it reads, with which nothing is recorded.
        failures: How often it has failed in this run.
        interruptions: How often the machine has kept it from its end in this run.
        seconds: How long it has run in this run.
    """

    planned: PlannedSession
    digest: Digest
    needs: Outputs
    arguments: tuple[str, ...] = ()
    watch: Watch | None = None
    failures: int = 0
    interruptions: int = 0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The session's name as nox shows it."""
        return self.planned.session.name
