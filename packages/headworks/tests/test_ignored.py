"""Outputs that git tracks or does not ignore are refused before anything is removed, by a plan as by a run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._cli import main
from headworks._plan.ignored import refuse_visible_outputs
from headworks._store.place import place_of
from headworks._store.records import Record, Records
from headworks._store.store import Store
from headworks._tree.git import Repository
from headworks._tree.snapshot import WorkTreeSnapshot
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from conftest import Scratch

NOXFILE = """
import pathlib
import nox

@nox.session(venv_backend="none")
def build(session):
    pathlib.Path("artifacts/out").mkdir(parents=True, exist_ok=True)
    pathlib.Path("artifacts/out/a").write_text("generated")
"""


def refuse(scratch: Scratch, *outputs: str) -> None:
    """Refuse outputs that git sees."""
    refuse_visible_outputs(dict.fromkeys(outputs, "build"), WorkTreeSnapshot(Repository(str(scratch.root))))


def refusal(scratch: Scratch, *outputs: str) -> str:
    """Return why outputs are refused."""
    with pytest.raises(ConfigurationError) as caught:
        refuse(scratch, *outputs)
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "output"),
    [
        ("out/", "out/build"),
        ("out/", "out"),
        ("out/*", "out"),
        ("/out/build/", "out/build"),
        ("*.txt", "out/one.txt"),
        ("/out", "out"),
        ("*\n!*.py", "a [strange]\nname/x"),
    ],
)
def test_what_git_ignores_is_taken(scratch: Scratch, rule: str, output: str) -> None:
    """Whether it is there yet or not, and whatever form the rule has."""
    scratch.commit({".gitignore": rule})
    refuse(scratch, output)
    scratch.write({f"{output}/file" if not output.endswith(".txt") else output: ""})
    refuse(scratch, output)
    assert scratch.git("ls-files", "--others", "--exclude-standard") == ""


@pytest.mark.parametrize("rule", ["", "other", "out/x.txt", "*.txt\n!out", "/docs/out"])
def test_what_git_does_not_ignore_is_refused(scratch: Scratch, rule: str) -> None:
    """Before there is anything, too: it would count as a source, and nothing would ever be recorded."""
    scratch.commit({".gitignore": rule})
    assert refusal(scratch, "out") == (
        "pyproject.toml: [tool.headworks.sessions] build: git does not ignore the output out, so that what a run writes"
        " there would count as a source. Add /out to .gitignore, or name a path in a folder that git ignores."
    )
    scratch.write({"out/mine": ""})
    if rule != "*.txt\n!out":
        assert "build: git does not ignore out/mine, which lies in the output out, and a run" in refusal(scratch, "out")


def test_a_link_in_the_place_of_an_output_is_like_any_file(scratch: Scratch) -> None:
    """It is not followed: a run keeps the link of a person, and removes that of a session."""
    scratch.commit({".gitignore": "out\n"})
    (scratch.root / "out").symlink_to("/elsewhere")
    refuse(scratch, "out")
    scratch.commit({".gitignore": "out/\n"})
    assert "git tracks out, which is the output" in refusal(scratch, "out")


def test_a_rule_within_an_output_does_not_count(scratch: Scratch) -> None:
    """It is gone when the output is cleared."""
    scratch.commit({"a": ""})
    scratch.write({"out/.gitignore": "*"})
    assert "git does not ignore the output out," in refusal(scratch, "out")


def test_what_git_tracks_is_refused_although_a_rule_ignores_it(scratch: Scratch) -> None:
    """A file or a folder that holds one; the message names it."""
    scratch.commit({".gitignore": "", "out/.gitkeep": "", "one": ""})
    scratch.commit({".gitignore": "*"})
    assert "git tracks out/.gitkeep, which lies in the output out, and a run or a restore" in refusal(scratch, "out")
    assert "git tracks one, which is the output, and a run or a restore" in refusal(scratch, "one")
    refuse(scratch, "out/build")


def test_outputs_behind_links_and_in_other_repositories_are_refused(scratch: Scratch, other: Scratch) -> None:
    """Git ignores nothing there; the message says why."""
    other.commit({"a": ""})
    scratch.commit({".gitignore": "link\n"})
    scratch.git("submodule", "--quiet", "add", str(other.root), "inner")
    scratch.commit()
    (scratch.root / "link").symlink_to("inner")
    assert "the output link/out lies behind the symbolic link link. Make that a folder" in refusal(scratch, "link/out")
    assert "the output inner/out lies in inner, another repository" in refusal(scratch, "inner/out")
    assert "which is the output" in refusal(scratch, "inner")


def test_git_that_cannot_tell_is_no_leave(scratch: Scratch) -> None:
    """Where it fails for a reason that nobody foresaw, nothing may be removed."""
    scratch.commit({".gitignore": "*"})
    assert "git cannot tell whether it ignores ../elsewhere" in refusal(scratch, "../elsewhere")


def test_many_outputs_are_asked_about_in_turns(scratch: Scratch) -> None:
    """More than fits into a pipe."""
    scratch.commit({".gitignore": "out/"})
    many = [f"out/{'x' * 200}/{number}" for number in range(200)]
    refuse(scratch, *many)
    assert "the output outer," in refusal(scratch, *many, "outer")
    refuse(scratch)


@pytest.fixture
def demo(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository with a session that writes an output, in whose folder this process is."""
    table = '[tool.headworks.sessions]\nbuild = { packages = [], outputs = ["artifacts/out"] }\n'
    scratch.commit({"noxfile.py": NOXFILE, "pyproject.toml": table, ".gitignore": "artifacts/\n"})
    monkeypatch.chdir(scratch.root)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("HEADWORKS_RUN", raising=False)
    return scratch


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_command_refuses_before_anything_is_removed(
    demo: Scratch, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one line; what git tracks keeps the change that nobody has saved."""
    demo.write({"artifacts/out/mine": "an hour of work"})
    demo.git("add", "--force", "artifacts/out/mine")
    assert main([command]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(
        "headworks: .*: git tracks artifacts/out/mine, which lies in the output artifacts/out.*\n", said
    )
    assert (demo.root / "artifacts/out/mine").read_text() == "an hour of work"


def test_a_restore_is_refused_as_well(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict that covers the session does not let it replace what git tracks meanwhile."""
    assert main(["run"]) == 0
    demo.write({"artifacts/out/mine": "an hour of work"})
    demo.git("add", "--force", "artifacts/out/mine")
    capsys.readouterr()
    assert main(["run"]) == 2
    assert "git tracks artifacts/out/mine" in capsys.readouterr().err
    assert (demo.root / "artifacts/out/mine").read_text() == "an hour of work"


def test_plain_nox_may_run_in_between(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """What it wrote is as good as what a run writes where it is the same, and else is kept with a word."""
    demo.write({"artifacts/out/a": "of an older nox"})
    assert main(["run"]) == 0
    said = capsys.readouterr().out
    assert "artifacts/out held files that no run is known to have left so; they are kept in" in said
    assert (demo.root / ".git/headworks/kept/1/artifacts/out/a").read_text() == "of an older nox"
    (demo.root / "artifacts/out/a").write_text("generated")
    assert main(["run", "--force"]) == 0
    assert "held files" not in capsys.readouterr().out


def test_only_what_a_session_declares_is_put_in_place(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict that names another file, of an older row or by a poisoned cache, covers nothing."""
    assert main(["run"]) == 0
    [verdict] = (it for it in Store.default().ls() if not it.core)
    poisoned = replace(verdict, outputs={**verdict.outputs, "noxfile.py": verdict.outputs["artifacts/out"]})
    store = Store.default()
    Records(store.root).write(Record(verdict=poisoned, place=place_of(str(demo.root))))
    Path(store.root, "index").unlink()
    capsys.readouterr()
    main(["plan", "--format", "json"])
    assert [it["state"] for it in json.loads(capsys.readouterr().out)["sessions"]] == ["run"]
    assert main(["run"]) == 0
    assert Path("noxfile.py").read_text() == NOXFILE
