"""A witness is the lines of what a session read; it holds in a tree where every line is still true."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._observe.places import Places
from headworks._observe.reads import Reads
from headworks._observe.watch import StraceWatch
from headworks._observe.witness import Tree, make_witness
from headworks._run.watchdog import remaining
from headworks._store.witness import Line, Witness, Witnesses
from headworks._tree.git import Repository
from headworks._tree.snapshot import WorkTreeSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from conftest import Scratch

FILES = {
    ".gitignore": "ignored\nbuild\n*.pyc\n",
    "a.txt": "a",
    "src/one.py": "1",
    "src/two.py": "2",
    "src/deep/three.py": "3",
    "tool": "#!/bin/sh\n",
}


@pytest.fixture
def demo(scratch: Scratch) -> Scratch:
    """Return a repository with files, also such as git ignores, and a link."""
    scratch.write(FILES)
    (scratch.root / "tool").chmod(0o755)
    (scratch.root / "link").symlink_to("src")
    scratch.commit()
    scratch.git("branch", "other")
    scratch.write({"ignored/raw.csv": "raw", "ignored/sub/x": ""})
    return scratch


def tree(scratch: Scratch) -> Tree:
    """Return the work tree as it is now."""
    return Tree(WorkTreeSnapshot(Repository(str(scratch.root))))


def sure(made: tuple[Witness, str]) -> Witness:
    """Return a witness that nothing speaks against."""
    witness, doubt = made
    assert doubt == ""
    return witness


def watched(scratch: Scratch, script: str, folder: Path) -> tuple[Witness, str]:
    """Return the witness of a shell script, and what speaks against it."""
    time.sleep(0.02)  # files that are any younger may have been written to after the start
    watch, since, before = StraceWatch(folder), time.time(), tree(scratch)
    process = subprocess.Popen(watch.wrap(["sh", "-ec", script]), start_new_session=True, cwd=scratch.root)
    assert process.wait() == 0
    while remaining(process.pid):  # strace, which ends last
        time.sleep(0.001)
    snapshot = WorkTreeSnapshot(Repository(str(scratch.root)))
    reads = watch.reads(Places.of(snapshot, os.environ), str(scratch.root))
    return make_witness(reads, before, Tree(snapshot), since=since)


def observed(scratch: Scratch, script: str, folder: Path) -> Witness:
    """Return the witness of a shell script that nothing speaks against."""
    return sure(watched(scratch, script, folder))


def difference(scratch: Scratch, witness: Witness) -> str:
    """Return the first thing in the work tree that is not as a witness says; empty if it holds."""
    return next(tree(scratch).differences(witness), "")


def kinds(witness: Witness) -> set[tuple[str, str]]:
    """Return the kind and the path of each line."""
    return {(it.kind, it.path) for it in witness.lines}


SCRIPT = """
cat a.txt link/one.py ignored/raw.csv > /dev/null
./tool
test -e src/deep
test ! -e none/x/y
ls src ignored
mkdir -p build/made
echo x > build/made/x
echo y > ignored/own
git ls-files
git describe --all
git log -1 other > /dev/null
"""


def test_a_run_has_a_line_for_each_thing_that_it_read(demo: Scratch, tmp_path: Path) -> None:
    """A missing name counts with its first missing folder, a folder only where nothing in it says that it is there."""
    witness = observed(demo, SCRIPT, tmp_path)
    expected = {
        *[("file", it) for it in ("a.txt", "src/one.py", "ignored/raw.csv")],
        *[("exec", "tool"), ("link", "link"), ("folder", "src/deep"), ("missing", "none")],
        *[("names", "src"), ("entries", "ignored//own"), ("made", "build")],
        *[("index", ""), ("history", ""), ("refs", "refs/heads"), ("refs", "refs/heads/other")],
    }
    assert expected <= kinds(witness)
    assert not {
        ("refs", "refs/heads/main"),
        ("folder", "src"),
        ("file", "src/two.py"),
        ("made", "ignored/own"),
        ("link", "src"),
    } & kinds(witness)
    assert difference(demo, witness) == ""
    assert witness.digest == Witness.of(reversed(witness.lines)).digest


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda it: it.write({"src/two.py": "changed"}), ""),
        (
            lambda it: it.write({"ignored/own": "other", "ignored/x.pyc": "", "src/x.pyc": ""}),
            "ignored has other names",
        ),
        (lambda it: it.write({"ignored/own": "other", "src/x.pyc": ""}), ""),
        (lambda it: it.write({"ignored/new.csv": ""}), "ignored has other names in it"),
        (lambda it: it.write({"ignored/raw.csv": "other"}), "ignored/raw.csv changed"),
        (lambda it: it.write({"a.txt": "a\r"}), "a.txt changed"),
        (lambda it: (it.root / "a.txt").chmod(0o755), "a.txt changed"),
        (lambda it: (it.root / "a.txt").unlink(), "a.txt is gone"),
        (lambda it: it.write({"none": ""}), "none is new"),
        (lambda it: it.write({"src/new.py": ""}), "src has other names in it"),
        (lambda it: it.git("add", "--force", "build/made/x"), "git's index has changed"),
        (lambda it: it.git("commit", "--allow-empty", "--message=x"), "HEAD or a tag has moved"),
        (lambda it: it.git("tag", "x"), "HEAD or a tag has moved"),
        (lambda it: it.git("branch", "x"), "git's refs/heads changed"),
    ],
)
def test_a_witness_holds_until_something_in_it_changes(
    demo: Scratch, tmp_path: Path, change: Callable[[Scratch], object], expected: str
) -> None:
    """And says which thing that is."""
    witness = observed(demo, SCRIPT, tmp_path)
    change(demo)
    found = difference(demo, witness)
    assert found.startswith(expected) if expected else not found, found


def test_a_folder_of_a_repository_inside_is_listed_by_its_own_names(demo: Scratch, tmp_path: Path) -> None:
    """Git lists the submodule as one thing."""
    (demo.root / "inner").mkdir()
    demo.git("init", "--quiet", "inner")
    demo.write({"inner/a": "", "inner/deep/b": ""})
    witness = observed(demo, "ls inner inner/deep", tmp_path)
    assert {("entries", "inner"), ("entries", "inner/deep")} <= kinds(witness)
    assert difference(demo, witness) == ""
    demo.write({"inner/new": ""})
    assert difference(demo, witness) == "inner has other names in it"


def test_a_place_that_the_session_makes_has_to_be_free_in_git(demo: Scratch, tmp_path: Path) -> None:
    """It would find something else there, while what it left there itself is ignored."""
    witness = observed(demo, "test ! -e build/x; mkdir build; echo x > build/x", tmp_path)
    assert ("made", "build") in kinds(witness)
    assert difference(demo, witness) == ""
    demo.git("add", "--force", "build/x")
    assert difference(demo, witness) == "git lists build now, which the session makes"


def test_contents_are_bytes_and_not_what_git_makes_of_them(demo: Scratch, tmp_path: Path) -> None:
    """Line ends that git evens out, or a pointer in place of data, are other contents for the session."""
    demo.commit({".gitattributes": "*.txt text=auto\n", "b.txt": "one\ntwo\n"})
    witness = observed(demo, "cat b.txt", tmp_path)
    demo.write({"b.txt": "one\r\ntwo\r\n"})
    assert demo.git("diff", "--stat") == ""
    assert difference(demo, witness) == "b.txt changed"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("cat ignored/raw.csv; echo x > ignored/raw.csv", "it wrote to ignored/raw.csv after it had read it"),
        ("cat ignored/raw.csv; rm ignored/raw.csv", "it wrote to ignored/raw.csv after it had read it"),
        ("echo x >> ignored/log; cat ignored/log", "ignored/log was written to while it ran"),
        ("test -e src/two.py; rm src/two.py", "it wrote to src/two.py after it had read it"),
        ("mv ignored/sub ignored/other", "it moved ignored/sub, which it had not made"),
        ("mkfifo ignored/f; : <> ignored/f; exec sh -c 'test -e ignored/sub'", ""),
    ],
)
def test_no_witness_is_made_of_what_cannot_be_told(demo: Scratch, tmp_path: Path, script: str, reason: str) -> None:
    """The session changed what it had read, or took something for its own that it had not made."""
    assert watched(demo, script, tmp_path)[1] == reason


def test_files_of_an_earlier_run_that_are_only_cleared_do_not_count(demo: Scratch, tmp_path: Path) -> None:
    """A session that looks whether they are there, and removes them, does the same where there are none."""
    witness = observed(demo, "test -e ignored/sub; ls ignored/sub; rm -r ignored/sub; mkdir ignored/sub", tmp_path)
    assert not [it for it in witness.lines if it.path.startswith("ignored/sub")]


def doubted(scratch: Scratch, **reads: set[str]) -> str:
    """Return why no witness can be made of some reads."""
    found = Reads(**{name: {str(scratch.root / it) for it in paths} for name, paths in reads.items()})  # type: ignore[arg-type]
    return make_witness(found, tree(scratch), tree(scratch), since=time.time() + 60)[1]


def test_what_others_change_while_a_session_runs_is_told(demo: Scratch) -> None:
    """Then nobody knows what it has seen."""
    os.mkfifo(demo.root / "ignored/fifo")
    assert doubted(demo, opened={"gone"}) == "gone was there while it ran, and is gone"
    assert doubted(demo, opened={"ignored/fifo"}) == "ignored/fifo was there while it ran, and is no file"
    assert doubted(demo, sought={"a.txt"}) == "a.txt was missing while it ran, and is there now"
    assert doubted(demo, listed={"gone"}) == "gone was there while it ran, and is gone"
    assert make_witness(Reads(unseen="a reason"), tree(demo), tree(demo), since=0.0)[1] == "a reason"


@pytest.mark.parametrize(
    ("reads", "change", "reason"),
    [
        ({"listed": {"src"}}, lambda it: it.write({"src/new.py": ""}), "src has other names in it while it ran"),
        ({"index": True}, lambda it: it.git("rm", "--cached", "a.txt"), "git's index has changed while it ran"),
        ({"history": {"git log"}}, lambda it: it.git("tag", "x"), "HEAD or a tag has moved while it ran"),
    ],
)
def test_what_git_knows_has_to_be_the_same_before_and_after(
    demo: Scratch, reads: dict[str, Any], change: Callable[[Scratch], object], reason: str
) -> None:
    """Nobody knows which of the two the session has seen."""
    before = tree(demo)
    before.note_git()
    before.line("names", "src")
    change(demo)
    found = Reads(listed={str(demo.root / it) for it in reads.get("listed", ())})
    found.index, found.history = "index" in reads, reads.get("history", set())
    assert make_witness(found, before, tree(demo), since=time.time() + 60)[1] == reason


def test_files_of_gits_own_are_the_same_in_every_work_tree(demo: Scratch, tmp_path: Path) -> None:
    """Settings and rules are shared, and what a merge leaves behind is not; nobody may write to them meanwhile."""
    places = {str(demo.root / ".git" / it) for it in ("info/exclude", "MERGE_HEAD", "config")}
    demo.write({".git/info/exclude": "x"})
    reads, now = Reads(git={*places, str(tmp_path / "r/.git/HEAD")}), tree(demo)
    witness = sure(make_witness(reads, now, now, since=time.time() + 60))
    expected = {("file", ".git/info/exclude"), ("missing", ".git/MERGE_HEAD"), ("file", ".git/config")}
    assert kinds(witness) == {*expected, ("missing", f"{tmp_path}/r/.git/HEAD")}
    demo.git("worktree", "add", "--quiet", "../linked", "other")
    linked = Tree(WorkTreeSnapshot(Repository(str(demo.root.parent / "linked"))))
    assert next(linked.differences(witness), "") == ""
    demo.write({".git/MERGE_HEAD": "x"})
    assert difference(demo, witness) == ".git/MERGE_HEAD is new"
    assert next(linked.differences(witness), "") == ""
    assert make_witness(reads, now, tree(demo), since=0.0)[1] == ".git/MERGE_HEAD was written to while it ran"


def test_files_outside_the_repository_count_by_content(demo: Scratch, tmp_path: Path) -> None:
    """They were seen to be read, whoever keeps them; folders there count by names."""
    (tmp_path / "far").mkdir()
    (tmp_path / "far/raw.csv").write_text("raw")
    outside = {str(tmp_path / "far"), str(tmp_path / "far/raw.csv")}
    witness = sure(make_witness(Reads(outside=outside), tree(demo), tree(demo), since=time.time() + 60))
    assert kinds(witness) == {("entries", str(tmp_path / "far")), ("file", str(tmp_path / "far/raw.csv"))}
    assert difference(demo, witness) == ""
    (tmp_path / "far/raw.csv").write_text("new")
    assert difference(demo, witness) == f"{tmp_path}/far/raw.csv changed"


def test_what_installed_without_a_lock_counts_for_some_days(demo: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index has newer releases then, which a lock would keep out."""
    places = {str(demo.root / "uv.lock")}
    demo.write({"uv.lock": ""})

    def made(opened: set[str]) -> Witness:
        reads = Reads(installs=True, opened=opened)
        return sure(make_witness(reads, tree(demo), tree(demo), since=time.time() + 60, max_age=3))

    assert not [it for it in made(places).lines if it.kind == "until"]
    network = sure(make_witness(Reads(network=True), tree(demo), tree(demo), since=time.time() + 60, max_age=3))
    assert [it.kind for it in network.lines] == ["until"]
    witness = made(set())
    today = dt.datetime.now(dt.UTC).date()
    assert witness.lines == (Line("until", str(today + dt.timedelta(days=3)), ""),)
    assert difference(demo, witness) == ""

    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time() + 3 * 86_400, tz)

    monkeypatch.setattr("headworks._observe.witness.dt.datetime", Later)
    assert difference(demo, witness).startswith("it asked the network, or installed packages without a lock, which")


