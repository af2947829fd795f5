"""The base is what the work is to be merged into, as well as that can be known."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from headworks._tree.git import Repository
from headworks._tree.merge_base import _FETCH, Base, find_base, reachable_base
from headworks.errors import CannotDecideError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Scratch


def base(root: Path, asked: str | None = None, **environ: str) -> Base:
    """Find the base in an environment."""
    return find_base(Repository(str(root), {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", **environ}), asked)


@pytest.fixture
def clone(scratch: Scratch, other: Scratch) -> Scratch:
    """Return a repository whose origin has three commits on main, with a branch that has one more."""
    for number in range(3):
        other.commit({"a": str(number)})
    scratch.git("remote", "add", "origin", other.root.as_uri())
    scratch.git("fetch", "--quiet", "origin")
    scratch.git("checkout", "--quiet", "-b", "side", "origin/main")
    scratch.commit({"b": "b"})
    return scratch


def shallow(clone: Scratch, folder: Path) -> Path:
    """Return a shallow clone of a branch."""
    command = ["git", "clone", "--quiet", "--depth=1", "--branch=side", clone.root.as_uri(), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_the_default_branch_is_the_usual_base(clone: Scratch, other: Scratch) -> None:
    """Where the branch parted from it, also when it has moved on."""
    main = other.git("rev-parse", "main")
    assert base(clone.root) == Base(commit=main, name=f"{main[:12]}, origin/main")
    other.commit({"c": "c"})
    clone.git("fetch", "--quiet", "origin")
    assert base(clone.root) == Base(commit=main, name=f"{main[:12]}, where it parted from origin/main")
    clone.git("remote", "set-head", "origin", "main")
    assert base(clone.root).name.endswith("origin/main")


def test_a_local_default_branch_will_do(scratch: Scratch) -> None:
    """In a repository that has no remote, and even the last commit where there is no such branch either."""
    first = scratch.commit({"a": "a"})
    scratch.git("checkout", "--quiet", "-b", "side")
    last = scratch.commit({"a": "b"})
    assert base(scratch.root) == Base(commit=first, name=f"{first[:12]}, main")
    scratch.git("branch", "-D", "main")
    assert base(scratch.root) == Base(commit=last, name=f"{last[:12]}, the last commit", is_assumed=True)


def test_before_the_first_commit_there_is_no_base(scratch: Scratch, other: Scratch) -> None:
    """Unless one is asked for."""
    assert base(scratch.root) == Base(commit="", name="an empty repository")
    commit = other.commit({"a": "a"})
    scratch.git("fetch", "--quiet", str(other.root), "main:elsewhere")
    assert base(scratch.root, "elsewhere").commit == commit


def test_a_revision_that_is_asked_for_is_taken(clone: Scratch, other: Scratch) -> None:
    """A branch, a tag, a commit; what shares no history is compared as it is."""
    main = other.git("rev-parse", "main")
    assert base(clone.root, "origin/main").commit == base(clone.root, main[:10]).commit == main
    clone.git("checkout", "--quiet", "--orphan", "alone")
    clone.commit()
    assert base(clone.root, "side").name.endswith("side, which shares no history")
    with pytest.raises(UsageError, match=r"There is no revision 'sied' in .* Did you mean 'side'"):
        base(clone.root, "sied")


def test_a_pull_request_is_compared_with_the_branch_it_goes_to(clone: Scratch, other: Scratch) -> None:
    """GitHub says which; a checkout may lack it, and then it is fetched."""
    other.git("branch", "release", "HEAD~1")
    release = other.git("rev-parse", "release")
    assert base(clone.root, GITHUB_BASE_REF="release").commit == release
    assert base(clone.root, GITHUB_BASE_REF="release").name == f"{release[:12]}, origin/release"
    assert base(clone.root, GITHUB_BASE_REF="missing").name.endswith("origin/main")


def event(folder: Path, content: object) -> str:
    """Write an event as GitHub Actions does."""
    path = folder / "event.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    ("kind", "content", "shown"),
    [("push", {"before": "BEFORE"}, "push"), ("merge_group", {"merge_group": {"base_sha": "BEFORE"}}, "merge group")],
)
def test_a_push_and_a_merge_queue_say_what_was_before(
    clone: Scratch, tmp_path: Path, kind: str, content: dict[str, object], shown: str
) -> None:
    """The commit that the branch was at, or that the queue builds on."""
    before = clone.git("rev-parse", "HEAD~1")
    path = event(tmp_path, json.dumps(content).replace("BEFORE", before))
    found = base(clone.root, GITHUB_EVENT_NAME=kind, GITHUB_EVENT_PATH=path)
    assert found == Base(commit=before, name=f"{before[:12]}, before this {shown}")


@pytest.mark.parametrize(
    "content", [{"before": "0" * 40}, {"before": "--exec=x"}, {"before": 1}, [], "{", "[" * 100_000, {"after": "x"}]
)
def test_an_event_that_says_nothing_leaves_the_default(clone: Scratch, tmp_path: Path, content: object) -> None:
    """A new branch has nothing before it, and a file may hold anything."""
    found = base(clone.root, GITHUB_EVENT_NAME="push", GITHUB_EVENT_PATH=event(tmp_path, content))
    assert found.name.endswith("origin/main")
    assert base(clone.root, GITHUB_EVENT_NAME="push", GITHUB_EVENT_PATH="/nowhere").name.endswith("origin/main")


def test_a_commit_before_a_push_is_fetched_or_cannot_be_had(clone: Scratch, other: Scratch, tmp_path: Path) -> None:
    """After a forced push it may be gone for good."""
    other.git("config", "uploadpack.allowAnySHA1InWant", "true")
    other.git("checkout", "--quiet", "-b", "gone")
    before = other.commit({"x": "x"})
    path = event(tmp_path, {"before": before})
    assert base(clone.root, GITHUB_EVENT_NAME="push", GITHUB_EVENT_PATH=path).commit == before
    path = event(tmp_path, {"before": "1" * 40})
    with pytest.raises(CannotDecideError, match="does not reach back to the commit before this push, 111111111111"):
        base(clone.root, GITHUB_EVENT_NAME="push", GITHUB_EVENT_PATH=path)


@pytest.mark.parametrize("is_shallow", [False, True])
def test_a_forced_push_needs_no_deeper_history(clone: Scratch, tmp_path: Path, *, is_shallow: bool) -> None:
    """What was before may be gone for good, and the message does not ask for it."""
    path = event(tmp_path, {"before": "1" * 40, "forced": is_shallow})
    root = shallow(clone, tmp_path / "shallow") if is_shallow else clone.root
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": path}
    found, lost = reachable_base(Repository(str(root), environ), None)
    assert found is None
    assert "lacks the commit before this push, 111111111111, and it cannot be fetched: a forced push leaves it" in lost
    assert "--base" in lost
    assert "depth" not in lost
    assert "shallow" not in lost.replace(str(root), "")


def test_a_base_that_cannot_be_reached_is_none(clone: Scratch, tmp_path: Path) -> None:
    """A shallow clone that is offline says what to do; a revision that there is not is a mistake all the same."""
    clone.git("branch", "main", "HEAD~1")
    root = shallow(clone, tmp_path / "shallow")
    subprocess.run(
        ["git", "-C", str(root), "fetch", "--quiet", "--depth=1", "origin", "main:refs/remotes/origin/main"], check=True
    )
    subprocess.run(["git", "-C", str(root), "remote", "set-url", "origin", "/nowhere"], check=True)
    repository = Repository(str(root), {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "GITHUB_BASE_REF": "main"})
    for asked in (None, "origin/main"):
        found, lost = reachable_base(repository, asked)
        assert found is None
        assert "--unshallow" in lost
    with pytest.raises(UsageError, match="There is no revision 'sied'"):
        reachable_base(repository, "sied")


def test_a_server_that_never_answers_is_not_waited_for(clone: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it could tell is not worth that."""
    monkeypatch.setattr("headworks._tree.merge_base._FETCH", (*_FETCH[:3], "http.lowSpeedTime=1", *_FETCH[4:]))
    with socket.create_server(("127.0.0.1", 0)) as server:
        clone.git("remote", "set-url", "origin", f"http://127.0.0.1:{server.getsockname()[1]}/x")
        assert base(clone.root, GITHUB_BASE_REF="missing").name.endswith("origin/main")


