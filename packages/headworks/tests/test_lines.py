"""Whatever a file, session or branch is called, a command shows its name and does nothing else with it."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import headworks
from headworks._cli import main
from headworks._lines import complain, say, shown, text_of
from headworks._run.display import Display
from headworks._run.outcome import Outcome

if TYPE_CHECKING:
    from conftest import Scratch

# Commands to GitHub at the start of a line and within one, and to Azure; what clears a terminal and names its window;
# text that runs the other way, and what cannot be seen.
ODD = "x\n::error title=a::b ##[error]c ##vso[task.complete]\x1b[2J\x1b]0;t\x07\r\u202e\u2066\u200b\u2028\x85\x9b"
NOXFILE = f"""
import nox
nox.options.default_venv_backend = "none"
NAME = {ODD!r}

@nox.session(name="::error::" + NAME)
def odd(session):
    session.log("::error::from a session")
    session.run("python", "-c", "print(open('" + "log.txt').read())", external=True)
    session.error(NAME)
"""


def is_harmless(text: str) -> bool:
    """Whether each line is printable, and no command to a CI."""
    lines = text.removesuffix("\n").split("\n")
    return all(
        it.isprintable() and not it.lstrip().startswith("::") and not re.search(r"##(vso)?\[", it) for it in lines
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("plain - name, d'ailleurs: ação 数据 (x::y) #1 [2]", "plain - name, d'ailleurs: ação 数据 (x::y) #1 [2]"),
        ("a\n::b\r\t\0", "a\\n::b\\r\\t\\x00"),
        ("\x1b[2J\x7f\x9b\x85", "\\x1b[2J\\x7f\\x9b\\x85"),
        ("\u202e\u2066\u200b\u2028\ufeff", "\\u202e\\u2066\\u200b\\u2028\\ufeff"),
        ("not UTF-8: \udcff", "not UTF-8: \\udcff"),
        ("::error::x", "\\u003a:error::x"),
        ("  ::error::x", "  \\u003a:error::x"),
        ("a ##[group]b ##vso[x]", "a \\u0023#[group]b \\u0023#vso[x]"),
    ],
)
def test_a_line_shows_a_name_and_lets_it_do_nothing(name: str, line: str) -> None:
    """What is harmless stays as it is; the rest is escaped, once."""
    assert shown(name) == shown(line) == line


def test_a_text_has_as_many_lines_as_it_was_made_of() -> None:
    """A line end in a name is none of the text's."""
    assert text_of(["one", ODD, ""]).count("\n") == 3
    assert is_harmless(text_of([ODD, f"::{ODD}", f"  ::{ODD}"]))


def test_a_message_of_several_lines_stands_below_its_first(capsys: pytest.CaptureFixture[str]) -> None:
    """So another program's complaint cannot be taken for one of ours, and what JSON escapes stays JSON."""
    complain("git said:\nfatal\n::error::x")
    assert capsys.readouterr().err == "headworks: git said:\n  fatal\n  \\u003a:error::x\n"
    say(json.dumps({"name": ODD}))
    said = capsys.readouterr().out
    assert is_harmless(said)
    assert json.loads(said) == {"name": ODD}


def test_all_is_written_through_one_module() -> None:
    """Only a file that is shown, and a path for a shell, are written as they are."""
    folder = Path(headworks.__file__).parent
    writes = re.compile(r"std(?:out|err)\.write\(|^ *print\(", re.MULTILINE)
    found = {
        str(it.relative_to(folder)): len(writes.findall(it.read_text(encoding="utf-8"))) for it in folder.rglob("*.py")
    }
    assert {name: number for name, number in found.items() if number} == {
        "_lines.py": 3,
        "_commands/init.py": 1,
        "_commands/promotions.py": 1,
    }


@pytest.fixture
def odd(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository in which all names are odd, and the working folder is."""
    scratch.commit({"noxfile.py": NOXFILE, ".gitignore": "__pycache__\nartifacts\n", "log.txt": f"a\tb\n{ODD}"})
    scratch.git("checkout", "--quiet", "-b", "\u202e##main")
    scratch.write({ODD: "x", "##[error]name": "x"})
    Path(os.fsdecode(os.fsencode(scratch.root) + b"/\xff")).touch()
    monkeypatch.chdir(scratch.root)
    return scratch


@pytest.mark.parametrize(
    ("command", "code"),
    [
        *[(["plan", "--format", it], 0) for it in ("text", "json", "github", "mermaid", "dot")],
        (["plan", "--base", "\u202e##main"], 0),
        (["plan", ODD], 2),
        (["plan", "--base", ODD], 2),
        (["graph"], 0),
        (["explain", "odd"], 2),
        (["explain", f"::error::{ODD}"], 0),
        (["explain", f"::error::{ODD}", "--format", "json"], 0),
        (["run"], 1),
        (["audit", f"::error::{ODD}"], 1),
        (["store", "forget", ODD], 2),
        (["store", "import", ODD], 0),
        (["promotions", "--path", ODD], 2),
        (["report", "--output", "artifacts"], 0),
        ([ODD], 2),
    ],
)
def test_no_name_commands_a_terminal_or_a_ci(
    odd: Scratch, capfd: pytest.CaptureFixture[str], command: list[str], code: int
) -> None:
    """Neither in what a command tells nor in its complaints."""
    assert odd.root.is_dir()
    assert main(command) == code
    output = capfd.readouterr()
    assert output.out + output.err
    assert is_harmless(output.out)
    assert is_harmless(output.err)


def test_an_option_that_nobody_knows_is_shown(odd: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """As the standard library complains, in one line more than its usage."""
    assert odd.root.is_dir()
    with pytest.raises(SystemExit):
        main(["explain", "odd", ODD])
    assert is_harmless(capsys.readouterr().err)


def test_what_was_recorded_under_odd_names_is_shown(
    odd: Scratch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In lists of the store, in the count of what was proven, and in the outputs and the summary of a CI's step."""
    odd.write({"noxfile.py": NOXFILE.replace("session.error(NAME)", "pass")})
    plan, proof, outputs, summary = (str(tmp_path / it) for it in ("plan.json", "proof.json", "outputs", "summary.md"))
    assert main(["plan", "--format", "json", "--output", plan]) == 0
    assert main(["plan", "--format", "github", "--output", outputs]) == 0
    assert [it.partition("=")[0] for it in Path(outputs).read_text().splitlines()] == ["any", "matrix"]
    assert main(["run", "--outcomes", proof]) == 0
    assert main(["run"]) == 0
    assert main(["store", "ls"]) == 0
    assert main(["verify", proof, "--plan", plan, "--summary", summary]) == 0
    output = capfd.readouterr()
    assert is_harmless(output.out)
    assert output.err == ""
    assert is_harmless(Path(summary).read_text())


def test_the_end_of_a_log_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A session's own commands are text there, as those of a test are in the log of any other program."""
    log = tmp_path / "odd.log"
    log.write_text(f"::error::x\n##[error]y\na\tb\n{ODD}")
    Display(sys.stdout).ended(Outcome(session="odd", status="failed", log=str(log)))
    said = capsys.readouterr().out
    assert is_harmless(said)
    assert "  | ::error::x\n  | \\u0023#[error]y\n  | a       b\n" in said
