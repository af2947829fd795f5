"""All parts of one session's digest, and how each differs from before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._plan.difference import since as changes_since
from headworks._plan.plan import plan
from headworks._store.store import Store
from headworks._tree.git import Repository
from headworks.errors import UsageError

if TYPE_CHECKING:
    from headworks._plan.plan import Plan, PlannedSession
    from headworks._store.verdict import Verdict

_UNKNOWN = "not known before it ran"
_READS = {
    **dict.fromkeys(("file", "exec"), "read"),
    **dict.fromkeys(("names", "entries"), "names in"),
    "link": "link",
    "folder": "folder",
    "missing": "not there",
    "made": "made by itself",
    "index": "git's index",
    "history": "HEAD and tags",
    "refs": "branches",
    "until": "until",
    "installed": "installed",
}
_SHORT = 16  # hexadecimal digits of a hash


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """An explanation.

    Attributes:
        planned: what a plan says about the session, the base's reasons included.
        base: what these compare with, for people; empty where nothing was compared.
        lost: why nothing was compared although there are reasons to give; empty where something was.
        parts: the parts of its digest by name: texts, or hashes that are only good for comparing.
        last: the verdict of when it passed last; None where it never did.
        since: what changed since then; None where it never passed.
    """

    planned: PlannedSession
    base: str
    lost: str
    parts: Mapping[str, str]
    last: Verdict | None
    since: tuple[str, ...] | None


def explain(
    repo: str | os.PathLike[str],
    session: str,
    *,
    base: str | None = None,
    store: Store | None = None,
    environ: Mapping[str, str] | None = None,
) -> Explanation:
    """Return everything that a session's digest is made of.

    Args:
        repo: a folder of the project.
        session: its name, as nox takes it; it has to mean one session.
        base: a revision; what it has in common with HEAD is compared with. By default the branch to be merged into.
        store: where verdicts are; by default the one of this machine.
        environ: the environment that decides, by default that of this process.

    Raises:
        HeadworksError: what `plan` raises, and UsageError where the name means several sessions.
    """
    if store is None:
        store = Store.default(Repository(os.fspath(repo), environ).root)
    found = plan(repo, base=base, store=store, environ=environ, sessions=[session])
    planned = _chosen(found, session)
    last = planned.verdict or store.last(planned.session.name)
    parts = _parts(found, planned, last)
    since: tuple[str, ...] | None = None
    if last is not None:
        is_other = planned.digest not in {None, last.digest}
        since = planned.reasons if last.core else tuple(changes_since(last.components, parts, is_other=is_other))
    if last is not None and last.core and (witness := store.witness(last.digest)):
        short = {it: it.value if it.kind == "installed" else it.value[:_SHORT] for it in witness.lines}
        parts |= {f"{_READS[it.kind]}: {it.path or '.'}": value for it, value in short.items()}
    base_name = "" if found.base is None else found.base.name
    return Explanation(planned=planned, base=base_name, lost=found.lost, parts=parts, last=last, since=since)


def _chosen(found: Plan, name: str) -> PlannedSession:
    """Return the one session of a plan that a name means."""
    chosen = [it for it in found.sessions if it.session.name == name]
    chosen = chosen or [it for it in found.sessions if name in it.session.selectors]
    if len(chosen) > 1:
        names = ", ".join(it.session.name for it in chosen)
        message = f"{name!r} means {len(chosen)} sessions. Name one of them: {names}."
        raise UsageError(message)
    return chosen[0]


def _parts(found: Plan, planned: PlannedSession, last: Verdict | None) -> dict[str, str]:
    """Return the parts of a session's digest, those unknown that hang on outputs that are not there yet.

    Where its last verdict rests on what it was seen to read, files are no parts of it.
    """
    outputs: dict[str, Mapping[str, str]] = {
        it.session.name: dict.fromkeys(it.session.outputs, _UNKNOWN) if it.verdict is None else it.verdict.outputs
        for it in found.sessions
    }
    is_seen = last is not None and last.core and planned.basis in {"", "observed"}
    digest = found.digester.observed_core if is_seen else found.digester.digest
    return dict(digest(planned.session, outputs).components)
