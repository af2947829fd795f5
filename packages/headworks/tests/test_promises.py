"""A row is a promise: that its session reads nothing else. The first run after a change of either checks it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._cli import main
from headworks._observe.watch import StraceWatch
from headworks._plan.plan import plan
from headworks._quantities import duration_text
from headworks._store.bundle import RefusedBundleError
from headworks._store.promises import Mark, Promises
from headworks._store.store import Store

if TYPE_CHECKING:
    from conftest import Scratch


NOXFILE = """\
import nox

nox.options.default_venv_backend = "none"


@nox.session
def true(session):
    session.run("cat", "packages/a/x.txt", external=True)


@nox.session
def false(session):
    session.run("cat", "packages/a/x.txt", "far/other.txt", external=True)
"""
TABLE = "[tool.headworks.sessions]\ntrue = { packages = ['a'] }\nfalse = { packages = ['a'] }\n"
BROKEN = "it read far/other.txt, which its digest does not cover (name them in `inputs` of its row)"

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")


@pytest.fixture
def repository(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository with a row that says the truth and one that does not, in the working folder."""
    package = {"packages/a/pyproject.toml": "[project]\nname = 'a'\nversion = '0'\n", "packages/a/x.txt": ""}
    scratch.commit(package | {"noxfile.py": NOXFILE, "pyproject.toml": TABLE, "far/other.txt": "", "b.txt": ""})
    monkeypatch.chdir(scratch.root)
    return scratch


def said(scratch: Scratch, session: str) -> str:
    """Return the basis of a session's verdict, or why there is none."""
    [planned] = plan(scratch.root, sessions=[session]).sessions
    checked = ", checked" if planned.verdict and planned.verdict.checked else ""
    return f"{planned.basis}{checked}" or "; ".join(planned.reasons)


