"""A commit that is its own base is compared with the last release, or with the commit before."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from headworks._gate.base import GateBase, choose_anchor, choose_base
from headworks._project.gate_table import gate_settings
from headworks._store.store import Store
from headworks._tree.git import Repository
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Scratch


def base_of(root: Path, releases: str = "v*") -> GateBase:
    """Return the base of a commit that nothing is ahead of, with or without files that git does not know."""
    repository = Repository(str(root), {"PATH": "/usr/bin:/bin", "HOME": "/nowhere"})
    base = choose_base(repository, None, releases)
    (root / "left-by-a-tool.xml").touch()
    assert choose_base(repository, None, releases) == base
    (root / "left-by-a-tool.xml").unlink()
    assert not base.is_head
    return GateBase(commit=base.commit, name=base.name)


def cloned(scratch: Scratch, folder: Path, *options: str) -> Path:
    """Return a clone, as a run in CI has it."""
    command = ["git", "clone", "--quiet", *options, scratch.root.as_uri(), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_the_last_release_is_the_base(scratch: Scratch, tmp_path: Path) -> None:
    """The one before, where the commit is a release itself; tags of something else do not count."""
    scratch.commit({"a": "1"})
    scratch.git("tag", "v1.0")
    second = scratch.commit({"a": "2"})
    scratch.git("tag", "--annotate", "--message=x", "v1.1")
    for number in range(2):
        scratch.commit({"a": f"more {number}"})
    scratch.git("tag", "nightly")
    base = GateBase(commit=second, name=f"{second[:12]}, the last release, v1.1")
    assert base_of(scratch.root) == base
    scratch.git("tag", "v2.0")
    assert base_of(scratch.root) == base_of(cloned(scratch, tmp_path / "clone")) == base
    assert base_of(scratch.root, "night*").name.endswith("the commit before, since there is no release yet")
    scratch.git("checkout", "--quiet", "-B", "main", "v1.1")
    assert base_of(scratch.root).name.endswith("the last release, v1.0")


def test_before_any_release_the_commit_before_is_the_base(scratch: Scratch) -> None:
    """On a branch that others are merged into, that is its last state."""
    scratch.commit({"a": "1"})
    main = scratch.commit({"a": "2"})
    scratch.git("checkout", "--quiet", "-b", "side", "HEAD^")
    scratch.commit({"b": "1"})
    scratch.git("checkout", "--quiet", "main")
    scratch.git("merge", "--quiet", "--no-edit", "side")
    assert base_of(scratch.root) == GateBase(
        commit=main, name=f"{main[:12]}, the commit before, since there is no release yet"
    )


def test_nothing_is_before_the_first_commit(scratch: Scratch, tmp_path: Path) -> None:
    """Also where it is a release; a clone that holds only the last of many does not take that for the first."""
    scratch.commit({"a": "1"})
    scratch.git("tag", "v1.0")
    assert base_of(scratch.root) == GateBase(commit="", name="the first commit")
    assert base_of(cloned(scratch, tmp_path / "one")) == GateBase(commit="", name="the first commit")
    scratch.commit({"a": "2"})
    assert base_of(cloned(scratch, tmp_path / "two", "--depth=1")).name.endswith("the last release, v1.0")
    third = cloned(scratch, tmp_path / "three", "--depth=1")
    subprocess.run(["git", "-C", str(third), "remote", "set-url", "origin", "file:///nowhere"], check=True)
    with pytest.raises(CannotDecideError, match=r"does not reach back to the last release\. Run `git fetch --tags"):
        base_of(third)


def test_a_commit_of_which_nothing_says_what_it_is_for_has_no_base(scratch: Scratch, tmp_path: Path) -> None:
    """It may be a change that nobody has judged yet."""
    scratch.commit({"a": "1"})
    scratch.commit({"a": "2"})
    scratch.git("branch", "--quiet", "--move", "main", "side")
    whole, cut = cloned(scratch, tmp_path / "whole"), cloned(scratch, tmp_path / "cut", "--depth=1")
    for root in (scratch.root, whole, cut):
        if root != scratch.root:
            subprocess.run(["git", "-C", str(root), "remote", "remove", "origin"], check=True)
        base = base_of(root)
        assert (base.commit, base.name.partition(", and")[0]) == ("", "the last one")


def test_the_last_release_before_the_base_is_the_anchor(scratch: Scratch, tmp_path: Path) -> None:
    """Also where the history is cut off after it; before the first release nothing can be compared."""
    scratch.commit({"a": "1"})
    base = GateBase(commit=scratch.commit({"a": "2"}), name="main")
    store, settings = Store(tmp_path / "store"), gate_settings({})
    found = choose_anchor(Repository(str(scratch.root)), store, base, settings)
    assert (found.rival, found.commit, found.is_missing, found.is_excused("")) == ("anchor", "", True, True)
    clone = cloned(scratch, tmp_path / "clone", "--depth=1")
    scratch.git("tag", "v1.0", "HEAD^")
    release = scratch.git("rev-parse", "v1.0")
    scratch.git("tag", "v9.0", scratch.commit({"a": "3"}))
    for root in (scratch.root, clone):
        found = choose_anchor(Repository(str(root)), store, base, settings)
        assert (found.commit, found.name) == (release, f"{release[:12]}, the last release, v1.0")
    cut = cloned(scratch, tmp_path / "cut", "--depth=1", "--no-tags")
    subprocess.run(["git", "-C", str(cut), "remote", "remove", "origin"], check=True)
    with pytest.raises(CannotDecideError, match="no release here that could be the anchor, and the history in"):
        choose_anchor(Repository(str(cut)), store, GateBase(commit="HEAD", name="main"), settings)
