"""The store gives back what was recorded, and nothing that could be doubted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._store.place import private_folder
from headworks._store.store import Store, default_folder
from headworks.errors import StoreError

if TYPE_CHECKING:
    from conftest import Scratch, Stage

MISSING = "0" * 64


def reopened(stage: Stage) -> Store:
    """Return the same store as another process sees it."""
    return Store(stage.store.root)


def test_a_recorded_pass_is_found(stage: Stage) -> None:
    """One by one and many at once, by this process and by another."""
    verdict = stage.record("lint")
    for store in (stage.store, reopened(stage)):
        assert store.verdict(verdict.digest) == verdict
        assert store.verdicts([verdict.digest, MISSING]) == {verdict.digest: verdict}
        assert store.verdict(MISSING) is None


def test_many_are_found_at_once(stage: Stage) -> None:
    """Every verdict of many comes back under its digest, with all its fields."""
    verdicts = {it.digest: it for it in (stage.record(f"tests-{number}", seconds=number) for number in range(50))}
    assert reopened(stage).verdicts(verdicts) == verdicts


def test_a_name_may_hold_any_character(stage: Stage) -> None:
    """Parameters of sessions are written as people write them."""
    names = ["tests(a='x y')", "tests(a='\\t')", "tests(a='\t\n')", "tests(ä)", "tests(\udc80)"]
    verdicts = {it.digest: it for it in (stage.record(name, digest=f"{i}" * 64) for i, name in enumerate(names))}
    assert reopened(stage).verdicts(verdicts) == verdicts
    assert [reopened(stage).last(name).session for name in names] == names  # type: ignore[union-attr]  # they are there


def test_an_empty_store_knows_nothing(stage: Stage) -> None:
    """A store need not exist to be asked, and asking makes none."""
    assert stage.store.verdict(MISSING) is None
    assert stage.store.verdicts([MISSING]) == {}
    assert stage.store.last("lint") is None
    assert stage.store.seconds("lint") is None
    assert stage.store.ls() == stage.store.flaky() == []
    assert not Path(stage.store.root).exists()


def test_a_failure_is_recorded_and_never_reused(stage: Stage) -> None:
    """It is listed, and the digest stays without a verdict."""
    verdict = stage.record("lint", passed=False)
    assert stage.store.verdict(verdict.digest) is None
    assert stage.store.verdicts([verdict.digest]) == {}
    assert stage.store.ls() == [verdict]
    assert stage.store.last("lint") is None


@pytest.mark.parametrize("first", [True, False])
def test_a_digest_with_both_outcomes_is_flaky(stage: Stage, *, first: bool) -> None:
    """Whichever came first, it is listed as flaky and not reused, even if the failure's record is damaged."""
    digest = stage.record("lint", passed=first).digest
    stage.record("lint", passed=not first)
    Path(stage.store.root, "failed", digest).write_text("damaged")
    for store in (stage.store, reopened(stage)):
        assert store.verdict(digest) is None
        assert store.verdicts([digest]) == {}
        assert [it.session for it in store.flaky()] == ["lint"]


def test_the_last_pass_is_the_one_recorded_last(stage: Stage) -> None:
    """Even where the clock went backward in between."""
    stage.record("lint", digest="1" * 64, seconds=1, finished="2026-02-01T00:00:00+00:00")
    last = stage.record("lint", digest="2" * 64, seconds=2, finished="2026-01-01T00:00:00+00:00")
    assert reopened(stage).last("lint") == last
    assert reopened(stage).seconds("lint") == 2


def test_the_history_of_ones_own_repository_comes_first(stage: Stage, tmp_path: Path) -> None:
    """Sessions of other repositories have the same names; they only serve where there is nothing better."""
    stage.record("lint", seconds=1)
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    stage.store.record(stage.verdict("lint", digest="2" * 64, seconds=2), other)
    assert Store(stage.store.root, repository=stage.root).seconds("lint") == 1
    assert Store(stage.store.root, repository=other).seconds("lint") == 2
    assert Store(stage.store.root, repository=tmp_path).seconds("lint") == 2