def is_watched(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> bool:
    """Return whether a run of a session is watched."""
    seen: list[Path] = []
    with monkeypatch.context() as patch:

        def watch(folder: Path) -> StraceWatch:
            seen.append(folder)
            return StraceWatch(folder)

        patch.setattr("headworks._run.loop.StraceWatch", watch)
        assert main(["run", *arguments]) == 0
    capsys.readouterr()
    return bool(seen)


def test_the_first_run_of_a_row_checks_its_promise(
    repository: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; again after a change of the row or of the session's own code, and of nothing else."""
    assert is_watched(capsys, monkeypatch, "true")
    assert said(repository, "true") == "declared, checked"
    repository.write({"packages/a/x.txt": "new"})
    assert not is_watched(capsys, monkeypatch, "true")
    assert said(repository, "true") == "declared, checked"
    repository.write(
        {"noxfile.py": NOXFILE.replace('"packages/a/x.txt", external', '"-u", "packages/a/x.txt", external')}
    )
    assert is_watched(capsys, monkeypatch, "true")
    repository.write({"pyproject.toml": TABLE.replace("true = { packages = ['a']", "true = { inputs = ['packages']")})
    assert is_watched(capsys, monkeypatch, "true")
    assert main(["plan", "true"]) == 0
    assert "(declared, checked on 20" in capsys.readouterr().out


def test_a_broken_promise_leaves_no_verdict_until_the_row_is_mended(
    repository: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session has passed; what is wrong is said with what mends it."""
    assert main(["run", "false"]) == 0
    assert f"not recorded, since {BROKEN}" in capsys.readouterr().out
    assert not Store.default().ls()
    assert said(repository, "false").endswith(BROKEN)
    assert is_watched(capsys, monkeypatch, "false")
    repository.write({"pyproject.toml": TABLE.replace("false = {", "false = { inputs = ['far'],")})
    assert is_watched(capsys, monkeypatch, "false")
    assert said(repository, "false") == "declared, checked"


def test_verdicts_that_relied_on_a_broken_promise_count_no_more(
    repository: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever breaks it, on this machine or another, with an audit or a run."""
    with monkeypatch.context() as patch:
        patch.setattr("headworks._run.loop.can_see_all", lambda: False)
        assert main(["run"]) == 0
    assert (said(repository, "true"), said(repository, "false")) == ("declared", "declared")
    assert main(["audit", "true"]) == 0
    assert main(["audit", "false"]) == 1
    assert said(repository, "true") == "declared"
    assert said(repository, "false").endswith(BROKEN)
    capsys.readouterr()
    assert main(["run", "false"]) == 0
    assert f"not recorded, since {BROKEN}" in capsys.readouterr().out
    time.sleep(1)  # a verdict tells when to the second
    repository.write({"far/other.txt": "other"})
    noxfile = repository.root / "noxfile.py"
    noxfile.write_text(noxfile.read_text().replace(', "far/other.txt"', ""))
    assert main(["run", "false"]) == 0
    assert said(repository, "false") == "declared, checked"


def test_a_promise_that_is_kept_again_counts_from_then_on(repository: Scratch, tmp_path: Path) -> None:
    """Neither row nor noxfile changed, but the code in the package did."""
    run = 'session.run("sh", "packages/a/run.sh", external=True)\n'
    code = NOXFILE.replace('session.run("cat", "packages/a/x.txt", "far/other.txt", external=True)\n', run)
    repository.commit({"noxfile.py": code, "packages/a/run.sh": "cat far/other.txt\n"})
    assert main(["run", "false"]) == 0
    assert not Store.default().ls()
    time.sleep(1)  # a verdict tells when to the second
    repository.commit({"packages/a/run.sh": "cat packages/a/x.txt\n"})
    assert main(["run", "false"]) == 0
    assert said(repository, "false") == "declared, checked"


def test_a_link_counts_with_what_it_leads_to(repository: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Elsewhere in the repository, or to what git ignores."""
    repository.write({"packages/a/x.txt": "", "raw/data.csv": "", ".gitignore": "/raw\n__pycache__\n"})
    for name, target in (("x.txt", "../../far/other.txt"), ("raw", "../../raw")):
        (repository.root / "packages/a" / name).unlink(missing_ok=True)
        (repository.root / "packages/a" / name).symlink_to(target)
    code = NOXFILE.replace('"packages/a/x.txt", external', '"packages/a/x.txt", "packages/a/raw/data.csv", external')
    repository.commit({"noxfile.py": code})
    assert main(["run", "true"]) == 0
    assert said(repository, "true") == "declared, checked", capsys.readouterr().out


def test_what_uv_takes_from_the_workspace_is_in_the_digest(
    repository: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a frozen lock; where it compares the lock with all members, the row has to name them."""
    member = "[project]\nname = 'b'\nversion = '0'\nrequires-python = '>=3.11'\n"
    workspace = "[tool.uv.workspace]\nmembers = ['packages/*']\n"
    files = {f"packages/{it}/pyproject.toml": member.replace("'b'", f"'{it}'") for it in ("a", "b")}
    repository.write(files | {"pyproject.toml": workspace + TABLE})
    subprocess.run(["uv", "lock", "--quiet", "--offline"], check=True, cwd=repository.root)
    command = '"uv", "export", "--frozen", "--offline", "--quiet", external'
    repository.commit({"noxfile.py": NOXFILE.replace('"cat", "packages/a/x.txt", external', command)})
    assert main(["run", "true"]) == 0
    assert said(repository, "true") == "declared, checked", capsys.readouterr().out
    noxfile = repository.root / "noxfile.py"
    noxfile.write_text(noxfile.read_text().replace('"--frozen"', '"--locked"'))
    assert main(["run", "true"]) == 0
    assert "not recorded, since it read packages/b/pyproject.toml, which" in capsys.readouterr().out


def test_a_row_can_say_that_nothing_watches_its_session(
    repository: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a daemon does its work; only an audit does, which somebody asks for by its name."""
    repository.commit({"pyproject.toml": TABLE.replace("['a'] }", "['a'], observe = false }")})
    assert not is_watched(capsys, monkeypatch, "true")
    assert not is_watched(capsys, monkeypatch, "--force", "--observe", "true", "false")
    assert (said(repository, "true"), said(repository, "false")) == ("declared", "declared")
    assert main(["audit", "true"]) == 0


@pytest.mark.parametrize(
    ("table", "note", "basis"),
    [
        (TABLE, "whether it read more than its row promises is not known: {}", "declared"),
        ("", "recorded for all files, since {}", "all files"),
    ],
)
def test_a_session_that_traces_programs_runs_again_unwatched(
    repository: Scratch, capsys: pytest.CaptureFixture[str], table: str, note: str, basis: str
) -> None:
    """It cannot do so while strace watches it, and would fail for that alone."""
    traced = NOXFILE.replace('"cat", "packages/a/x.txt", external', '"strace", "-o", "/dev/null", "true", external')
    repository.commit({"noxfile.py": traced, "pyproject.toml": table})
    assert main(["run", "--observe", "true"]) == 0
    shown = capsys.readouterr().out
    assert "true: it traces programs itself; running it again, unwatched\n" in shown
    why = "it traces programs itself, which nobody can under strace (a row with `observe = false` has it never watched)"
    assert f"true  passed in {shown.rpartition('true  passed in ')[2].partition(':')[0]}: {note.format(why)}\n" in shown
    assert said(repository, "true") == basis
    assert [it.passed for it in Store.default().ls()] == [True]


def test_a_watched_run_of_a_row_is_one_line_of_the_store(
    repository: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the digests of both its verdicts; for programs, each verdict stays an entry of its own."""
    assert main(["run", "true"]) == 0
    capsys.readouterr()
    files, reads = sorted(Store.default().ls(), key=lambda it: it.core)
    took, ended, commit = duration_text(files.seconds), files.finished[:19], files.commit[:10]
    assert main(["store", "ls"]) == 0
    assert capsys.readouterr().out == (
        f"session  outcome  {'took':{len(took)}}  {'ended':19}  {'commit':10}  digest of\n"
        f"true     passed   {took}  {ended}  {commit}  files {files.digest[:12]}, reads {reads.digest[:12]}\n"
        f"\n2 verdicts of 1 run in {Store.default().root}\n"
    )
    assert main(["store", "ls", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {it["digest"]: it["core"] for it in found} == {files.digest: "", reads.digest: reads.core}


def test_what_nobody_could_see_is_checked_no_second_time(
    repository: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row still promises; only who asks for it has it watched again."""
    code = NOXFILE.replace('"packages/a/x.txt", external', '"/proc/self/cwd/packages/a/x.txt", external')
    repository.commit({"noxfile.py": code})
    assert main(["run", "true"]) == 0
    assert "whether it read more than its row promises is not known: it went through /proc" in capsys.readouterr().out
    assert said(repository, "true") == "declared"
    assert not is_watched(capsys, monkeypatch, "--force", "true")
    assert is_watched(capsys, monkeypatch, "--force", "--observe", "true")


def test_checks_travel_with_verdicts(repository: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a remote store, and in a bundle."""
    url = f"file://{tmp_path}/remote"
    with monkeypatch.context() as patch:
        patch.setattr("headworks._run.loop.can_see_all", lambda: False)
        assert main(["run", "--remote", url, "--write-remote"]) == 0
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "other"))
    assert main(["run", "--force", "--remote", url, "--write-remote"]) == 0
    bundle = tmp_path / "bundle"
    Store.default().export(bundle)
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "third"))
    monkeypatch.setenv("HEADWORKS_REMOTE", url)
    assert said(repository, "false").endswith(BROKEN)
    assert list((tmp_path / "third/broken").iterdir())
    monkeypatch.delenv("HEADWORKS_REMOTE")
    assert said(repository, "false").endswith(BROKEN)
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "fourth"))
    store = Store.default()
    store.import_(bundle)
    assert len(list((tmp_path / "fourth/broken").iterdir())) == 1
    assert len(list((tmp_path / "fourth/kept").iterdir())) == 1
    store.import_(bundle)
    assert said(repository, "true") == "declared, checked"


KEY = "a" * 64


def test_the_later_of_two_checks_counts(tmp_path: Path) -> None:
    """A promise that was broken has to be kept after that."""
    promises = Promises(str(tmp_path), None)
    assert (promises.kept(KEY), promises.broken(KEY), promises.has_broken()) == (None, None, False)
    promises.note(KEY, Mark("2026-01-01", ""), is_kept=True)
    assert promises.kept(KEY) == Mark("2026-01-01", "")
    promises.note(KEY, Mark("2026-01-02", "it read x"), is_kept=False)
    assert (promises.kept(KEY), promises.broken(KEY)) == (None, Mark("2026-01-02", "it read x"))
    promises.note(KEY, Mark("2026-01-03", ""), is_kept=True)
    assert promises.kept(KEY) == Mark("2026-01-03", "")
    promises.merge("kept", KEY, Mark("2026-01-02", ""))
    promises.merge("broken", KEY, Mark("2026-01-04", "it read y"))
    assert (promises.kept(KEY), promises.broken(KEY)) == (None, Mark("2026-01-04", "it read y"))


@pytest.mark.parametrize("content", [b"", b"headworks", b'headworks 1 x\n["1", "2"]'])
def test_a_damaged_mark_is_no_pass(tmp_path: Path, content: bytes) -> None:
    """A promise seems broken for ever, until the next check; it never seems kept."""
    promises = Promises(str(tmp_path), None)
    for folder in ("kept", "broken"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / KEY).write_bytes(content)
    assert promises.kept(KEY) is None
    assert promises.broken(KEY) == Mark("9", "its mark is damaged")
    promises.note(KEY, Mark("2026-01-03", ""), is_kept=True)
    assert (promises.kept(KEY), promises.broken(KEY)) == (Mark("2026-01-03", ""), None)


def test_marks_go_with_the_verdicts_that_they_are_about(repository: Scratch) -> None:
    """And are looked at again then."""
    assert main(["run"]) == 0
    marks = [it for name in ("kept", "broken") for it in Path(Store.default().root, name).iterdir()]
    assert len(marks) == 2
    os.utime(marks[0], (0, 0))
    Store.default().gc(max_age=60)
    assert [it.exists() for it in marks] == [False, True]


def test_a_bundle_with_a_damaged_mark_is_refused(repository: Scratch, tmp_path: Path) -> None:
    """As one with any other part that is damaged; one that is damaged here is not exported."""
    assert main(["run"]) == 0
    bundle = tmp_path / "bundle"
    [kept] = Path(Store.default().root, "kept").iterdir()
    kept.write_bytes(b"")
    Store.default().export(bundle)
    content = bundle.read_bytes()
    bundle.write_bytes(content.replace(json.dumps(BROKEN)[1:20].encode(), b"x" * 19))
    with pytest.raises(RefusedBundleError, match=r"its member broken/.* is damaged"):
        Store.default().import_(bundle)
