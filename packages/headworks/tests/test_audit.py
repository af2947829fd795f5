"""An audit lists what a session reads and does not declare, and what it declares and does not read."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from headworks._cli import main
from headworks._commands import audit
from headworks._observe.places import Places
from headworks._observe.reads import Notes, Reads
from headworks._observe.watch import StraceWatch
from headworks._plan.promise import Findings, compare
from headworks._store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Scratch

NOXFILE = """
import pathlib
import nox

@nox.session(venv_backend="none")
def data(session):
    pathlib.Path("artifacts").mkdir(exist_ok=True)
    pathlib.Path("artifacts/data").write_text("one")

@nox.session(venv_backend="none", requires=["data"])
def clean(session):
    pathlib.Path("artifacts/data").read_text()
    pathlib.Path("inputs/read.txt").read_text()

@nox.session(venv_backend="none")
def dirty(session):
    session.run("sh", "inputs/tool.sh", external=True)

@nox.session(venv_backend="none")
def bad(session):
    session.error("broken")

@nox.session(venv_backend="none")
@nox.parametrize("number", [1, 2])
def several(session, number):
    pass
"""
TABLE = """
[tool.headworks.sessions]
data = { packages = [], outputs = ["artifacts/data"] }
clean = { packages = [], needs = ["data"], inputs = ["inputs/*.txt"] }
dirty = { packages = [], inputs = ["inputs/**"] }
bad = { packages = [] }
"""


@pytest.fixture
def demo(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository with sessions, in whose folder this process is."""
    inputs = {f"inputs/{number}.txt": "" for number in range(30)}
    scratch.commit(
        {
            "noxfile.py": NOXFILE,
            "pyproject.toml": TABLE,
            ".gitignore": "artifacts\n__pycache__\n*.bin\n",
            "inputs/read.txt": "",
            "inputs/tool.sh": "cat other/undeclared.txt other/ignored.bin",
            "other/undeclared.txt": "",
            **inputs,
        }
    )
    scratch.write({"other/ignored.bin": "secret"})
    monkeypatch.chdir(scratch.root)
    return scratch


