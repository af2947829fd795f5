"""The command runs real sessions through the real nox, and tells what it did."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._cli import main
from headworks._commands import run
from headworks._hashes import digest
from headworks._observe.watch import can_see_all
from headworks._store.store import Store

if TYPE_CHECKING:
    from conftest import Scratch, Started

pytestmark = pytest.mark.usefixtures("unwatched")  # which is not what this is about, and takes longer
WRITTEN = 1 + can_see_all()  # verdicts of a first run in a process of its own: by the row, and by what it read
NOXFILE = """
import os, pathlib, subprocess, sys, time
import nox

@nox.session(venv_backend="none")
def data(session):
    pathlib.Path("artifacts").mkdir(exist_ok=True)
    pathlib.Path("artifacts/data").write_text(pathlib.Path("inputs/data.txt").read_text())

@nox.session(venv_backend="none", requires=["data"])
def train(session):
    pathlib.Path("artifacts/model").write_text(pathlib.Path("artifacts/data").read_text() * 2)
    print("trained with", session.posargs)

@nox.session(venv_backend="none", default=False)
def bad(session):
    session.error("it is broken")

@nox.session(venv_backend="none", default=False)
def gone(session):
    session.skip("there is no such device")

@nox.session(venv_backend="none", default=False)
def slow(session):
    pathlib.Path("artifacts").mkdir(exist_ok=True)
    pathlib.Path("artifacts/pid").write_text(str(os.getpid()))
    time.sleep(60)

@nox.session(venv_backend="none", default=False)
def deaf(session):
    session.run("sh", "-c", "trap '' INT TERM HUP; echo $$ > artifacts/deaf; sleep 60 & wait; sleep 60", external=True)

@nox.session(venv_backend="none", default=False)
def count(session):
    with open("artifacts/counted", "a") as file:
        file.write("x")
    time.sleep(0.5)
    with open("artifacts/counted", "a") as file:
        file.write("y")

@nox.session(venv_backend="none", default=False)
def moody(session):
    mood = pathlib.Path("artifacts/mood").read_text()
    if mood == "kill nox":
        os.kill(os.getpid(), 9)
    session.run("sh", "-c", mood, external=True)

@nox.session(venv_backend="none", default=False)
def edit(session):
    pathlib.Path("inputs/data.txt").write_text("edited")

@nox.session(venv_backend="none", default=False)
def inner(session):
    subprocess.run([sys.executable, "-m", "headworks", "run", "data"], check=True)

def headworks(session, *arguments):
    session.run(sys.executable, "-m", "headworks", "run", *arguments, external=True)

@nox.session(venv_backend="none", default=False)
def everything(session):
    headworks(session, "one", "everything")

@nox.session(venv_backend="none", default=False)
def counts(session):
    headworks(session, "count", "--force")

@nox.session(venv_backend="none", default=False)
def counts_too(session):
    headworks(session, "count", "--force")

def note(name):
    pathlib.Path("artifacts").mkdir(exist_ok=True)
    with open("artifacts/processes", "a") as file:
        file.write(f"{os.getpid()} ")
    print("this is", name)

@nox.session(venv_backend="none", default=False)
def one(session):
    note("one")

@nox.session(venv_backend="none", default=False)
def two(session):
    note("two")
"""
TABLE = """
[tool.headworks.sessions]
data = { packages = [], inputs = ["inputs/data.txt"], outputs = ["artifacts/data"] }
train = { packages = [], needs = ["data"], outputs = ["artifacts/model"] }
bad = { packages = [] }
gone = { packages = [], required = true }
slow = { packages = [] }
count = { packages = [] }
deaf = { packages = [] }
moody = { packages = [] }
edit = { packages = [], inputs = ["inputs/data.txt"] }
inner = { packages = [], cache = false }
everything = { packages = [] }
counts = { packages = [] }
counts_too = { packages = [] }
one = { packages = [] }
two = { packages = [] }
"""


@pytest.fixture
def demo(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository with sessions, in whose folder this process is."""
    files = {"noxfile.py": NOXFILE, "pyproject.toml": TABLE, ".gitignore": "artifacts\n__pycache__\n"}
    scratch.commit(files | {"inputs/data.txt": "one"})
    monkeypatch.chdir(scratch.root)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("HEADWORKS_RUN", raising=False)
    settle()
    return scratch


