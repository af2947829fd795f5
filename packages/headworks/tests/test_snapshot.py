"""A snapshot sees what a session would see, whatever git was told."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from headworks._quick.answers import are_settled
from headworks._quick.memory import Memory
from headworks._tree.byte_ids import LARGE
from headworks._tree.git import Repository
from headworks._tree.snapshot import CommitSnapshot, WorkTreeSnapshot
from headworks.errors import CannotDecideError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from conftest import Scratch


def now(scratch: Scratch) -> WorkTreeSnapshot:
    """Look at the work tree."""
    return WorkTreeSnapshot(Repository(str(scratch.root)))


def at(scratch: Scratch, commit: str = "HEAD") -> CommitSnapshot:
    """Look at a commit."""
    return CommitSnapshot(Repository(str(scratch.root)), commit)


def changed(scratch: Scratch) -> list[bytes]:
    """Return the paths that differ between the work tree and the last commit."""
    records = set(now(scratch).listing.records()) ^ set(at(scratch).listing.records())
    return sorted({path for _, _, path in records})


def test_an_untouched_work_tree_is_its_commit(scratch: Scratch) -> None:
    """Both give the same listing, byte for byte."""
    scratch.commit({"a/x.py": "x", "a.py": "y", "a-b/z": "z", b"caf\xe9".decode(errors="surrogateescape"): "latin-1"})
    (scratch.root / "a.py").chmod(0o755)
    scratch.commit()
    assert now(scratch).listing.raw == at(scratch).listing.raw
    assert len(now(scratch).listing.paths()) == 4


def test_every_kind_of_change_is_seen(scratch: Scratch) -> None:
    """Modified, staged, deleted, renamed, new, executable: each path that differs, and no other."""
    names = ["modified", "staged", "deleted", "removed", "renamed", "executable", "touched", "same"]
    scratch.commit({".gitignore": "ignored\n"} | {name: name for name in names})
    scratch.write({"modified": "new", "staged": "new", "ignored": "x", "new/untracked": "x", "added": "x"})
    (scratch.root / "deleted").unlink()
    scratch.git("rm", "--quiet", "removed")
    scratch.git("mv", "renamed", "to")
    scratch.git("add", "staged", "added")
    (scratch.root / "executable").chmod(0o755)
    os.utime(scratch.root / "touched", (1, 1))
    expected = "added deleted executable modified new/untracked removed renamed staged to"
    assert changed(scratch) == [name.encode() for name in expected.split()]


def test_a_change_is_the_same_before_and_after_its_commit(scratch: Scratch) -> None:
    """What was seen untracked, modified and executable is what the commit then holds."""
    scratch.commit({"a": "a", "b": "b"})
    scratch.write({"a": "new", "new\nline": "x", 'q"uote': "x", "tab\there": "x"})
    (scratch.root / "b").chmod(0o755)
    (scratch.root / "link").symlink_to("a")
    before = now(scratch).listing.raw
    scratch.commit()
    assert before == at(scratch).listing.raw == now(scratch).listing.raw


def differing(scratch: Scratch) -> list[bytes]:
    """Return the paths that differ between the work tree and the last commit, given what git filters now."""
    snapshot = now(scratch)
    records = set(snapshot.listing.records()) ^ set(
        CommitSnapshot(snapshot.repository, "HEAD", snapshot).listing.records()
    )
    return sorted({path for _, _, path in records})


@pytest.mark.parametrize("where", ["folder", "ignored", "info", "setting", "user"])
def test_line_ends_that_git_evens_out_count(scratch: Scratch, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell script with others does not run, also where git has seen it and reports no change."""
    scratch.commit({"a.txt": "one\ntwo\n", "b.txt": "b\n"})
    if where == "folder":
        scratch.commit({"sub/.gitattributes": "* text=auto\n", ".gitattributes": "*.txt text=auto\n"})
    elif where == "ignored":
        scratch.write({".gitattributes": "*.txt text=auto\n", ".git/info/exclude": ".gitattributes\n"})
    elif where == "info":
        scratch.write({".git/info/attributes": "*.txt text\n"})
    elif where == "user":
        scratch.write({".git/home/git/attributes": "*.txt text=auto\n"})
        monkeypatch.setenv("XDG_CONFIG_HOME", str(scratch.root / ".git/home"))
    else:
        scratch.git("config", "core.autocrlf", "input")
    assert changed(scratch) == differing(scratch) == []
    scratch.write({"a.txt": "one\r\ntwo\r\n"})
    assert changed(scratch) == differing(scratch) == [b"a.txt"]
    scratch.git("add", "a.txt")
    assert scratch.git("status", "--porcelain") == ""
    assert changed(scratch) == [b"a.txt"]


