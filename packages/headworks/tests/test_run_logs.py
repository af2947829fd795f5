"""What sessions print is kept beside a work tree's history, and elsewhere where that takes nothing."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._run.logs import log_folder, make_log_folder

if TYPE_CHECKING:
    from conftest import Scratch


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_work_tree_has_its_own_folder(scratch: Scratch) -> None:
    """It is git's, so that no commit and no other work tree sees it; what is very old in it is of no more use."""
    folder = make_log_folder(str(scratch.root))
    assert folder == scratch.root / ".git/headworks/logs"
    for name in ("new.log", "old.log", "old.json"):
        (folder / name).write_text("printed")
    for name in ("old.log", "old.json"):
        os.utime(folder / name, (0, 0))
    assert make_log_folder(str(scratch.root)) == folder
    assert [it.name for it in folder.iterdir()] == ["new.log"]


@pytest.mark.parametrize("how", ["full", "in the way", "no git"])
def test_another_folder_serves_where_it_takes_nothing(scratch: Scratch, temporary: Path, how: str) -> None:
    """A full disk is seen before a session writes there."""
    root, size = scratch.root, resource.RLIM_INFINITY
    if how == "full":
        size = 100
    elif how == "in the way":
        (root / ".git/headworks").write_text("")
    else:
        root = temporary
        assert log_folder(str(root)) is None
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size if size >= 0 else soft, hard))
    try:
        folder = make_log_folder(str(root))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert folder.parent == temporary
    assert not list(Path(scratch.root).rglob("room-*"))
