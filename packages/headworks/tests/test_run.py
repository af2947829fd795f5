"""A run runs what must run, in an order that makes sense, and records only what can be relied on.

The sessions are those of a real plan of a real repository. What they run are shell scripts, started by a stand-in for
nox that costs no time; the command's own tests use the real one.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headworks._digest.digest import Digester
from headworks._machine.nox import Nox
from headworks._plan.plan import plan
from headworks._run.display import Display
from headworks._run.file_lock import Claims, hold, share
from headworks._run.logs import log_name
from headworks._run.loop import Runner
from headworks._run.outcome import exit_code
from headworks._run.session import run_plan
from headworks._run.task import Settings
from headworks._tree.git import Repository
from headworks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Stage

    from headworks._machine.nox import ListedSession
    from headworks._plan.plan import Plan
    from headworks._run.outcome import Outcome
    from headworks._store.verdict import Verdict

NAMES = (
    "a after after_data alone also b bad base build c check covered d data dead done env flaky last later links lint"
    " long needed odd other others pong short slow tests top train unknown use"
)
SETTINGS = {
    "alone": ", allow_parallel=False",
    "also": ", allow_parallel=False",
    "after_data": ", requires=['data']",
}
SESSION = """
@nox.session(venv_backend="none"{settings})
def {name}(session):
    session.run("sh", "scripts/{name}", *session.posargs, external=True)
"""
NOX = r"""#!/bin/sh
for it; do case $it in --report=*) report=${it#*=} ;; --error-on-missing-interpreters) echo "strict" ;; esac; done
while [ "$1" != --sessions ]; do shift; done
shift
rows= code=0 sessions= arguments=
for it; do
    if [ "$it" = -- ]; then arguments="$*"; arguments=${arguments#*-- }; break; fi
    sessions="$sessions $it"
done
for it in $sessions; do
    echo "nox > Running session $it"
    sh "scripts/$it" $arguments
    case $? in
        0) word=success ;;
        7) word=skipped ;;
        9) exit 9 ;;
        *) word=failed code=1 ;;
    esac
    rows="$rows${rows:+,}{\"signatures\": [\"$it\"], \"result\": \"$word\", \"reason\": \"\", \"duration\": 0.1}"
done
[ "$report" ] && printf '{"sessions": [%s]}' "$rows" > "$report"
exit $code
"""


class Bench:
    """A repository whose sessions run scripts, and runs of them."""

    def __init__(self, stage: Stage) -> None:
        """Take a store, and a repository with a noxfile."""
        self.stage = stage
        self.root = stage.root
        self.store = stage.store
        self.logs = stage.root / ".git/headworks/logs"
        self.nox = stage.root.parent / "nox"
        self.write_nox(NOX)
        self.rows: dict[str, dict[str, Any]] = {}
        self.said = io.StringIO()
        self.undeclared: set[str] = set()
        self.is_ended = False

    def write_nox(self, script: str) -> None:
        """Write what is started in the place of nox."""
        self.nox.write_text(script)
        self.nox.chmod(0o755)

    def add(self, name: str, script: str, *needs: str, seconds: float | None = None, **row: Any) -> None:  # noqa: ANN401  # those of the table
        """Write the script of a session, the row of it, and how long it once took."""
        (self.root / "scripts" / name).write_text(script)
        self.rows[name] = {"inputs": [f"scripts/{name}"], "groups": [], "tools": [], "needs": needs, **row}
        if seconds is not None:
            self.stage.record(name, seconds=seconds, commit="earlier")

    def plan(self) -> Plan:
        """Plan all sessions that were added."""
        lines = ["[tool.headworks.sessions]"]
        for name in self.rows.keys() - self.undeclared:
            fields = ", ".join(f"{key} = {json.dumps(value)}" for key, value in self.rows[name].items())
            lines.append(f"{name} = {{ {fields} }}")
        (self.root / "pyproject.toml").write_text("\n".join(lines))
        planned = plan(self.root, store=self.store, sessions=self.rows)
        planned.digester.machine.nox.path = str(self.nox)
        return planned

    def run(self, *asked: str, planned: Plan | None = None, **settings: Any) -> dict[str, Outcome]:  # noqa: ANN401  # those of a run
        """Run all sessions, or some with what they need, and return the outcome of each."""
        self.said = io.StringIO()
        names = frozenset(asked or self.rows)
        made = Settings(**{"jobs": 2} | settings)
        planned = planned or self.plan()
        outcomes, self.is_ended = run_plan(planned, self.plan, names, self.store, made, Display(self.said))
        return outcomes

    def statuses(self, *asked: str, **settings: Any) -> dict[str, str]:  # noqa: ANN401  # those of `run`
        """Run, and return only the status of each session."""
        return {name: it.status for name, it in sorted(self.run(*asked, **settings).items())}

    def recorded(self) -> list[Verdict]:
        """Return all verdicts but those of earlier times, and those for what was seen, which come beside others."""
        return [it for it in self.store.ls() if it.commit != "earlier" and not it.core]

    def ran(self) -> list[str]:
        """Return what the scripts wrote into `ran` since this was last asked, line by line."""
        path = self.root / "ran"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def log(self, name: str) -> str:
        """Return what a session printed."""
        return (self.logs / log_name(name)).read_text()


def is_alive(pid: str) -> bool:
    """Whether a process runs, and is not just waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ListedSession]]:
    """Return a repository with a noxfile, and what the real nox lists of it."""
    root = tmp_path_factory.mktemp("prepared")
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    sessions = [SESSION.format(name=name, settings=SETTINGS.get(name, "")) for name in NAMES.split()]
    (root / "noxfile.py").write_text("\n".join(["import nox", *sessions]))
    (root / ".gitignore").write_text("/*\n!/noxfile.py\n!/pyproject.toml\n!/scripts\n")
    (root / "scripts").mkdir()
    machine = Digester.for_worktree(root).machine
    return root, machine.nox.list_sessions(str(root), machine.environment(()))


