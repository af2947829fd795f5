"""The base of the gate: the commit that a candidate is compared with.

A model is never worse than itself, which says nothing. So where the merge base is the last commit, and the work tree
adds nothing to it, the base is the last release before it, or the commit before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._tree.merge_base import Base, find_base, is_shallow
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from headworks._tree.git import Repository

_FIRST_COMMIT = "the first commit"
_UNKNOWN = "the last one, and nothing says which branch it is to be merged into. Fetch it, or name a base with --base"


@dataclass(frozen=True, kw_only=True)
class GateBase:
    """The base of a candidate.

    Attributes:
        commit: its id; empty where there is none.
        name: its name for people.
        note: why it is another one than the merge base, or says nothing; empty otherwise.
        is_head: whether it is the last commit, to which the work tree adds changes that are not committed yet.
    """

    commit: str
    name: str
    note: str = ""
    is_head: bool = False

    @property
    def key(self) -> str:
        """The name of the base in the store."""
        return self.commit or self.name

    def is_excused(self, named: str) -> bool:
        """Tell whether there is nothing to compare with: at the first commit, and at one that the table names.

        Args:
            named: The id of a commit, or how it begins; empty for none.
        """
        if self.commit:
            return bool(named) and self.commit.startswith(named)
        return self.name == _FIRST_COMMIT


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
    ask = repository.ask
    if not head.is_assumed and is_shallow(repository):
        ask("fetch", "--quiet", "--tags", "--unshallow", "origin")
        if is_shallow(repository):
            message = (
                f"The base is this commit itself, {head.name}, and the history in {repository.top} does not reach"
                " back to the last release. Run `git fetch --tags --unshallow`, or in GitHub Actions give"
                " actions/checkout `fetch-depth: 0`; or name a base with --base."
            )
            raise CannotDecideError(message)
    before = ask("rev-parse", "--verify", "--quiet", "HEAD^")
    if before is None and not is_shallow(repository):
        return GateBase(commit="", name=_FIRST_COMMIT)
    if before is None or head.is_assumed:
        return GateBase(commit="", name=_UNKNOWN)
    commit, name = before, f"{before[:12]}, the commit before, since there is no release yet"
    if tag := ask("describe", "--tags", "--abbrev=0", f"--match={releases}", before):
        commit = ask("rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}") or before
        name = f"{commit[:12]}, the last release, {tag}"
    return GateBase(commit=commit, name=name, note=f"nothing is ahead of {head.name}, so that the base is {name}")
