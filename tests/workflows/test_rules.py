"""A fault in a workflow turns the session `workflows` red."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from workflow_rules import Listed, breaches, listed, main

ROOT = Path(__file__).parents[2]
CALLER = ".github/workflows/ci.yml"
CI = ".github/workflows/headworks.yml"
NIGHTLY = ".github/workflows/nightly.yml"
IMAGES = ".github/workflows/images.yml"
RELEASE = ".github/workflows/release.yml"
SESSIONS = ".github/actions/sessions/action.yml"
SET_UP = ".github/actions/set-up/action.yml"
MERGE = ".github/workflows/merge.yml"
PROMOTE = ".github/workflows/promote.yml"
REPORT = ".github/workflows/report.yml"
UPDATE = ".github/workflows/update.yml"
RULESET = ".github/rulesets/main.json"

# The planted faults: the file, the text whose first occurrence is replaced, its replacement, and a part of the message.
FAULTS: dict[str, tuple[str, str | re.Pattern[str], str, str]] = {
    "required is skipped after a failure": (CI, "    if: always()\n", "", "a skipped job counts as passed"),
    "required looks away": (CI, "    if: always()\n", "    if: success()\n", "a skipped job counts as passed"),
    "a job is left out of required": (
        CI,
        "needs: [plan, session, pipeline, images]\n    runs-on: ubuntu-24.04\n    timeout-minutes: 10\n    permissions",
        "needs: [plan, session, pipeline]\n    runs-on: ubuntu-24.04\n    timeout-minutes: 10\n    permissions",
        "required: it does not need images",
    ),
    "required counts nothing": (
        CI,
        "$HEADWORKS verify",
        "$HEADWORKS plan",
        "nothing counts the sessions",
    ),
    "required is gone": (
        CI,
        "  required:\n    name: required",
        "  other:\n    name: other",
        "there is no job `required`",
    ),
    "a night watches nothing": (SESSIONS, ' ${OBSERVE:+"$OBSERVE"}', "", "session: a night has to watch what runs"),
    "a pull request is watched": (
        SESSIONS,
        "inputs.observe == 'true' && runner.os == 'Linux' && '--observe'",
        "'--observe'",
        "session: a n",
    ),
    "the merge queue is left out": (CALLER, "  merge_group:\n", "", "does not run for merge_group"),
    "a filter leaves pull requests out": (
        CALLER,
        "  pull_request:\n",
        "  pull_request:\n    paths-ignore: [docs/**]\n",
        "what a filter of pull_request leaves out waits",
    ),
    "required does not count where it may": (
        CI,
        "      - name: Fail unless every",
        "      - if: github.event_name == 'push'\n        name: Fail unless every",
        "required: a step that is left out",
    ),
    "required passes although it counts too few": (
        CI,
        "      - name: Fail unless every",
        "      - continue-on-error: true\n        name: Fail unless every",
        "required: it passes although a step fails",
    ),
    "a job passes whatever fails": (
        CI,
        "    timeout-minutes: 60\n",
        "    timeout-minutes: 60\n    continue-on-error: true\n",
        "session: it passes whatever fails in it",
    ),
    "a failure is swallowed": (
        CI,
        '--summary "$GITHUB_STEP_SUMMARY"\n',
        '--summary "$GITHUB_STEP_SUMMARY" || true\n',
        "required: a failure is swallowed",
    ),
    "a push ends the run of the one before": (
        CI,
        "cancel-in-progress: ${{ github.event_name == 'pull_request' }}",
        "cancel-in-progress: true",
        "a push cancels",
    ),
    "pushes wait for each other": (CI, " || github.run_id }}", " }}", "GitHub keeps the newest only"),
    "releases wait for each other": (RELEASE, "release-${{ github.ref }}", "release", "GitHub keeps the newest only"),
    "an engine of another commit plans": (
        CALLER,
        "tools nox -s headworks -- --version",
        "tools nox -R -s headworks -- --version",
        "`nox -R` may find the engine of another commit",
    ),
    "an engine of another commit writes the report": (
        CALLER,
        "tools nox -s headworks -- store",
        "tools nox -R -s headworks -- store",
        "report: `nox -R -s headworks --` may find",
    ),
    "nothing installs Headworks": (
        CI,
        "          install: ${{ inputs.install }}\n",
        "",
        "plan: nothing installs Headworks",
    ),
    "another version is installed": ("VERSION", "0.1.0", "0.2.0", "another version than the workflow's own"),
    "a called workflow waits for its caller": (
        CI,
        "group: headworks-${{ github.workflow }}",
        "group: ${{ github.workflow }}",
        "waits for the group that its caller is in",
    ),
    "what was just published may write": (
        UPDATE,
        "      contents: read\n",
        "      contents: write\n",
        "update: it may write contents",
    ),
    "an action is not pinned": (
        SET_UP,
        re.compile(r"actions/checkout@\w+ # v[\d.]+"),
        "actions/checkout@v7",
        "checkout@v7 is not pinned",
    ),
    "a pin does not tell its version": (
        SET_UP,
        re.compile(r"(actions/checkout@\w+) # v[\d.]+"),
        r"\1",
        "is not pinned",
    ),
    "everything may be written": (CI, "permissions: {}\n", "permissions: write-all\n", "has no `permissions: {}`"),
    "a job may write everything": (
        CI,
        "    permissions:\n      contents: read\n",
        "    permissions: write-all\n",
        "no permissions of its own, but 'write-all'",
    ),
    "a job may write the sources": (CI, "      contents: read\n", "      contents: write\n", "it may write contents"),
    "a job has no permissions of its own": (CI, "    permissions:\n      contents: read\n", "", "but None"),
    "a tag is renamed": (
        "noxfile.py",
        re.compile(r'tags=\["images"\]((?:.|\n)*)tags=\["images"\]((?:.|\n)*)tags=\["images"\]'),
        r'tags=["containers"]\1tags=["containers"]\2tags=["containers"]',
        "no session in noxfile.py has the tag 'images'",
    ),
    "a session does not get the verdicts": (
        SESSIONS,
        'store import "$RUNNER_TEMP/proof"\n',
        'store import "$RUNNER_TEMP/other"\n',
        "session: it imports no verdicts",
    ),
    "a session has no history": (SET_UP, 'default: "0"', 'default: "1"', "plan: sessions need the history"),
    "an artifact is sought by another name": (CI, "pattern: proof-*", "pattern: prof-*", "artifact 'prof-*'"),
    "a report is sought by another name": (REPORT, "pattern: asked-*", "pattern: ask-*", "artifact 'ask-*'"),
    "verdicts of any run are believed": (
        CI,
        "run-id: ${{ steps.queue.outputs.run }}",
        "run-id: ${{ github.event.workflow_run.id }}",
        "plan: it takes verdicts of a run that `headworks queue` has not named",
    ),
    "a night believes the merge queue": (
        CI,
        "if: ${{ github.event_name == 'push' && !inputs.force }}",
        "if: ${{ github.event_name == 'push' }}",
        "plan: it takes verdicts where everything has to run",
    ),
    "a job cannot run again": (CI, "          overwrite: true\n", "", "cannot keep an artifact of the same name"),
    "any tag publishes": (RELEASE, 'tags: ["v*"]', 'tags: ["*"]', "any tag publishes a release"),
    "another job is taken for required": (
        NIGHTLY,
        "    name: nox -s seeds\n",
        "    name: ci / required\n",
        "several jobs are called 'ci / required'",
    ),
    "the queue does not wait long enough": (
        CI,
        "timeout-minutes: 60",
        "timeout-minutes: 180",
        "the merge queue gives up after",
    ),
    "a session is renamed": ("noxfile.py", "def headworks(", "def gate(", "there is no session 'headworks'"),
    "a step has a session that is not there": (
        CALLER,
        "nox -R -s headworks",
        "nox -R -s tests headwork",
        "no session 'headwork'",
    ),
    "a matrix has a session that is not there": (
        NIGHTLY,
        "[minimums, newest",
        "[minimum, newest",
        "no session 'minimum'",
    ),
    "a title is read as code": (
        CI,
        "$HEADWORKS plan --apart",
        "$HEADWORKS plan ${{ github.event.pull_request.title }} --apart",
        "is read as code",
    ),
    "a pull request gets the rights of main": (
        CALLER,
        "  pull_request:\n",
        "  pull_request_target:\n",
        "the permissions of main",
    ),
    "a token is kept": (SET_UP, "        persist-credentials: false\n", "", "keeps the token"),
    "a job never ends": (CI, "    timeout-minutes: 10\n", "", "no timeout-minutes"),
    "one red job ends the others": (CI, "      fail-fast: false\n", "", "fail-fast"),
    "a pull request saves where main reads": (
        CI,
        "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)",
        "true",
        "other runs than those of main",
    ),
    "a pull request asks without being counted": (
        REPORT,
        "headworks -- ledger --take artifacts/asked",
        "headworks -- ledger",
        "report.yml: nothing adds the questions of pull requests",
    ),
    "the newest of several reports replaces the others": (
        REPORT,
        "      queue: max\n",
        "",
        "ledger: of the runs that wait in a group, GitHub keeps the newest only",
    ),
    "a report is dropped for the next one of its branch": (
        REPORT,
        "permissions: {}\n",
        "permissions: {}\n\nconcurrency: reports\n",
        "ledger: of the runs that wait in a group, GitHub keeps the newest only",
    ),
    "the gate does not get what others asked": (
        CI,
        "            ${{ runner.temp }}/proof/ledger.tar\n",
        "",
        "plan: the gate does not get what pull requests asked",
    ),
    "a run tells nobody what it asked": (
        SESSIONS,
        'ledger --output "$RUNNER_TEMP/asked/$JOB.json"',
        "ledger",
        "report.yml: nothing adds the questions of pull requests",
    ),
    "a run that was cancelled tells nobody what it asked": (
        SESSIONS,
        "if: always() && inputs.outputs != ''\n      uses",
        "if: inputs.outputs != ''\n      uses",
        "what it asked is not counted",
    ),
    "a run writes the whole ledger": (
        SESSIONS,
        ' --known "$RUNNER_TEMP/proof/plan.ledger"',
        "",
        "the questions of all runs are written",
    ),
    "a pull request knows nothing of the others": (
        CI,
        "restore-keys: ledger-\n",
        "restore-keys: verdicts-\n",
        "plan: it does not know the questions of other pull requests",
    ),
    "the ledger believes a bundle of a pull request": (
        REPORT,
        "headworks -- ledger --take artifacts/asked",
        "headworks -- store import artifacts/asked",
        "ledger: a bundle of a pull request can say that anything passed",
    ),
    "a pull request saves on its way": (CI, "actions/cache/restore@", "actions/cache@", "saves in every run"),
    "a job uploads what it has downloaded": (
        SESSIONS,
        '"$RUNNER_TEMP/proof/$JOB.tar" --known "$RUNNER_TEMP/proof"',
        '"$RUNNER_TEMP/proof/$JOB.tar"',
        "session: it uploads what it has downloaded",
    ),
    "every job gets all that has ever passed": (
        CI,
        ' --plan "$RUNNER_TEMP/proof/plan.json"\n      - run',
        "\n      - run",
        "plan: it uploads what it has downloaded",
    ),
    "two runs of main save at once": (CI, "      queue: max\n", "", "save: of two runs that save verdicts at once"),
    "the night restores by another path": (
        NIGHTLY,
        "path: ${{ runner.temp }}/proof/main.tar",
        "path: ${{ runner.temp }}/skipped/main.tar",
        "nightly.yml: no job saves a cache `verdicts-` of ${{ runner.temp }}/skipped/main.tar",
    ),
    "a cache is saved under another key": (
        CI,
        "key: verdicts-${{ github.run_id }}-${{ github.run_attempt }}\n\n",
        "key: proofs-${{ github.run_id }}\n\n",
        "no job saves a cache `verdicts-`",
    ),
    "a private repository cannot fetch the rest": (
        SET_UP,
        "        fetch-depth: ${{ inputs.fetch-depth }}\n",
        "        fetch-depth: ${{ inputs.fetch-depth }}\n        filter: blob:none\n",
        "leaves files for later",
    ),
    "a system changes over night": (
        CI,
        "runs-on: ubuntu-24.04",
        "runs-on: ubuntu-latest",
        "ubuntu-latest may become another",
    ),
    "a system of a matrix changes": (
        NIGHTLY,
        "windows-2025]",
        "windows-latest]",
        "systems: windows-latest may become another",
    ),
    "a system of an entry changes": (
        IMAGES,
        "runner: ubuntu-24.04\n",
        "runner: ubuntu-latest\n",
        "build: ubuntu-latest",
    ),
    "a name ends at a comment": (
        NIGHTLY,
        "name: nox -s seeds\n",
        "name: nox -s seeds  # ${{ matrix.runner }}\n",
        "behind a `#`",
    ),
    "a name ends inside an expression": (
        NIGHTLY,
        "name: nox -s seeds\n",
        "name: ${{ format('nox -s seeds #{0}', matrix.runner) }}\n",
        "behind a `#`",
    ),
    "no Python is there": (
        SET_UP,
        re.compile(r"actions/setup-python@(\w+)"),
        r"actions/setup-node@\1",
        "has no Python",
    ),
    "a Python is left out": (CI, "          3.12\n", "", "it installs Python 3.11, 3.14, 3.13"),
    "another Python runs nox": (
        SET_UP,
        "      3.14\n      3.13\n",
        "      3.13\n      3.14\n",
        "should be 3.13",
    ),
    "a release does not wait for the tests": (
        RELEASE,
        re.compile(r"(  images:\n    name: .*\n)    needs: .*\n"),
        r"\1",
        "images: it publishes, and does not need that everything passed",
    ),
    "a release does not wait for the images": (
        RELEASE,
        "  publish-packages:\n    name: nox -s publish\n    needs: [packages, model, images]",
        "  publish-packages:\n    name: nox -s publish\n    needs: [packages, model]",
        "publish-packages: it publishes, and does not need that the images passed",
    ),
    "a release goes on after a failure": (
        RELEASE,
        "    needs: [publish-packages]\n",
        "    needs: [publish-packages]\n    if: always()\n",
        "could let it run after a failure",
    ),
    "a release trusts what was proven before": (
        RELEASE,
        "      force: true\n",
        "      force: false\n",
        "that have passed before",
    ),
    "a release takes any commit": (
        RELEASE,
        "release-notes -- reviewed artifacts",
        "release-notes -- notes v1 artifacts",
        "a commit that nobody has reviewed can be released",
    ),
    "every copy of the repository pushes images": (
        IMAGES,
        "vars.PUSH_IMAGES == 'true' && ",
        "",
        "build: a run of main where no image is asked for pushes an image",
    ),
    "a pull request pushes an image": (
        IMAGES,
        "github.event.workflow_run.event == 'push' && ",
        "",
        "build: a pull request pushes an image",
    ),
    "a red run of main pushes an image": (
        IMAGES,
        " && github.event.workflow_run.conclusion == 'success'",
        "",
        "build: a run of main that failed pushes an image",
    ),
    "main pushes no image": (
        IMAGES,
        "event == 'push'",
        "event == 'psuh'",
        "build: a run of main that passed pushes no",
    ),
    "an image is built of another commit": (
        IMAGES,
        "          ref: ${{ github.event.workflow_run.head_sha }}\n",
        "",
        "build: it builds the newest commit, and not the one that has passed",
    ),
    "a release asks for no name": (
        RELEASE,
        "      - run: uv run --frozen --only-group tools nox -s names\n",
        "",
        "is asked whether the names are ours",
    ),
    "secrets are handed on": (
        RELEASE,
        "    with:\n      force",
        "    secrets: inherit\n    with:\n      force",
        "hands secrets",
    ),
    "nobody is asked before a model is promoted": (
        PROMOTE,
        "    environment: production\n",
        "",
        "move: an alias moves, and nobody was asked",
    ),
    "a model is promoted without checks": (
        PROMOTE,
        re.compile(r"if: env.ACTION == 'promote'(\n +run: .* -s promote-checks)"),
        r"if: inputs.action == 'check'\1",
        "move: an alias moves to a model that was not checked on main",
    ),
    "updates merge themselves although nobody asked": (
        MERGE,
        "vars.MERGE_UPDATES == 'true' && ",
        "",
        "merge: an update where nobody asked for it is merged",
    ),
    "a fork merges itself": (
        MERGE,
        "github.event.workflow_run.head_repository.full_name == github.repository && ",
        "",
        "merge: a fork is merged",
    ),
    "a red update merges itself": (
        MERGE,
        "github.event.workflow_run.conclusion == 'success' && ",
        "",
        "merge: an update that failed is merged",
    ),
    "nobody looks at the author of an update": (
        MERGE,
        "      - if: steps.update.outputs.url != ''\n        run: gh",
        "      - run: gh",
        "merge: nobody looks at who wrote the update",
    ),
    "an update merges before it has passed": (
        MERGE,
        "merge --auto ",
        "merge --admin ",
        "merge: it merges what has not",
    ),
    "an update merges that has changed since": (
        MERGE,
        ' --match-head-commit "$COMMIT"',
        "",
        "or another commit than the one that was looked at",
    ),
    "a model is promoted before its checks": (
        PROMOTE,
        "    needs: [check]\n",
        "",
        "move: an alias moves to a model that was not checked on main",
    ),
    "a model is promoted whatever its checks say": (
        PROMOTE,
        "    needs: [check]\n",
        "    needs: [check]\n    if: ${{ !cancelled() }}\n",
        "move: an alias moves to a model that was not checked on main",
    ),
    "a branch promotes": (
        PROMOTE,
        "    if: github.ref == 'refs/heads/main'\n",
        "",
        "move: an alias moves to a model that was not checked on main",
    ),
    "a pull request promotes": (
        PROMOTE,
        "  repository_dispatch:\n",
        "  pull_request:\n  repository_dispatch:\n",
        "it starts by itself, or for what a stranger proposes",
    ),
    "two promotions meet": (
        PROMOTE,
        '"$ALIAS" --expect "$EXPECTED" --write',
        '"$ALIAS" --write',
        "move: an alias moves also if it points to another model",
    ),
    "a promotion is dropped": (PROMOTE, "  queue: max\n", "", "a promotion drops another one that waits"),
    "the name of a model is code": (
        PROMOTE,
        '"$ACTION" "$MODEL" "$ALIAS"',
        '"$ACTION" \'${{ inputs.model }}\' "$ALIAS"',
        "check: an expression inside a script is read as code",
    ),
    "a model goes to production without the gate": (
        "pyproject.toml",
        'production = [ "dataset", "gate", ',
        'production = [ "dataset", ',
        "promotion to production does not need gate",
    ),
    "nothing has to pass before staging": (
        "pyproject.toml",
        'staging = [ "dataset", "gate", "serve-check" ]',
        "staging = []",
        "promotion to staging does not need dataset, gate, serve-check",
    ),
    "the ruleset names no job": (RULESET, '"context": "ci / required"', '"context": "all-green"', "no job 'all-green'"),
    "the ruleset is not in force": (RULESET, '"enforcement": "active"', '"enforcement": "disabled"', "is not required"),
    "somebody may pass the ruleset by": (
        RULESET,
        '"bypass_actors": []',
        '"bypass_actors": [{"actor_id": 1}]',
        "may bypass it",
    ),
}


@pytest.fixture(scope="module")
def here() -> Listed:
    """Return what nox lists here."""
    return listed(ROOT)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the files that the rules read."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    for name in ("noxfile.py", "pyproject.toml", ".python-version", "VERSION"):
        shutil.copy(ROOT / name, tmp_path)
    for file in ROOT.glob("packages/*/pyproject.toml"):
        (tmp_path / file.relative_to(ROOT)).parent.mkdir(parents=True)
        shutil.copy(file, tmp_path / file.relative_to(ROOT))
    return tmp_path


def test_the_workflows_keep_every_rule(here: Listed) -> None:
    """As they are."""
    assert breaches(ROOT, here) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, copy: Path, here: Listed) -> None:
    """The message names it."""
    name, old, new, part = FAULTS[fault]
    plant(copy / name, old, new)
    problems = breaches(copy, listed(copy) if name == "noxfile.py" else here)
    assert part in "\n".join(problems)


# Faults that a linter finds: the file, the text whose first occurrence is replaced, its replacement, the linter's rule.
LINTED: dict[str, tuple[str, str, str, str]] = {
    "a runner that is not there": (CI, "runs-on: ubuntu-24.04", "runs-on: ubunut-24.04", "unknown-runner-label"),
    "a title is run": (
        CI,
        "      - id: plan\n",
        '      - env: {T: "${{ github.event.pull_request.title }}"}\n        run: eval "$T"\n      - id: plan\n',
        "command-injection",
    ),
    "a job hangs for six hours": (CI, "timeout-minutes: 60", "timeout-minutes: 360", "timeout-too-long"),
    "a trusted job runs the head of a pull request": (
        REPORT,
        "          persist-credentials: false\n",
        "          persist-credentials: false\n          ref: ${{ github.event.workflow_run.head_sha }}\n",
        "untrusted-checkout",
    ),
}


@pytest.mark.parametrize("fault", LINTED)
def test_a_planted_fault_is_found_by_a_linter(fault: str, copy: Path) -> None:
    """It names the rule."""
    name, old, new, rule = LINTED[fault]
    plant(copy / name, old, new)
    command = ["jactionlint", "--no-online", "--oneline", "--config-file=.github/jactionlint.yaml", name]
    done = subprocess.run(command, cwd=copy, check=False, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert f"[{rule}]" in done.stdout


def test_the_program_prints_every_breach(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the session runs it."""
    plant(copy / CI, "    if: always()\n", "")
    monkeypatch.chdir(copy)
    assert main() == 1
    assert "a skipped job counts as passed" in capsys.readouterr().out


def plant(file: Path, old: str | re.Pattern[str], new: str) -> None:
    """Replace the first occurrence of a text in a file."""
    text = file.read_text(encoding="utf-8")
    planted = old.sub(new, text, count=1) if isinstance(old, re.Pattern) else text.replace(old, new, 1)
    assert planted != text
    file.write_text(planted, encoding="utf-8")
