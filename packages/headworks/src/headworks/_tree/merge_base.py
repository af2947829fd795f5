"""The base: the commit that the work tree is compared with to say why a session runs.

It is the merge base with the branch that the work is to be merged into. GitHub Actions says which that is; elsewhere it
is the default branch. The base gives reasons and never a pass, since it may itself be broken; and where it cannot be
reached, there are no reasons, and all else is the same.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headworks._nearest import suggestion
from headworks._quick.answers import note_file
from headworks.errors import CannotDecideError, HeadworksError, UsageError

if TYPE_CHECKING:
    from headworks._tree.git import Repository

# A server that does not answer is not waited for: 30 seconds with less than a byte in each.
_FETCH = ("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=30", "fetch", "--quiet")
_DEEPER = ("--deepen=100", "--deepen=2000", "--unshallow")
_MAX_EVENT = 64 * 2**20  # bytes


@dataclass(frozen=True, kw_only=True)
class Base:
    """A base.

    Attributes:
        commit: the commit's id; empty where there is none, so that everything is new.
        name: what it is, for people.
        is_assumed: whether nothing says what the work is to be merged into, so that the last commit stands for it.
    """

    commit: str
    name: str
    is_assumed: bool = False


def find_base(repository: Repository, asked: str | None) -> Base:
    """Return the base of the work tree.

    Args:
        repository: the repository.
        asked: a revision whose merge base with HEAD is wanted; None for the branch to be merged into.

    Raises:
        UsageError: there is no such revision.
        CannotDecideError: the history that is here does not reach back to the base, and more cannot be fetched.
    """
    head = repository.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if asked is not None:
        return _merge_base(repository, head, asked, _commit(repository, asked))
    if head is None:
        return Base(commit="", name="an empty repository")
    return _from_event(repository, head) or _from_default_branch(repository, head)


def reachable_base(repository: Repository, asked: str | None) -> tuple[Base | None, str]:
    """Return the base, or None and why it cannot be reached.

    Raises:
        UsageError: there is no such revision as somebody asked for.
    """
    try:
        return find_base(repository, asked), ""
    except HeadworksError as error:
        if asked is not None and isinstance(error, UsageError):
            raise
        return None, str(error)


def _commit(repository: Repository, revision: str) -> str:
    """Return the commit that a revision names."""
    commit = repository.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        names = repository.run("for-each-ref", "--format=%(refname:short)", "--count=1000").split()
        message = (
            f"There is no revision {revision!r} in {repository.top}.{suggestion(revision, map(os.fsdecode, names))}"
        )
        raise UsageError(message)
    return commit


def _from_event(repository: Repository, head: str) -> Base | None:
    """Return the base that GitHub Actions tells, or None where it does not."""
    environ = repository.environ
    event, kind = _event(environ.get("GITHUB_EVENT_PATH", "")), environ.get("GITHUB_EVENT_NAME", "")
    if branch := environ.get("GITHUB_BASE_REF"):
        name = f"refs/remotes/origin/{branch}"
        if repository.ask("rev-parse", "--verify", "--quiet", name) is None:
            repository.ask(*_FETCH, "--no-tags", "--depth=1", "origin", f"+refs/heads/{branch}:{name}")
        if commit := repository.ask("rev-parse", "--verify", "--quiet", name):
            return _merge_base(repository, head, f"origin/{branch}", commit)
    before = {"merge_group": _at(event, "merge_group", "base_sha"), "push": _at(event, "before")}.get(kind, "")
    if not before.strip("0"):  # a new branch has nothing before it
        return None
    if repository.ask("cat-file", "-e", f"{before}^{{commit}}") is None:
        repository.ask(*_FETCH, "--no-tags", "--depth=1", "origin", before)
        if repository.ask("cat-file", "-e", f"{before}^{{commit}}") is None:
            what = f"the commit before this {kind.replace('_', ' ')}, {before[:12]}"
            if is_shallow(repository) and event.get("forced") is not True:
                raise _unreachable(repository, what)
            message = (
                f"{repository.top} lacks {what}, and it cannot be fetched: a forced push leaves it behind. "
                "Name another base with --base, such as origin/main."
            )
            raise CannotDecideError(message)
    return Base(commit=before, name=f"{before[:12]}, before this {kind.replace('_', ' ')}")


def _event(path: str) -> dict[str, Any]:
    """Return the event for which GitHub Actions runs; empty where there is none."""
    if not path:
        return {}
    note_file(path)
    if not os.path.isfile(path) or os.path.getsize(path) > _MAX_EVENT:
        return {}
    with open(path, "rb") as file:
        try:
            event = json.load(file)
        except (ValueError, RecursionError):
            return {}
    return event if isinstance(event, dict) else {}


def _at(event: dict[str, Any], *keys: str) -> str:
    """Return the commit at a path of keys in an event; empty where there is none."""
    value: object = event
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) and set(value) <= set("0123456789abcdef") else ""


def _from_default_branch(repository: Repository, head: str) -> Base:
    """Return the merge base with the default branch; the last commit where there is no such branch."""
    wanted = ["refs/remotes/origin/HEAD", *(f"refs/remotes/origin/{it}" for it in _USUAL)]
    wanted += [f"refs/heads/{it}" for it in _USUAL]
    lines = repository.run("for-each-ref", "--format=%(refname) %(objectname) %(symref)", *wanted).decode().splitlines()
    found = {line.split(" ")[0]: line.split(" ")[1:] for line in lines}
    for name in wanted:
        if name in found:
            commit, target = found[name]
            shown = (target or name).removeprefix("refs/remotes/").removeprefix("refs/heads/")
            return _merge_base(repository, head, shown, commit)
    return Base(commit=head, name=f"{head[:12]}, the last commit", is_assumed=True)


_USUAL = ("main", "master", "trunk", "develop")


def _merge_base(repository: Repository, head: str | None, name: str, commit: str) -> Base:
    """Return the commit where HEAD and another one parted, fetching more history where it is cut off before that."""
    if head is None:
        return Base(commit=commit, name=f"{commit[:12]}, {name}")
    for deeper in ("", *_DEEPER):
        if deeper and (not is_shallow(repository) or repository.ask(*_FETCH, deeper, "origin") is None):
            break
        if found := commit if commit == head else repository.ask("merge-base", head, commit):
            shown = f"where it parted from {name}" if found != commit else name
            return Base(commit=found, name=f"{found[:12]}, {shown}")
    if is_shallow(repository):
        raise _unreachable(repository, f"the merge base with {name}")
    return Base(commit=commit, name=f"{commit[:12]}, {name}, which shares no history")


def is_shallow(repository: Repository) -> bool:
    """Tell whether the history is cut off somewhere."""
    return repository.ask("rev-parse", "--is-shallow-repository") == "true"


def _unreachable(repository: Repository, what: str) -> CannotDecideError:
    """Return the error for a base that is not here."""
    message = (
        f"The history in {repository.top} does not reach back to {what}, and it cannot be fetched. "
        "Run `git fetch --unshallow`, or in GitHub Actions give actions/checkout `fetch-depth: 0`; "
        "or name another base with --base, such as HEAD."
    )
    return CannotDecideError(message)