@pytest.fixture
def watched(stage: Stage, prepared: tuple[Path, list[ListedSession]], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a bench without sessions, for which nox need not be started."""
    root, listed = prepared
    shutil.copytree(root, stage.root, dirs_exist_ok=True)
    monkeypatch.setattr(Nox, "list_sessions", lambda *_: listed)
    return Bench(stage)


@pytest.fixture
def bench(unwatched: None, watched: Bench) -> Bench:
    """Return one whose sessions nobody watches: that is tested elsewhere, and takes as long again."""
    return watched


def stages(bench: Bench, data: str = "one") -> None:
    """Add stages that build on each other."""
    bench.add("data", f"echo data >> ran; mkdir -p out; echo {data} | head -c 4 > out/data", outputs=["out/data"])
    train = "echo train >> ran; cat out/data > out/model; echo m >> out/model"
    bench.add("train", train, "data", outputs=["out/model"])
    bench.add("check", "echo check >> ran; grep . out/model", "train")


def test_an_observed_session_that_reads_more_leaves_no_verdict(watched: Bench) -> None:
    """Short ones do not share a process then, and one about which nothing is recorded is not watched."""
    stages(watched)
    watched.add("odd", "true", seconds=0.1)
    watched.add("short", "cat scripts/odd", seconds=0.1)
    watched.add("links", "cat scripts/odd", cache=False)
    watched.add("flaky", "test -e out/failed || { mkdir -p out; touch out/failed; exit 1; }; cat scripts/odd")
    outcomes = watched.run(observe=True, retries=1)
    more = "not recorded, since it read scripts/odd, which its digest does not cover (name them in `inputs` of its row)"
    notes = {name: it.note for name, it in outcomes.items() if it.note}
    assert notes == {"short": more, "flaky": f"it failed before; {more}"}
    assert outcomes["links"].findings is None
    assert {it.session for it in watched.recorded() if it.passed} == {"data", "train", "check", "odd"}
    assert exit_code(outcomes.values(), is_ci=False) == 1


def test_sessions_run_once_and_are_covered_then(bench: Bench) -> None:
    """In the order of their needs; the second run runs nothing, and says on which verdict that rests."""
    stages(bench)
    assert set(bench.statuses().values()) == {"passed"}
    assert bench.ran() == ["data", "train", "check"]
    outcomes = bench.run()
    assert bench.ran() == []
    assert {it.status for it in outcomes.values()} == {"cached"}
    verdicts = [it.verdict for it in outcomes.values()]
    assert verdicts == list(map(bench.store.last, outcomes))
    assert all(it is not None and it.seconds > 0 for it in verdicts)
    assert bench.said.getvalue() == ""


def test_outputs_are_put_back_before_sessions_that_read_them(bench: Bench) -> None:
    """A session that runs finds what the covered ones had made, and nothing else."""
    stages(bench)
    bench.run()
    (bench.root / "out/data").write_text("changed\n")
    (bench.root / "out/model").unlink()
    bench.add("check", "cat out/data out/model >> ran", "train")
    outcomes = bench.run("check")
    assert outcomes["train"].note == "restored out/model"
    assert outcomes["check"].status == "passed"
    assert bench.ran()[-3:] == ["changed", "one", "m"]
    bench.run()
    assert (bench.root / "out/data").read_text() == "one\n"


def test_equal_outputs_leave_what_follows_covered(bench: Bench) -> None:
    """A stage that ran anew and made the same stops there; one that made something else does not."""
    stages(bench)
    bench.run()
    bench.ran()
    stages(bench, data="'one\nmore'")
    assert bench.statuses() == {"data": "passed", "train": "cached", "check": "cached"}
    assert bench.ran() == ["data"]
    stages(bench, data="two")
    assert bench.statuses() == {"data": "passed", "train": "passed", "check": "passed"}


def test_what_only_others_need_is_not_put_back(bench: Bench) -> None:
    """Nobody asked for the outputs of a covered session that only covered ones build on."""
    stages(bench)
    bench.run()
    shutil.rmtree(bench.root / "out")
    assert bench.statuses("check") == {"check": "cached", "data": "cached", "train": "cached"}
    assert not (bench.root / "out").exists()
    assert bench.statuses("train")["train"] == "cached"
    assert [it.name for it in (bench.root / "out").iterdir()] == ["model"]


def test_what_a_plan_says_must_run_runs(bench: Bench) -> None:
    """Whatever verdict there is: others may need what it leaves behind."""
    bench.add("build", "echo build >> ran")
    planned = bench.plan()
    bench.run()
    assert bench.statuses(planned=planned) == {"build": "passed"}
    assert bench.ran() == ["build", "build"]


def test_what_cannot_be_put_back_is_made_anew(bench: Bench) -> None:
    """No row says what the session leaves behind, and another that runs may need it."""
    bench.add("data", "true", cache=False)
    bench.add("after_data", "true")
    bench.add("use", "true", "after_data")
    bench.undeclared = {"after_data"}
    bench.run()
    assert bench.statuses() == {"after_data": "passed", "data": "passed", "use": "cached"}
    bench.undeclared = set()
    bench.run()
    assert bench.statuses() == {"after_data": "cached", "data": "passed", "use": "cached"}


def test_a_stale_output_does_not_survive(bench: Bench) -> None:
    """A session starts without what an earlier one left at its outputs."""
    bench.add("data", "ls out >> ran; mkdir -p out; echo x > out/new", outputs=["out"])
    (bench.root / "out").mkdir()
    (bench.root / "out/stale").write_text("")
    bench.run()
    assert bench.ran() == []
    assert [it.name for it in (bench.root / "out").iterdir()] == ["new"]


def test_outputs_made_of_a_pointer_are_not_those_of_the_data(bench: Bench) -> None:
    """Git has one object for both, as where LFS fetched nothing at first."""
    clean = bench.root / ".git/clean"
    clean.write_text("#!/bin/sh\ncat > /dev/null\necho pointer\n")
    clean.chmod(0o755)
    repository = Repository(str(bench.root))
    repository.run("config", "filter.pointer.clean", str(clean))
    (bench.root / ".gitattributes").write_text("*.csv filter=pointer\n")
    (bench.root / "scripts/data.csv").write_text("pointer\n")
    bench.add("data", "mkdir -p out; cp scripts/data.csv out/data", inputs=["scripts"], outputs=["out/data"])
    repository.run("add", "--all")
    repository.run("commit", "--quiet", "--message=pointer")
    assert bench.statuses() == {"data": "passed"}
    (bench.root / "scripts/data.csv").write_text("1,2\n")
    repository.run("add", "scripts/data.csv")
    assert repository.run("diff", "HEAD", "--", "scripts/data.csv") == b""
    assert bench.statuses() == {"data": "passed"}
    assert (bench.root / "out/data").read_text() == "1,2\n"
    (bench.root / "scripts/data.csv").write_text("pointer\n")
    assert bench.statuses() == {"data": "cached"}
    assert (bench.root / "out/data").read_text() == "pointer\n"


def test_a_verdict_with_more_outputs_than_declared_covers_nothing(bench: Bench) -> None:
    """Only what the row names may be put in place, whatever a poisoned store has."""
    bench.add("data", "echo data >> ran; echo x > one", outputs=["one"])
    bench.run()
    planned = bench.plan()
    [verdict] = bench.recorded()
    (bench.root / "two").write_text("mine")
    outputs = {**verdict.outputs, "two": bench.store.outputs(bench.root).content("two") or ""}
    bench.store.record(replace(verdict, outputs=outputs), bench.root)
    assert bench.statuses(planned=planned) == {"data": "passed"}
    assert bench.ran() == ["data", "data"]


def test_files_of_others_in_an_output_are_kept(bench: Bench) -> None:
    """What a failed or ended run left is not theirs; a run with arguments makes what it finds nobody's own."""
    bench.add("data", 'mkdir -p out; echo "$*" > out/half; exit 1', outputs=["out"])
    bench.run()
    bench.run()
    assert not (bench.root / ".git/headworks/kept").exists()
    (bench.root / "out/notes.md").write_text("mine")
    bench.run(arguments=("-x",))
    bench.run()
    assert (bench.root / ".git/headworks/kept/1/out/notes.md").read_text() == "mine"
    bench.run(arguments=("-x",))
    bench.run()
    assert not (bench.root / ".git/headworks/kept/2").exists()


def test_what_an_ended_run_left_is_cleared_without_a_word(bench: Bench) -> None:
    """Half an output of a session that was stopped is of no use to anybody."""
    bench.add("data", f"mkdir -p out; echo x > out/half; kill -INT {os.getpid()}; sleep 60", outputs=["out"])
    bench.run()
    assert bench.is_ended
    assert (bench.root / "out/half").exists()
    bench.add("data", "test ! -e out; mkdir out", outputs=["out"])
    assert bench.statuses() == {"data": "passed"}
    assert not (bench.root / ".git/headworks/kept").exists()


def test_damaged_outputs_are_made_anew(bench: Bench) -> None:
    """Where the store cannot give them back, the session runs again, and what follows goes by what it makes now."""
    stages(bench)
    bench.run()
    shutil.rmtree(bench.root / "out")
    for blob in Path(bench.store.root).glob("blobs/*/*"):
        blob.write_text("damaged")
    assert bench.statuses() == {"check": "cached", "data": "passed", "train": "passed"}
    assert "data: its outputs are missing or damaged in the store" in bench.said.getvalue()
    assert (bench.root / "out/model").read_text() == "one\nm\n"


def test_an_output_that_cannot_be_put_back_is_made_anew(bench: Bench) -> None:
    """A file in the way is named; the session then fails on it if it cannot cope either."""
    stages(bench)
    bench.run()
    shutil.rmtree(bench.root / "out")
    (bench.root / "out").write_text("in the way")
    assert bench.statuses() == {"check": "blocked", "data": "failed", "train": "blocked"}
    assert "data: The output" in bench.said.getvalue()


def test_outputs_lost_after_all_fail_what_needs_them(bench: Bench) -> None:
    """A session never starts without what it builds on."""
    stages(bench)
    bench.run()
    planned = bench.plan()
    bench.store.forget(["check"])
    shutil.rmtree(bench.root / "out")
    for blob in Path(bench.store.root).glob("blobs/*/*"):
        blob.unlink()
    bench.ran()
    outcomes = bench.run("check", planned=planned)
    assert outcomes["check"].note == "the outputs of train could not be put in place; run again to make them anew"
    assert bench.ran() == []
    assert bench.statuses("check") == {"check": "passed", "data": "passed", "train": "passed"}


def test_a_failure_is_shown_and_stops_what_has_not_started(bench: Bench) -> None:
    """What needs it is not run at all; what runs may end; verdicts still cover what they cover."""
    bench.add("covered", "true")
    bench.run()
    bench.add("bad", "echo oh no; exit 1", seconds=9)
    bench.add("after", "true", "bad")
    bench.add("slow", "sleep 0.3", seconds=8)
    bench.add("later", "true", seconds=7)
    statuses = bench.statuses()
    assert statuses == {
        "after": "blocked",
        "bad": "failed",
        "covered": "cached",
        "later": "stopped",
        "slow": "passed",
    }
    said = bench.said.getvalue()
    assert "  | oh no\n" in said
    assert "Waiting for slow; nothing else is started after a failure." in said
    assert "after: NOT RUN: it needs bad" in said
    assert bench.statuses(jobs=1) == statuses | {"slow": "cached"}


def test_keep_going_runs_what_can_run(bench: Bench) -> None:
    """Only what needs the failed one is left out."""
    bench.add("bad", "exit 1", seconds=9)
    bench.add("after", "true", "bad")
    bench.add("last", "true", "after")
    bench.add("later", "true")
    assert bench.statuses(jobs=1, keep_going=True) == {
        "after": "blocked",
        "bad": "failed",
        "last": "blocked",
        "later": "passed",
    }


def test_what_needs_a_stopped_session_is_stopped(bench: Bench) -> None:
    """It was not refused, only not reached."""
    bench.add("bad", "exit 1", seconds=9)
    bench.add("later", "true", seconds=3)
    bench.add("last", "true", "later", seconds=3)
    assert bench.statuses(jobs=1) == {"bad": "failed", "last": "stopped", "later": "stopped"}


def test_a_failure_is_recorded_and_runs_again(bench: Bench) -> None:
    """It is never reused; a pass of the same digest makes it flaky, which is not reused either."""
    bench.add("flaky", "echo x >> ran; test -e fixed")
    assert bench.statuses() == {"flaky": "failed"}
    [verdict] = bench.recorded()
    assert (verdict.passed, verdict.commit, verdict.session) == (False, "", "flaky")
    (bench.root / "fixed").write_text("")
    assert bench.statuses() == {"flaky": "passed"}
    assert bench.statuses() == {"flaky": "passed"}
    assert [it.session for it in bench.store.flaky()] == ["flaky"]


@pytest.mark.parametrize(
    ("retries", "status", "note"), [(1, "failed", "2 times"), (2, "flaky", "it failed 2 times before")]
)
def test_a_retry_hides_nothing(bench: Bench, retries: int, status: str, note: str) -> None:
    """Both outcomes are told and recorded."""
    bench.add("flaky", "echo x >> ran; test $(wc -l < ran) = 3")
    outcome = bench.run(retries=retries)["flaky"]
    assert (outcome.status, outcome.note) == (status, note)
    assert len(bench.ran()) == retries + 1
    assert f"flaky: FAILED; trying again (1 of {retries})" in bench.said.getvalue()
    assert {it.passed for it in bench.recorded()} == ({False} if status == "failed" else {True, False})


def test_one_failure_before_a_pass_is_told_too(bench: Bench) -> None:
    """With one retry."""
    bench.add("flaky", "echo x >> ran; test $(wc -l < ran) = 2")
    assert bench.run(retries=3)["flaky"].note == "it failed before"


def test_force_runs_what_is_covered(bench: Bench) -> None:
    """But only what was asked for."""
    stages(bench)
    bench.run()
    bench.ran()
    assert bench.statuses("train", force=True) == {"check": "cached", "data": "cached", "train": "passed"}
    assert bench.ran() == ["train"]


def test_what_is_recorded_never_reuses_an_environment(bench: Bench) -> None:
    """What an earlier run installed there counts in no digest; where nothing is recorded, the noxfile decides."""
    bench.write_nox(NOX.replace('echo "strict" ;;', 'echo "strict" ;; --reuse-venv=never) echo "anew" ;;'))
    bench.add("tests", "true")
    bench.add("slow", "true", cache=False)
    for name, arguments, is_anew in [("tests", (), True), ("tests", ("-x",), False), ("slow", (), False)]:
        bench.run(name, arguments=arguments)
        assert ("anew\n" in bench.log(name)) == is_anew


def test_the_environment_of_a_watched_session_is_removed_before_strace_starts(watched: Bench) -> None:
    """Strace would stop at each of its files; a folder of that name that is no environment stays."""
    old = watched.root / ".nox/tests"
    for name in ("tests", "others"):
        (watched.root / ".nox" / name).mkdir(parents=True)
        (watched.root / ".nox" / name / "file").touch()
        watched.add(name, "true")
    (old / "pyvenv.cfg").touch()
    with (watched.root / ".git/info/exclude").open("a") as file:
        file.write(".nox\n")
    watched.run("tests", "others", observe=True)
    assert [it.name for it in old.parent.iterdir()] == ["others"]


def test_extra_arguments_run_and_are_not_recorded(bench: Bench) -> None:
    """Only what was asked for gets them; outputs of before are left for it, and need not be made."""
    bench.add("data", 'echo "data $*" >> ran; mkdir -p out; echo 1 > out/data', outputs=["out/data"])
    bench.add("tests", 'echo "tests $*" >> ran', "data", outputs=["out/tests"])
    (bench.root / "out").mkdir()
    (bench.root / "out/tests").write_text("kept")
    outcomes = bench.run("tests", arguments=("-k", "name"))
    assert bench.ran() == ["data ", "tests -k name"]
    assert outcomes["tests"].note == "not recorded, since it ran with extra arguments"
    assert (bench.root / "out/tests").read_text() == "kept"
    (bench.root / "out/tests").unlink()
    assert bench.run("tests", arguments=("-x",))["tests"].status == "passed"
    assert [it.session for it in bench.recorded()] == ["data"]


def test_a_session_that_time_decides_always_runs(bench: Bench) -> None:
    """And is never recorded."""
    bench.add("links", "echo x >> ran", cache=False)
    for _ in range(2):
        assert bench.run()["links"].note == ""
    assert len(bench.ran()) == 2
    assert bench.recorded() == []


def test_a_file_edited_while_its_session_runs_is_not_proven(bench: Bench) -> None:
    """Nothing is recorded of a session whose digest is another at its end, and the person is told what changed."""
    bench.add("lint", "echo '# more' >> scripts/lint")
    bench.add("bad", "echo '# more' >> scripts/bad; exit 1")
    outcomes = bench.run(keep_going=True)
    assert outcomes["lint"].note == "not recorded, since this changed while it ran: files: scripts/lint"
    assert outcomes["bad"].status == "failed"
    assert bench.recorded() == []


def test_an_input_from_another_session_changed_meanwhile_is_not_proven(bench: Bench) -> None:
    """The outputs that it builds on are looked at again too."""
    stages(bench)
    bench.add("check", "echo changed > out/model", "train")
    assert bench.run()["check"].note == "not recorded, since this changed while it ran: out/model of train"
    assert bench.store.last("check") is None


def test_an_output_that_was_not_written_fails_its_session(bench: Bench) -> None:
    """What others would build on is not there."""
    bench.add("data", "true", outputs=["out/data"])
    outcome = bench.run()["data"]
    assert (outcome.status, outcome.note) == ("failed", "it passed, but did not write its output out/data")
    assert bench.recorded() == []


def test_an_output_that_cannot_be_kept_fails_its_session(bench: Bench) -> None:
    """The message says why."""
    bench.add("data", "mkdir out; ln -s /etc/passwd out/link", outputs=["out"])
    outcome = bench.run()["data"]
    assert outcome.status == "failed"
    assert "cannot be kept" in outcome.note


def test_a_store_that_cannot_be_written_does_not_fail_a_session(bench: Bench) -> None:
    """It is said that nothing was recorded, and what follows runs."""
    stages(bench)
    Path(bench.store.root).write_text("in the way")
    outcomes = bench.run()
    assert {it.status for it in outcomes.values()} == {"passed"}
    beginning = "not recorded: the store cannot be written ("
    assert {it.note.startswith(beginning) for it in outcomes.values()} == {True}
    [problem] = bench.store.problems
    assert problem.startswith(f"The verdict of data could not be written to the store {bench.store.root}: ")


@pytest.mark.parametrize(("required", "status"), [(True, "unproven"), (False, "skipped")])
def test_a_skipped_session_proves_nothing(bench: Bench, *, required: bool, status: str) -> None:
    """It is not recorded, and what needs it does not run."""
    bench.add("tests", "exit 7", required=required)
    bench.add("check", "true", "tests")
    outcomes = bench.run()
    assert {name: it.status for name, it in outcomes.items()} == {"tests": status, "check": "blocked"}
    assert outcomes["tests"].note == "nox skipped it"
    assert bench.recorded() == []


def test_tests_that_were_all_skipped_prove_nothing(bench: Bench) -> None:
    """Where the table says that they are required."""
    bench.add("tests", "echo '=== 3 skipped in 0.01s ==='", required=True)
    bench.add("others", "echo '=== 3 skipped in 0.02s ==='")
    outcomes = bench.run()
    assert (outcomes["tests"].status, outcomes["tests"].note) == ("unproven", "pytest skipped all its tests")
    assert outcomes["others"].status == "passed"
    bench.add("tests", f"rm {bench.logs}/*.log", required=True)
    assert bench.run()["tests"].note.startswith("nobody can tell whether its tests ran: [Errno 2]")


def test_required_sessions_share_no_process(bench: Bench) -> None:
    """Nothing that another one prints speaks for them."""
    for name in "abc":
        bench.add(name, "echo $PPID >> ran", seconds=0.1, required=name != "b")
    bench.run(jobs=1)
    assert len(set(bench.ran())) == 3


def test_nox_without_a_report_is_a_failure(bench: Bench) -> None:
    """Whatever it ended with."""
    bench.add("dead", "exit 9")
    assert bench.run()["dead"].note == "nox ended with 9 and without a report"
    bench.write_nox(NOX.replace("exit $code", "exit 5"))
    bench.add("odd", "true")
    outcome = bench.run("odd", keep_going=True)["odd"]
    assert (outcome.status, outcome.note) == ("failed", "nox ended with 5")


def test_nox_that_cannot_be_started_is_a_failure(bench: Bench) -> None:
    """The message says what is wrong."""
    bench.add("lint", "true")
    (bench.logs / log_name("lint")).mkdir(parents=True)
    outcome = bench.run()["lint"]
    assert outcome.status == "failed"
    assert outcome.note.startswith("it could not be started: [Errno 21]")


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("kill -9 $$", "nox was ended by SIGKILL, as where memory runs out"),
        ("kill -34 $$", "nox was ended by SIGRTMIN"),
        ("kill -40 $$", "nox was ended by signal 40"),
        ("exit 130", "nox was ended by SIGINT"),
        ("exec there-is-no-nox", "nox could not be started"),
        ("rm -r .git/headworks/logs; exit 5", ""),
    ],
)
def test_nox_that_was_ended_says_nothing_of_its_session(bench: Bench, end: str, why: str) -> None:
    """Nothing is recorded; what ended by itself has failed."""
    bench.add("data", "true")
    bench.write_nox(f"#!/bin/sh\n{end}\n")
    outcome = bench.run()["data"]
    assert outcome.status == "failed"
    assert outcome.note.startswith(why or "nox ended with 5 and without a report")
    assert len(bench.recorded()) == (not why)


