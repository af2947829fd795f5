"""`ci.yml` passes exactly if every session ran or is covered, by GitHub's own rules for jobs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from github_job import Job
from github_runner import Run
from replay import counted, propose, ran, unexpected, with_rows
from replay_cases import SMALL, Case
from replay_monorepo import CI, SmallMonorepo
from replay_repository import LEFT_OUT, RUNNING, ThisRepository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> SmallMonorepo:
    """Return a monorepo in which everything has passed on main."""
    monorepo = SmallMonorepo(tmp_path_factory.mktemp("monorepo"))
    run = monorepo.push()
    assert set(run.results.values()) == {"success"}, run.log
    assert len(ran(run)) == 10
    return monorepo


@pytest.mark.parametrize("change", SMALL)
def test_a_change_passes_if_it_is_proven(change: str, monorepo: SmallMonorepo) -> None:
    """Exactly the sessions that a change affects run, the rest is covered, and `required` counts both."""
    case = SMALL[change]
    run = propose(monorepo, case)
    assert unexpected(run, case) == [], run.log
    assert "is not what Headworks writes" not in run.log
    if case.is_mergeable:
        assert counted(run) == (10, 10 - len(case.runs))


def test_a_damaged_cache_of_main_is_a_miss(monorepo: SmallMonorepo) -> None:
    """It holds up no pull request: every session runs, and a warning says why."""
    (folder,) = (it for it in (monorepo.folder / "caches").iterdir() if "plan" in it.name)
    newest = folder / "verdicts-damaged"
    newest.write_bytes(b"not a bundle")
    run = monorepo.propose({})
    newest.unlink()
    assert run.is_mergeable, run.log
    assert len(ran(run)) == 10
    assert "headworks: warning: The bundle artifacts/proof/plan.tar was refused" in run.log


def reported(monorepo: SmallMonorepo, tmp_path: Path, asked: object) -> Run:
    """Run the ledger's job of `report.yml` for a pull request that left a file as its questions."""
    content = yaml.safe_load(CI.with_name("report.yml").read_text(encoding="utf-8"))
    content["on"] = content.pop(True)
    del content["jobs"]["comment"]
    workflow = tmp_path / "report.yml"
    workflow.write_text(yaml.safe_dump(content), encoding="utf-8")
    place = tmp_path / f"report-{len(list(tmp_path.iterdir()))}"
    file = place / "artifacts/asked-pipeline-0/pipeline-0.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(asked), encoding="utf-8")
    if not (tmp_path / "caches").exists():
        (tmp_path / "caches").symlink_to(monorepo.folder / "caches")
    run = Run(
        workflow=workflow,
        origin=monorepo.origin,
        place=place,
        commit=monorepo.git("rev-parse", "main"),
        event="workflow_run",
        ref="refs/heads/main",
        environ=monorepo.environ,
        payload={"workflow_run": {"id": 1, "event": "pull_request"}},
    )
    run.execute()
    return run


def test_every_run_knows_what_pull_requests_asked_before(monorepo: SmallMonorepo, tmp_path: Path) -> None:
    """Their own runs save nothing: a trusted one adds what was asked, and nothing that is not checked."""
    rows = {"number": 1, "sketch": ["0" * 16], "when": "2026-11-28T00:00:00+00:00"}
    for letter in "abc":
        run = reported(monorepo, tmp_path, {"asked": [rows | {"model": letter * 64}]})
        assert run.results == {"ledger": "success"}, run.log
    wrong = reported(monorepo, tmp_path, {"asked": [rows | {"model": "../../../etc/passwd"}]})
    assert wrong.results == {"ledger": "failure"}
    assert "pipeline-0.json is no ledger as `headworks ledger --output` writes it" in wrong.log
    run = monorepo.propose({})
    assert run.is_mergeable, run.log
    for letter in "abc":
        assert f"  model {letter * 12} asked 1 rows" in run.log


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
def test_a_night_is_red_where_a_session_reads_more_than_its_row_promises(monorepo: SmallMonorepo) -> None:
    """It has passed, but what it read is said with the line that mends the row."""
    line = "session.run(sys.executable, f"
    cat = f'session.run("cat", "docs/guide.md", external=True)\n    {line}'
    case = Case(replaced={"noxfile.py": (line, cat)}, settings={"inputs": {"force": True}})
    run = propose(monorepo, case)
    assert run.log.count("tests(data): passed in ") == 1
    assert "it read docs/guide.md, which its digest does not cover (name them in `inputs` of its row)" in run.log
    assert run.results["session"] == "failure"
    assert not run.is_mergeable


def test_without_always_a_red_change_would_pass(monorepo: SmallMonorepo, tmp_path: Path) -> None:
    """The runner here follows GitHub's rules: a required job that is skipped counts as passed."""
    workflow = tmp_path / "ci.yml"
    workflow.write_text(CI.read_text(encoding="utf-8").replace("    if: always()\n", ""), encoding="utf-8")
    run = monorepo.propose(SMALL["a red test"].files, workflow=workflow)
    assert run.results["session"] == "failure"
    assert run.results["required"] == "skipped"
    assert run.is_mergeable


