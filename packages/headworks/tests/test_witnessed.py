"""Sessions without a row are watched, and their verdicts count as long as what they read is the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._cli import main
from headworks._plan.plan import plan
from headworks._store.store import Store

if TYPE_CHECKING:
    from conftest import Scratch

NOXFILE = """\
import nox

nox.options.default_venv_backend = "none"
KEYWORDS = {"venv_backend": "none"}


def check(session, path):
    session.run("grep", "--quiet", "ok", path, external=True)


@nox.session
def one(session):
    check(session, "one.txt")


@nox.session(**KEYWORDS)
def two(session):
    check(session, "two.txt")


@nox.session
def listed(session):
    session.run("sh", "-c", "! ls docs | grep bad", external=True)


@nox.session
def history(session):
    session.run("sh", "-c", "git log -1 --format=%s | grep --quiet ok", external=True)


@nox.session
def ignored(session):
    check(session, "raw/data.csv")
"""
ALL = {"one", "two", "listed", "history", "ignored"}

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")


@pytest.fixture
def repository(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository whose sessions have no row, in the working folder, with its own store."""
    files = {
        "noxfile.py": NOXFILE,
        "one.txt": "ok\n",
        "two.txt": "ok",
        "docs/good": "",
        ".gitignore": "raw\n__pycache__\n",
    }
    scratch.write(files | {"pyproject.toml": "[tool.other]\nx = 1\n"})
    commit(scratch, "ok")
    scratch.write({"raw/data.csv": "ok"})
    monkeypatch.chdir(scratch.root)
    return scratch


def commit(scratch: Scratch, message: str) -> None:
    """Commit everything."""
    scratch.git("add", "--all")
    scratch.git("commit", "--quiet", f"--message={message}")
    time.sleep(0.02)  # a session that starts now would find files too young to say that nobody writes to them


def check_by(repository: Scratch, code: str) -> None:
    """Have the session `one` run other code, and commit that with good files."""
    repository.write({"noxfile.py": NOXFILE.replace('check(session, "one.txt")', code)})
    commit(repository, "ok")


def states(scratch: Scratch, *sessions: str) -> dict[str, str]:
    """Return the basis of each session that is covered, and the reasons of the others."""
    found = plan(scratch.root, sessions=sessions)
    return {it.session.name: it.basis or "; ".join(it.reasons) for it in found.sessions}


def test_a_session_without_a_row_runs_again_when_something_that_it_read_changes(repository: Scratch) -> None:
    """A content, a name in a folder, git's history, a file that git ignores; nothing else."""
    assert main(["run"]) == 0
    assert states(repository) == dict.fromkeys(ALL, "observed")
    repository.write({"two.txt": "ok then", "docs/bad": "", "raw/data.csv": "bad", "new.txt": ""})
    assert states(repository) == {
        "one": "observed",
        "two": "two.txt changed",
        "listed": "docs has other names in it",
        "history": "observed",
        "ignored": "raw/data.csv changed",
    }
    repository.write({"two.txt": "ok", "raw/data.csv": "ok"})
    commit(repository, "bad")
    assert states(repository) == {
        "one": "observed",
        "two": "observed",
        "listed": "docs has other names in it",
        "history": "HEAD or a tag has moved",
        "ignored": "observed",
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "running"),
    [
        ("noxfile.py", '"two.txt"', '"one.txt"', {"two"}),
        ("noxfile.py", '"--quiet", "ok"', '"--quiet", "o"', {"one", "two", "ignored"}),
        ("pyproject.toml", "x = 1", "x = 2", set()),
        ("pyproject.toml", "[tool.other]", "[project]\nname = 'x'\n[tool.other]", ALL),
        ("pyproject.toml", "[tool.other]", "[dependency-groups]\ndev = []\n[tool.other]", ALL),
    ],
)
def test_what_nox_and_uv_take_from_their_files_counts_by_its_parts(
    repository: Scratch, file: str, old: str, new: str, running: set[str]
) -> None:
    """Of the noxfile the code that a session uses; of pyproject.toml what an installer takes."""
    assert main(["run"]) == 0
    place = repository.root / file
    place.write_text(place.read_text().replace(old, new))
    found = states(repository)
    assert {name for name, it in found.items() if it != "observed"} == running
    assert all(file in it for it in found.values() if it != "observed")


