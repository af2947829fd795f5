"""An earlier base, where the base is the work tree itself: a model is never worse than itself, which says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._tree.merge_base import Base
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from headworks._tree.git import Repository

__all__ = ["FIRST_COMMIT", "earlier", "is_itself"]

FIRST_COMMIT = "the first commit"
_UNKNOWN = "the last one, and nothing says which branch it is to be merged into. Fetch it, or name a base with --base"


def is_itself(repository: Repository, base: Base) -> bool:
    """Whether a base is the last commit, of which the work tree changes no file.

    A file that git does not know yet changes none: in CI, tools leave reports and logs behind.
    """
    ask = repository.ask
    changed = ("status", "--porcelain", "--untracked-files=no")
    return base.commit == ask("rev-parse", "--verify", "--quiet", "HEAD") and ask(*changed) == ""


def earlier(repository: Repository, itself: Base, releases: str) -> Base:
    """Return the last release before a base that is the work tree itself; where there is none, the commit before.

    So it is in runs for a release, in those by the clock or by hand, and on a main branch that nothing is ahead of.

    Args:
        repository: the repository.
        itself: the base.
        releases: a pattern of the names of tags.

    Returns:
        A base without a commit where there is nothing before, or nothing that says what the work is for.

    Raises:
        CannotDecideError: the history is cut off, and more of it cannot be had.
    """
    ask = repository.ask
    if not itself.is_assumed and _is_shallow(repository):
        ask("fetch", "--quiet", "--tags", "--unshallow", "origin")
        if _is_shallow(repository):
            message = (
                f"The base is this commit itself, {itself.name}, and the history in {repository.top} does not reach"
                " back to the last release. Run `git fetch --tags --unshallow`, or in GitHub Actions give"
                " actions/checkout `fetch-depth: 0`; or name a base with --base."
            )
            raise CannotDecideError(message)
    before = ask("rev-parse", "--verify", "--quiet", "HEAD^")
    if before is None and not _is_shallow(repository):
        return Base(commit="", name=FIRST_COMMIT)
    if before is None or itself.is_assumed:
        return Base(commit="", name=_UNKNOWN)
    tag = ask("describe", "--tags", "--abbrev=0", f"--match={releases}", before)
    if tag is None:
        return Base(commit=before, name=f"{before[:12]}, the commit before, there being no release yet")
    commit = ask("rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}") or before
    return Base(commit=commit, name=f"{commit[:12]}, the last release, {tag}")


def _is_shallow(repository: Repository) -> bool:
    """Tell whether the history is cut off somewhere."""
    return repository.ask("rev-parse", "--is-shallow-repository") == "true"
