"""`ci.yml` passes exactly if every session ran or is covered, by GitHub's own rules for jobs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from github_job import Job
from github_parser import parsed
from github_runner import WORKFLOWS, Run
from local_server import Handler, LocalServer, running
from replay import counted, propose, ran, unexpected, with_rows
from replay_adopter import five_lines
from replay_cases import SMALL, Case
from replay_monorepo import CI, SmallMonorepo
from replay_repository import LEFT_OUT, RUNNING, ThisRepository
from test_comment import Server


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
    place = "\n::error file=packages/model/tests/test.py,line=1::tests(model): FAILED"
    assert (place in run.log) == (change == "a red test")


def test_a_damaged_cache_of_main_is_a_miss(monorepo: SmallMonorepo) -> None:
    """It holds up no pull request: every session runs, and a warning says why."""
    (cache,) = (monorepo.folder / "caches").rglob("verdicts-*")
    newest = cache.with_name("verdicts-damaged")
    newest.write_bytes(b"not a bundle")
    run = monorepo.propose({})
    newest.unlink()
    assert run.is_mergeable, run.log
    assert len(ran(run)) == 10
    assert "/proof/main.tar was refused" in run.log


class Queue(Handler):
    """GitHub's answer to the question which runs of the merge queue there are."""

    runs: ClassVar[list[dict[str, object]]]

    def answer(self) -> None:
        """Describe the repository, or list the runs."""
        about = {"default_branch": "main", "has_pages": False, "owner": {"type": "Organization"}, "private": True}
        runs = {"total_count": len(self.runs), "workflow_runs": self.runs}
        self.reply(200, json.dumps(runs if "/actions/runs?" in self.path else about).encode())


def test_what_the_merge_queue_has_proven_is_not_run_again_on_main(tmp_path: Path) -> None:
    """Main takes the verdicts and outputs of the run for the very commit, and keeps them; of no other run."""
    monorepo = SmallMonorepo(tmp_path)
    commit = monorepo.git("rev-parse", "main")
    ref = f"refs/heads/gh-readonly-queue/main/pr-1-{commit}"
    queued = monorepo.start(CI, ref, event="merge_group")
    assert len(ran(queued)) == 10, queued.log
    run = {"id": int(queued.place.name), "event": "merge_group", "conclusion": "success", "head_sha": commit}
    run |= {"path": ".github/workflows/ci.yml", "head_repository": {"full_name": "owner/project"}}
    with running(LocalServer(type("Served", (Queue,), {"runs": [run | {"head_sha": "0" * 40}, run]}))) as github:
        main = monorepo.push(environ={**monorepo.environ, "GITHUB_API_URL": github.url})
    assert main.is_mergeable, main.log
    assert (ran(main), counted(main)) == (set(), (10, 10)), main.log
    assert main.results["ci / save"] == "success"
    # What the next change needs, as the model that its images take, is in main's cache with its content.
    changed = monorepo.propose({"packages/serving/server.txt": "another server\n"})
    assert changed.is_mergeable, changed.log
    assert ran(changed) == SMALL["serving only"].runs


def reported(monorepo: SmallMonorepo, github: Server, asked: object) -> Run:
    """Run `report.yml` for a pull request that left a report, and a file as its questions."""
    number = f"of-pull-request-{len(list(monorepo.folder.iterdir()))}"
    files = {"report/report.md": "# All is well", "asked-pipeline-0/pipeline-0.json": json.dumps(asked)}
    for name, text in files.items():
        file = monorepo.folder / number / "artifacts" / name
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
    about = {"id": number, "event": "pull_request", "conclusion": "success", "run_number": 12}
    about |= {"head_branch": "main", "head_repository": {"owner": {"login": "stranger"}}, "head_sha": "a" * 40}
    return monorepo.start(
        CI.with_name("report.yml"),
        "refs/heads/main",
        event="workflow_run",
        payload={"workflow_run": about | {"html_url": "https://example.org/run"}},
        environ={**monorepo.environ, "GITHUB_API_URL": github.url},
    )


def test_every_run_knows_what_pull_requests_asked_before(monorepo: SmallMonorepo) -> None:
    """Their own runs save nothing: a trusted one adds what was asked, and nothing that is not checked."""
    rows = {"number": 1, "sketch": ["0" * 16], "when": "2026-11-28T00:00:00+00:00"}
    with running(Server()) as github:
        for letter in "abc":
            run = reported(monorepo, github, {"asked": [rows | {"model": letter * 64}]})
            assert run.results == {"comment": "success", "ledger": "success"}, run.log
        wrong = reported(monorepo, github, {"asked": [rows | {"model": "../../../etc/passwd"}]})
        assert len(github.comments) == 101
    assert github.comments[-1]["body"].endswith("# All is well\n")
    assert wrong.results == {"comment": "success", "ledger": "failure"}
    assert "pipeline-0.json is no ledger as `headworks ledger --output` writes it" in wrong.log
    run = monorepo.propose({"packages/model/weights.txt": "others"})
    assert run.is_mergeable, run.log
    for letter in "abc":  # in the job that plans, and in that of the gate
        assert run.log.count(f"  model {letter * 12} asked 1 rows") > 1


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
def test_a_night_is_red_where_a_session_reads_more_than_its_row_promises(monorepo: SmallMonorepo) -> None:
    """It has passed, but what it read is said with the line that mends the row; all else is compared and passes."""
    files = {"packages/data/tests/test.py": 'assert open("docs/guide.md").read()\n'}
    night = {"workflow": CI.with_name("nightly.yml"), "event": "schedule", "ref": "refs/heads/main"}
    run = monorepo.propose(files, **night)
    assert run.log.count("tests(data): passed in ") == 1
    assert "it read docs/guide.md, which its digest does not cover (name them in `inputs` of its row)" in run.log
    assert {name for name, result in run.results.items() if result == "failure"} == {
        "everything",
        "everything / ci",
        "everything / ci / required",
        "everything / ci / session",
    }
    assert "Miss rate: 0.0%" in run.summary
    assert ("gh issue create", "success") in run.jobs


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
def test_a_version_is_published_after_everything_has_passed(monorepo: SmallMonorepo) -> None:
    """From the notes to the release, with the files of each job where the next one looks for them."""
    run = monorepo.start(CI.with_name("release.yml"), "refs/tags/v1.0.0", event="push")
    missing = {name: result for name, result in run.results.items() if result != "success"}
    assert missing == {"everything / ci / save": "skipped"}, run.log  # only a run of main saves verdicts
    names = [name for name, _ in run.jobs]
    assert names[0] == "nox -s release-notes"
    assert names.index("required") < names.index("nox -s publish")
    assert names[-1] == "gh release create"