@pytest.fixture
def pointers(scratch: Scratch) -> Scratch:
    """A repository where git stores a pointer in place of data, as with LFS; the work tree has the data."""
    clean = scratch.root / ".git/clean"
    clean.write_text(
        '#!/bin/sh\nd=$(cat)\ncase "$d" in pointer*) echo "$d";; *) echo "pointer $(echo "$d" | cksum)";; esac\n'
    )
    clean.chmod(0o755)
    scratch.git("config", "filter.pointer.clean", str(clean))
    scratch.commit({".gitattributes": "*.csv filter=pointer\n", "data.csv": "1,2\n", "late.csv": "3,4\n", "a.py": "a"})
    return scratch


def test_data_and_the_pointer_to_it_are_two_contents(pointers: Scratch) -> None:
    """Although git has one object for both, and takes the file for unchanged."""
    data, pointer = now(pointers).listing.get(b"data.csv"), pointers.git("cat-file", "-p", "HEAD:data.csv")
    pointers.write({"data.csv": pointer + "\n"})
    pointers.git("add", "data.csv")
    assert pointers.git("status", "--porcelain") == ""
    assert now(pointers).listing.get(b"data.csv") not in {data, None}
    assert now(pointers).listing.get(b"data.csv") == at(pointers).listing.get(b"data.csv")


def test_unchanged_data_are_no_reason(pointers: Scratch) -> None:
    """The base has no other; changed ones are another content, also to a checkout of the base without them."""
    assert changed(pointers) == [b"data.csv", b"late.csv"]
    assert differing(pointers) == []
    (pointers.root / "data.csv").touch()
    assert differing(pointers) == []
    pointers.write({"data.csv": "5,6\n"})
    assert differing(pointers) == [b"data.csv"]
    pointers.git("add", "data.csv")
    assert differing(pointers) == [b"data.csv"]
    then = CommitSnapshot(Repository(str(pointers.root)), "HEAD", now(pointers)).listing.get(b"data.csv")
    assert then != at(pointers).listing.get(b"data.csv")


def test_contents_are_those_of_their_ids(pointers: Scratch) -> None:
    """Facts are remembered under the ids, so that one id has one content, also at a base and behind a link."""
    (pointers.root / "link.csv").symlink_to("data.csv")
    pointers.commit()
    pointers.write({"late.csv": "new\n"})
    pointers.git("add", "late.csv")
    snapshot = now(pointers)
    then = CommitSnapshot(snapshot.repository, "HEAD", snapshot)
    paths = [b"data.csv", b"late.csv", b"link.csv", b"a.py", b"none"]
    contents = {b"data.csv": b"1,2\n", b"link.csv": b"1,2\n", b"a.py": b"a"}
    assert snapshot.read(paths[:2]) == {b"data.csv": b"1,2\n", b"late.csv": b"new\n"}
    stored = then.read(paths)
    assert stored.pop(b"late.csv").startswith(b"pointer ")
    assert stored == contents


def test_unchanged_files_are_read_once(pointers: Scratch, hashed: list[bytes]) -> None:
    """Where git may filter, what is known about all files is remembered, whatever happens to its index."""
    before = now(pointers).listing.raw
    assert sorted(hashed) == [b".gitattributes", b"a.py", b"data.csv", b"late.csv"]
    hashed.clear()
    pointers.write({"a.py": "b"})
    pointers.git("add", "a.py")
    assert now(pointers).listing.raw != before
    assert hashed == [b"a.py"]
    hashed.clear()
    (pointers.root / "late.csv").replace(pointers.root / "data.csv")
    now(pointers)
    assert hashed == [b"data.csv"]