def test_linked_work_trees_share_their_history(stage: Stage, scratch: Scratch, tmp_path: Path) -> None:
    """They are one repository."""
    scratch.commit({"a": ""})
    scratch.git("worktree", "add", str(tmp_path / "linked"))
    stage.store.record(stage.verdict("lint", digest="2" * 64, seconds=2), tmp_path)
    stage.store.record(stage.verdict("lint", seconds=1), tmp_path / "linked")
    stage.store.record(stage.verdict("lint", digest="3" * 64, seconds=3), tmp_path)
    assert Store(stage.store.root, repository=stage.root).seconds("lint") == 1


def test_projects_in_one_repository_have_their_own_history(stage: Stage) -> None:
    """A project may be a folder of a larger repository."""
    projects = [stage.root / "projects" / name for name in "ab"]
    for number, project in enumerate(projects):
        project.mkdir(parents=True)
        stage.store.record(stage.verdict("lint", digest=f"{number}" * 64, seconds=number), project)
    assert [Store(stage.store.root, repository=it).seconds("lint") for it in projects] == [0, 1]
    assert private_folder(str(projects[0])) == str(stage.root / ".git/headworks/projects%2Fa")


def test_outside_git_there_is_no_folder_for_notes() -> None:
    """Not even above."""
    assert private_folder("/") is None


def test_a_lost_index_is_made_anew(stage: Stage) -> None:
    """Nothing depends on it: verdicts, their components and the history are read from the records."""
    verdicts = {it.digest: it for it in (stage.record(name) for name in "abc")}
    Path(stage.store.root, "index").unlink()
    assert reopened(stage).last("b") == verdicts[stage.verdict("b").digest]
    assert reopened(stage).verdicts(verdicts) == verdicts


def test_a_verdict_that_the_index_lacks_is_looked_for(stage: Stage) -> None:
    """A process may have been killed between the record and the index, which then learns of it."""
    stage.record("a")
    index = Path(stage.store.root, "index").read_bytes()
    verdict = stage.record("b")
    Path(stage.store.root, "index").write_bytes(index)
    assert reopened(stage).verdicts([verdict.digest]) == {verdict.digest: verdict}
    assert reopened(stage).last("b") == verdict


@pytest.mark.parametrize("place", range(0, 200, 9))
def test_a_damaged_index_is_made_anew(stage: Stage, place: int) -> None:
    """Wherever a bit of it is wrong, what it says comes from the records again."""
    verdicts = {it.digest: it for it in (stage.record(name) for name in "abc")}
    path = Path(stage.store.root, "index")
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    assert reopened(stage).verdicts(verdicts) == verdicts


def test_an_index_cut_short_goes_on(stage: Stage) -> None:
    """What is appended after a line that a kill cut short is not mixed with it."""
    verdicts = {it.digest: it for it in (stage.record(name) for name in "ab")}
    path = Path(stage.store.root, "index")
    path.write_bytes(path.read_bytes()[:-20])
    verdict = stage.record("c")
    verdicts[verdict.digest] = verdict
    assert reopened(stage).verdicts(verdicts) == verdicts


def test_a_damaged_record_is_a_miss(stage: Stage) -> None:
    """The index may remember that it passed; the record itself says nothing any more."""
    digest = stage.record("lint").digest
    path = Path(stage.store.root, "passed", digest[:2], digest[2:])
    path.write_bytes(path.read_bytes()[:-1])
    assert reopened(stage).verdict(digest) is None
    assert dict(reopened(stage).verdicts([digest])[digest].components) == {}
    Path(stage.store.root, "index").unlink()
    assert reopened(stage).verdicts([digest]) == {}


