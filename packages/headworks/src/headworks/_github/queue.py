"""The run of a merge queue that proved a commit of the default branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headworks._github.client import GitHub


def proven_by(github: GitHub, commit: str, workflow: str) -> int | None:
    """Return the run of a merge queue that passed for exactly a commit.

    A pull request runs whatever its author wrote, and so does the queue. But what the queue ran for this commit is the
    code of this commit, which its next run executes as well: whoever could deceive by the one could by the other.

    Args:
        github: The repository.
        commit: The id of the commit.
        workflow: The file that has to have run, as in `.github/workflows/ci.yml`.

    Returns:
        The number of the run; None where there is none.

    Raises:
        UnseenError: The token may not see runs.
        CannotDecideError: GitHub cannot be reached, or refuses every call.
    """
    wanted = ("merge_group", "success", commit, workflow, github.name)
    for run in github.items(f"actions/runs?event=merge_group&status=success&head_sha={commit}", "workflow_runs"):
        path, fork = run["path"].partition("@")[0], run["head_repository"]["full_name"]
        if (run["event"], run["conclusion"], run["head_sha"], path, fork) == wanted:
            return int(run["id"])
    return None