def test_a_session_that_failed_with_what_it_read_is_not_covered(repository: Scratch) -> None:
    """Nor where it has read less on that day than on the day when it passed."""
    code = 'session.run("sh", "-c", "test -e ../fails && exit 1; cat one.txt", external=True)'
    check_by(repository, code)
    assert main(["run", "one"]) == 0
    fails = repository.root.parent / "fails"
    fails.touch()
    assert main(["run", "--force", "one"]) == 1
    fails.unlink()
    assert "has both passed and failed just as it is" in states(repository, "one")["one"]
    repository.write({"one.txt": "new"})
    assert states(repository, "one") == {"one": "one.txt changed"}


def test_verdicts_travel_with_what_was_read(
    repository: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a remote store, and in a bundle; what another machine lacks is not there."""
    url = f"file://{tmp_path}/remote"
    assert main(["run", "--remote", url, "--write-remote"]) == 0
    bundle = tmp_path / "bundle"
    Store.default().export(bundle)
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "other"))
    assert set(states(repository).values()) != {"observed"}
    monkeypatch.setenv("HEADWORKS_REMOTE", url)
    assert states(repository) == dict.fromkeys(ALL, "observed")
    monkeypatch.delenv("HEADWORKS_REMOTE")
    assert states(repository) == dict.fromkeys(ALL, "observed")
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "third"))
    Store.default().import_(bundle)
    assert states(repository) == dict.fromkeys(ALL, "observed")
    (repository.root / "raw/data.csv").unlink()
    assert states(repository, "ignored") == {"ignored": "raw/data.csv is gone"}


def test_a_failure_elsewhere_counts_here(repository: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote store has passes and failures of sessions that were watched."""
    url = f"file://{tmp_path}/remote"
    assert main(["run", "one", "--remote", url, "--write-remote"]) == 0
    store = Store.default(remote=url, write_remote=True)
    [verdict] = store.ls()
    store.record(replace(verdict, passed=False), repository.root)
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "other"))
    monkeypatch.setenv("HEADWORKS_REMOTE", url)
    assert "has both passed and failed" in states(repository, "one")["one"]


def test_clearing_a_store_removes_the_way_to_a_verdict(repository: Scratch) -> None:
    """Nothing leads to what is gone."""
    assert main(["run", "one"]) == 0
    assert main(["store", "forget", "one"]) == 0
    assert states(repository, "one") != {"one": "observed"}
    assert not list(Path(Store.default().root, "observed").glob("*/*"))


