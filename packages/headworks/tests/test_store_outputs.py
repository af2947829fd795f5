"""Outputs are put back exactly as they were recorded, or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headworks._store.outputs import Outputs
from headworks._store.store import Store
from headworks._store.tree import manifest_of, read_manifest
from headworks.errors import StoreError

if TYPE_CHECKING:
    from conftest import Scratch, Stage

FILES: dict[str, str | bytes] = {"out/a": "one", "out/deep/er/b": b"\0\xff", "out/c d": "", "out/run": "#!/bin/sh\n"}


@pytest.fixture
def recorded(stage: Stage) -> Stage:
    """Return a stage on which a session with many kinds of output was recorded."""
    stage.write({**FILES, "one.txt": "alone"})
    (stage.root / "out/empty").mkdir()
    (stage.root / "out/run").chmod(0o755)
    (stage.root / "out/link").symlink_to("deep/er/b")
    (stage.root / "out/deep/up").symlink_to("../a")
    stage.record("build", outputs=["out", "one.txt"])
    return stage


def restored(stage: Stage) -> bool:
    """Restore what was recorded."""
    verdict = stage.store.last("build")
    assert verdict is not None
    return stage.store.restore(verdict, stage.root) is not None


def test_outputs_come_back_as_they_were(recorded: Stage) -> None:
    """Files, programs, empty folders and links, with their modes; a file as well as a folder."""
    before = recorded.tree("out"), recorded.tree("one.txt")
    shutil.rmtree(recorded.root / "out")
    (recorded.root / "one.txt").unlink()
    assert restored(recorded)
    assert (recorded.tree("out"), recorded.tree("one.txt")) == before


def test_what_was_not_recorded_goes(recorded: Stage) -> None:
    """No stale file survives in an output, and what was changed or lost is as before; beside it nothing changes."""
    before = recorded.tree("out")
    recorded.write({"out/stale": "", "out/deep/er/b": "changed", "beside": "stays"})
    (recorded.root / "out/a").unlink()
    (recorded.root / "out/run").chmod(0o644)
    assert restored(recorded)
    assert recorded.tree("out") == before
    assert (recorded.root / "beside").read_text() == "stays"


def test_a_file_gives_way_to_a_folder_and_back(recorded: Stage) -> None:
    """Whatever kind of thing lies at an output's path is replaced."""
    shutil.rmtree(recorded.root / "out")
    (recorded.root / "out").write_text("a file")
    (recorded.root / "one.txt").unlink()
    recorded.write({"one.txt/in": "a folder"})
    assert restored(recorded)
    assert (recorded.root / "out/a").read_text() == "one"
    assert (recorded.root / "one.txt").read_text() == "alone"


def test_a_link_in_the_place_of_an_output_is_replaced_not_followed(recorded: Stage, tmp_path: Path) -> None:
    """What it points to is none of the store's business."""
    shutil.rmtree(recorded.root / "out")
    (recorded.root / "out").symlink_to(tmp_path)
    assert restored(recorded)
    assert not (recorded.root / "out").is_symlink()
    assert tmp_path.is_dir()


def test_what_is_in_place_is_left_alone(recorded: Stage) -> None:
    """A restore that has nothing to do writes nothing."""
    before = (recorded.root / "out/a").stat()
    assert restored(recorded)
    assert (recorded.root / "out/a").stat() == before


def test_outputs_can_be_written_to_without_harm(recorded: Stage) -> None:
    """A restored file shares nothing with the store: what is written into it stays out there."""
    shutil.rmtree(recorded.root / "out")
    assert restored(recorded)
    with (recorded.root / "out/a").open("r+") as file:
        file.write("BAD")
    assert restored(recorded)
    assert (recorded.root / "out/a").read_text() == "one"


