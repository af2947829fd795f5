"""What a session or a restore left at an output is replaced; what anybody else wrote there is kept, and told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._store.outputs import Outputs
from headworks.errors import StoreError

if TYPE_CHECKING:
    from conftest import Stage


@pytest.fixture
def outputs(stage: Stage) -> Outputs:
    """Return the outputs of a stage on which a session has left `out`, without a verdict."""
    stage.write({"out/a": "one", "out/deep/b": "two"})
    found = stage.store.outputs(stage.root)
    found.note(["out"])
    return found


def said(outputs: Outputs) -> list[str]:
    """Collect what is said from now on."""
    lines: list[str] = []
    outputs.say = lines.append
    return lines


def kept(stage: Stage) -> dict[str, str]:
    """Return all files that are kept."""
    folder = stage.root / ".git/headworks/kept"
    return {str(it.relative_to(folder)): it.read_text() for it in folder.rglob("*") if it.is_file()}


def test_what_a_session_left_is_cleared_without_a_word(stage: Stage, outputs: Outputs) -> None:
    """It need not have passed: the next run starts without the half of an output that a failure left."""
    lines = said(outputs)
    outputs.clear("out")
    assert not (stage.root / "out").exists()
    assert not lines
    assert not kept(stage)


@pytest.mark.parametrize("change", ["new", "edited", "link"])
def test_what_others_wrote_is_kept(stage: Stage, outputs: Outputs, change: str) -> None:
    """All that lies there moves as it is, and one line says where it is now."""
    lines = said(outputs)
    place = stage.root / {"new": "out/notes.md", "edited": "out/a", "link": "out/link"}[change]
    if change == "link":
        place.symlink_to("/elsewhere")
    else:
        place.write_text("an hour of work")
    outputs.clear("out")
    assert not (stage.root / "out").exists()
    folder = stage.root / ".git/headworks/kept/1/out"
    assert lines == [f"out held files that no run is known to have left so; they are kept in {folder}"]
    assert (folder / "deep/b").read_text() == "two"
    if change == "link":
        assert (folder / "link").readlink() == Path("/elsewhere")
    else:
        assert (folder / place.name).read_text() == "an hour of work"


def test_a_link_of_others_is_kept_as_one(stage: Stage, tmp_path: Path) -> None:
    """What it leads to stays where it is."""
    stage.write({"../big/mine": "mine"})
    (stage.root / "out").symlink_to("../big")
    outputs = stage.store.outputs(stage.root)
    lines = said(outputs)
    outputs.clear("out")
    assert (stage.root / ".git/headworks/kept/1/out").readlink() == Path("../big")
    assert (tmp_path / "big/mine").read_text() == "mine"
    assert len(lines) == 1


def test_a_restore_keeps_what_others_wrote(stage: Stage) -> None:
    """It puts the output back as a whole all the same, and the next one finds nothing of others."""
    stage.write({"out/a": "one"})
    verdict = stage.record("build", outputs=["out"])
    outputs = stage.store.outputs(stage.root)
    lines = said(outputs)
    stage.write({"out/notes.md": "mine"})
    assert stage.store.restore(verdict, stage.root) == ["out"]
    assert stage.tree("out").keys() == {".", "a"}
    assert kept(stage) == {"1/out/a": "one", "1/out/notes.md": "mine"}
    (stage.root / "out/a").unlink()
    outputs.note(["out"])
    assert stage.store.restore(verdict, stage.root) == ["out"]
    assert len(lines) == 1


def test_what_the_store_has_is_nobodys_own(stage: Stage) -> None:
    """Outputs of an earlier verdict are replaced without a word, however they came into the work tree."""
    stage.write({"out": "one"})
    stage.record("build", outputs=["out"])
    (stage.root / "out").unlink()
    stage.write({"out": "one"})
    outputs = stage.store.outputs(stage.root)
    lines = said(outputs)
    outputs.clear("out")
    assert not (stage.root / "out").exists()
    assert not lines


def test_what_a_restore_put_there_is_known_without_the_store(stage: Stage) -> None:
    """It is noted like what a session left, since the store may have forgotten it meanwhile."""
    stage.write({"out": "one"})
    verdict = stage.record("build", outputs=["out"])
    (stage.root / "out").unlink()
    assert stage.store.restore(verdict, stage.root) == ["out"]
    for blob in stage.blobs():
        blob.unlink()
    stage.store.outputs(stage.root).clear("out")
    assert not (stage.root / "out").exists()
    assert not kept(stage)


def test_empty_folders_are_nobodys_own(stage: Stage) -> None:
    """Who has made a folder for an output wants it to be filled."""
    (stage.root / "out/deep").mkdir(parents=True)
    outputs = stage.store.outputs(stage.root)
    lines = said(outputs)
    outputs.clear("out")
    assert not (stage.root / "out").exists()
    assert not lines


def test_of_each_name_the_last_is_kept(stage: Stage, outputs: Outputs) -> None:
    """Who runs plain nox in between, which writes the same files, does not fill the disk; what goes is said."""
    lines = said(outputs)
    for content in ("two", "three", "four"):
        stage.write({"out/a": content, "out/deep/b": content})
        if content == "two":
            stage.write({"out/notes.md": "mine"})
        outputs.clear("out")
    assert kept(stage) == {"1/out/notes.md": "mine", "3/out/a": "four", "3/out/deep/b": "four"}
    assert not (stage.root / ".git/headworks/kept/2/out").exists()
    endings = [it.rpartition("kept/")[2] for it in lines]
    assert endings == [
        "1/out",
        *(f"{it}/out, in the place of 2 of the same names that were kept before" for it in "23"),
    ]


def test_an_output_that_is_one_file_is_kept_as_one(stage: Stage) -> None:
    """A folder of the same name is another thing, and stays."""
    outputs = stage.store.outputs(stage.root)
    for content in ("one", "two"):
        stage.write({"out": content})
        outputs.clear("out")
    stage.write({"out/a": "three"})
    outputs.clear("out")
    assert kept(stage) == {"2/out": "two", "3/out/a": "three"}


def test_more_than_ten_are_refused(stage: Stage) -> None:
    """Nothing is removed then, here or there: a person has to look."""
    outputs = stage.store.outputs(stage.root)
    for number in range(10):
        stage.write({f"out/{number}": "mine"})
        outputs.clear("out")
    stage.write({"out/another": "mine"})
    with pytest.raises(
        StoreError, match=r"no run is known to have left so, and .*/kept has 10 .*\. Move away or remove"
    ):
        outputs.clear("out")
    assert (stage.root / "out/another").read_text() == "mine"
    assert len(kept(stage)) == 10


def test_what_cannot_be_kept_is_refused(stage: Stage, outputs: Outputs) -> None:
    """It stays as it is, and so does the output."""
    stage.write({"out/notes.md": "mine"})
    (stage.root / ".git/headworks/kept").write_text("in the way")
    with pytest.raises(StoreError, match=r"out holds files .*, and they cannot be moved to .* \(.*\)\. Move away"):
        outputs.clear("out")
    assert (stage.root / "out/notes.md").read_text() == "mine"


def test_without_git_nothing_is_kept_and_nothing_removed(stage: Stage, tmp_path: Path) -> None:
    """There is no folder for it that git does not list."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/out").write_text("mine")
    outputs = stage.store.outputs(tmp_path / "plain")
    outputs.note(["out"])
    with pytest.raises(StoreError, match=r"out holds files .*, and there is no git folder to keep them in"):
        outputs.clear("out")
    assert (tmp_path / "plain/out").read_text() == "mine"


