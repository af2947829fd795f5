"""A session that is to be run, and the state that all sessions of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from headworks._digest.digest import Digest, Digester
    from headworks._observe.watch import StraceWatch
    from headworks._observe.witness import Tree
    from headworks._plan.plan import PlannedSession
    from headworks._run.display import Display
    from headworks._run.file_lock import Claims
    from headworks._run.process import Watchdog
    from headworks._store.store import Store


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a run, from its command line.

    Attributes:
        jobs: How many processes run at a time.
        force: Whether to run sessions that a verdict covers, too.
        keep_going: Whether to start sessions after one has failed.
        retries: How often to run a failed session again.
        arguments: Extra arguments for the sessions that were asked for; nothing is recorded about them then.
        is_ci: Whether a required session that did not run is an error.
        audit: Whether the sessions that were asked for are watched; nothing is recorded about them then.
        observe: Whether all sessions are watched, and recorded only if they keep the promise of their row.
    """

    jobs: int = 1
    force: bool = False
    keep_going: bool = False
    retries: int = 0
    arguments: tuple[str, ...] = ()
    is_ci: bool = False
    audit: bool = False
    observe: bool = False


@dataclass(frozen=True, kw_only=True)
class SharedState:
    """The state that all sessions of a run share.

    Attributes:
        root: The work tree.
        commit: The commit that is checked out.
        nox: The program.
        environ: The environment of this process.
        settings: The settings of the run.
        store: The store in which verdicts are looked up and recorded.
        display: Shows progress.
        logs: The folder of the sessions' logs.
        watchdog: Ends the sessions if this process is killed.
        digester: Computes digests of the work tree as it was when the run began.
        claims: Tells other runs within this one, and those that it is within, which sessions run.
        before: The work tree as it was when the run began, for the witnesses of sessions that are watched.
        notes: The folder for the notes of those that watch sessions.
        make_cache: Makes a cache for uv without local builds, and returns the variable that names it.
        is_hasty: Returns whether sessions that are to be ended shall end at once.
    """

    root: str
    commit: str
    nox: str
    environ: Mapping[str, str]
    settings: Settings
    store: Store
    display: Display
    logs: Path
    watchdog: Watchdog
    digester: Digester
    claims: Claims
    before: Tree
    notes: Path
    make_cache: Callable[[], dict[str, str]]
    is_hasty: Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A session that is to be run.

    Attributes:
        planned: The session.
        digest: Its digest before it runs.
        core: The digest of all but files, for a session whose verdict is bound to what it is seen to read; else None.
        needs: The outputs of each session that it needs, each path with its SHA-256.
        arguments: Extra arguments for it.
        watch: Watches the files that it reads.
        failures: How often it has failed in this run.
        interruptions: How often the machine has interrupted it in this run.
        seconds: How long it has run in this run.
    """

    planned: PlannedSession
    digest: Digest
    needs: Mapping[str, Mapping[str, str]]
    arguments: tuple[str, ...] = ()
    watch: StraceWatch | None = None
    core: Digest | None = None
    failures: int = 0
    interruptions: int = 0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The session's name as nox shows it."""
        return self.planned.session.name