@pytest.mark.parametrize("damage", ["flip", "cut", "lose", "folder"])
def test_a_bad_blob_is_a_miss(recorded: Stage, damage: str) -> None:
    """Nothing in the work tree changes, and the bad blob is gone, so that the next recording writes it again."""
    shutil.rmtree(recorded.root / "out")
    recorded.write({"out/mine": "stays"})
    before = recorded.tree("out")
    for blob in recorded.blobs():
        data = blob.read_bytes()
        blob.unlink()
        if damage == "flip" and data:
            blob.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        elif damage == "cut":
            blob.write_bytes(data[:-1])
        elif damage == "folder":
            blob.mkdir()
        (recorded.root / "one.txt").unlink(missing_ok=True)
    assert not restored(recorded)
    assert recorded.tree("out") == before
    assert not (recorded.root / "one.txt").exists()
    if damage != "folder":
        recorded.write({"again": "x"})
        recorded.record("again", outputs=["again"])
        assert recorded.store.restore(recorded.verdict("again", outputs=["again"]), recorded.root) is not None


def test_a_verdict_whose_outputs_are_lost_is_forgotten(recorded: Stage) -> None:
    """It is of no use; where the store cannot be written to it stays, and is a miss again."""
    verdict = recorded.store.last("build")
    assert verdict is not None
    for blob in recorded.blobs():
        blob.unlink()
    recorded.store.outputs(recorded.root).clear("out")
    index = Path(recorded.store.root, "index")
    index.rename(index.with_name("aside"))
    index.mkdir()
    assert recorded.store.restore(verdict, recorded.root) is None
    assert recorded.store.verdict(verdict.digest) == verdict
    index.rmdir()
    assert recorded.store.restore(verdict, recorded.root) is None
    assert recorded.store.verdict(verdict.digest) is None
    assert recorded.store.verdicts([verdict.digest]) == {}


def test_a_damaged_file_blob_is_a_miss(recorded: Stage) -> None:
    """The manifest may be whole: a single file that is not makes the whole output one that must be made again."""
    (recorded.root / "one.txt").unlink()
    [blob] = [it for it in recorded.blobs() if it.read_bytes() == b"alone"]
    blob.write_bytes(b"ALONE")
    assert not restored(recorded)
    assert not blob.exists()
    assert not (recorded.root / "one.txt").exists()


def test_a_blob_cut_short_is_written_again(recorded: Stage) -> None:
    """Recording the same content mends a blob that lacks its end."""
    for blob in recorded.blobs():
        blob.write_bytes(b"")
    recorded.record("build", outputs=["out", "one.txt"])
    shutil.rmtree(recorded.root / "out")
    assert restored(recorded)