def test_a_shallow_clone_is_deepened(clone: Scratch, tmp_path: Path) -> None:
    """As far as it takes to find where the branches parted."""
    main = clone.git("rev-parse", "HEAD~1")
    clone.git("branch", "main", main)
    root = shallow(clone, tmp_path / "shallow")
    assert base(root, GITHUB_BASE_REF="main").commit == main


def test_a_shallow_clone_of_unrelated_branches_is_compared_as_it_is(clone: Scratch, tmp_path: Path) -> None:
    """Once all of the history is there, there is nothing more to wait for."""
    clone.git("checkout", "--quiet", "--orphan", "main")
    clone.commit({"x": "x"})
    clone.git("checkout", "--quiet", "side")
    root = shallow(clone, tmp_path / "shallow")
    assert base(root, GITHUB_BASE_REF="main").name.endswith("origin/main, which shares no history")


def test_a_history_that_is_never_deep_enough_cannot_decide(
    clone: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last attempt there is nothing else to try."""
    monkeypatch.setattr("headworks._tree.merge_base._DEEPER", ("--deepen=1",))
    clone.git("branch", "main", "HEAD~1")
    for number in range(5):
        clone.commit({"b": str(number)})
    root = shallow(clone, tmp_path / "shallow")
    with pytest.raises(CannotDecideError, match="does not reach back to the merge base with origin/main"):
        base(root, GITHUB_BASE_REF="main")


def test_a_shallow_clone_that_cannot_be_deepened_cannot_decide(clone: Scratch, tmp_path: Path) -> None:
    """The message says what to do."""
    clone.git("branch", "main", "HEAD~1")
    clone.commit({"b": "c"})
    root = shallow(clone, tmp_path / "shallow")
    subprocess.run(["git", "-C", str(root), "fetch", "--quiet", "--depth=1", "origin", "main:main"], check=True)
    subprocess.run(["git", "-C", str(root), "remote", "set-url", "origin", "/nowhere"], check=True)
    with pytest.raises(
        CannotDecideError, match=r"(?s)the merge base with main, and .* --unshallow.*fetch-depth: 0.*--base"
    ):
        base(root, "main")
