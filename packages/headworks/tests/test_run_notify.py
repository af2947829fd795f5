"""A session that has nox run others passes and fails as it does under nox, and nothing false is recorded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headworks._cli import main
from headworks._store.store import Store

if TYPE_CHECKING:
    from conftest import Scratch

NOXFILE = """
import pathlib
import nox

nox.options.default_venv_backend = "none"

def ran(session, *more):
    with open("ran", "a") as file:
        print(session.name, *more, file=file)

@nox.session
def zeta(session):
    ran(session)
    session.notify("coverage")

@nox.session
def eta(session):
    ran(session)
    session.notify("coverage")

@nox.session
def coverage(session):
    ran(session)

@nox.session
def broken(session):
    ran(session)
    session.notify("fails")

@nox.session
def fails(session):
    session.error("for ever")

@nox.session
def says(session):
    session.notify("told", posargs=["something"])

@nox.session
def told(session):
    ran(session, *session.posargs)

@nox.session
def itself(session):
    ran(session)
    session.notify("itself")
    if session.posargs:
        session.notify("coverage")

@nox.session
def chain(session):
    ran(session)
    session.notify("zeta")

@nox.session
@nox.parametrize("number", [1, 2])
def each(session, number):
    ran(session, number)

@nox.session
def one(session):
    session.notify("each(number=2)")

@nox.session
def data(session):
    ran(session)
    pathlib.Path("artifacts").mkdir(exist_ok=True)
    pathlib.Path("artifacts/data").write_text("x")

@nox.session(requires=["data"])
def build(session):
    ran(session)
    session.notify("coverage")
"""
ROWS = """
[tool.headworks.sessions]
data = { packages = [], outputs = ["artifacts/data"] }
build = { packages = [], needs = ["data"] }
"""


@pytest.fixture
def demo(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository with sessions, in whose folder this process is."""
    files = {"noxfile.py": NOXFILE, "pyproject.toml": ROWS, ".gitignore": "artifacts\n__pycache__\n/ran\n"}
    scratch.commit(files)
    monkeypatch.chdir(scratch.root)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("HEADWORKS_RUN", raising=False)
    return scratch


@pytest.mark.parametrize(
    ("asked", "code", "ran", "recorded"),
    [
        ("zeta", 0, "zeta, coverage", ""),
        ("zeta coverage eta", 0, "eta, zeta, coverage", ""),
        ("broken", 1, "broken", ""),
        ("says", 0, "told something", ""),
        ("itself", 0, "itself", "itself"),
        ("chain", 0, "chain, zeta, coverage", ""),
        ("one", 0, "each(number=2) 2", ""),
        ("build", 0, "data, data, build, coverage", "data"),
    ],
)
def test_what_is_notified_runs_as_under_nox(demo: Scratch, asked: str, code: int, ran: str, recorded: str) -> None:
    """Once, after all that notify it. Nothing is recorded then, since no digest covers what others did."""
    assert main(["run", "--jobs", "1", *asked.split()]) == code
    assert ", ".join((demo.root / "ran").read_text().splitlines()) == ran
    assert ", ".join(sorted({it.session for it in Store.default().ls()})) == recorded


def test_an_observed_session_that_has_nox_run_others_is_not_judged(demo: Scratch) -> None:
    """Nobody can tell whose reads are whose, and nothing is recorded of any of them."""
    assert main(["run", "--observe", "--jobs", "1", "zeta", "coverage"]) == 0
    assert (demo.root / "ran").read_text().split() == ["zeta", "coverage"]
    assert list(Store.default().ls()) == []


def test_a_notified_session_that_fails_is_told(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the one that notified it, where nobody asked for it; else of itself, and both logs are their own."""
    assert main(["run", "broken"]) == 1
    said = capsys.readouterr().out
    assert "broken: FAILED in " in said
    assert ": fails, which nox ran after it, failed" in said
    assert "for ever" in said
    assert main(["run", "--retry", "1", "--keep-going", "broken", "fails"]) == 1
    said = capsys.readouterr().out
    assert "fails: FAILED: for ever; trying again (1 of 1)" in said
    assert "broken  passed in " in said
    assert ": not recorded, since nox ran fails with it" in said
    assert "fails   FAILED in " in said
    assert [(it.session, it.passed) for it in Store.default().ls()] == [("fails", False)]


def test_a_plan_tells_why_nothing_is_recorded(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the code of a session may notify others; what it did when it ran is what counts."""
    assert main(["run", "itself"]) == 0
    assert main(["plan", "itself", "zeta", "coverage"]) == 0
    said = capsys.readouterr().out
    assert "itself: passed on" in said
    assert said.count("where it has nox run other sessions, nothing is recorded of it") == 1


def test_code_that_a_noxfile_imports_may_notify_too(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """As does a noxfile of which nobody can tell what its sessions reach."""
    noxfile = """
import sys
import nox

sys.path.insert(0, ".")
import tools

@nox.session(venv_backend="none")
def first(session):
    tools.after(session)

@nox.session(venv_backend="none")
def second(session):
    print("second ran")
"""
    demo.commit({"tools.py": "def after(session):\n    session.notify('second')\n", "noxfile.py": noxfile})
    demo.commit({"pyproject.toml": ""})
    assert main(["run", "first"]) == 0
    assert "nox ran second with it" in capsys.readouterr().out
    own = noxfile.replace("import tools", "").replace("tools.after", "globals()['after']")
    demo.commit({"noxfile.py": f"{own}\ndef after(session):\n    session.notify('second')\n"})
    assert main(["run", "first"]) == 0
    assert "nox ran second with it" in capsys.readouterr().out