def test_a_large_ignored_file_is_read_once(demo: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stamp tells that it is the same, once it is old enough to show any change."""
    for module in ("_observe.witness", "_tree.byte_ids"):
        monkeypatch.setattr(f"headworks.{module}.LARGE", 3)
    snapshot, place = WorkTreeSnapshot(Repository(str(demo.root))), demo.root / "ignored/raw.csv"
    value = Tree(snapshot).line("file", "ignored/raw.csv").value
    assert value == demo.git("hash-object", "--no-filters", "ignored/raw.csv")
    monkeypatch.setattr("headworks._tree.byte_ids.are_settled", lambda _times, _now: True)
    assert Tree(snapshot).line("file", "ignored/raw.csv").value == value
    with monkeypatch.context() as patch:
        patch.setattr(Repository, "hashes", lambda _repository, paths, _like: dict.fromkeys(paths, b"asked"))
        assert Tree(snapshot).line("file", "ignored/raw.csv").value == value
    place.write_text("new")
    assert Tree(snapshot).line("file", "ignored/raw.csv").value != value


def test_a_repository_of_sha_256_has_such_ids_everywhere(tmp_path: Path) -> None:
    """Those of the listing and those of bytes are the same."""
    repository = tmp_path / "r"
    for command in (["init", "--quiet", "--object-format=sha256", "r"], ["-C", "r", "add", "."]):
        subprocess.run(["git", *command], check=True, cwd=tmp_path)
        (repository / "a.txt").write_text("a")
    listed = Tree(WorkTreeSnapshot(Repository(str(repository)))).line("file", "a.txt")
    (repository / ".gitattributes").write_text("* text=auto\n")
    assert Tree(WorkTreeSnapshot(Repository(str(repository)))).line("file", "a.txt") == listed


def test_files_with_finer_digests_count_only_for_others_than_nox_and_uv(demo: Scratch) -> None:
    """Their parts are in the digest already."""
    place = str(demo.root / "a.txt")
    now, since = tree(demo), time.time() + 60
    assert sure(make_witness(Reads(opened={place}), now, now, since=since, finer={"a.txt"})).lines == ()
    assert (
        len(sure(make_witness(Reads(opened={place}, by_others={place}), now, now, since=since, finer={"a.txt"})).lines)
        == 1
    )


def test_a_folder_that_was_listed_and_is_gone_does_not_hold(demo: Scratch) -> None:
    """Git ignores it, so that only the disk can tell."""
    witness = Witness((tree(demo).line("entries", "ignored"),))
    for name in ("raw.csv", "sub/x"):
        (demo.root / "ignored" / name).unlink()
    (demo.root / "ignored/sub").rmdir()
    (demo.root / "ignored").rmdir()
    assert difference(demo, witness) == "ignored has other names in it"


def test_a_linked_work_tree_has_two_folders_of_git(demo: Scratch, tmp_path: Path) -> None:
    """Its own, with HEAD and index, and the one that it shares."""
    demo.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    snapshot = WorkTreeSnapshot(Repository(str(tmp_path / "linked")))
    places = Places.of(snapshot, os.environ)
    git = demo.root / ".git"
    parts = [
        places.git_part(str(git / it)) for it in ("worktrees/linked/index", "worktrees/linked/HEAD", "refs/tags/x")
    ]
    assert parts == ["index", "history", "history"]
    assert places.kind(str(git / "refs/tags/x")) == "git"
    assert places.ref(str(git / "refs/heads/x")) == "refs/heads/x"


PATHS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=8)
LINES = st.builds(Line, st.sampled_from(["file", "missing", "names"]), st.sampled_from(["-", "ab", "cd"]), PATHS)
TABLES = st.dictionaries(st.sampled_from(["one", "two", "three"]), st.lists(LINES, max_size=5).map(Witness.of))


@given(TABLES, st.sets(LINES, max_size=3))
def test_many_witnesses_are_one_table(witnesses: dict[str, Witness], wrong: set[Line]) -> None:
    """They come back as they were, and each is held against a tree line by line."""
    wrong |= {it.lines[0] for name, it in witnesses.items() if name == "two" and it.lines}
    first = Witnesses.of(witnesses)
    table = Witnesses(first.lines, first.numbers)
    assert {name: table[name] for name in table} == witnesses
    asked: list[Line] = []

    def is_same(line: Line) -> bool:
        asked.append(line)
        return line not in wrong

    right = {name for name, it in witnesses.items() if not wrong.intersection(it.lines)}
    assert table.holding({"none", *witnesses}, is_same) == right
    assert table.holding({"two"}, is_same) == right & {"two"}
    asked.clear()
    table.holding(witnesses, is_same)
    assert len(asked) == len(set(asked))


def test_a_line_that_is_none_is_an_error() -> None:
    """A table without a line has no witness."""
    assert list(Witnesses()) == []
    with pytest.raises(ValueError, match="unpack"):
        Line.decode(b"file -")