def test_components_are_read_when_looked_at(stage: Stage) -> None:
    """A verdict found among many gives the same components as one read alone."""
    digest = stage.record("lint", components={"b": "2", "a": "1"}).digest
    components = reopened(stage).verdicts([digest])[digest].components
    assert (components["a"], len(components), sorted(components)) == ("1", 2, ["a", "b"])


def test_strange_names_in_a_store_are_passed_over(stage: Stage) -> None:
    """Files that are no records do no harm."""
    verdict = stage.record("lint")
    for name in ("passed/x", "passed/ab/.nfs0001", "failed/x"):
        path = Path(stage.store.root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert reopened(stage).ls() == [verdict]


def test_a_store_that_cannot_be_read_is_a_miss(stage: Stage) -> None:
    """A file stands where the folder should be: nothing is found, and nothing breaks."""
    Path(stage.store.root).write_text("")
    assert stage.store.verdict(MISSING) is None
    assert stage.store.verdicts([MISSING]) == {}
    assert stage.store.last("lint") is None


def test_failures_that_cannot_be_listed_leave_nothing_to_rely_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without knowing what failed, no pass is believed."""
    digest = stage.record("lint").digest

    def deny(path: object) -> list[str]:
        raise PermissionError(path)

    monkeypatch.setattr(os, "listdir", deny)
    assert stage.store.verdicts([digest]) == {}


def test_a_store_that_cannot_be_written_says_so(stage: Stage) -> None:
    """The message names the store, the reason and what to do."""
    Path(stage.store.root).write_text("")
    with pytest.raises(StoreError, match=r"verdict of lint .*/store: (File exists|Not a directory)\. Free"):
        stage.record("lint")


def test_an_index_that_cannot_be_written_does_no_harm(stage: Stage) -> None:
    """It is left out where a folder stands in its way: the records alone serve."""
    verdict = stage.record("lint")
    Path(stage.store.root, "index").unlink()
    Path(stage.store.root, "index").mkdir()
    assert reopened(stage).verdicts([verdict.digest]) == {verdict.digest: verdict}
    assert reopened(stage).last("lint") == verdict
    Path(stage.store.root, "passed", verdict.digest[:2]).rename(Path(stage.store.root, "passed", "zz"))
    assert reopened(stage).last("lint") is None


def test_what_a_store_remembers_of_uses_is_not_needed(stage: Stage) -> None:
    """Where it cannot be written down, it is not."""
    stage.store.mark_used([MISSING])
    assert len(list(Path(stage.store.root, "used").iterdir())) == 1
    other = Store(Path(stage.store.root, "index"))
    Path(stage.store.root, "index").write_text("")
    other.mark_used([MISSING])
    assert Path(other.root).read_text() == ""


def test_the_default_store_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HEADWORKS_STORE counts, and a relative one from where the process is."""
    monkeypatch.setenv("HEADWORKS_STORE", "here")
    monkeypatch.chdir(tmp_path)
    assert Store.default().root == str(tmp_path / "here")
    assert Store.default().problems == []


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache/headworks"),
        ("linux", {"HOME": "/home/me", "XDG_CACHE_HOME": "/caches"}, "/caches/headworks"),
        ("linux", {"HOME": "/home/me", "XDG_CACHE_HOME": "caches"}, "/home/me/.cache/headworks"),
        ("linux", {"HOME": "/home/me", "HEADWORKS_STORE": "/store"}, "/store"),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Caches/headworks"),
        ("win32", {"HOME": "C:", "LOCALAPPDATA": "D:"}, "D:/headworks/cache"),
        ("win32", {"HOME": "C:"}, "C:/AppData/Local/headworks/cache"),
        ("linux", {}, str(Path("~").expanduser() / ".cache/headworks")),
    ],
)
def test_the_default_folder_is_the_platforms(platform: str, environ: dict[str, str], folder: str) -> None:
    """Caches lie where people and their backups expect them."""
    assert default_folder(environ, platform) == folder