def test_an_interrupted_session_may_be_tried_again(bench: Bench) -> None:
    """What passes then has not failed before."""
    bench.add("data", "[ -e tried ] || { touch tried; kill -9 $PPID; sleep 60; }")
    outcome = bench.run(retries=1)["data"]
    assert (outcome.status, outcome.note) == ("passed", "")
    assert "tried again" not in bench.said.getvalue()
    assert "; trying again (1 of 1)" in bench.said.getvalue()
    assert [it.passed for it in bench.recorded()] == [True]


def test_sessions_get_a_scrubbed_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they declare, what leads to tools and the store, that they run in CI, and nothing else."""
    environ = {"DECLARED": "1", "SECRET": "2", "HEADWORKS_STORE": "/store", "HEADWORKS_SECRET": "3", "CI": "true"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    bench.add("env", "env", env=["DECLARED"])
    bench.run(is_ci=True)
    log = bench.log("env")
    assert "DECLARED=1" in log
    assert "HEADWORKS_STORE=/store" in log
    assert f"HEADWORKS_RUN={bench.root}" in log
    assert "SECRET" not in log
    assert "CI=true" in log
    assert "strict" in log


def test_the_longest_chain_of_work_starts_first(bench: Bench) -> None:
    """What takes long, or what much waits for."""
    bench.add("short", "echo short >> ran", seconds=3)
    bench.add("long", "echo long >> ran", seconds=4)
    bench.add("base", "echo base >> ran", seconds=3)
    bench.add("top", "echo top >> ran", "base", seconds=3)
    bench.run(jobs=1)
    assert bench.ran() == ["base", "long", "short", "top"]


def test_sessions_run_at_the_same_time(bench: Bench) -> None:
    """As many as were allowed, and no more."""
    for name in "abc":
        bench.add(name, f"echo +{name} >> ran; sleep 0.3; echo -{name} >> ran", seconds=9)
    bench.run(jobs=2)
    assert sorted(bench.ran()[:2]) == ["+a", "+b"]


def test_nothing_runs_beside_a_session_that_must_be_alone(bench: Bench) -> None:
    """It waits for all that is ready, and what becomes ready waits for it."""
    for name in "abc":
        bench.add(name, f"echo +{name} >> ran; sleep 0.3; echo -{name} >> ran", seconds=3)
    alone = "echo +alone >> ran; sleep 0.3; echo -alone >> ran"
    bench.add("alone", alone, seconds=9)
    bench.add("after", "echo after >> ran", "alone", seconds=3)
    bench.add("also", "echo also >> ran", seconds=9)
    bench.run(jobs=2)
    ran = bench.ran()
    assert {it[1:] for it in ran[:6]} == {"a", "b", "c"}
    assert sorted(ran[6:]) == ["+alone", "-alone", "after", "also"]
    assert ran.index("-alone") == ran.index("+alone") + 1


def test_short_sessions_share_a_process(bench: Bench) -> None:
    """Where it is known that they are, where nothing waits for them, and where they are alike."""
    for name in "abcd":
        bench.add(name, f"echo {name} $PPID >> ran; echo said {name}", seconds=1)
    bench.add("long", "echo long $PPID >> ran", seconds=3)
    bench.add("unknown", "echo unknown $PPID >> ran")
    bench.add("needed", "echo needed $PPID >> ran", seconds=1)
    bench.add("last", "echo last $PPID >> ran", "needed", seconds=1)
    bench.add("other", "echo other $PPID >> ran", seconds=1, env=["X"])
    outcomes = bench.run(jobs=1)
    assert {it.status for it in outcomes.values()} == {"passed"}
    processes = dict(line.split() for line in bench.ran())
    assert len({processes[name] for name in "abcd"}) == 1
    assert len(set(processes.values())) == 6
    assert bench.log("b") == "nox > Running session b\nsaid b\n"
    assert set(bench.statuses().values()) == {"cached"}


def test_short_sessions_are_spread_over_the_processes(bench: Bench) -> None:
    """Nobody waits for one long row of them while there is room."""
    for name in "abcd":
        bench.add(name, f"echo $PPID >> ran; echo {name}", seconds=0.1)
    bench.run(jobs=2)
    assert len(set(bench.ran())) == 2


def test_one_of_several_in_a_process_may_fail(bench: Bench) -> None:
    """The others have their own outcome."""
    for name in "abc":
        bench.add(name, "exit 1" if name == "b" else "true", seconds=0.1)
    assert bench.statuses(jobs=1) == {"a": "passed", "b": "failed", "c": "passed"}
    assert {(it.session, it.passed) for it in bench.recorded()} == {("a", True), ("b", False), ("c", True)}


def test_one_that_brings_nox_down_does_not_take_others_along(bench: Bench) -> None:
    """Each then runs in a process of its own, and only the one at fault has failed."""
    for name in "abc":
        bench.add(name, f"echo {name} >> ran; exit {9 if name == 'b' else 0}", seconds=0.1)
    assert bench.statuses(jobs=1, keep_going=True) == {"a": "passed", "b": "failed", "c": "passed"}
    assert bench.ran() == ["a", "b", "a", "b", "c"]
    assert [it.session for it in bench.recorded() if not it.passed] == ["b"]


def test_ctrl_c_ends_every_session_and_records_nothing(bench: Bench) -> None:
    """What had ended keeps its verdict; what had not is stopped."""
    bench.add("done", "true", seconds=9)
    for name in "ab":
        bench.add(name, f"sleep 60 & echo $! >> ran; touch started-{name}; wait", "done")

    def interrupt() -> None:
        while not all((bench.root / f"started-{name}").exists() for name in "ab"):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    begin = time.monotonic()
    assert bench.statuses() == {"a": "stopped", "b": "stopped", "done": "passed"}
    assert bench.is_ended
    assert time.monotonic() - begin < 5
    thread.join()
    assert [it.session for it in bench.recorded()] == ["done"]
    pids = bench.ran()
    assert len(pids) == 2
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() - begin < 5


def test_a_second_ctrl_c_ends_all_at_once(bench: Bench) -> None:
    """Whoever hurries waits for no session that cleans up, nor for one that ignores the first."""
    bench.add("data", "true")
    bench.write_nox("#!/bin/sh\ntrap '' INT TERM\ntouch started\nsleep 60\n")
    hurried = []

    def hurry() -> None:
        while not (bench.root / "started").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        while "Ending what runs; told so again, it ends at once." not in bench.said.getvalue():
            time.sleep(0.01)
        hurried.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=hurry)
    thread.start()
    assert bench.statuses() == {"data": "stopped"}
    thread.join()
    assert time.monotonic() - hurried[0] < 3


def inside(claims: Claims, *callers: str) -> tuple[str, str]:
    """Return the variable that tells a run which sessions of another one started it."""
    [variable] = claims.environ(callers).items()
    return variable


def beside(bench: Bench, is_said: str, then: Callable[[], object], **settings: Any) -> dict[str, Outcome]:  # noqa: ANN401  # those of a run
    """Run within another run, do something once something is said, and return the outcome of each session."""

    def act() -> None:
        while is_said not in bench.said.getvalue():
            time.sleep(0.01)
        then()

    thread = threading.Thread(target=act)
    thread.start()
    outcomes = bench.run(**settings)
    thread.join()
    return outcomes


def test_a_run_that_waited_for_another_plans_anew(bench: Bench) -> None:
    """What that one has recorded need not run again."""
    bench.add("data", "echo data >> ran")
    planned = bench.plan()
    bench.run()
    with contextlib.ExitStack() as other:
        other.enter_context(hold(str(bench.root), {}, print))
        outcomes = beside(bench, "Another run", other.close, planned=planned)
    assert outcomes["data"].status == "cached"
    assert bench.ran() == ["data"]


@pytest.mark.parametrize("callers", [[], ["caller"]])
@pytest.mark.parametrize(
    ("is_proven", "force", "status"), [(True, False, "cached"), (True, True, "passed"), (False, False, "passed")]
)
def test_what_runs_in_another_run_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, callers: list[str], *, is_proven: bool, force: bool, status: str
) -> None:
    """Then it is covered if it passed there; others run meanwhile."""
    takes: list[str] = []
    really = Claims.take

    def take(claims: Claims, session: str) -> bool:
        takes.append(session)
        return really(claims, session)

    bench.add("data", "echo data >> ran")
    bench.add("lint", "echo lint >> ran")
    bench.run("data")
    assert sorted(bench.ran()) == ["data", "lint"]
    (verdict,) = [it for it in bench.recorded() if it.session == "data"]
    bench.add("lint", "echo lint >> ran # changed")
    bench.store.forget(["data"])
    with share(str(bench.root), {}) as outer:
        monkeypatch.setenv(*inside(outer, *callers))
        assert outer.take("data")
        monkeypatch.setattr(Claims, "take", take)

        def end() -> None:
            while takes.count("data") < 3:
                time.sleep(0.01)
            if is_proven:
                bench.store.record(verdict, bench.root)
            outer.give("data")

        outcomes = beside(bench, "data: runs in another run already; waiting for it to end\n", end, force=force)
    assert {name: it.status for name, it in outcomes.items()} == {"data": status, "lint": "passed"}
    assert bench.ran() == ["lint", *(["data"] if status == "passed" else [])]


def test_a_run_refuses_what_called_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a verdict covers that."""
    bench.add("data", "echo data >> ran")
    with share(str(bench.root), {}) as outer:
        with monkeypatch.context() as patch:
            patch.setenv(*inside(outer, "data"))
            with pytest.raises(UsageError, match="data called this run and would be run by it in turn, without end"):
                bench.run()
        assert bench.statuses() == {"data": "passed"}
        monkeypatch.setenv(*inside(outer, "data"))
        assert bench.statuses() == {"data": "cached"}
    assert bench.ran() == ["data"]


