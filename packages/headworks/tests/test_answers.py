"""An answer is given again while all that it was made from is the same, and never after that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks import __main__, _cli
from headworks._machine.nox import ListedSession, Nox
from headworks._plan.plan import plan
from headworks._quick import answers
from headworks._quick.answers import handed_look
from headworks._store.store import Store
from headworks._store.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Scratch

NAMES = ["data", "lint", "report"]
FILES: dict[str, str | bytes] = {
    ".gitignore": "artifacts\nignored\n",
    "noxfile.py": "import nox\n" + "".join(f"\n\n@nox.session\ndef {it}(session): pass\n" for it in NAMES),
    "pyproject.toml": '[tool.headworks.sessions]\ndata = { outputs = ["artifacts/data"] }\nlint = {}\n'
    'report = { cache = false, outputs = ["artifacts/report"] }\n',
    "tracked": "tracked",
    "dirty": "clean",
    "hidden": "shown",
    "inner/noxfile.py/not": "a folder of that name is no noxfile",
}


class World:
    """A project with an answer to everything, on a machine of its own.

    Attributes:
        scratch: The repository.
        root: Its folder.
        away: A folder beside it, to which a link leads.
        machine: A folder with the programs of the machine.
        store: The store of verdicts.
    """

    def __init__(self, scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make it, with a file of every kind that git does not answer for."""
        self.scratch, self.root, self.monkeypatch = scratch, scratch.root, monkeypatch
        self.away, self.machine = tmp_path / "away", tmp_path / "machine"
        self.away.mkdir()
        (self.away / "file").write_text("away")
        self._install(Path(sys.executable).resolve())
        scratch.write(FILES)
        (self.root / "link").symlink_to(self.away)
        inner = self.root / "submodule"
        inner.mkdir()
        for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "inner"]):
            subprocess.run(["git", *command], cwd=inner, check=True)
        scratch.commit()
        scratch.git("update-index", "--assume-unchanged", "hidden")
        scratch.write({"untracked": "new", "dirty": b"dirty\r\n", "hidden": "hidden", "artifacts/data/file": "data"})
        self.store = Store.default(scratch.root)
        monkeypatch.setattr(Nox, "list_sessions", lambda *_arguments: listed())
        monkeypatch.chdir(self.root)
        self.record("data", "lint")

    def _install(self, python: Path) -> None:
        """Install a nox, with an interpreter of its own."""
        (self.machine / "bin").mkdir(parents=True)
        (self.machine / "lib/python3/site-packages/nox-1.dist-info").mkdir(parents=True)
        (self.machine / "bin/python").symlink_to(python)
        (self.machine / "bin/nox").write_text(f"#!{self.machine}/bin/python\n")
        (self.machine / "bin/nox").chmod(0o755)
        self.monkeypatch.setattr(sys, "executable", str(self.machine / "bin/python"))

    def record(self, *names: str) -> None:
        """Have sessions covered by verdicts."""
        for it in plan(self.root, store=self.store).sessions:
            if it.session.name in names and it.digest:
                found = {path: self.store.outputs(self.root).content(path) or "" for path in it.session.outputs}
                self.store.record(verdict(it.session.name, it.digest, outputs=found), self.root)

    def ask(self, *arguments: str) -> int:
        """Ask as a person does, in a process that cannot end."""
        self.monkeypatch.setattr(sys, "argv", ["headworks", *arguments])
        return __main__.program()

    def learn(self, *arguments: str) -> None:
        """Ask as often as it takes until the answer is remembered: what was asked of a program is no answer to keep."""
        for _ in range(3):
            assert self.ask(*arguments) == 0
        assert answers.recall(list(arguments)) == 0

    def write(self, name: str, content: str = "another") -> None:
        """Write a file of the project."""
        self.scratch.write({name: content})


def verdict(name: str, digest: str, *, passed: bool = True, outputs: dict[str, str] | None = None) -> Verdict:
    """Return a verdict."""
    return Verdict(
        session=name,
        digest=digest,
        passed=passed,
        finished="2026-01-31T12:00:00+00:00",
        seconds=1.5,
        commit="",
        platform="",
        outputs=outputs or {},
        components={},
    )


def listed() -> list[ListedSession]:
    """Return what nox lists."""
    return [
        ListedSession(name=it, function=it, python="3.77" * (it == "lint"), tags=(), parameters=(), is_default=True)
        for it in NAMES
    ]