def test_a_verdict_stands_for_all_files_where_nobody_could_tell_what_was_read(
    repository: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session changed what it had read, or nothing can watch it here."""
    code = 'session.run("sh", "-c", "cat raw/data.csv; echo ok > raw/data.csv", external=True)'
    check_by(repository, code)
    assert main(["run", "one"]) == 0
    assert "recorded for all files, since it wrote to raw/data.csv after it had read it" in capsys.readouterr().out
    monkeypatch.setattr("headworks._run.loop.can_see_all", lambda: False)
    assert main(["run", "two"]) == 0
    assert states(repository, "one", "two") == {"one": "all files", "two": "all files"}
    repository.write({"docs/new": ""})
    assert set(states(repository, "one", "two").values()) == {"docs/new is new"}


def test_what_was_seen_counts_beside_all_files_where_more_may_have_been_read(
    repository: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All files are not data that git ignores, which decide here."""
    code = 'session.run("unshare", "-U", "grep", "ok", "raw/data.csv", external=True)'
    check_by(repository, code)
    assert main(["run", "one"]) == 0
    assert "recorded for all files, since it made a namespace" in capsys.readouterr().out
    assert states(repository, "one") == {"one": "all files"}
    assert main(["explain", "one"]) == 0
    assert "raw/data.csv" in (said := capsys.readouterr().out)
    assert "two.txt" in said
    repository.write({"raw/data.csv": "bad"})
    assert states(repository, "one") == {"one": "raw/data.csv changed"}
    assert main(["run", "one"]) == 1
    assert states(repository, "one") == {"one": "raw/data.csv changed"}
    repository.write({"raw/data.csv": "ok"})
    assert states(repository, "one") == {"one": "all files"}


def test_a_noxfile_that_runs_programs_needs_to_be_watched(
    repository: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they read is seen; where it is not, nothing is recorded."""
    noxfile = NOXFILE.replace("import nox\n", "import nox\nimport subprocess\nsubprocess.run(['cat', 'docs/good'])\n")
    repository.write({"noxfile.py": noxfile})
    commit(repository, "ok")
    assert main(["run", "one"]) == 0
    assert states(repository, "one") == {"one": "observed"}
    repository.write({"docs/good": "changed"})
    assert states(repository, "one") == {"one": "docs/good changed"}
    monkeypatch.setattr("headworks._run.loop.can_see_all", lambda: False)
    capsys.readouterr()
    assert main(["run", "one"]) == 0
    said = capsys.readouterr().out
    assert "not recorded, since noxfile.py calls subprocess.run in line 3 while it is loaded" in said


def test_what_changes_while_a_session_runs_is_not_recorded(
    repository: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither its own code, which nobody but nox has read, nor what it has read itself."""
    folder = repository.root.parent
    code = """session.run("sh", "-c", "touch ../begun; until test -e ../go; do sleep 0.05; done", external=True)"""
    check_by(repository, code)

    def edit() -> None:
        while not (folder / "begun").exists():
            time.sleep(0.02)
        repository.write({"noxfile.py": NOXFILE})
        (folder / "go").touch()

    editor = threading.Thread(target=edit)
    editor.start()
    assert main(["run", "one"]) == 0
    editor.join()
    said = capsys.readouterr().out
    assert "not recorded, since this changed while it ran: noxfile.py: check, noxfile.py: one" in said
    code = """session.run("sh", "-c", "cat one.txt; echo ok > one.txt", external=True)"""
    check_by(repository, code)
    assert main(["run", "one"]) == 0
    assert "not recorded, since this changed while it ran: one.txt (written to" in capsys.readouterr().out


def test_sessions_that_nox_may_run_before_one_are_run_by_nox(
    repository: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of both nothing is recorded then, since nobody knows who needs what."""
    repository.write({"noxfile.py": NOXFILE.replace('"venv_backend": "none"}', '"requires": ["one"]}')})
    commit(repository, "ok")
    assert main(["run", "two"]) == 0
    assert "not recorded, since nox ran one with it" in capsys.readouterr().out


def test_a_row_may_have_its_session_observed(repository: Scratch) -> None:
    """Its verdicts are finer than the row, and coarser where it reads more."""
    row = "[tool.headworks.sessions]\none = { observe = true }\ntwo = {}\n"
    repository.write({"pyproject.toml": row})
    commit(repository, "ok")
    assert main(["run", "one", "two"]) == 0
    assert states(repository, "one", "two") == {"one": "observed", "two": "all files"}
    repository.write({"docs/good": "changed"})
    assert states(repository, "one", "two") == {"one": "observed", "two": "docs/good changed"}


def test_witnesses_are_remembered_as_one_table(repository: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next plan reads no record; those that nobody asks for go when they are many."""
    assert main(["run"]) == 0
    assert states(repository) == dict.fromkeys(ALL, "observed")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "witness", None)
        assert states(repository) == dict.fromkeys(ALL, "observed")
        assert states(repository, "one") == {"one": "observed"}
    monkeypatch.setattr("headworks._plan.witnessed._SPARE", 0)
    repository.write({"one.txt": "ok then"})
    assert main(["run", "one"]) == 0
    assert states(repository) == dict.fromkeys(ALL, "observed")


def test_everything_that_was_read_is_explained(repository: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """With what changed since, and without files that nobody read."""
    assert main(["run", "listed", "one"]) == 0
    capsys.readouterr()
    assert main(["explain", "listed"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("listed: cached (observed)\n")
    assert "nothing changed\n  its digest is made of, as it was seen then\n" in said
    assert "    names in: docs " in said
    assert "one.txt" not in said
    repository.write({"one.txt": "new"})
    assert main(["explain", "one", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["basis"], found["since"]) == ("run", None, ["one.txt changed"])
    assert {"read: one.txt", "noxfile.py: check", "python"} <= found["parts"].keys()


def write_wheel(folder: Path, version: str) -> None:
    """Write a package without modules."""
    with zipfile.ZipFile(folder / f"small_package-{version}-py3-none-any.whl", "w") as wheel:
        info = f"small_package-{version}.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: small-package\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_a_verdict_without_a_lock_tells_the_versions_that_were_installed(
    repository: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They only tell: another release runs nothing before the verdict ends."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    install = f'session.install("--no-index", "--find-links", {str(wheels)!r}, "small-package")'
    code = f'import nox\n\n@nox.session(venv_backend="uv")\ndef one(session):\n    {install}\n'
    repository.commit({"noxfile.py": code})
    for version in ("1.0", "2.0+local.of.this.machine"):
        write_wheel(wheels, version)
        assert main(["run", "--force", "one"]) == 0
        capsys.readouterr()
        assert main(["explain", "one", "--format", "json"]) == 0
        parts = json.loads(capsys.readouterr().out)["parts"]
        assert {name: value for name, value in parts.items() if name.startswith("installed")} == {
            "installed: small_package": version
        }
        assert parts["until: ."] > time.strftime("%Y-%m-%d")
    write_wheel(wheels, "3.0")
    assert states(repository) == {"one": "observed"}
    told = {line for it in Store.default().ls() for line in it.witness if line.startswith("installed")}
    assert told == {"installed 1.0 small_package", f"installed {version} small_package"}


def test_a_verdict_tells_no_versions_where_a_lock_or_nobody_does(repository: Scratch) -> None:
    """Whoever has the lock can read them there; without an environment of its own, a session has none."""
    code = NOXFILE
    for name, arguments in (("one", '"export", "--frozen", "--quiet"'), ("two", '"cache", "dir"')):
        code = code.replace(f'check(session, "{name}.txt")', f'session.run("uv", {arguments}, external=True)')
    repository.write({"pyproject.toml": "[project]\nname = 'x'\nversion = '0'\nrequires-python = '>=3.11'\n"})
    subprocess.run(["uv", "lock", "--quiet", "--offline"], check=True, cwd=repository.root)
    repository.commit({"noxfile.py": code})
    assert main(["run", "one", "two"]) == 0
    verdicts = {it.session: it for it in Store.default().ls()}
    assert {name: bool(it.until) for name, it in verdicts.items()} == {"one": False, "two": True}
    assert not [line for it in verdicts.values() for line in it.witness if line.startswith("installed")]


def test_what_a_needed_session_leaves_behind_may_lie_anywhere(repository: Scratch) -> None:
    """So that it counts with all that it depends on, unless its row says what its outputs are."""
    noxfile = NOXFILE.replace("@nox.session(**KEYWORDS)", '@nox.session(requires=["one"])')
    repository.write({"noxfile.py": noxfile})
    commit(repository, "ok")
    assert main(["run", "two"]) == 0
    assert states(repository, "two") == {"one": "observed", "two": "observed"}
    repository.write({"one.txt": "ok then"})
    assert states(repository, "two") == {"one": "one.txt changed", "two": "waits for one"}
    assert main(["run", "one"]) == 0
    assert states(repository, "two")["two"] == "needs one changed"


def test_a_remote_that_cannot_be_listed_is_a_miss(
    repository: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a problem of the run that asked it."""
    (tmp_path / "remote").write_text("")
    store = Store.default(remote=f"file://{tmp_path}/remote")
    store.fetch_observed(["ab" * 32])
    assert "could not be read" in store.problems[0]
    assert store.remote is not None
    assert store.remote.names("observed") == set()