def test_filtered_files_of_a_submodule_count_by_their_bytes(scratch: Scratch, other: Scratch) -> None:
    """Its commit would say too little of them, and that they are unchanged is no reason."""
    other.commit({".gitattributes": "*.txt text eol=crlf\n", "a.txt": "a\r\n"})
    scratch.git("submodule", "--quiet", "add", str(other.root), "sub")
    scratch.commit({"a": "a"})
    before = now(scratch).listing.get(b"sub")
    assert changed(scratch) == [b"sub"]
    assert differing(scratch) == []
    snapshot = now(scratch)
    inner = CommitSnapshot(snapshot.repository, "HEAD", snapshot).contents([b"sub/a.txt"])
    assert inner == snapshot.contents([b"sub/a.txt"]) == {b"sub/a.txt": b"a\r\n"}
    scratch.write({"sub/a.txt": "a\n"})
    scratch.git("-C", "sub", "add", "a.txt")
    assert now(scratch).listing.get(b"sub") != before


def test_caches_of_python_are_no_files(scratch: Scratch) -> None:
    """Loading the noxfile writes one, in repositories that do not ignore them too."""
    scratch.commit({"a": "a"})
    scratch.write({"__pycache__/x.pyc": "x", "deep/__pycache__/x.pyc": "x", "deep/new": "x"})
    assert changed(scratch) == [b"deep/new"]


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_what_git_was_told_to_overlook_is_seen(scratch: Scratch, flag: str) -> None:
    """Git reports no difference for these files; a session would see one."""
    scratch.commit({"edited": "a", "gone": "b", "same": "c"})
    scratch.git("update-index", flag, "edited", "gone", "same")
    scratch.write({"edited": "new"})
    (scratch.root / "gone").unlink()
    assert scratch.git("status", "--porcelain") == ""
    assert changed(scratch) == [b"edited", b"gone"]


def test_untracked_files_hidden_from_status_are_seen(scratch: Scratch) -> None:
    """The setting is about a person's screen, not about what is there."""
    scratch.commit({"a": "a"})
    scratch.git("config", "status.showUntrackedFiles", "no")
    scratch.write({"new": "x"})
    assert changed(scratch) == [b"new"]


def test_a_change_that_keeps_size_and_time_is_seen(scratch: Scratch) -> None:
    """Settings that make git look less closely are overruled, as long as the clock moved on by a second."""
    scratch.git("config", "core.checkStat", "minimal")
    scratch.git("config", "core.trustctime", "false")
    scratch.commit({"a": "one"})
    os.utime(scratch.root / "a", (1_000_000_000, 1_000_000_000))
    scratch.git("update-index", "--refresh")
    time.sleep(1.01)
    scratch.write({"a": "two"})
    os.utime(scratch.root / "a", (1_000_000_000, 1_000_000_000))
    assert scratch.git("status", "--porcelain") == ""
    assert changed(scratch) == [b"a"]


def test_a_change_in_the_same_instant_as_the_commit_is_seen(scratch: Scratch) -> None:
    """A file as young as the index is compared by its content."""
    for content in ("one", "two", "six"):
        scratch.commit({"a": content})
        scratch.write({"a": "new"})
        assert changed(scratch) == [b"a"]


def test_a_sparse_checkout_lacks_what_it_lacks(scratch: Scratch) -> None:
    """A file that is not checked out is not there for a session, and returns with the checkout."""
    scratch.commit({"a/x": "x", "b/y": "y", "top": "z"})
    scratch.git("sparse-checkout", "set", "--sparse-index", "a")
    assert now(scratch).listing.paths() == [b"a/x", b"top"]
    scratch.git("sparse-checkout", "disable")
    assert changed(scratch) == []


def test_a_linked_work_tree_is_a_tree_of_its_own(scratch: Scratch, tmp_path: Path) -> None:
    """Its changes are seen there and nowhere else."""
    scratch.commit({"a": "a"})
    scratch.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    linked = Repository(str(tmp_path / "linked"))
    (tmp_path / "linked/a").write_text("new")
    assert linked.index_stamp() not in {(), Repository(str(scratch.root)).index_stamp()}
    assert WorkTreeSnapshot(linked).listing.raw != at(scratch).listing.raw
    assert changed(scratch) == []


