"""Outputs are moved and removed whatever their modes, and on whatever file system they lie."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._store.removal import files_of, move, put, remove
from headworks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Stage

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with files, of a user who is not root while the test runs."""
    is_root = os.geteuid() == 0
    # TMPDIR may lie in a folder of root's alone, as in the copies in which faults are planted.
    places = [Path(name) for name in (tempfile.gettempdir(), "/tmp", "/var/tmp")]  # noqa: S108 - mkdtemp is asked there
    open_to_all = [place for place in places if all(it.stat().st_mode & stat.S_IXOTH for it in (place, *place.parents))]
    top = Path(tempfile.mkdtemp(dir=open_to_all[0] if is_root else None))
    for name in ("out/a", "out/deep/b", "new/c"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    for place in (top, *top.rglob("*")) if is_root else ():
        os.chown(place, NOBODY, NOBODY)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield top
    finally:
        os.seteuid(os.getuid())
        top.chmod(0o700)
        remove(top)


def protect(place: Path) -> None:
    """Take the right to write from all folders, as `chmod -R a-w` does."""
    for it in (place, *place.rglob("*")):
        it.chmod(0o500 if it.is_dir() else 0o400)


def test_what_is_protected_is_removed_all_the_same(folder: Path) -> None:
    """A session that protects its outputs can run again."""
    protect(folder / "out")
    remove(folder / "out")
    assert not (folder / "out").exists()


def test_what_is_protected_is_moved_all_the_same(folder: Path) -> None:
    """Its own entry `..` changes with that."""
    protect(folder / "out")
    move(folder / "out", folder / "kept/1/out")
    assert (folder / "kept/1/out/deep/b").read_text() == "out/deep/b"
    assert not (folder / "out").exists()


def test_what_is_protected_is_replaced_all_the_same(folder: Path) -> None:
    """By a folder or by a file."""
    protect(folder / "out")
    put(folder / "new", folder / "out", folder / "old")
    assert files_of(folder / "out") == {Path("c")}
    protect(folder / "out")
    (folder / "file").write_text("x")
    put(folder / "file", folder / "out", folder / "older")
    assert (folder / "out").read_text() == "x"


def test_an_output_in_a_protected_folder_is_filled_anew(folder: Path) -> None:
    """Its own name cannot be removed there, and need not be."""
    folder.chmod(0o500)
    put(folder / "new", folder / "out", folder / "nowhere/old")
    assert files_of(folder / "out") == {Path("c")}
    remove(folder / "out")
    assert list((folder / "out").iterdir()) == []


def test_a_file_in_a_protected_folder_stays_and_is_told(folder: Path) -> None:
    """What the owner did not allow is not done."""
    folder.chmod(0o700)
    (folder / "file").write_text("x")
    folder.chmod(0o500)
    with pytest.raises(PermissionError):
        remove(folder / "file")
    with pytest.raises(PermissionError):
        put(folder / "new/c", folder / "file", folder / "old")
    assert (folder / "file").read_text() == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
def test_what_another_user_protects_stays_and_is_told(folder: Path) -> None:
    """It is of no use to try."""
    os.seteuid(0)
    os.chown(folder / "out/deep", 0, 0)
    (folder / "out/deep").chmod(0o555)
    os.seteuid(NOBODY)
    with pytest.raises(PermissionError):
        remove(folder / "out")
    assert (folder / "out/deep/b").exists()


@pytest.fixture
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every path lie on a file system of its own."""

    def refuse(_place: Path, _target: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "replace", refuse)


@pytest.mark.usefixtures("_apart")
def test_between_file_systems_it_is_copied(folder: Path) -> None:
    """Files, links and folders."""
    (folder / "out/link").symlink_to("/nowhere")
    move(folder / "out", folder / "kept/out")
    assert (folder / "kept/out/link").readlink() == Path("/nowhere")
    assert not (folder / "out").exists()
    put(folder / "new", folder / "out", folder / "old")
    assert files_of(folder / "out") == {Path("c")}
    (folder / "link").symlink_to(folder / "new/c")
    (folder / "file").write_text("x")
    put(folder / "file", folder / "link", folder / "old")
    assert not (folder / "link").is_symlink()
    assert (folder / "new/c").read_text() == "new/c"


@pytest.mark.usefixtures("_apart")
@pytest.mark.parametrize("begins", [True, False])
def test_what_cannot_be_copied_stays(folder: Path, monkeypatch: pytest.MonkeyPatch, begins: bool) -> None:  # noqa: FBT001  # a parameter of pytest's
    """A full disk leaves no half of it behind."""

    def fail(_source: object, target: Path, **_: object) -> None:
        if begins:
            target.mkdir()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", fail)
    with pytest.raises(OSError, match="No space left"):
        move(folder / "out", folder / "kept/out")
    assert files_of(folder / "out") == {Path("a"), Path("deep/b")}
    assert not (folder / "kept/out").exists()


def test_a_full_disk_is_told_in_one_line(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts are gone, and the output is as it was or made anew by its session."""
    stage.write({"out/a": "one"})
    verdict = stage.record("build", outputs=["out"])
    stage.write({"out/a": "two"})
    stage.store.outputs(stage.root).note(["out"])

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("headworks._store.outputs.put", fail)
    with pytest.raises(StoreError, match=r"/out could not be put back: No space left on device\. Free space"):
        stage.store.restore(verdict, stage.root)
    monkeypatch.setattr("headworks._store.outputs.remove", fail)
    with pytest.raises(StoreError, match=r"The output out of an earlier run could not be removed: No space left"):
        stage.store.outputs(stage.root).clear("out")


def test_a_git_folder_that_cannot_be_written_is_not_needed(stage: Stage) -> None:
    """The parts are made beside the output then."""
    stage.write({"out/a": "one"})
    verdict = stage.record("build", outputs=["out"])
    (stage.root / ".git/headworks").write_text("in the way")
    stage.write({"deep/beside": ""})
    shutil.rmtree(stage.root / "out")
    assert stage.store.restore(verdict, stage.root) == ["out"]
    assert {it.name for it in stage.root.iterdir()} == {".git", "out", "deep"}


@contextlib.contextmanager
def mounted(place: Path) -> Iterator[None]:
    """Have a volume at a folder, where that may be."""
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1M", "none", str(place)],  # as found on PATH
        check=False,
        capture_output=True,
    )
    if done.returncode:
        pytest.skip("nothing may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # as found on PATH


@pytest.mark.skipif(shutil.which("mount") is None, reason="there is no mount")
@pytest.mark.parametrize("volume", ["volume", "volume/out"])
def test_an_output_on_a_volume_is_cleared_kept_and_put_back(stage: Stage, volume: str) -> None:
    """The volume holds the output, or is it; nothing of the parts stays behind."""
    with mounted(stage.root / volume):
        stage.write({"volume/out/a": "one", "volume/out/deep/b": "two"})
        verdict = stage.record("build", outputs=["volume/out"])
        before = files_of(stage.root / "volume")
        outputs = stage.store.outputs(stage.root)
        stage.write({"volume/out/notes.md": "mine"})
        assert stage.store.restore(verdict, stage.root) == ["volume/out"]
        assert files_of(stage.root / "volume") == before
        assert (stage.root / ".git/headworks/kept/1/volume/out/notes.md").read_text() == "mine"
        outputs.clear("volume/out")
        assert files_of(stage.root / "volume") == set()
        assert stage.store.restore(verdict, stage.root) == ["volume/out"]
        assert files_of(stage.root / "volume") == before
        assert not list(stage.root.glob("**/.headworks-*"))
