"""The plan: which sessions have to run, which have passed before just as they are, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from headworks._digest.digest import Digester
from headworks._nearest import suggestion
from headworks._plan.difference import difference, since
from headworks._plan.reasons import Reasons
from headworks._project.needs import in_order, with_all_needs
from headworks._quick.answers import doubt
from headworks._store.store import Store
from headworks._store.verdict import flaky_reason
from headworks._tree.merge_base import reachable_base
from headworks.errors import HeadworksError, UsageError

if TYPE_CHECKING:
    import os

    from headworks._digest.digest import Outputs
    from headworks._plan.witnessed import Observed, Seen
    from headworks._project.session import Session
    from headworks._store.promises import Mark
    from headworks._store.verdict import Verdict
    from headworks._tree.merge_base import Base

    State = Literal["run", "cached", "waiting"]

_NOTIFIES = (
    "where it has nox run other sessions, nothing is recorded of it; `requires=` of those says the same in advance"
)
SYSTEMS = {"darwin": "macos", "win32": "windows"}  # Python's name for a system, and its tag in a noxfile
_SHOWN = 3  # sessions that are named before the rest is counted


@dataclass(frozen=True, kw_only=True)
class PlannedSession:
    """A session and its state in a plan.

    Attributes:
        session: the session.
        state: `run`; `cached` where it passed before just as it is; `waiting` where sessions that it needs run first,
            and give it another chance to be cached if their outputs are the same as before.
        digest: its digest: that of the verdict which covers it, or of the failure with what lies there now, else that
            over all files that may count; None while it waits.
        verdict: the verdict that covers it, where it is cached.
        reasons: why it is not cached.
        seconds: how long it is expected to take; None where it never passed.
        basis: the basis of its verdict: `observed` reads, the `declared` files of its row, or `all files`; else empty.
        covered_on: the other systems that it has a tag of and where a verdict covers it.
    """

    session: Session
    state: State
    digest: str | None
    verdict: Verdict | None
    reasons: tuple[str, ...]
    seconds: float | None
    basis: str
    covered_on: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the sessions that have to pass before."""
        return self.session.needs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Its outputs, relative to the project's root."""
        return self.session.outputs

    @property
    def basis_text(self) -> str:
        """The same with the day on which the promise of its row was last checked, or on which its witness ends."""
        checked, until = (self.verdict.checked, self.verdict.until) if self.verdict else ("", "")
        end = f", checked on {checked[:10]}" if checked else f", counts until {until}" if until else ""
        return f"{self.basis}{end}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sessions with their states.

    Attributes:
        root: the project's folder.
        sessions: all sessions that were asked about and those that they need, which come first.
        base: what the reasons compare with; None where everything is cached, so that nothing was compared.
        digester: computes digests from the same tree.
        lost: why there is no base to compare with although there are reasons to give; empty where there is.
    """

    root: str
    sessions: tuple[PlannedSession, ...]
    base: Base | None
    digester: Digester
    lost: str = ""

    def of(self, state: State) -> list[PlannedSession]:
        """Return the sessions in a state, in order."""
        return [it for it in self.sessions if it.state == state]


def plan(
    repo: str | os.PathLike[str],
    *,
    base: str | None = None,
    store: Store | None = None,
    environ: Mapping[str, str] | None = None,
    sessions: Iterable[str] = (),
) -> Plan:
    """Return the sessions that would run, and why.

    Args:
        repo: a folder of the project.
        base: a revision; what it has in common with HEAD gives the reasons. By default the branch to be merged into.
        store: where verdicts are; by default the one of this machine.
        environ: the environment that decides, by default that of this process.
        sessions: names of sessions as nox takes them; by default those of the table and those that a bare nox runs.

    Raises:
        UsageError: there is no such repository, revision or session, or git or nox is missing.
        ConfigurationError: the noxfile, a pyproject.toml or the lock says something that cannot be right.
        CannotDecideError: the files keep changing.
    """
    digester = Digester.for_worktree(repo, environ)
    if store is None:
        store = Store.default(digester.snapshot.repository.root)
    return plan_of(digester, base, store, sessions)


def plan_of(digester: Digester, base: str | None, store: Store, sessions: Iterable[str]) -> Plan:
    """Return the plan for a work tree that was read before; see `plan`."""
    repository = digester.snapshot.repository
    chosen = _select(digester.sessions(), sessions)
    states = _States(digester, store)
    states.decide(chosen)
    digester.remember()
    found: Base | None = None
    lost = ""
    if base is not None or states.unexplained():
        found, lost = reachable_base(repository, base)
    if found is not None:
        try:
            planned = states.planned(found)
            return Plan(root=repository.root, sessions=planned, base=found, digester=digester)
        except HeadworksError as error:
            lost = f"the base {found.name} cannot be read: {error}"
    lost = f"Nothing says why sessions run: {lost}" if lost else ""
    return Plan(root=repository.root, sessions=states.planned(None), base=None, digester=digester, lost=lost)


def _select(sessions: list[Session], names: Iterable[str]) -> list[Session]:
    """Return the sessions that names mean, with all that these need.

    Args:
        sessions: all sessions.
        names: instances, as in `tests-3.13(data)`; functions, as in `tests`, for all their instances; functions with a
            Python, as in `tests-3.13`. Without any, those that are planned when nothing is asked for.

    Raises:
        UsageError: there is no such session.
    """
    wanted = [session.name for session in sessions if session.is_planned]
    given = list(names)
    if given:
        known: dict[str, list[str]] = {}
        for session in sessions:
            for name in session.selectors:
                known.setdefault(name, []).append(session.name)
        for name in given:
            if name not in known:
                message = f"There is no session {name!r}.{suggestion(name, known)} `nox --list` shows all of them."
                raise UsageError(message)
        wanted = [it for name in given for it in known[name]]
    chosen = {*with_all_needs(wanted, {session.name: session.needs for session in sessions})}
    return [session for session in sessions if session.name in chosen]


class _States:
    """Decides the state of each session."""

    def __init__(self, digester: Digester, store: Store) -> None:
        """Take a digester and a store."""
        self._digester = digester
        self._store = store
        self._sessions: list[Session] = []
        self._digests: dict[str, str] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._outputs: dict[str, Mapping[str, str]] = {}
        self._forced: dict[str, str] = {}
        self._seen: dict[str, Seen] = {}
        self._broken: dict[str, str] = {}
        self._witnesses: Observed | None = None

    def decide(self, sessions: list[Session]) -> None:
        """Look up the verdicts of some sessions, those of their needs first."""
        catalog = {session.name: session for session in sessions}
        self._sessions = [catalog[name] for name in in_order({session.name: session.needs for session in sessions})]
        left = self._sessions
        while ready := [it for it in left if all(name in self._outputs for name in it.needs)]:
            names = {it.name for it in ready}
            left = [it for it in left if it.name not in names]
            self._look_up(ready)
        # Sessions that others need run where their effects cannot be restored, since no row declares their outputs.
        for session in reversed(self._sessions):
            for name in session.needs if session.name not in self._verdicts else ():
                if name in self._verdicts and not self._digester.catalog[name].is_declared:
                    del self._verdicts[name]
                    self._forced[name] = f"{session.name} needs what it leaves behind, and no row says what that is"

    def _look_up(self, sessions: list[Session]) -> None:
        """Look up the verdicts of sessions whose needs are all cached."""
        digests = {it.name: self._digester.digest(it, self._outputs).value for it in sessions}
        known = self._store.verdicts(digests[it.name] for it in sessions if it.cache)
        self._digests |= digests
        lost = (it for it in sessions if it.cache and digests[it.name] not in known)
        if watched := may_be_seen(lost, digests, self._store):
            self._witnesses = self._witnesses or observed(self._digester, self._store)
            self._seen |= seen_of(watched, self._outputs, self._digester, self._witnesses)
        for session in sessions:
            seen = self._seen.get(session.name)
            if seen and seen.failed:
                self._digests[session.name] = seen.failed
            verdict = (known.get(digests[session.name]) if session.cache else None) or (seen and seen.verdict)
            if verdict is None:
                continue
            is_asked = session.is_declared and self._has_broken
            if is_asked and (why := broken_promise(session, verdict, self._digester, self._store)):
                self._broken[session.name] = why
            elif verdict.outputs.keys() == set(session.outputs):
                self._verdicts[session.name] = verdict
                self._digests[session.name] = verdict.digest
                self._outputs[session.name] = verdict.outputs

    @cached_property
    def _has_broken(self) -> bool:
        """Whether any row ever broke its promise; asked once, since that lists a folder."""
        return self._store.promises.has_broken()

    def unexplained(self) -> bool:
        """Tell whether any session runs for a reason that only the base can tell."""
        told = self._forced.keys() | self._broken.keys()
        return any(
            self._state(it) == "run" and it.cache and it.name not in told and not self._since_seen(it)
            for it in self._sessions
        )

    def _since_seen(self, session: Session) -> tuple[str, ...]:
        """Return what changed since a session that was watched passed last; empty where that is not known."""
        if session.name not in self._seen or not session.is_observed:
            return ()
        if differences := self._seen[session.name].differences:
            return differences
        last = self._store.last(session.name)
        if last is None or not last.core:
            return ()
        return tuple(difference(last.components, self._digester.observed_core(session, self._outputs).components))

    def _state(self, session: Session) -> State:
        """Return the state of a session."""
        if session.name in self._verdicts:
            return "cached"
        return "run" if session.name in self._digests or session.uncached else "waiting"

    def planned(self, base: Base | None) -> tuple[PlannedSession, ...]:
        """Return all sessions with their states and reasons."""
        reasons: Reasons | None = None
        if base is not None and base.commit:
            reasons = Reasons(self._digester, self._digester.for_commit(base.commit))
        return tuple(
            PlannedSession(
                session=it,
                state=self._state(it),
                digest=self._digests.get(it.name),
                verdict=self._verdicts.get(it.name),
                reasons=self._reasons(it, reasons, base),
                seconds=self._verdicts[it.name].seconds if it.name in self._verdicts else self._store.seconds(it.name),
                basis=self._basis(it),
                covered_on=tuple(tag for name, tag in SYSTEMS.items() if self._is_covered_on(name, tag, it)),
            )
            for it in self._sessions
        )

    def _is_covered_on(self, name: str, tag: str, session: Session) -> bool:
        """Whether a verdict covers a session on another system, if its machines are as its last verdict there says."""
        if tag not in session.tags or session.needs or not session.cache:
            return False
        there = [it for it in self._passes if it.session == session.name and it.platform.startswith(f"{name}-")]
        if not there:
            return False
        digest = self._digester.digest_there(session, there[-1].components)
        return digest in self._store.verdicts([digest])

    @cached_property
    def _passes(self) -> list[Verdict]:
        """All verdicts of passes, the newest last."""
        doubt()  # the answer depends on every one of them
        return [it for it in self._store.ls() if it.passed]

    def _basis(self, session: Session) -> str:
        """Return what the verdict of a session rests on; empty without a verdict."""
        verdict = self._verdicts.get(session.name)
        if verdict is None:
            return ""
        if verdict.core and verdict.core != self._digester.digest(session, self._outputs).value:
            return "observed"
        return "all files" if session.packages is None else "declared"

    def _reasons(self, session: Session, reasons: Reasons | None, base: Base | None) -> tuple[str, ...]:
        """Return why a session is not cached."""
        if self._state(session) == "cached":
            return ()
        if own := self._own_reason(session):
            return (own,)
        if since := self._since_seen(session):
            return since
        if base is None:
            return ("has not passed yet as it is",)
        if reasons is None:
            return (f"new: there is only {base.name} to compare with",)
        found = reasons.of(session, self._outputs) or (self._since_last(session, base),)
        return (*found, *((_NOTIFIES,) if session.notifies else ()))

    def _since_last(self, session: Session, base: Base) -> str:
        """Return why a session that is the same at the base is not cached, such as another machine or variable."""
        text = f"has not passed yet as it is, though nothing differs from {base.name}"
        last = self._store.last(session.name)
        if last is None:
            return text
        found = since(last.components, self._digester.digest(session, self._outputs).components)
        return f"{text}; since it passed last: {', '.join(found[:_SHOWN])}" if found else text

    def _own_reason(self, session: Session) -> str:
        """Return why a session is not cached, whatever it is compared with; empty where only that tells."""
        if session.uncached:
            return f"always runs: {session.uncached}"
        if session.name in self._forced:
            return self._forced[session.name]
        if session.name in self._broken:
            return self._broken[session.name]
        if session.name in self._digests and session.is_declared and self._has_broken:
            key, promises = self._digester.promise(session), self._store.promises
            if (broken := promises.broken(key)) and not promises.kept(key):
                return _told(broken)
        if self._state(session) == "waiting":
            running = [name for name in session.needs if name not in self._verdicts]
            more = f" and {len(running) - _SHOWN} more" if len(running) > _SHOWN else ""
            return f"waits for {', '.join(running[:_SHOWN])}{more}"
        is_flaky = session.name in self._seen and self._seen[session.name].is_flaky
        return flaky_reason(session.name) if is_flaky or self._store.is_flaky(self._digests[session.name]) else ""


def observed(digester: Digester, store: Store) -> Observed:
    """Return what holds the witnesses of a store against the work tree."""
    from headworks._plan.witnessed import Observed  # it takes 4 ms, and not where every session has a row

    return Observed(digester, store)


def may_be_seen(sessions: Iterable[Session], digests: Mapping[str, str], store: Store) -> list[Session]:
    """Return those of some sessions without a verdict that a run that was watched may cover.

    A failure under the digest of a row says more than a run elsewhere that read the same.

    Args:
        sessions: The sessions.
        digests: Their digests, by name.
        store: What has failed.
    """
    seen = [it for it in sessions if it.is_seen]
    failed = store.failed(digests[it.name] for it in seen)
    return [it for it in seen if it.is_observed or digests[it.name] not in failed]


def seen_of(sessions: Iterable[Session], outputs: Outputs, digester: Digester, witnesses: Observed) -> dict[str, Seen]:
    """Return the verdicts of runs that were watched, by the names of the sessions.

    Where a read may have gone unseen, the core of a verdict is the digest with all files.
    """
    cores = {
        it.name: (
            digester.observed_core(it, outputs).value,
            *([digester.digest(it, outputs).value] if it.is_observed else []),
        )
        for it in sessions
    }
    # A remote is asked once for each core: for sessions with a row, of which few runs are watched, that is too much.
    found = witnesses.find(set(cores.values()), {cores[it.name] for it in sessions if it.is_observed})
    return {name: found[own] for name, own in cores.items()}


def broken_promise(session: Session, verdict: Verdict, digester: Digester, store: Store) -> str:
    """Return how a session broke the promise of its row after a verdict was given; empty where it has not."""
    if verdict.core or not session.is_declared:
        return ""
    broken = store.promises.broken(digester.promise(session))
    return _told(broken) if broken is not None and verdict.finished <= broken.when else ""


def _told(broken: Mark) -> str:
    return f"on {broken.when[:10]}, {broken.why}"
