"""The rivals of a candidate: its base, and the anchor that the sum of many changes is held to.

A model is never worse than itself, which says nothing. So where the merge base is the last commit, and the work tree
adds nothing to it, the base is the last release before it, or the commit before. The anchor is the model that was
promoted; where none was, that of the last release.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headworks._metrics.condition import ANCHOR, BASE
from headworks._promote.alias import current, moves
from headworks._tree.merge_base import Base, find_base, is_shallow
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings
    from headworks._store.store import Store
    from headworks._tree.git import Repository

_UNKNOWN = "the last one, and nothing says which branch it is to be merged into. Fetch it, or name a base with --base"


@dataclass(frozen=True, kw_only=True)
class GateBase:
    """The base of a candidate, or its anchor.

    Attributes:
        rival: its name in conditions.
        commit: its id; empty where there is none.
        name: its name for people.
        note: why it is another one than the merge base, or says nothing; empty otherwise.
        is_missing: whether there can be none yet, as at the first commit.
        files: the SHA-256 of the files of a promoted model, by their paths in the work tree; empty for a commit.
        is_head: whether it is the last commit, to which the work tree adds changes that are not committed yet.
    """

    rival: str = BASE
    commit: str
    name: str
    note: str = ""
    is_missing: bool = False
    files: dict[str, str] = field(default_factory=dict)
    is_head: bool = False

    @property
    def key(self) -> str:
        """The name of the base in the store."""
        return self.commit or self.name

    def is_excused(self, named: str) -> bool:
        """Tell whether there is nothing to compare with: where there can be none yet, and at a commit of the table.

        Args:
            named: The id of a commit, or how it begins; empty for none.
        """
        return self.is_missing or bool(self.commit and named and self.commit.startswith(named))


def choose_base(repository: Repository, asked: str | None, releases: str) -> GateBase:
    """Return the base of the work tree.

    Args:
        repository: The repository.
        asked: A revision whose merge base is wanted; None for the branch to be merged into.
        releases: A pattern of the names of tags.

    Raises:
        UsageError: There is no such revision.
        CannotDecideError: The history is cut off before the base, and more of it cannot be fetched.
    """
    base = find_base(repository, asked)
    if base.commit != repository.ask("rev-parse", "--verify", "--quiet", "HEAD"):
        return GateBase(commit=base.commit, name=base.name)
    # A file that git does not know is no change: in CI, tools leave reports and logs behind.
    if repository.ask("status", "--porcelain", "--untracked-files=no") != "":
        return GateBase(commit=base.commit, name=base.name, is_head=True)
    if asked is not None:
        note = "this is the base itself, which is never worse than itself, so that a pass says nothing"
        return GateBase(commit=base.commit, name=base.name, note=note)
    return _earlier(repository, base, releases)


def _earlier(repository: Repository, head: Base, releases: str) -> GateBase:
    """Return the last release before the last commit; where there is none, the commit before.

    So it is in runs for a release, in those by the clock or by hand, and on a main branch that nothing is ahead of.
    """
    if not head.is_assumed:
        _reach_releases(repository, f"The base is this commit itself, {head.name}")
    before = repository.ask("rev-parse", "--verify", "--quiet", "HEAD^")
    if before is None and not is_shallow(repository):
        return GateBase(commit="", name="the first commit", is_missing=True)
    if before is None or head.is_assumed:
        return GateBase(commit="", name=_UNKNOWN)
    commit, name = before, f"{before[:12]}, the commit before, since there is no release yet"
    if release := _release(repository, before, releases):
        commit, name = release
    return GateBase(commit=commit, name=name, note=f"nothing is ahead of {head.name}, so that the base is {name}")


def _reach_releases(repository: Repository, reason: str) -> bool:
    """Fetch the whole history, where it is cut off and so may hide a release; tell whether it was."""
    if not is_shallow(repository):
        return False
    repository.ask("fetch", "--quiet", "--tags", "--unshallow", "origin")
    if is_shallow(repository):
        message = (
            f"{reason}, and the history in {repository.top} does not reach back to the last release. Run `git fetch"
            " --tags --unshallow`, or in GitHub Actions give actions/checkout `fetch-depth: 0`; or name a base with"
            " --base."
        )
        raise CannotDecideError(message)
    return True


def _release(repository: Repository, commit: str, releases: str) -> tuple[str, str] | None:
    """Return the last release at a commit or before it, and its name for people; None where there is none."""
    tag = commit and repository.ask("describe", "--tags", "--abbrev=0", f"--match={releases}", commit)
    found = repository.ask("rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}") if tag else None
    return (found, f"{found[:12]}, the last release, {tag}") if found else None


def choose_anchor(repository: Repository, store: Store, base: GateBase, settings: GateSettings) -> GateBase:
    """Return the anchor of the work tree: the model that was promoted last, else that of the last release.

    Args:
        repository: The repository.
        store: Where promotions are.
        base: The base; no later release counts.
        settings: The alias, the pattern of the names of tags, and the exported model.

    Raises:
        UsageError: The alias can be no name.
        StoreError: The last promotion is damaged.
        CannotDecideError: The history is cut off before the last release, and more of it cannot be fetched.
    """
    alias, releases = settings.anchor, settings.releases
    last = current(store, alias) if moves(store, alias) else None  # a damaged one is not passed over
    if last is not None and last.files:
        name = f"{alias}, {last.content[:12]}, promoted on {last.when[:10]}"
        files = {**last.files, settings.model: last.content}
        return GateBase(rival=ANCHOR, commit="", name=name, note=f"the anchor is {name}", files=files)
    note = f"{alias} was promoted without the gate, so that it is no anchor" if last is not None else ""
    release = _release(repository, base.commit, releases)
    why = "There is no release here that could be the anchor"
    if release is None and base.commit and _reach_releases(repository, why):
        release = _release(repository, base.commit, releases)
    if release is None:
        is_missing = bool(base.commit) or base.is_missing
        name = "the time before the first promotion and the first release"
        return GateBase(rival=ANCHOR, commit="", name=name, note=note, is_missing=is_missing)
    return GateBase(rival=ANCHOR, commit=release[0], name=release[1], note=note)