def test_an_end_with_nothing_running_says_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to hurry."""

    def interrupt(_runner: Runner) -> None:
        raise KeyboardInterrupt

    bench.add("data", "true")
    monkeypatch.setattr(Runner, "_fill", interrupt)
    assert bench.statuses() == {"data": "stopped"}
    assert bench.said.getvalue() == ""


def test_runs_do_not_wait_for_each_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that waits for this run's own is not waited for."""
    bench.add("pong", "echo pong >> ran")
    root = str(bench.root)
    with share(root, {}) as outer, share(root, dict([inside(outer, "pong")])) as other:
        assert outer.take("ping")
        assert outer.take("pong")
        monkeypatch.setenv(*inside(outer, "ping"))
        outcomes = beside(bench, "pong: runs in another run already", lambda: other.take("ping"))
    assert outcomes["pong"].status == "failed"
    assert outcomes["pong"].note == "it runs in another run, which waits for ping in turn"
    assert bench.ran() == []


def test_what_runs_is_shown_with_the_time_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as earlier runs tell."""
    shown: list[tuple[list[str], int, float | None]] = []
    monkeypatch.setattr(
        Display, "tick", lambda _self, rows, waiting, left: shown.append(([row[0] for row in rows], waiting, left))
    )
    bench.add("a", "sleep 0.3", seconds=3)
    bench.add("b", "true", "a", seconds=4)
    bench.run()
    assert shown[0][:2] == (["a"], 1)
    assert shown[0][2] == pytest.approx(7, abs=0.5)
    shown.clear()
    bench.rows.clear()
    bench.add("c", "sleep 0.1")
    bench.run()
    assert shown[0] == (["c"], 0, None)