def test_git_hooks_do_not_mislead(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a hook, git's variables point at another index; the work tree is what counts."""
    scratch.commit({"a": "a"})
    monkeypatch.setenv("GIT_INDEX_FILE", "elsewhere")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert len(now(scratch).listing.paths()) == 1


def test_intent_to_add_and_conflicts_count_with_what_is_in_the_file(scratch: Scratch) -> None:
    """The index has nothing, or three things, for these; the work tree has one."""
    scratch.commit({"a": "a", "b": "b"})
    scratch.git("checkout", "--quiet", "-b", "side")
    scratch.commit({"a": "side", "b": "side"})
    scratch.git("checkout", "--quiet", "main")
    scratch.commit({"a": "main", "b": "main"})
    with pytest.raises(subprocess.CalledProcessError):
        scratch.git("merge", "side")
    scratch.write({"a": "main", "intended": "x"})
    (scratch.root / "b").unlink()
    scratch.git("add", "--intent-to-add", "intended")
    assert changed(scratch) == [b"b", b"intended"]
    scratch.git("add", "--all")
    assert changed(scratch) == [b"b", b"intended"]


def test_a_file_that_became_a_folder_is_gone(scratch: Scratch) -> None:
    """What is in the folder is there instead; a pipe is nothing that git would store."""
    scratch.commit({"a": "a", "b": "b"})
    (scratch.root / "a").unlink()
    scratch.write({"a/x": "x"})
    (scratch.root / "b").unlink()
    os.mkfifo(scratch.root / "b")
    assert now(scratch).listing.paths() == [b"a/x"]


def test_a_link_counts_with_what_it_leads_to(scratch: Scratch) -> None:
    """Through files, folders, links on the way and links inside; in commit and work tree alike."""
    scratch.commit({"lib/x": "x", "lib/deep/y": "y", "use/own": "o"})
    for name, target in [("use/lib", "../lib"), ("use/x", "lib/x"), ("use/loop", "loop"), ("use/none", ".././none")]:
        (scratch.root / name).symlink_to(target)
    for name in ("lib/own", "lib/same"):
        (scratch.root / name).symlink_to("../use/own")
    scratch.commit()
    assert now(scratch).listing.raw == at(scratch).listing.raw
    before = dict.fromkeys(now(scratch).listing.records())
    scratch.write({"lib/x": "new"})
    after = [path for *entry, path in now(scratch).listing.records() if (*entry, path) not in before]
    assert after == [b"lib/x", b"use/lib", b"use/x"]
    scratch.commit({"use/own": "new"})
    after = [path for *entry, path in now(scratch).listing.records() if (*entry, path) not in before]
    assert after == [b"lib/own", b"lib/same", b"lib/x", b"use/lib", b"use/own", b"use/x"]


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege there")
def test_a_link_holds_what_it_leads_to(scratch: Scratch) -> None:
    """In commit and work tree alike, also through another one; a commit does not hold what lies outside of it."""
    scratch.commit({"lib/x": "content"})
    for name, target in {"x": "lib/x", "twice": "x", "outside": "/etc/hosts", "folder": "lib", "loop": "loop"}.items():
        scratch.root.joinpath(name).symlink_to(target)
    scratch.commit()
    for snapshot in (now(scratch), at(scratch)):
        assert snapshot.read([b"x", b"twice"]) == {b"x": b"content", b"twice": b"content"}
    for name in ("outside", "folder", "loop"):
        with pytest.raises(CannotDecideError, match=f"{name} is a link to .*, where this commit has no file"):
            at(scratch).read([name.encode()])


def test_settings_of_git_from_the_environment_count_however_many(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine of CI may set more than a handful."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "60")
    for number in range(60):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", f"headworks.key{number}")
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", str(number))
    assert Repository(str(scratch.root)).run("config", "headworks.key59").strip() == b"59"


def test_a_link_to_what_git_does_not_know_counts_with_what_is_there(
    scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absolute, out of the repository or to an ignored file; a file, a large one, a folder, or nothing yet."""
    (tmp_path / "outside/deep").mkdir(parents=True)
    targets = {"a": str(tmp_path / "outside"), "b": "../file", "c": "ignored", "d": "missing", "e": "../outside/deep/x"}
    for name, target in targets.items():
        scratch.root.joinpath(name).symlink_to(target)
    scratch.commit({".gitignore": "ignored\n", "ignored": "x"})
    monkeypatch.setattr("headworks._tree.links._LARGE", 10)
    known = now(scratch).listing.raw
    for path in (scratch.root / "ignored", tmp_path / "file", tmp_path / "outside/deep/x"):
        for content in ("y", "y" * 20, "z" * 20):
            path.write_text(content)
            changed = now(scratch).listing.raw
            assert changed == now(scratch).listing.raw != known
            known = changed
    assert now(scratch).listing.get(b"d") == at(scratch).listing.get(b"d")


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege there")
@pytest.mark.parametrize("what", ["too many files", "a link that leads on"])
def test_a_link_to_what_is_not_looked_at_is_another_in_every_process(
    scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """So that no verdict about it is found again."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("x")
    scratch.root.joinpath("a").symlink_to(tmp_path / "outside")
    scratch.commit()
    known = now(scratch).listing.get(b"a")
    monkeypatch.setattr("headworks._tree.links._ANEW", b"of another process")
    assert now(scratch).listing.get(b"a") == known
    if what == "too many files":
        monkeypatch.setattr("headworks._tree.links._MAX_FILES", 1)
    else:
        (tmp_path / "outside/folder").symlink_to(tmp_path)
    found = now(scratch).listing.get(b"a")
    monkeypatch.setattr("headworks._tree.links._ANEW", b"of a third process")
    assert known != found != now(scratch).listing.get(b"a")


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has these modes and links")
def test_settings_that_let_git_overlook_a_change_are_overruled(scratch: Scratch) -> None:
    """A mode, a letter's case, and a link that became a file."""
    (scratch.root / "link").symlink_to("script")
    scratch.commit({"script": "x"})
    for name, value in (("fileMode", "false"), ("ignoreCase", "true"), ("symlinks", "false")):
        scratch.git("config", f"core.{name}", value)
    (scratch.root / "script").chmod(0o755)
    (scratch.root / "link").unlink()
    scratch.write({"link": "script", "Script": "y"})
    assert changed(scratch) == [b"Script", b"link", b"script"]
    assert (now(scratch).listing.get(b"script") or (b"",))[0] == b"100755"


def test_a_file_that_was_written_to_is_told_although_it_is_the_same_again(scratch: Scratch, other: Scratch) -> None:
    """Nobody knows what a session saw that ran meanwhile; whether git's index knew of the file or not."""
    other.commit({"inner": "x"})
    scratch.git("submodule", "add", "--quiet", str(other.root), "sub")
    scratch.commit({"clean": "x", "dirty": "x", "hidden": "x", "same": "x", "gone": "x"})
    scratch.git("update-index", "--assume-unchanged", "hidden")
    scratch.write({"dirty": "y", "untracked": "x"})
    before = now(scratch)
    assert now(scratch).written_since(before) == set()
    for name, content in {"clean": "x", "dirty": "y", "untracked": "x", "hidden": "x", "sub/inner": "x"}.items():
        scratch.write({name: "else"})
        scratch.write({name: content})
    (scratch.root / "gone").unlink()
    assert now(scratch).written_since(before) == {b"clean", b"dirty", b"untracked", b"hidden", b"sub"}


def test_a_file_that_was_written_to_is_told_although_git_looked_in_between(scratch: Scratch) -> None:
    """`git status` makes the index fit the file again; then the clock tells."""
    scratch.commit({"clean": "x", "same": "x"})
    time.sleep(0.05)
    before = now(scratch)
    scratch.write({"clean": "y"})
    scratch.write({"clean": "x"})
    scratch.git("update-index", "--refresh")
    (scratch.root / "same").unlink()
    scratch.git("update-index", "--remove", "same")
    after = now(scratch)
    scratch.write({"other": "x"})
    (scratch.root / "clean").touch()
    assert after.written_since(before) == {b"clean"}
    (scratch.root / "clean").unlink()
    assert after.written_since(before) == set()


def test_a_time_in_the_future_tells_of_no_change(scratch: Scratch) -> None:
    """An archive or another machine's clock may leave such files; only a change that happens meanwhile is told."""
    scratch.commit({"early": "x", "same": "x"})
    for name in ("early", "same"):
        os.utime(scratch.root / name, (4e9, 4e9))
    scratch.git("update-index", "--refresh")
    time.sleep(0.05)
    before = now(scratch)
    scratch.write({"new": "x", "early": "x"})
    os.utime(scratch.root / "early", (4e9, 4e9))
    scratch.git("add", "new")
    scratch.git("update-index", "--refresh")
    assert now(scratch).written_since(before) == {b"early"}


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Note which files are hashed, some seconds after they were written."""
    hashes, asked, later = Repository.hashes, list[bytes](), time.time_ns() + 10**10

    def noted(self: Repository, paths: Iterable[bytes], like: bytes) -> dict[bytes, bytes]:
        asked.extend(paths := list(paths))
        return hashes(self, paths, like)

    monkeypatch.setattr(time, "time_ns", lambda: later)
    monkeypatch.setattr(Repository, "hashes", noted)
    return asked


def test_a_large_untracked_file_is_read_once(scratch: Scratch, hashed: list[bytes]) -> None:
    """What nobody touched since an earlier look is known by its times, size and place, as git knows what it tracks."""
    scratch.commit({"a": "a"})
    scratch.write({"large": "x" * LARGE, "small": "x"})
    before = now(scratch).listing.raw
    assert sorted(hashed) == [b"large", b"small"]
    hashed.clear()
    assert now(scratch).listing.raw == before
    assert hashed == [b"small"]
    scratch.commit()
    assert at(scratch).listing.raw == before


@pytest.mark.parametrize("change", ["content", "another file"])
def test_a_change_to_a_large_untracked_file_is_seen(scratch: Scratch, hashed: list[bytes], change: str) -> None:
    """Same size and same time of change do not hide it."""
    scratch.commit({"a": "a"})
    scratch.write({"large": "x" * LARGE, "other": "y" * LARGE})
    before = now(scratch).listing.get(b"large")
    found = (scratch.root / "large").stat()
    if change == "content":
        scratch.write({"large": "y" * LARGE})
    else:
        (scratch.root / "other").rename(scratch.root / "large")
    os.utime(scratch.root / "large", ns=(found.st_atime_ns, found.st_mtime_ns))
    hashed.clear()
    assert now(scratch).listing.get(b"large") != before
    assert hashed.count(b"large") == 1


def test_a_young_large_file_is_read_again(scratch: Scratch) -> None:
    """It could still change without its times showing it."""
    scratch.commit({"a": "a"})
    scratch.write({"large": "x" * LARGE})
    times = (scratch.root / "large").stat().st_mtime_ns
    now(scratch)
    assert Memory(f"{scratch.root}/.git/headworks").get("contents", "")[b"large"][0] == ()
    assert not are_settled((times,), times + 1)


def test_a_large_file_counts_byte_by_byte(scratch: Scratch) -> None:
    """A filter of git's may take long, and give two contents one id."""
    scratch.commit({".gitattributes": "large text\n"})
    scratch.write({"large": "x\r\n" * LARGE})
    before = now(scratch).listing.get(b"large")
    scratch.write({"large": "x\n" * LARGE})
    assert now(scratch).listing.get(b"large") != before


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege there")
def test_a_link_in_a_submodule_counts_with_what_it_leads_to(scratch: Scratch, other: Scratch, tmp_path: Path) -> None:
    """Which may change although the submodule's commit stays."""
    (tmp_path / "outside").write_text("x")
    other.root.joinpath("link").symlink_to(tmp_path / "outside")
    other.commit()
    scratch.git("submodule", "--quiet", "add", str(other.root), "sub")
    scratch.commit({"a": "a"})
    before = now(scratch).listing.get(b"sub")
    assert now(scratch).listing.get(b"sub") == before
    (tmp_path / "outside").write_text("y")
    assert now(scratch).listing.get(b"sub") != before


def test_a_submodule_counts_with_what_is_checked_out_in_it(scratch: Scratch, other: Scratch) -> None:
    """Its commit when it is clean, something else when it is not, and nothing when it is not there."""
    other.commit({"x": "x"})
    scratch.git("submodule", "--quiet", "add", str(other.root), "sub")
    scratch.commit({"a": "a"})
    assert changed(scratch) == []
    scratch.write({"sub/x": "new"})
    assert changed(scratch) == [b"sub"]
    scratch.git("-C", "sub", "checkout", "--quiet", ".")
    scratch.git("submodule", "--quiet", "deinit", "sub")
    assert changed(scratch) == [b"sub"]


def test_a_repository_inside_counts_with_all_its_files(scratch: Scratch, other: Scratch) -> None:
    """Git lists no more than the folder; even a repository without a commit is looked into."""
    scratch.commit({"a": "a"})
    other.write({"x": "x"}).root.rename(scratch.root / "nested")
    first = now(scratch).listing.get(b"nested")
    scratch.write({"nested/x": "new"})
    assert first != now(scratch).listing.get(b"nested") is not None


def test_contents_are_read_from_where_they_are(scratch: Scratch) -> None:
    """The commit's from git, the work tree's from the files; what is not there is left out."""
    many = {f"f{number}": f"content {number}\n" for number in range(600)}
    scratch.commit(many)
    scratch.write({"f1": "new"})
    paths = [name.encode() for name in many]
    assert at(scratch).read([*paths, b"none"]) == {name.encode(): it.encode() for name, it in many.items()}
    assert now(scratch).read([b"f1", b"none"]) == {b"f1": b"new"}


def test_a_file_that_changes_while_it_is_read_cannot_be_decided(scratch: Scratch) -> None:
    """What is made of a content is remembered under its id, which must be the right one, with its line ends."""
    scratch.commit({".gitattributes": "*.txt text\n", "a.txt": "a\n", "b": "b"})
    scratch.write({"a.txt": "a\r\n"})
    snapshot = now(scratch)
    assert snapshot.read([b"a.txt"]) == {b"a.txt": b"a\r\n"}
    scratch.write({"b": "new"})
    with pytest.raises(CannotDecideError, match="b changed while it was read"):
        snapshot.read([b"b"])


def test_many_changed_files_are_hashed(scratch: Scratch) -> None:
    """However many there are."""
    scratch.commit({"a": "a"})
    scratch.write({f"a-rather-long-folder-name/another-long-folder-name/{number}": "x" for number in range(600)})
    assert len(changed(scratch)) == 600


def test_an_empty_repository_has_no_files(scratch: Scratch) -> None:
    """Before the first commit there may be nothing, or only untracked files."""
    assert now(scratch).listing.paths() == []
    scratch.write({"a": "a"})
    assert now(scratch).listing.paths() == [b"a"]


def test_a_folder_without_a_repository_is_refused(tmp_path: Path) -> None:
    """The message says what to do."""
    with pytest.raises(UsageError, match=r"lies in no git repository.*git init"):
        Repository(str(tmp_path))


def test_what_git_says_is_passed_on(scratch: Scratch) -> None:
    """A revision that does not exist is named by git itself."""
    with pytest.raises(UsageError, match=r"(?s)`git ls-tree .*none` failed in .*Not a valid object name none"):
        at(scratch, "none")


def test_a_missing_git_is_named(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has no git is told to install it."""
    repository = Repository(str(scratch.root))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="There is no git on PATH"):
        repository.run("version")


def test_without_posix_spawn_git_is_run_all_the_same(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the platform has no such call, the standard library's way gives the same."""
    scratch.commit({"a": "a"})
    expected = now(scratch).listing.raw
    monkeypatch.delattr(os, "posix_spawnp")
    assert now(scratch).listing.raw == expected
    assert at(scratch).read([b"a"]) == {b"a": b"a"}


def test_a_file_that_cannot_be_read_is_an_error(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some attempts that is said, since nothing can be said about the file."""
    scratch.commit({"a": "a"})
    scratch.write({"a": "new"})
    hashes = Repository.hashes
    monkeypatch.setattr(Repository, "hashes", lambda self, _paths, like: hashes(self, [b"none"], like))
    with pytest.raises(UsageError, match="none cannot be read: No such file or directory"):
        now(scratch)


def test_a_tree_that_keeps_changing_cannot_be_decided(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the index is written while it is read, what was read may never have been there."""
    scratch.commit({"a": "a"})
    stamps = iter(range(100))
    monkeypatch.setattr(Repository, "index_stamp", lambda _self: (next(stamps),))
    with pytest.raises(CannotDecideError, match="change while they are read"):
        now(scratch)


def test_a_project_may_lie_below_the_top(scratch: Scratch) -> None:
    """Its folder is the nearest with a noxfile.py, from the folder asked for upwards."""
    scratch.write({"python/noxfile.py": "", "python/src/a.py": "", "other/b": ""})
    found = Repository(str(scratch.root / "python/src"))
    assert (found.top, found.root, found.prefix) == (str(scratch.root), str(scratch.root / "python"), "python/")
    found = Repository(str(scratch.root / "other"))
    assert (found.root, found.prefix) == (str(scratch.root), "")