@pytest.fixture(autouse=True)
def _later(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let all files be old enough, and leave nothing noted."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**10)
    yield
    answers.doubt()
    answers._looks.clear()


@pytest.fixture
def world(scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world."""
    return World(scratch, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "arguments", [["plan"], ["plan", "--format", "json"], ["plan", "lint", "--base", "HEAD"], ["run", "data", "lint"]]
)
def test_an_answer_is_given_again(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Word for word, without the command line; only the time that it took may be another."""
    world.learn(*arguments)
    capsys.readouterr()
    assert _cli.main(arguments) == 0
    expected = capsys.readouterr()
    monkeypatch.setattr(_cli, "main", None)
    assert world.ask(*arguments) == 0
    found = capsys.readouterr()
    assert re.sub(r"took \d+\.\d s", "", found.out) == re.sub(r"took \d+\.\d s", "", expected.out)
    assert found.err == expected.err
    assert answers.TOOK not in found.out


CHANGES: dict[str, Callable[[World], object]] = {
    "a tracked file": lambda it: it.write("tracked"),
    "a file that was changed before": lambda it: it.write("dirty"),
    "a file that was new before": lambda it: it.write("untracked"),
    "a file that git overlooks": lambda it: it.write("hidden"),
    "a file that is gone": lambda it: (it.root / "untracked").unlink(),
    "another new file": lambda it: it.write("new"),
    "a file of the submodule": lambda it: it.write("submodule/new"),
    "the commit of the submodule": lambda it: subprocess.run(
        ["git", "commit", "-q", "--allow-empty", "-m", "more"], cwd=it.root / "submodule", check=True
    ),
    "the mode of a file": lambda it: (it.root / "tracked").chmod(0o755),
    "what is staged": lambda it: it.scratch.git("add", "untracked"),
    "what a link leads to": lambda it: (it.away / "file").write_text("elsewhere"),
    "a new file behind a link": lambda it: (it.away / "more").write_text("more"),
    "how git stores line ends": lambda it: it.scratch.git("config", "core.autocrlf", "input"),
    "what is ignored": lambda it: it.write(".git/info/exclude", "untracked"),
    "a link at an output": lambda it: (it.root / "artifacts/report").symlink_to(it.away),
    "the record of a failure": lambda it: it.store.record(verdict("lint", "0" * 64, passed=False), it.root),
    "the record of a pass": lambda it: it.store.record(verdict("lint", "0" * 64), it.root),
    "the store": lambda it: shutil.rmtree(it.store.root),
    "which store": lambda it: it.monkeypatch.setenv("HEADWORKS_STORE", str(it.away)),
    "a remote store": lambda it: it.monkeypatch.setenv("HEADWORKS_REMOTE", "memory://store"),
    "the version of nox": lambda it: (it.machine / "lib/python3/site-packages/nox-2.dist-info").mkdir(),
    "the program nox": lambda it: (it.machine / "bin/nox").write_text(f"#!{it.machine}/bin/python\n\n"),
    "the interpreter of nox": lambda it: replace_link(it.machine / "bin/python", Path("/bin/sh")),
    "an interpreter on PATH": lambda it: install(it.machine / "more/python3.77"),
    "any variable": lambda it: it.monkeypatch.setenv("ANYTHING", "1"),
    "the working folder": lambda it: it.monkeypatch.chdir(it.root / "inner"),
    "the day": lambda it: it.monkeypatch.setattr(time, "time_ns", lambda now=time.time_ns: now() + 86_400 * 10**9),
    "the platform": lambda it: it.monkeypatch.setattr(os, "uname", lambda: ("another", "machine")),
    "the C library": lambda it: it.monkeypatch.setattr(os, "confstr", lambda _name: "another"),
    "nobody who reads": lambda it: it.monkeypatch.setattr(sys, "stdout", None),
    "the code": lambda it: it.monkeypatch.setattr("headworks._quick.memory._FORM", b"other"),
    "a damaged memory": lambda it: [path.write_bytes(b"x" * 40) for path in it.root.glob(".git/headworks/answer-*")],
    "no git": lambda it: it.monkeypatch.setattr("headworks._quick.git._GIT", "no-git"),
    "no repository": lambda it: (it.root / ".git").rename(it.away / ".git"),
    "another output": lambda it: it.write("artifacts/data/file"),
    "one file more in an output": lambda it: it.write("artifacts/data/more"),
    "a link on the way to an output": lambda it: moved(it.root / "artifacts", it.away / "artifacts"),
}
ONLY_IN_RUNS = {"another output", "one file more in an output", "a link on the way to an output"}
ONLY_IN_PLANS = {"a link at an output"}


def replace_link(path: Path, target: Path) -> None:
    """Have a link lead elsewhere."""
    path.unlink()
    path.symlink_to(target)


def moved(path: Path, target: Path) -> None:
    """Move a folder, and leave a link to it."""
    path.rename(target)
    path.symlink_to(target)


def install(path: Path) -> None:
    """Put something on PATH that can be started."""
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.mark.parametrize("change", CHANGES)
def test_an_answer_is_made_anew_after_any_change(world: World, change: str) -> None:
    """Whatever it was made from."""
    (world.machine / "more").mkdir()
    world.monkeypatch.setenv("PATH", f"{world.machine}/more:{os.environ['PATH']}")
    commands = [["plan"]] * (change not in ONLY_IN_RUNS) + [["run", "data", "lint"]] * (change not in ONLY_IN_PLANS)
    for arguments in commands:
        world.learn(*arguments)
    assert [answers.recall(arguments) for arguments in commands] == [0] * len(commands)
    CHANGES[change](world)
    assert [answers.recall(arguments) for arguments in commands] == [None] * len(commands)


def test_the_look_that_found_a_change_is_that_of_the_plan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git is not asked again for it, and the new answer is remembered with what git said."""
    world.learn("plan")
    world.write("tracked")
    looks = []

    def handed(top: str) -> object:
        looks.append(handed_look(top))
        return looks[-1]

    monkeypatch.setattr("headworks._tree.snapshot.handed_look", handed)
    assert world.ask("plan") == 0
    assert looks[0] is not None
    assert answers.recall(["plan"]) == 0


@pytest.mark.parametrize("doubt", ["a young file", "many files", "many questions", "a fetch", "a changed answer"])
def test_an_answer_that_cannot_be_compared_later_is_not_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch, doubt: str
) -> None:
    """It is made anew each time."""
    if doubt == "a young file":
        (world.machine / "bin/nox").touch()
        monkeypatch.undo()
        monkeypatch.chdir(world.root)
    monkeypatch.setattr(answers, "_MOST_STAMPS", 1 if doubt == "many files" else 1_000)
    monkeypatch.setattr(answers, "_MOST_QUESTIONS", 1 if doubt == "many questions" else 1_000)
    assert answers.recall(["plan"]) is None
    if doubt == "a young file":
        answers.note_file(str(world.machine / "bin/nox"))
    elif doubt == "many files":
        answers.note_file(str(world.root))
        answers.note_file(str(world.away))
    else:
        question = ("fetch",) if doubt == "a fetch" else ("a",)
        answers.note_question("", question, b"", (0, b"1"))
        if doubt == "a changed answer":
            answers.note_question("", question, b"", (0, b"2"))
        elif doubt == "many questions":
            answers.note_question("", ("b",), b"", (0, b"1"))
    answers.remember("an answer")
    assert not list(world.root.glob(".git/headworks/answer-*"))


def test_an_answer_is_remembered_where_nothing_speaks_against_it(world: World) -> None:
    """As a test of the test before."""
    assert answers.recall(["plan"]) is None
    answers.note_file(str(world.root))
    answers.note_question("", ("a",), b"", (0, b"1"))
    answers.remember("an answer")
    assert len(list(world.root.glob(".git/headworks/answer-*"))) == 1


def test_a_store_that_cannot_be_written_keeps_no_answer_away(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers lie in git's folder; where that cannot be written either, each is made anew."""
    if os.geteuid():
        Path(world.store.root).chmod(0o500)
    world.learn("plan")
    shutil.rmtree(world.root / ".git/headworks")
    (world.root / ".git/headworks").touch()
    assert world.ask("plan") == 0
    assert answers.recall(["plan"]) is None
    assert "Cached" in capsys.readouterr().out


OPENED = """
import os, sys
from headworks import _cli
from headworks._commands import plan
from headworks._quick import answers

opened, noted = [], []

def hear(event, arguments):
    if event in {"open", "os.listdir", "os.scandir"}:
        opened.append(arguments[0])

def remember(*_texts):
    noted.extend(name for name, _ in getattr(answers._notes, "stamps", ()))

plan.remember = remember
sys.addaudithook(hear)
answers.recall(["plan"])
_cli.main(["plan"])
known = (os.path.abspath(".git/headworks"), *filter(None, sys.path))
away = {os.path.abspath(os.fsdecode(it)) for it in opened if not isinstance(it, int)} - {*noted}
print(len(noted) > 9, sorted(it for it in away if not it.startswith(known)))
"""


def test_every_file_that_is_opened_is_noted(scratch: Scratch, other: Scratch) -> None:
    """But for code, for what Headworks itself remembers, and for what git answers for."""
    other.write({"folder/file": "away"})
    (scratch.root / "link").symlink_to(other.root / "folder")
    scratch.commit({"noxfile.py": "import nox\n\n\n@nox.session\ndef lint(session): pass\n"})
    for _ in range(2):
        time.sleep(2.1)  # until a change to any file would show
        command = [sys.executable, "-c", OPENED]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=scratch.root)
    assert done.stdout.splitlines()[-1] == "True []"


def test_an_answer_is_given_without_what_is_slow_to_import(scratch: Scratch) -> None:
    """Neither the engine nor a module of the standard library that takes longer than the answer."""
    scratch.commit({"noxfile.py": "import nox\n\n\n@nox.session\ndef lint(session): pass\n"})
    time.sleep(2.1)  # until a change to any file would show
    script = "import os, sys; from headworks.__main__ import program; os._exit = print; sys.argv[1:] = ['plan']"
    script += "; program(); print(*sys.modules)"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    for _ in range(4):
        command = [sys.executable, "-I", "-c", script]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, cwd=scratch.root)
    answer, *_, modules = done.stdout.splitlines()
    assert answer == "Run: 1 session"
    slow = {"argparse", "contextlib", "dataclasses", "functools", "inspect", "re", "subprocess", "typing"}
    if sys.version_info >= (3, 12):  # CPython 3.11 has SHA-256 without OpenSSL under another name
        slow.add("hashlib")
    assert not slow.union(["headworks._cli"]) & set(modules.split())