def test_this_repository_is_planned_for_one_python_and_one_system(tmp_path: Path) -> None:
    """The clone that the long form takes lists all sessions but those that need more than this machine."""
    repository = ThisRepository(tmp_path / "replay", "test-images", "docs")
    assert not repository.is_proven
    command = [sys.executable, "-m", "nox", "-l", "--json", "-k", "True"]
    done = subprocess.run(command, cwd=repository.origin, check=True, stdout=subprocess.PIPE, text=True)
    listed = json.loads(done.stdout)
    assert {it["python"] for it in listed if it["name"] == "tests"} == {RUNNING}
    assert not {tag for it in listed for tag in it["tags"]} & {"macos", "windows"}
    command = [sys.executable, "-m", "headworks", "plan", "--format", "json"]
    done = subprocess.run(command, cwd=repository.origin, check=True, stdout=subprocess.PIPE, text=True)
    planned = {it["name"].partition("(")[0] for it in json.loads(done.stdout)["sessions"]}
    assert {"build-images", "lint"} <= planned
    assert not {*LEFT_OUT, "test-images", "docs"} & planned
    assert repository.git("log", "--format=%s", "-1") == f"Support Linux and Python {RUNNING} only"


def test_what_ci_does_not_run_is_not_expected() -> None:
    """Neither the sessions nor, where no image is left, their job."""
    case = Case(runs=frozenset({"lint", "build-images(serving)", "test-images(serving)"}), skipped=frozenset({"x"}))
    assert case.without(["test-images"]).runs == {"lint", "build-images(serving)"}
    assert case.without(["test-images"]).skipped == {"x"}
    assert case.without(["test-images", "build-images"]).skipped == {"x", "images"}


def test_a_row_takes_the_place_of_the_one_before() -> None:
    """Rows are in order; other rows and the text around the table stay."""
    head = "| case | sessions that ran and passed | covered | `required` | minutes |\n|---|---|---|---|---|"
    page = f"Before.\n\n{head}\n| one | old |\n| two | old |\n\nAfter.\n"
    order = ["zero", "one", "two", "three"]
    rows = {"two": "| two | new |", "zero": "| zero | new |"}
    assert with_rows(page, "case", order, rows) == (
        f"Before.\n\n{head}\n| zero | new |\n| one | old |\n| two | new |\n\nAfter.\n"
    )
    assert with_rows(f"{head}\n", "case", order, rows) == f"{head}\n| zero | new |\n| two | new |\n"
    assert with_rows("Before.\n", "case", order, rows) == f"Before.\n\n{head}\n| zero | new |\n| two | new |\n"


WORKFLOW = """
name: Small
on: push
env: {A: one}
jobs:
  first:
    runs-on: ubuntu-24.04
    outputs: {text: "${{ steps.it.outputs.text }}", none: "${{ steps.it.outputs.none }}"}
    steps:
      - id: it
        run: |
          printf 'text<<END\\ntwo\\nlines\\nEND\\n' >>"$GITHUB_OUTPUT"
          echo "B=$A" >>"$GITHUB_ENV"
      - run: echo "## $B $C" >>"$GITHUB_STEP_SUMMARY"
        env: {C: "${{ github.event_name }}"}
      - run: exit 1
        continue-on-error: true
      - run: false | true
      - run: echo never
      - if: failure()
        run: echo "it failed"
  second:
    runs-on: ubuntu-24.04
    needs: first
    if: failure() && needs.first.outputs.none == ''
    strategy: {matrix: {include: [{name: x}, {name: y}]}}
    name: job ${{ matrix.name }}
    steps:
      - run: test "$NAME" = y
        env: {NAME: "${{ matrix.name }}"}
  third:
    runs-on: ubuntu-24.04
    needs: [first]
    steps: [{run: exit 1}]
  fourth:
    runs-on: ubuntu-24.04
    needs: [third]
    if: ${{ !cancelled() && needs.third.result == 'skipped' }}
    steps: [{run: exit 0}]
  required:
    runs-on: ubuntu-24.04
    needs: [fourth]
    steps: [{run: exit 0}]
"""


def test_jobs_and_steps_follow_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs, variables, summaries, conditions, matrices, pipes that fail, and what is skipped after what."""
    monkeypatch.setattr(Job, "checkout", None)
    (tmp_path / "workflow.yml").write_text(WORKFLOW)
    run = Run(
        workflow=tmp_path / "workflow.yml",
        origin=tmp_path,
        place=tmp_path / "1",
        commit="",
        event="push",
        ref="refs/heads/main",
        environ={"PATH": "/usr/bin:/bin"},
    )
    run.execute()
    assert run.outputs["first"] == {"text": "two\nlines", "none": ""}
    assert run.summary == "## one push\n"
    assert "it failed" in run.log
    assert "\nnever" not in run.log
    assert ("job x", "failure") in run.jobs
    assert ("job y", "success") in run.jobs
    # A job whose ancestor failed is skipped, even if the job that it needs itself passed.
    assert run.results == {
        "first": "failure",
        "second": "failure",
        "third": "skipped",
        "fourth": "success",
        "required": "skipped",
    }