def test_the_image_of_a_commit_of_main_is_pushed_once_that_has_passed(monorepo: SmallMonorepo) -> None:
    """It holds the model of that run; a pull request pushes none."""
    about = {"id": "1", "event": "push", "conclusion": "success", "head_branch": "main"}
    about["head_sha"] = monorepo.git("rev-parse", "main")
    images: dict[str, Any] = {"ref": "refs/heads/main", "event": "workflow_run"}
    run = monorepo.start(CI.with_name("images.yml"), **images, payload={"workflow_run": about})
    assert run.results == {"build": "success", "join": "success"}, run.log
    run = monorepo.start(
        CI.with_name("images.yml"), **images, payload={"workflow_run": about | {"event": "pull_request"}}
    )
    assert run.results == {"build": "skipped", "join": "skipped"}


def test_the_five_lines_of_the_guide_call_the_workflow() -> None:
    """As GitHub reads them, once the placeholders have values; nothing else is in them."""
    text = five_lines()
    assert len(text.splitlines()) == 5
    workflow = parsed(text.replace("COMMIT", "a" * 40))
    assert workflow["on"] == {"pull_request": "", "push": {"branches": ["main"]}, "merge_group": ""}
    assert list(workflow["jobs"]) == ["ci"]
    assert Path(workflow["jobs"]["ci"]["uses"].partition("@")[0]).name == "headworks.yml"
    assert (WORKFLOWS / "headworks.yml").is_file()


STORAGE = """
name: Storage
on: push
jobs:
  keep:
    runs-on: ubuntu-24.04
    outputs: {found: "${{ steps.cache.outputs.cache-matched-key }}"}
    steps:
      - run: mkdir -p a/.b && echo x | tee a/x a/.b/y
      - id: cache
        uses: actions/cache/restore@v6
        with: {path: b/x, key: "k-${{ github.run_id }}", restore-keys: k-}
      - run: mkdir -p b && cp a/x b/x
      - uses: actions/cache/save@v6
        with: {path: b/x, key: "k-${{ github.run_id }}"}
      - uses: actions/cache/restore@v6
        with: {path: x, key: "k-${{ github.run_id }}", fail-on-cache-miss: true}
        continue-on-error: true
      - uses: actions/upload-artifact@v7
        with: {name: it, path: a}
      - uses: actions/upload-artifact@v7
        with: {name: none, path: c}
  take:
    runs-on: ubuntu-24.04
    needs: [keep]
    steps:
      - uses: actions/download-artifact@v8
        with: {pattern: "*", path: all}
      - run: test "$(find all -type f)" = all/it/x && test ! -e x
      - uses: actions/download-artifact@v8
        with: {name: it, path: alone}
      - run: test -f alone/x && echo "found it"
      - uses: actions/download-artifact@v8
        with: {name: none}
  lost:
    runs-on: ubunut-24.04
    steps: [{run: "true"}]
"""


def test_artifacts_and_caches_are_kept_as_on_github(tmp_path: Path) -> None:
    """A cache is found by its path, and by the ref of its run or by main; an artifact's name is taken once a run."""
    (tmp_path / "workflow.yml").write_text(STORAGE)
    runs = [
        Run(
            workflow=tmp_path / "workflow.yml",
            origin=tmp_path,
            place=tmp_path / place,
            commit="",
            event=event,
            ref=ref,
            environ={"PATH": "/usr/bin:/bin"},
            attempt=attempt,
        )
        for place, event, ref, attempt in (
            ("1", "pull_request", "refs/pull/1/merge", 1),
            ("2", "push", "refs/heads/main", 1),
            ("3", "pull_request", "refs/pull/3/merge", 1),
            ("3", "pull_request", "refs/pull/3/merge", 2),
        )
    ]
    for run in runs:
        run.execute()
    assert [run.outputs["keep"]["found"] for run in runs] == ["", "", "k-2", "k-3"]
    assert [run.results["keep"] for run in runs] == ["success", "success", "success", "failure"]
    assert "an artifact it is there already" in runs[3].log
    assert {(run.results["take"], run.results["lost"]) for run in runs[:3]} == {("failure", "failure")}
    assert "\nfound it\n" in runs[0].log
    assert "there is no artifact none" in runs[0].log
    assert "no runner here has the label 'ubunut-24.04'" in runs[0].log


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
defaults: {run: {shell: bash}}
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
        required="required",
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
    # A red change would pass without `if: always()`, since GitHub counts a required job that is skipped as passed.
    assert run.is_mergeable