def test_what_cannot_be_noted_is_told_by_its_content(stage: Stage) -> None:
    """A folder of git's that cannot be written costs the note, and nothing else."""
    stage.write({"out": "one"})
    stage.record("build", outputs=["out"])
    (stage.root / ".git/headworks").mkdir(exist_ok=True)
    (stage.root / ".git/headworks/made").write_text("in the way")
    outputs = stage.store.outputs(stage.root)
    outputs.note(["out"])
    outputs.clear("out")
    assert not (stage.root / "out").exists()


def test_a_pipe_of_somebody_else_is_kept_too(stage: Stage, outputs: Outputs) -> None:
    """Whatever no store could hold was not put there by a restore."""
    os.mkfifo(stage.root / "out/pipe")
    outputs.clear("out")
    assert (stage.root / ".git/headworks/kept/1/out/pipe").is_fifo()


def test_an_output_that_cannot_be_read_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, with the file; a restore replaces it."""
    stage.write({"out/a": "one"})
    verdict = stage.record("build", outputs=["out"])
    outputs = stage.store.outputs(stage.root)
    (stage.root / "out/a").chmod(0o200)

    def deny(place: object) -> str:
        raise PermissionError(13, "Permission denied", str(place))

    with monkeypatch.context() as patch:
        patch.setattr("headworks._store.tree.manifest_of", deny)
        with pytest.raises(StoreError, match=r"The output out cannot be read: Permission denied \(.*out\)\. Make it"):
            outputs.content("out")
        assert stage.store.restore(verdict, stage.root) == ["out"]
    assert (stage.root / "out/a").read_text() == "one"