def test_a_blob_of_another_user_serves_as_well(recorded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its owner can make it young again; recording goes on without."""

    def deny(path: object) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "utime", deny)
    recorded.record("build", outputs=["out", "one.txt"])
    assert restored(recorded)


def test_an_output_in_the_way_is_named(recorded: Stage) -> None:
    """Where a file stands in the place of a folder above an output, the message says so."""
    recorded.write({"in/out": "x"})
    verdict = recorded.record("other", outputs=["in/out"])
    shutil.rmtree(recorded.root / "in")
    (recorded.root / "in").write_text("a file")
    with pytest.raises(StoreError, match=r"in/out could not be put back: .*\. Remove what is in its way"):
        recorded.store.restore(verdict, recorded.root)


def test_an_output_behind_a_link_is_refused(recorded: Stage, tmp_path: Path) -> None:
    """Nothing is read from or written to where a symbolic link leads."""
    verdict = recorded.verdict("other")
    (tmp_path / "elsewhere").mkdir()
    (recorded.root / "in").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="lies behind the symbolic link"):
        recorded.verdict("other", outputs=["in/out"])
    hostile = type(verdict)(**vars(verdict) | {"outputs": {"in/out": "0" * 64}})
    with pytest.raises(StoreError, match="lies behind the symbolic link"):
        recorded.store.restore(hostile, recorded.root)


@pytest.mark.parametrize("path", ["../out", "/out", ".git/hooks"])
def test_an_output_elsewhere_is_refused(stage: Stage, path: str) -> None:
    """An output lies below the repository, not in git's folder."""
    with pytest.raises(StoreError, match="does not lead to a file below the repository"):
        stage.verdict("other", outputs=[path])


def make_link(path: Path) -> None:
    """Make a link out of the output."""
    path.symlink_to("../../etc/passwd")


def make_pipe(path: Path) -> None:
    """Make what is no file."""
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    """Make what is no file either."""
    socket.socket(socket.AF_UNIX).bind(os.path.relpath(path))


def make_name(path: Path) -> None:
    """Make a file that not every system can have."""
    path.with_name("a\\b").write_text("")


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the socket is left behind as a stopped server does
@pytest.mark.parametrize("make", [make_link, make_pipe, make_socket, make_name])
def test_what_cannot_be_kept_is_refused(stage: Stage, make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names it and says what to do."""
    assert callable(make)
    monkeypatch.chdir(stage.root)
    (stage.root / "out").mkdir()
    make(stage.root / "out" / "it")
    with pytest.raises(StoreError, match=r"The output .*out/.* cannot be kept\. Write plain files there"):
        stage.verdict("other", outputs=["out"])


@pytest.mark.parametrize("target", ["", ".", "deep", "deep/", "deep/..", "deep/x", "none"])
def test_an_absolute_link_within_an_output_is_kept_as_a_relative_one(stage: Stage, target: str) -> None:
    """Training loops write such ones; the content is the same in every work tree, and so is the output put back."""
    stage.write({"out/deep/x": "x"})
    (stage.root / "out/deep/link").symlink_to(f"{stage.root}/out/{target}")
    verdict = stage.record("build", outputs=["out"])
    assert stage.store.outputs(stage.root).is_in_place("out", verdict.outputs["out"])
    shutil.rmtree(stage.root / "out")
    assert restored(stage)
    link = stage.root / "out/deep/link"
    assert link.readlink() == Path(os.path.relpath(stage.root / "out" / target, stage.root / "out/deep"))
    assert not link.readlink().is_absolute()
    assert stage.store.outputs(stage.root).is_in_place("out", verdict.outputs["out"])


def test_a_link_to_an_output_by_way_of_its_own_folders_is_kept(stage: Stage, tmp_path: Path) -> None:
    """Also where the work tree is reached through another link, as `$PWD` may say."""
    stage.write({"out/deep/x": "x"})
    (tmp_path / "other").symlink_to(stage.root)
    (stage.root / "out/a").symlink_to("../out/deep/x")
    (stage.root / "out/b").symlink_to(tmp_path / "other/out/deep/x")
    rows = json.loads(manifest_of(stage.root / "out"))
    assert [row for row in rows if row[1] == "link"] == [["a", "link", "deep/x"], ["b", "link", "deep/x"]]


def test_an_absolute_link_out_of_an_output_is_called_one(stage: Stage) -> None:
    """So that nobody has to find out why a link that leads to a file cannot be kept."""
    stage.write({"out/x": "x", "beside": ""})
    for target in (stage.root / "beside", stage.root / "outer", stage.root):
        (stage.root / "out/link").unlink(missing_ok=True)
        (stage.root / "out/link").symlink_to(target)
        with pytest.raises(
            StoreError, match=f"out/link is an absolute link to {target}, which is not within the output"
        ):
            stage.verdict("other", outputs=["out"])


def test_dangling_links_and_loops_are_links_like_others(stage: Stage) -> None:
    """Nothing follows them."""
    (stage.root / "out").mkdir()
    (stage.root / "out/one").symlink_to("two")
    (stage.root / "out/two").symlink_to("one")
    (stage.root / "out/none").symlink_to("nothing")
    stage.record("build", outputs=["out"])
    before = stage.tree("out")
    shutil.rmtree(stage.root / "out")
    assert restored(stage)
    assert stage.tree("out") == before


@pytest.mark.parametrize("target", ["../x", "deep/../../x", "/etc/passwd", "deep\\x", "C:/x", ".."])
def test_a_link_out_of_an_output_is_refused(stage: Stage, target: str) -> None:
    """Absolute ones too, and those that could lead out by way of other links."""
    stage.write({"out/deep/x": ""})
    (stage.root / "out/link").symlink_to(target)
    with pytest.raises(StoreError, match="which is not within the output, so it cannot be kept"):
        stage.verdict("other", outputs=["out"])


def test_an_output_that_changes_while_it_is_recorded_is_refused(stage: Stage) -> None:
    """A verdict never names a content that was not there when the session ended."""
    stage.write({"out": "one"})
    verdict = stage.verdict("build", outputs=["out"])
    stage.write({"out": "two"})
    with pytest.raises(StoreError, match="The output out changed while it was being stored"):
        stage.store.record(verdict, stage.root)
    (stage.root / "out").unlink()
    with pytest.raises(StoreError, match="The output out changed"):
        stage.store.record(verdict, stage.root)
    assert stage.store.ls() == []


def test_the_content_does_not_depend_on_the_umask(stage: Stage) -> None:
    """Two machines that made the same files agree, whoever may read those there."""
    stage.write(FILES)
    first = stage.store.outputs(stage.root).content("out")
    (stage.root / "out/a").chmod(0o600)
    assert stage.store.outputs(stage.root).content("out") == first
    (stage.root / "out/a").chmod(0o700)
    assert stage.store.outputs(stage.root).content("out") != first


def test_an_output_that_is_not_there_has_no_content(stage: Stage) -> None:
    """Nor has one below a file."""
    stage.write({"file": ""})
    assert stage.store.outputs(stage.root).content("out") is None
    assert stage.store.outputs(stage.root).content("file/out") is None


def test_clearing_removes_an_output_whatever_it_is(recorded: Stage) -> None:
    """A session starts without what an earlier one left; clearing nothing is no error."""
    outputs = recorded.store.outputs(recorded.root)
    for path in ("out", "one.txt", "nothing"):
        outputs.clear(path)
    assert not (recorded.root / "out").exists()
    assert not (recorded.root / "one.txt").exists()


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have enough time pass that files count as settled."""
    now = time.time_ns() + 10**10
    monkeypatch.setattr(time, "time_ns", lambda: now)


def test_what_was_found_is_remembered(recorded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An output that nobody touched is not read again, by this process or the next."""
    settle(monkeypatch)
    assert restored(recorded)
    recorded.store.outputs(recorded.root).save()
    monkeypatch.setattr("headworks._store.tree.manifest_of", None)
    next_process = Outputs(str(recorded.root))
    verdict = recorded.store.last("build")
    assert verdict is not None
    assert {path: next_process.content(path) for path in verdict.outputs} == verdict.outputs
    next_process.save()


@pytest.mark.parametrize("change", ["content", "mode", "more", "less"])
def test_a_change_is_seen_in_spite_of_what_is_remembered(
    recorded: Stage, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Same size and same time of change do not hide it."""
    settle(monkeypatch)
    outputs = recorded.store.outputs(recorded.root)
    before = outputs.content("out")
    file = recorded.root / "out/a"
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    if change == "content":
        file.write_text("two")
        os.utime(file, ns=times)
    elif change == "mode":
        file.chmod(0o755)
    elif change == "more":
        (recorded.root / "out/deep/er/new").mkdir()
    else:
        (recorded.root / "out/deep/er/b").unlink()
    assert outputs.content("out") != before


def test_an_output_with_times_in_the_future_is_remembered(recorded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change would set them to now, so that it would show."""
    for path in (recorded.root / "out").rglob("*"):
        os.utime(path, (4e9, 4e9))
    settle(monkeypatch)
    outputs = recorded.store.outputs(recorded.root)
    before = outputs.content("out")
    outputs.save()
    monkeypatch.setattr("headworks._store.tree.manifest_of", None)
    assert Outputs(str(recorded.root)).content("out") == before


def test_a_young_output_is_not_remembered(recorded: Stage) -> None:
    """It could still change without its times showing it."""
    outputs = recorded.store.outputs(recorded.root)
    outputs.content("out")
    outputs.save()
    assert not (recorded.root / ".git/headworks/output-hashes").exists()


def test_where_nothing_can_be_written_nothing_is_remembered(recorded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """That costs the next process time, and is no error."""
    settle(monkeypatch)
    outputs = recorded.store.outputs(recorded.root)
    (recorded.root / ".git/headworks").mkdir(exist_ok=True)
    (recorded.root / ".git/headworks/tmp").write_text("in the way")
    assert outputs.content("out") is not None
    outputs.save()
    assert not (recorded.root / ".git/headworks/output-hashes").exists()


def test_a_strange_name_is_remembered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with a tab or a line end is written down like any other."""
    settle(monkeypatch)
    name = "a\tb\nc\N{LATIN SMALL LETTER E WITH ACUTE}"
    stage.write({name: "one"})
    outputs = Outputs(str(stage.root))
    content = outputs.content(name)
    outputs.save()
    monkeypatch.setattr("headworks._store.tree.manifest_of", None)
    assert Outputs(str(stage.root)).content(name) == content


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_damaged_memory_is_none(recorded: Stage, content: bytes) -> None:
    """What is remembered is sealed, and made anew."""
    (recorded.root / ".git/headworks").mkdir(exist_ok=True)
    (recorded.root / ".git/headworks/output-hashes").write_bytes(content)
    assert restored(recorded)


def test_leftovers_of_a_killed_process_are_removed(recorded: Stage) -> None:
    """Wherever they lie; what only begins as they do is somebody's."""
    stem = ".headworks-0123456789abcde"
    for name in (f"{stem}1", f"disk/{stem}2", f".git/headworks/tmp/{stem}3", ".headworks-notes"):
        (recorded.root / name).mkdir(parents=True)
        (recorded.root / name / "old").write_text("")
    recorded.store.outputs(recorded.root).remove_leftovers(["disk/out"])
    assert [it.name for it in recorded.root.glob("**/.headworks-*")] == [".headworks-notes"]
    assert not list((recorded.root / ".git/headworks/tmp").iterdir())


def test_a_folder_outside_git_serves_as_well(stage: Stage, tmp_path: Path) -> None:
    """Only nothing is remembered about it."""
    (tmp_path / "plain/out").mkdir(parents=True)
    (tmp_path / "plain/out/a").write_text("one")
    outputs = stage.store.outputs(tmp_path / "plain")
    verdict = stage.verdict("build")
    verdict = type(verdict)(**vars(verdict) | {"outputs": {"out": outputs.content("out")}})
    stage.store.record(verdict, tmp_path / "plain")
    outputs.clear("out")
    assert stage.store.restore(verdict, tmp_path / "plain") is not None
    assert (tmp_path / "plain/out/a").read_text() == "one"
    outputs.save()
    outputs.remove_leftovers()
    assert [it.name for it in (tmp_path / "plain").iterdir()] == ["out"]


def test_gits_folder_may_be_on_another_disk(recorded: Stage) -> None:
    """Then the parts are made beside the output, on its own disk."""
    shutil.rmtree(recorded.root / "out")
    shutil.rmtree(recorded.root / ".git")
    other = Path("/dev/shm") / f"headworks-{os.getpid()}"  # noqa: S108  # another file system, on every Linux
    other.mkdir()
    try:
        (recorded.root / ".git").write_text(f"gitdir: {other}\n")
        assert other.stat().st_dev != recorded.root.stat().st_dev
        verdict = recorded.store.last("build")
        assert verdict is not None
        assert Store(recorded.store.root).restore(verdict, recorded.root) is not None
    finally:
        shutil.rmtree(other)
    assert (recorded.root / "out/a").read_text() == "one"


def test_a_linked_work_tree_has_its_own_folder(stage: Stage, scratch: Scratch, tmp_path: Path) -> None:
    """What is noted and kept of one work tree says nothing of another."""
    scratch.commit({"a": ""})
    scratch.git("worktree", "add", str(tmp_path / "linked"))
    (tmp_path / "linked/a").write_text("changed")
    Outputs(str(tmp_path / "linked")).clear("a")
    assert (stage.root / ".git/worktrees/linked/headworks/kept/1/a").read_text() == "changed"


def test_a_file_system_that_shares_blocks_is_used(recorded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is then checked after it was made."""

    def clone(new: int, _request: int, old: int) -> None:
        os.write(new, os.pread(old, 1 << 20, 0))
        os.lseek(new, 0, os.SEEK_SET)

    shutil.rmtree(recorded.root / "out")
    monkeypatch.setattr(fcntl, "ioctl", clone)
    assert restored(recorded)
    assert (recorded.root / "out/a").read_text() == "one"


NAMES = st.text(st.sampled_from("aB. \té\udcff'\""), min_size=1, max_size=5).filter(lambda it: it not in {".", ".."})
TREES = st.recursive(st.binary(max_size=20), lambda child: st.dictionaries(NAMES, child, max_size=4), max_leaves=8)


def plant(tree: object, path: Path) -> None:
    """Write a tree of files."""
    if isinstance(tree, dict):
        path.mkdir(parents=True)
        for name, child in tree.items():
            plant(child, path / name)
    else:
        assert isinstance(tree, bytes)
        path.write_bytes(tree)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=TREES, new=TREES)
def test_any_tree_comes_back(stage: Stage, old: object, new: object) -> None:
    """Whatever an output holds is restored over whatever is there, and equal content means an equal tree."""
    outputs = stage.store.outputs(stage.root)
    plant(old, stage.root / "out")
    expected = stage.tree("out")
    verdict = stage.record("build", outputs=["out"])
    outputs.clear("out")
    plant(new, stage.root / "out")
    assert (outputs.content("out") == verdict.outputs["out"]) == (stage.tree("out") == expected)
    assert stage.store.restore(verdict, stage.root) is not None
    assert stage.tree("out") == expected
    outputs.clear("out")
    shutil.rmtree(stage.root / ".git/headworks/kept", ignore_errors=True)


HASH = "0" * 64
FOLDER = ["", "folder", ""]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        {},
        [3],
        [["", "file", "short"]],
        [["", "folder"]],
        [["", "folder", "x"]],
        [["", "device", HASH]],
        [["", "link", "x"]],
        [["", 3, HASH]],
        [["a", "file", HASH]],
        [FOLDER, FOLDER],
        [FOLDER, ["../a", "file", HASH]],
        [FOLDER, ["/a", "file", HASH]],
        [FOLDER, ["a/b", "file", HASH]],
        [FOLDER, ["a", "file", HASH], ["a", "file", HASH]],
        [FOLDER, ["a", "link", "b"], ["a/c", "file", HASH]],
        [FOLDER, ["a", "link", "../b"]],
        [FOLDER, ["a", "link", "/b"]],
        [FOLDER, ["a", "link", 3]],
        [["", "file", HASH], ["a", "file", HASH]],
    ],
)
def test_a_hostile_manifest_is_refused(rows: object) -> None:
    """Only plain files below the output are ever written, and never through a link."""
    assert read_manifest(json.dumps(rows).encode()) is None


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"[" * 99_999])
def test_a_manifest_of_another_form_is_refused(data: bytes) -> None:
    """A blob that is no manifest is a miss, not an error."""
    assert read_manifest(data) is None


def test_a_manifest_is_read_as_written(recorded: Stage) -> None:
    """What an output was found to hold is what is made of it."""
    rows = read_manifest(manifest_of(recorded.root / "out"))
    assert rows is not None
    assert [(name, kind) for name, kind, _ in rows] == [
        ("", "folder"),
        ("a", "file"),
        ("c d", "file"),
        ("deep", "folder"),
        ("deep/er", "folder"),
        ("deep/er/b", "file"),
        ("deep/up", "link"),
        ("empty", "folder"),
        ("link", "link"),
        ("run", "program"),
    ]


def test_a_blob_that_is_too_large_for_a_manifest_is_a_miss(recorded: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict that names a data file as a manifest restores nothing, and the blob stays."""
    monkeypatch.setattr("headworks._store.outputs.MANIFEST_LIMIT", 10)
    shutil.rmtree(recorded.root / "out")
    blobs = recorded.blobs()
    assert not restored(recorded)
    assert recorded.blobs() == blobs