@pytest.mark.usefixtures("nox_itself")
def test_a_session_that_declares_what_it_reads_passes(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """What it need not declare is listed as advice; what it needs was run before; nothing of it is recorded."""
    assert main(["audit", "clean"]) == 0
    said = capsys.readouterr().out
    assert "clean read" in said.splitlines()[0]
    assert "  inputs/0.txt\n" in said
    assert "more, which --format json lists" in said
    assert "inputs/read.txt" not in said
    assert said.endswith("\n\nEverything that it read is declared.\n")
    assert [it.session for it in Store.default().ls()] == ["data"]


def test_a_session_that_reads_what_it_ignores_fails(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its digest does not cover such a file, whatever pattern of inputs names it as well."""
    everything = 'inputs = ["inputs/**", "other/*.txt"], ignore = ["other/*.txt"]'
    demo.commit({"pyproject.toml": TABLE.replace('inputs = ["inputs/**"]', everything)})
    assert main(["audit", "dirty"]) == 1
    assert "Name them in `inputs`:\n  other/undeclared.txt\n" in capsys.readouterr().out


def test_a_session_that_reads_more_fails(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that git knows and files that it ignores are told apart, since they are declared differently."""
    assert main(["audit", "dirty"]) == 1
    said = capsys.readouterr().out
    assert "Name them in `inputs`:\n  other/undeclared.txt\n" in said
    assert "commit a list of their hashes, and name that in `inputs`:\n  other/ignored.bin\n" in said
    assert "Everything" not in said
    assert main(["audit", "dirty", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["session"], found["undeclared"], found["ignored"]) == (
        "dirty",
        ["other/undeclared.txt"],
        ["other/ignored.bin"],
    )
    assert len(found["unread"]) > 30
    assert {"noxfile.py", "inputs/tool.sh"} <= set(found["read"])


def test_mypy_starts_with_an_empty_cache(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """With a full one, it would not look again for modules that are missing; a row may still choose the folder."""
    script = (
        'test "$MYPY_CACHE_DIR" -a ! -e "$MYPY_CACHE_DIR" && case $MYPY_CACHE_DIR in */headworks-*) ;; *) exit 1; esac'
    )
    demo.commit({"inputs/tool.sh": script})
    assert main(["audit", "dirty"]) == 0
    row = 'dirty = { env = ["MYPY_CACHE_DIR"], '
    demo.commit({"pyproject.toml": TABLE.replace("dirty = { ", row)})
    assert main(["audit", "dirty"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPY_CACHE_DIR", "here")
        assert main(["audit", "dirty"]) == 1


def test_without_strace_there_is_no_audit(
    demo: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sees only a part of what is read cannot say that a promise is kept."""
    monkeypatch.setattr("headworks._observe.watch.can_see_all", lambda: False)
    for command in (["audit", "dirty"], ["run", "--observe", "data"]):
        assert main(command) == 2
        said = f"`headworks {' '.join(command[:-1])}` needs strace, which sees what a session reads, and runs on Linux"
        assert said in capsys.readouterr().err


def test_a_session_that_does_not_pass_tells_nothing(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """It may not have come to what it reads."""
    assert main(["audit", "bad"]) == 1
    captured = capsys.readouterr()
    assert "bad did not pass, so that nothing is known about the files that it reads" in captured.err
    assert captured.out == ""
    demo.commit({"noxfile.py": NOXFILE.replace('session.error("broken")', 'session.skip("absent")')})
    assert main(["audit", "bad"]) == 3


def test_an_audit_says_only_what_it_found(demo: Scratch) -> None:
    """There may be nothing to advise."""
    findings = Findings(read=("a",), undeclared=(), ignored=(), unread=())
    text = audit._text("clean", findings)
    assert text.splitlines() == [
        "clean read 1 file of the repository, watched by strace.",
        "",
        "Everything that it read is declared.",
    ]


def test_the_history_of_another_repository_is_history_too(tmp_path: Path) -> None:
    """No row can promise that it stays; settings and rules are no history."""
    for name in ("HEAD", "config", "info/exclude"):
        (place := tmp_path / "inner/.git" / name).parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    git = {str(tmp_path / "inner/.git" / it) for it in ("HEAD", "config", "info/exclude", "packed-refs")}
    found = compare(Reads(git=git), since=0, top=str(tmp_path), known=set(), declared=set(), covered=())
    assert found.history == (str(tmp_path / "inner/.git/HEAD"),)


def test_a_session_that_reads_the_history_fails(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """No digest covers commits and tags; a question about folders alone says nothing about them."""
    asked = (
        'session.run("git", "rev-parse", "--show-toplevel", external=True)\n    session.run("git", "describe", "--all")'
    )
    demo.commit({"noxfile.py": NOXFILE.replace('session.run("sh", "inputs/tool.sh", external=True)', asked)})
    assert main(["audit", "dirty"]) == 1
    said = capsys.readouterr().out
    assert said.count("Git's history was read") == 1
    assert "give the row `cache = false`:\n  `git describe --all`\n" in said
    assert "rev-parse" not in said


def test_an_audit_that_cannot_see_all_does_not_pass(
    demo: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says why; what it read elsewhere on the machine is advice."""
    findings = Findings(
        read=("a",),
        undeclared=(),
        ignored=(),
        unread=(),
        outside=("/srv/x",),
        unseen="why",
    )
    monkeypatch.setattr("headworks._run.verdict.findings_of", lambda *_arguments: findings)
    assert main(["audit", "clean"]) == 3
    assert capsys.readouterr().out.splitlines() == [
        "clean read 1 file of the repository, watched by strace.",
        "It may have read more: why.",
        "",
        "Read outside the repository; no digest covers this, and no verdict changes with it. This is advice:",
        "  /srv/x",
    ]


def test_one_session_is_audited_at_a_time(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the choice."""
    assert main(["audit", "several"]) == 2
    assert "takes one session, not 2. Name one of several(number=1), several(number=2)." in capsys.readouterr().err
    assert main(["audit"]) == 2
    assert "An audit takes one session, not 0. Name it as `nox --list` shows it." in capsys.readouterr().err


def test_an_interrupted_audit_ends(demo: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code of what was interrupted."""
    monkeypatch.setattr("headworks._commands.audit.run_plan", lambda *_arguments: ({}, True))
    assert main(["audit", "clean"]) == 130


def compared(top: Path, *opened: str, **settings: Any) -> Findings:  # noqa: ANN401  # those of `compare`
    """Compare files below a folder with `known` and `declared`."""
    fields: dict[str, Any] = {"known": {"a", "b", "m.py"}, "declared": {"a", "gone"}, "covered": []}
    notes = Notes(Places(str(top), (str(top / ".git"),), {}, fields["known"].__contains__))
    notes.reads.perhaps_own |= {str(top / it) for it in settings.pop("perhaps_own", ())}
    for it in opened:
        notes.note(str(top / it), notes.reads.opened)
    return compare(notes.reads, top=str(top), **fields | {"since": time.time() + 60} | settings)


def test_a_file_that_was_only_looked_at_is_advice(tmp_path: Path) -> None:
    """Its content can matter only to a tool that goes by times and sizes."""
    reads = Reads(opened={str(tmp_path / "a")}, looked={str(tmp_path / it) for it in "abc"})
    findings = compare(reads, since=0, top=str(tmp_path), known={"a", "b", "c"}, declared={"a", "c"}, covered=[])
    assert (findings.read, findings.looked, findings.unread, findings.broken) == (("a",), ("b",), (), "")
    assert "Looked at but neither read nor declared" in audit._text("clean", findings)


def test_files_elsewhere_do_not_count(tmp_path: Path) -> None:
    """Only the repository is compared."""
    assert compared(tmp_path, "/etc/passwd", "a", "b") == Findings(
        read=("a", "b"), undeclared=("b",), ignored=(), unread=()
    )


def test_a_compiled_module_stands_for_its_source(tmp_path: Path) -> None:
    """Python reads the compiled one where it can."""
    found = compared(tmp_path, "__pycache__/m.cpython-313.pyc", "__pycache__/n.cpython-313.pyc", "__pycache__/m.txt")
    assert (found.read, found.ignored) == (("m.py", "n.py"), ("n.py",))


def plain(folder: Path) -> None:
    """Leave a folder as it is."""


def tagged(folder: Path) -> None:
    """Make a folder a cache."""
    (folder / "CACHEDIR.TAG").write_text("")


def environment(folder: Path) -> None:
    """Make a folder a virtual environment."""
    (folder / "pyvenv.cfg").write_text("")


@pytest.mark.parametrize(
    ("folder", "make", "settings", "is_input"),
    [
        ("data", plain, {}, True),
        ("data", tagged, {}, False),
        ("data", environment, {}, False),
        (".nox", plain, {}, False),
        (".hypothesis", plain, {}, False),
        ("data", plain, {"since": 0.0}, True),
        ("data", plain, {"perhaps_own": ["data/deep/file"]}, True),
        ("data", plain, {"perhaps_own": ["data/deep/file"], "since": 0.0}, False),
    ],
)
def test_an_ignored_file_is_an_input_unless_it_was_made(
    tmp_path: Path, folder: str, make: Callable[[Path], None], settings: dict[str, Any], *, is_input: bool
) -> None:
    """By a tool as its cache, as an environment, or by the session itself."""
    (tmp_path / folder / "deep").mkdir(parents=True)
    make(tmp_path / folder)
    name = f"{folder}/deep/file"
    (tmp_path / name).write_text("")
    assert (compared(tmp_path, name, **settings).ignored == (name,)) == is_input
    assert compared(tmp_path, name, covered=[str(tmp_path / folder)]).ignored == ()


def test_an_ignored_file_that_is_gone_was_an_input_unless_it_may_have_been_made(tmp_path: Path) -> None:
    """A session may remove its data, or a log of its own."""
    assert compared(tmp_path, "data", "log", perhaps_own=["log"]).ignored == ("data",)


def test_an_observed_run_records_only_what_keeps_its_promise(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """A session that reads more has passed, but no verdict covers it, and the line says what mends its row."""
    assert main(["run", "--observe", "clean", "dirty"]) == 1
    said = capsys.readouterr().out
    assert "dirty: passed in" in said
    assert (
        "not recorded, since it read other/undeclared.txt, which its digest does not cover (name them in `inputs` of"
        " its row); and other/ignored.bin, which git ignores (name a committed list of hashes in `inputs`)" in said
    )
    assert {it.session for it in Store.default().ls()} == {"data", "clean"}


@pytest.mark.parametrize(
    ("script", "is_kept"),
    [
        ("cat other/ignored.bin; touch other/ignored.bin", False),
        ("cat other/ignored.bin; echo more >> other/ignored.bin", False),
        ("cat other/ignored.bin; rm other/ignored.bin", False),
        ("echo new > other/ignored.bin; cat other/ignored.bin", True),
        ("echo line >> other/own.bin; cat other/own.bin", True),
        ("echo line >> other/own.bin; cat other/own.bin; rm other/own.bin", True),
        ("mkdir other/own.bin; echo line > other/own.bin/x; cat other/own.bin/x", True),
    ],
)
def test_ignored_data_is_told_from_what_the_session_makes(
    demo: Scratch, capsys: pytest.CaptureFixture[str], script: str, *, is_kept: bool
) -> None:
    """Whatever it does to the data once it has read them: their times say nothing."""
    demo.write({"inputs/tool.sh": script})
    assert main(["run", "--observe", "dirty"]) == (0 if is_kept else 1)
    assert ("other/ignored.bin, which git ignores" in capsys.readouterr().out) != is_kept


def test_what_a_run_could_not_see_is_said(
    demo: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row still promises, so that a verdict is recorded."""
    monkeypatch.setattr(StraceWatch, "reads", lambda *_arguments: Reads(unseen="why"))
    assert main(["run", "--observe", "data"]) == 0
    assert "whether it read more than its row promises is not known: why" in capsys.readouterr().out
    assert [it.session for it in Store.default().ls()] == ["data"]


def test_a_broken_promise_is_told_in_one_line() -> None:
    """With the first files, and how many more there are."""
    read, history = tuple("abcdefg"), ("`git log`",)
    findings = Findings(read=read, undeclared=read, ignored=(), unread=(), history=history)
    assert findings.broken == (
        "it read a, b, c, d, e and 2 more, which its digest does not cover (name them in `inputs` of its row); and"
        " git's history through `git log` (give its row `cache = false`)"
    )