def settle() -> None:
    """Wait until files just written can be distinguished from files written after the start of a run."""
    time.sleep(0.03)


def store() -> Store:
    """Return the store of the test."""
    return Store.default()


def test_a_second_run_runs_nothing(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says which verdicts cover what, and puts back outputs that are not as they were."""
    assert main(["run"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^train: passed in [\d.]+ s \(2 of 2\)$", said, re.MULTILINE)
    assert re.search(r"^2 passed; took [\d.]+ s$", said, re.MULTILINE)
    (demo.root / "artifacts/model").write_text("changed")
    assert main(["run"]) == 0
    said = capsys.readouterr().out
    assert "train: covered by an earlier verdict: restored artifacts/model\n" in said
    assert "2 covered by earlier verdicts; took" in said
    assert (demo.root / "artifacts/model").read_text() == "oneone"
    assert main(["run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    commit = demo.git("rev-parse", "HEAD")[:10]
    assert len(lines) == 4
    assert re.fullmatch(rf"data   covered by the verdict of 20\S+ \d\d:\d\d at {commit}, \w{{12}}", lines[0])
    assert [it.passed for it in store().ls()] == [True, True]


def test_a_failure_ends_the_run_with_1(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """And shows what the session printed."""
    assert main(["run", "bad"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"^bad: FAILED in [\d.]+ s: it is broken \(1 of 1\)$", said, re.MULTILINE)
    assert "  | nox > Session bad aborted: it is broken." in said
    assert [it.passed for it in store().ls()] == [False]


def test_outcomes_can_be_counted_elsewhere(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """What ran, what is covered and what failed, in a file for `headworks verify`, whose folder is made."""
    assert main(["run", "data"]) == 0
    assert main(["run", "--keep-going", "data", "bad", "--outcomes", "artifacts/proof/job.json"]) == 1
    written = json.loads((demo.root / "artifacts/proof/job.json").read_text())
    assert written["format"] == 2
    assert {it["name"]: it["status"] for it in written["sessions"]} == {"data": "cached", "bad": "failed"}
    assert main(["plan", "data", "--format", "json", "--output", "artifacts/plan.json"]) == 0
    capsys.readouterr()
    assert main(["verify", "artifacts/proof", "--plan", "artifacts/plan.json"]) == 1
    assert "1 covered by verdicts" in (said := capsys.readouterr().out)
    assert "bad on linux: failed: it is broken" in said


def test_a_bundle_for_a_plan_has_the_outputs_that_its_runs_need(
    demo: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine that runs one session of the plan gets what that one needs, and nothing else of what passed."""
    plan, bundle = "artifacts/plan.json", str(tmp_path / "needed.tar")

    def exported() -> list[str]:
        assert main(["plan", "data", "train", "--format", "json", "--output", plan]) == 0
        assert main(["store", "export", bundle, "--plan", plan]) == 0
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("HEADWORKS_STORE", str(tmp_path / f"store-{len(list(tmp_path.iterdir()))}"))
            assert main(["store", "import", bundle]) == 0
            return sorted({it.session for it in store().ls()})

    assert main(["run", "data", "train"]) == 0
    assert exported() == []
    store().forget(["train"])
    assert exported() == ["data"]
    capsys.readouterr()
    assert main(["store", "export", bundle, "--plan", "inputs/data.txt"]) == 2
    assert "inputs/data.txt is not what Headworks writes: JSONDecodeError" in capsys.readouterr().err


@pytest.mark.parametrize(("change", "code"), [("", 0), ("file", 3), ("commit", 3), ("arguments", 3)])
def test_outcomes_of_another_state_prove_nothing(
    demo: Scratch, capsys: pytest.CaptureFixture[str], change: str, code: int
) -> None:
    """A folder that lives on has them: of another commit, of files that nobody committed, or with arguments."""
    extra = ["--", "-x"] if change == "arguments" else []
    assert main(["run", "two", "--outcomes", "artifacts/proof/job.json", *extra]) == 0
    store().forget(["two"] if not extra else [])
    if change == "file":
        demo.write({"pytest.ini": ""})
    if change == "commit":
        demo.commit()
    assert main(["plan", "two", "--format", "json", "--output", "artifacts/plan.json"]) == 0
    capsys.readouterr()
    assert main(["verify", "artifacts/proof", "--plan", "artifacts/plan.json"]) == code
    assert ("neither ran nor is covered" in capsys.readouterr().out) == bool(code)


def test_outcomes_are_about_what_was_there_before_the_sessions_ran(
    demo: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that edits a file, as a formatter does, ran on what was planned."""
    assert main(["plan", "edit", "--format", "json", "--output", "artifacts/plan.json"]) == 0
    assert main(["run", "edit", "--outcomes", "artifacts/proof/job.json"]) == 0
    assert (demo.root / "inputs/data.txt").read_text() == "edited"
    capsys.readouterr()
    assert main(["verify", "artifacts/proof", "--plan", "artifacts/plan.json"]) == 0
    assert "1 ran" in capsys.readouterr().out


def test_a_store_that_takes_nothing_is_told_once(
    demo: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sessions run and pass, and what they printed is kept elsewhere."""
    (demo.root / "artifacts").mkdir()
    (demo.root / "artifacts/file").write_text("")
    monkeypatch.setenv("HEADWORKS_STORE", str(demo.root / "artifacts/file"))
    assert main(["run", "one", "two"]) == 0
    said = capsys.readouterr()
    assert said.out.count("not recorded: the store cannot be written (") == 4  # where each ends, and in the summary
    [line] = said.err.splitlines()
    assert "could not be written to the store" in line
    assert {it.name[:3] for it in (demo.root / ".git/headworks/logs").iterdir()} == {"one", "two"}


def test_a_remote_that_never_answers_is_told_once(
    demo: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sessions run, and the exit code is theirs."""
    monkeypatch.setattr("headworks._store.patience._SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HEADWORKS_REMOTE", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert main(["run", "two", "--write-remote"]) == 0
    said = capsys.readouterr()
    assert "two  passed" in said.out
    [line] = said.err.splitlines()
    assert "it kept this run waiting for 0.2 s" in line
    assert [it.session for it in store().ls()] == ["two"]


@pytest.mark.parametrize(("ci", "code"), [("false", 0), ("true", 3)])
def test_what_must_run_and_did_not_is_an_error_in_ci(
    demo: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, code: int
) -> None:
    """Elsewhere it is shown."""
    monkeypatch.setenv("CI", ci)
    assert main(["run", "gone"]) == code
    assert "gone  UNPROVEN in" in capsys.readouterr().out
    assert store().ls() == []


@pytest.mark.parametrize("command", [["plan", "--format", "json"], ["run"], ["explain", "data"], ["graph"]])
def test_a_base_that_is_gone_stops_nothing(
    demo: Scratch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    """After a forced push nobody can say what changed, which one line tells; one that somebody names must be there."""
    (tmp_path / "event.json").write_text(json.dumps({"before": "1" * 40}))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    assert main(command) == 0
    said = capsys.readouterr().err
    lacks = f"{demo.root} lacks the commit before this push, 111111111111"
    assert said.startswith(f"headworks: Nothing says why sessions run: {lacks}")
    assert said.count("\n") == 1
    assert main([*command, "--base", "none"]) == 2
    assert "There is no revision 'none'" in capsys.readouterr().err


def test_nobody_can_guess_a_secret_from_a_record(
    demo: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No hash of one is kept; a new password of an index changes nothing, and a declared variable says its name."""
    demo.write({"pyproject.toml": TABLE.replace("data = {", 'data = { env = ["TOKEN"],')})
    settle()
    monkeypatch.setenv("TOKEN", "hunter2")
    monkeypatch.setenv("UV_INDEX_OWN_PASSWORD", "hunter2")
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:hunter2@example.org/simple")
    assert main(["run", "data"]) == 0
    secrets = [b"hunter2", b"https://me:hunter2@example.org/simple"]
    hashes = [it[:16].encode() for secret in secrets for it in (digest(secret), hashlib.sha256(secret).hexdigest())]
    files = [it.read_bytes() for it in Path(store().root).rglob("*") if it.is_file()]
    assert any(b'"env: TOKEN":"set"' in it for it in files)
    assert [it for content in files for it in [*hashes, b"hunter2"] if it in content] == []
    monkeypatch.setenv("UV_INDEX_OWN_PASSWORD", "hunter3")
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:hunter3@example.org/simple")
    capsys.readouterr()
    assert main(["plan", "data"]) == 0
    assert capsys.readouterr().out.startswith("Cached: 1 session")
    monkeypatch.setenv("TOKEN", "hunter3")
    assert main(["explain", "data"]) == 0
    assert "    another value of TOKEN\n" in capsys.readouterr().out
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org/other")
    assert main(["explain", "data"]) == 0
    assert "    env: PIP_INDEX_URL changed\n" in capsys.readouterr().out


def test_arguments_go_to_the_sessions_that_are_named(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is recorded of those then."""
    assert main(["run", "train", "--", "--epochs", "1"]) == 0
    assert "train  passed" in (said := capsys.readouterr().out)
    assert "not recorded, since it ran with extra arguments" in said
    [log] = (demo.root / ".git/headworks/logs").glob("train-*.log")
    assert "trained with ['--epochs', '1']" in log.read_text()
    assert [it.session for it in store().ls()] == ["data"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-j", "0"], "--jobs is 0; it has to be 1 or more."),
        (["--retry", "-1"], "--retry is -1; it has to be 0 or more."),
        (["--", "-x"], "Arguments after `--` go to sessions that are named, as in `headworks run tests -- -x`."),
        (["trian"], "There is no session 'trian'. Did you mean 'train'?"),
    ],
)
def test_bad_input_is_refused(
    demo: Scratch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Before anything runs."""
    assert main(["run", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_file_edited_meanwhile_is_told_by_name(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a person knows what to look at."""
    assert main(["run", "edit"]) == 0
    assert "not recorded, since this changed while it ran: files: inputs/data.txt" in capsys.readouterr().out
    assert store().ls() == []


def test_a_file_edited_and_put_back_meanwhile_is_told(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """The session has seen what nobody finds any more."""
    there_and_back = """write_text("edited"); pathlib.Path("inputs/data.txt").write_text("one")"""
    demo.commit({"noxfile.py": NOXFILE.replace('write_text("edited")', there_and_back)})
    time.sleep(0.5)  # A file written just before a run cannot be distinguished from one written just after its start.
    assert main(["run", "edit"]) == 0
    noted = "not recorded, since this changed while it ran: inputs/data.txt (written to, and now as before)"
    assert noted in capsys.readouterr().out
    assert store().ls() == []


def test_a_noxfile_broken_meanwhile_records_nothing(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """The session has passed all the same."""
    broken = NOXFILE.replace('write_text("edited")', 'unlink(); pathlib.Path("pyproject.toml").write_text("[")')
    demo.commit({"noxfile.py": broken})
    assert main(["run", "edit"]) == 0
    assert re.search(r"edit  passed in .*: not recorded: .*pyproject\.toml", capsys.readouterr().out)


def test_a_remote_that_cannot_be_read_is_told(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """The run goes on without it."""
    assert main(["run", "data", "--remote", "http://127.0.0.1:1"]) == 0
    assert "headworks: The remote store http://127.0.0.1:1 could not be read" in capsys.readouterr().err


def test_a_remote_gives_what_another_machine_proved(
    demo: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the outputs."""
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("HEADWORKS_REMOTE", (tmp_path / "shared").as_uri())
    assert main(["run", "data", "--write-remote"]) == 0
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "another"))
    (demo.root / "artifacts/data").unlink()
    capsys.readouterr()
    assert main(["run", "data"]) == 0
    assert "1 covered by earlier verdicts" in capsys.readouterr().out
    assert (demo.root / "artifacts/data").read_text() == "one"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("measured")
def test_a_signal_ends_the_run_with_all_its_sessions(demo: Scratch, started: type[Started], number: int) -> None:
    """Within five seconds, with a table, and without a verdict."""
    process = started("run", "slow")
    pid = demo.root / "artifacts/pid"
    while not pid.exists() or not pid.read_text():
        assert process.returncode is None, process.communicate()
        time.sleep(0.01)
    begin = time.monotonic()
    process.send_signal(number)
    output = process.communicate()
    assert time.monotonic() - begin < 5
    assert process.returncode == 130
    assert "slow  stopped" in output
    assert "Traceback" not in output
    assert not Path("/proc", pid.read_text()).exists()
    assert store().ls() == []


@pytest.mark.parametrize(
    ("first", "more"), [("INT", "INT"), ("TERM", "TERM"), ("HUP", "HUP"), ("INT", "TERM"), ("TERM", "INT INT")]
)
@pytest.mark.usefixtures("measured")
def test_a_second_signal_asks_only_for_haste(demo: Scratch, started: type[Started], first: str, more: str) -> None:
    """What clears up is not disturbed: the table is printed, nothing stays and nothing is recorded."""
    (demo.root / "artifacts").mkdir()
    process = started("run", "deaf")
    pid = demo.root / "artifacts/deaf"
    while not pid.exists() or not pid.read_text():
        assert process.returncode is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(getattr(signal, f"SIG{first}"))
    lines = list(itertools.takewhile(lambda line: not line.startswith("Ending what runs; "), process.stdout))
    for name in more.split():
        process.send_signal(getattr(signal, f"SIG{name}"))
    output = "".join([*lines, process.communicate()])
    assert process.returncode == 130
    assert "deaf  stopped" in output
    assert "Traceback" not in output
    stat = Path("/proc", pid.read_text().strip(), "stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX":  # being collected
        time.sleep(0.01)
    assert store().ls() == []


@pytest.mark.parametrize(
    ("mood", "why"),
    [
        ("kill nox", "nox was ended by SIGKILL, as where memory runs out"),
        ("kill -9 $$", "what it ran was ended by SIGKILL, as where memory runs out"),
        ("sh -c 'kill -9 $$'; exit $?", "what it ran was ended by SIGKILL, as where memory runs out"),
        ("kill $$", "what it ran was ended by SIGTERM"),
        ("echo 'cp: a: No space left on device'; exit 1", "No space left on device"),
    ],
)
def test_what_the_machine_did_is_no_failure_of_a_session(
    demo: Scratch, capsys: pytest.CaptureFixture[str], mood: str, why: str
) -> None:
    """The run fails and says so; once the session has passed, it is covered."""
    (demo.root / "artifacts").mkdir()
    (demo.root / "artifacts/mood").write_text(mood)
    assert main(["run", "moody"]) == 1
    assert f": {why}; not recorded, since that says nothing of it" in capsys.readouterr().out
    assert store().ls() == []
    (demo.root / "artifacts/mood").write_text("true")
    assert main(["run", "moody"]) == 0
    capsys.readouterr()
    assert main(["run", "moody"]) == 0
    assert "1 covered by earlier verdicts" in capsys.readouterr().out


def test_what_has_passed_and_failed_is_said_to_be_flaky(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """By the run, the plan and the explanation, with the command that clears it."""
    (demo.root / "artifacts").mkdir()
    for mood in ("kill -11 $$", "true"):
        (demo.root / "artifacts/mood").write_text(mood)
        main(["run", "moody"])
    reason = (
        "has both passed and failed just as it is, which proves nothing; `headworks store forget moody` forgets both"
    )
    assert f"moody: passed in 0.1 s: {reason}" in re.sub(r"in [\d.]+ s", "in 0.1 s", capsys.readouterr().out)
    for command in ("plan", "explain"):
        assert main([command, "moody"]) == 0
        assert reason in capsys.readouterr().out
    assert main(["store", "forget", "moody"]) == 0
    assert main(["run", "moody"]) == 0
    assert [(it.session, it.passed) for it in store().ls()] == [("moody", True)]


def test_an_environment_that_was_used_before_is_made_anew(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where noxfile and session would have it reused, as they do for a run of which nothing is recorded."""
    noxfile = """
import pathlib, nox
nox.options.reuse_venv = "yes"
@nox.session(venv_backend="venv", venv_params=["--without-pip"], reuse_venv=True)
def tests(session):
    pathlib.Path(session.virtualenv.location, "mark").open("x")
"""
    scratch.commit({"noxfile.py": noxfile, ".gitignore": ".nox\n__pycache__\n"})
    monkeypatch.chdir(scratch.root)
    assert main(["run"]) == 0
    assert main(["run", "--force"]) == 0
    assert main(["run", "tests", "--", "x"]) == 1


def test_what_is_ignored_stays_ignored(demo: Scratch) -> None:
    """A run that `nohup` starts outlives the terminal."""
    (demo.root / "artifacts").mkdir()
    command = 'trap "" HUP; exec "$0" -m headworks run count'
    process = subprocess.Popen(["sh", "-c", command, sys.executable], stdout=subprocess.DEVNULL)
    while not (demo.root / "artifacts/counted").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    assert process.wait() == 0
    assert [it.session for it in store().ls()] == ["count"] * WRITTEN


@pytest.mark.usefixtures("measured")
def test_two_runs_at_once_share_the_work(demo: Scratch, started: type[Started]) -> None:
    """The second waits for the first, and then finds everything proven."""
    (demo.root / "artifacts").mkdir()
    processes = [started("run", "count") for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert (demo.root / "artifacts/counted").read_text() == "xy"
    assert sum("works in this work tree; waiting for it to end." in output for output in outputs) == 1
    assert sum("1 covered by earlier verdicts" in output for output in outputs) == 1


def test_a_session_may_call_the_command(demo: Scratch) -> None:
    """It does not wait for the run that it is a part of."""
    assert main(["run", "inner"]) == 0
    assert [it.session for it in store().ls()] == ["data"] * WRITTEN


def test_a_run_within_a_watched_session_says_that_it_is_not_watched(
    demo: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs all the same: strace, which watches the session that calls it, cannot watch twice."""
    monkeypatch.setattr("headworks._run.loop.can_see_all", can_see_all)
    path = demo.root / "noxfile.py"
    path.write_text(path.read_text().replace('"run", "data"]', '"run", "--observe", "data"]'))
    demo.commit({"pyproject.toml": TABLE.replace("inner = { packages = [], cache = false }", "inner = {}")})
    main(["run", "--observe", "inner"])
    (log,) = (demo.root / ".git/headworks/logs").glob("inner*.log")
    assert "data: passed in" in log.read_text()
    assert "strace watched already, and strace cannot watch both" in log.read_text()
    assert "data" in {it.session for it in store().ls()}


def test_a_session_cannot_run_itself(demo: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even together with others: that would go on without end. It is named."""
    assert main(["run", "everything"]) == 1
    said = capsys.readouterr().out
    assert "| headworks: everything called this run and would be run by it in turn, without end. " in said
    assert [(it.session, it.passed) for it in store().ls()] == [("everything", False)]


@pytest.mark.parametrize("asked", [("counts", "counts_too"), ("counts", "counts_too", "count")])
def test_no_session_runs_in_two_runs_at_once(demo: Scratch, started: type[Started], asked: tuple[str, ...]) -> None:
    """Neither in two that sessions call, nor in one of these and the one that calls them."""
    (demo.root / "artifacts").mkdir()
    process = started("run", "--jobs", "3", *asked)
    output = process.communicate()
    assert process.returncode == 0, output
    counted = (demo.root / "artifacts/counted").read_text()
    assert counted.startswith("xyxy")
    assert counted == "xy" * (len(counted) // 2)


def test_a_run_within_a_run_leaves_the_outer_ones_parts_alone(demo: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the one that holds the work tree may clear away what killed ones left."""
    part = demo.root / ".git/headworks/tmp/.headworks-0123456789abcdef"
    part.mkdir(parents=True)
    monkeypatch.setenv("HEADWORKS_RUN", str(demo.root))
    assert main(["run", "one"]) == 0
    assert part.exists()
    monkeypatch.delenv("HEADWORKS_RUN")
    assert main(["run", "two"]) == 0
    assert not part.exists()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    assert main(["run", "--force", "one", "two"]) == 0
    assert len(set((demo.root / "artifacts/processes").read_text().split()[2:])) == 1
    logs = {it.name[:3]: it.read_text() for it in (demo.root / ".git/headworks/logs").glob("*.log")}
    assert "this is two" in logs["two"]
    assert "this is two" not in logs["one"]
    assert {it.seconds for it in store().ls()} != {0.0}


def test_as_many_processes_run_as_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that this process may use."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 3, 5})
    assert run._processors() == 3
