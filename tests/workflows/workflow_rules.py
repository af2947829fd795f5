"""Rules for the workflows of this repository, in addition to their schema and the rules of zizmor.

Call `python tests/workflows/workflow_rules.py` in the root; it prints every breach, and exits with 1 if there is one.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import nox.project
import yaml
from github_actions import as_text, inlined
from github_parser import WorkflowSyntaxError, filled, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Workflow: TypeAlias = "dict[str, Any]"

_PINNED: Final = re.compile(r"\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
_USES: Final = re.compile(r"^\s*(?:- )?uses: (?!\$/)(.*)$", re.MULTILINE)
_EXPRESSION: Final = "${{"
_GIVEN: Final = re.compile(r"\$\{\{ inputs\.(\w+) \}\}")
_MAIN: Final = re.compile(
    r"github\.ref == ('refs/heads/main'|format\('refs/heads/\{0\}', github\.event\.repository\.default_branch\))"
)
_REQUIRED: Final = "ci / required"  # the check, by the names of the job that calls and of the one that counts
_LATEST: Final = re.compile(r"\b[a-z]+-latest\b")
# The sessions that must have passed before a model gets an alias.
_PROMOTED: Final = {
    "staging": {"dataset", "gate", "serve-check"},
    "production": {"dataset", "gate", "robustness", "serve-check", "test-images"},
}
# What a model passes right before an alias moves to it, in steps that run in every promotion.
_PROMOTE_CHECKS: Final = ("-s take-model", "-s dataset", "--no-dependencies -s promote-checks")
_ASKED: Final = (None, "env.ACTION == 'promote'")
# The only permissions to write, each with the job that needs it.
WRITERS: Final = {
    ("docs.yml", "publish"): {"id-token", "pages"},
    ("report.yml", "comment"): {"pull-requests"},
    ("nightly.yml", "compare"): {"issues"},
    ("nightly.yml", "tell"): {"issues"},
    ("images.yml", "build"): {"packages"},
    ("images.yml", "join"): {"id-token", "attestations", "packages"},
    ("release.yml", "images"): {"id-token", "attestations", "packages"},
    ("release.yml", "publish-packages"): {"id-token", "attestations"},
    ("release.yml", "publish-release"): {"contents"},
    ("update.yml", "propose"): {"contents", "pull-requests"},
}
# The only job with a step that may fail; a later step reports it.
TOLERANT: Final = {("report.yml", "comment")}
_SWALLOWED: Final = re.compile(r"\|\|\s*(?:true|:|exit 0)\b|\bset \+e\b")
_ENGINE: Final = re.compile(r"\bnox( -R)? -s headworks -- ")


class Listed(NamedTuple):
    """What nox lists in a repository."""

    sessions: set[str]
    """The names that it accepts: of functions, also with a Python, and of instances."""
    tags: set[str]
    """The tags of all sessions."""


def listed(root: Path) -> Listed:
    """Return what nox lists in a repository."""
    command = [sys.executable, "-m", "nox", "-l", "--json", "-k", "True"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    sessions = json.loads(done.stdout.splitlines()[-1])
    with_python = {f"{session['name']}-{session['python']}" for session in sessions if session["python"]}
    names = {name for session in sessions for name in (session["name"], session["session"])}
    return Listed(names | with_python, {tag for session in sessions for tag in session["tags"]})


def breaches(root: Path, listed: Listed) -> list[str]:
    """Return every breach of a rule in the workflows of a repository, each in a line that names the file.

    Args:
        root: The repository.
        listed: What nox lists there.
    """
    texts = {file.name: file.read_text(encoding="utf-8") for file in sorted((root / ".github/workflows").glob("*.yml"))}
    workflows: dict[str, Workflow] = {name: inlined(text, root) for name, text in texts.items()}
    problems = [] if workflows else ["there is no workflow"]
    for file in sorted((root / ".github/actions").glob("*/action.yml")):
        text = file.read_text(encoding="utf-8")
        problems += [f"{file.parent.name}: {problem}" for problem in (*_of_pins(text), *_of_comments(text))]
    for name, workflow in workflows.items():
        problems += [f"{name}: {problem}" for problem in _of_workflow(name, texts[name], workflow, listed.sessions)]
        problems += [f"{name}: {problem}" for problem in _of_pythons(workflow, root)]
        problems += [f"{name}: {problem}" for problem in _of_parsed(as_text(workflow))]
    problems += [
        f"pyproject.toml: {problem}" for problem in _of_promotion(nox.project.load_toml(root / "pyproject.toml"))
    ]
    problems += [f"release.yml: {problem}" for problem in _of_release(workflows["release.yml"])]
    problems += [f"images.yml: {problem}" for problem in _of_images(workflows["images.yml"])]
    problems += [f"merge.yml: {problem}" for problem in _of_merging(workflows["merge.yml"])]
    problems += [f"promote.yml: {problem}" for problem in _of_promoting(workflows["promote.yml"])]
    problems += _of_caches(workflows)
    problems += _of_artifacts(workflows)
    problems += _of_ledger(workflows)
    ci, called = workflows["ci.yml"], workflows["headworks.yml"]
    problems += [f"headworks.yml: {problem}" for problem in _of_bundles(called)]
    problems += [f"headworks.yml: {problem}" for problem in _of_queue(called)]
    problems += [f"headworks.yml: {problem}" for problem in _of_required(called, ci["on"])]
    problems += [f"headworks.yml: {problem}" for problem in _of_sessions(called, listed.tags)]
    problems += [
        f"headworks.yml: {problem}" for problem in _of_installs(called, (root / "VERSION").read_text(encoding="utf-8"))
    ]
    problems += [f"ci.yml: {problem}" for problem in _of_call(ci, called)]
    problems += [
        f"rulesets/main.json: {problem}" for problem in _of_ruleset(root / ".github/rulesets/main.json", workflows)
    ]
    return problems


def _of_workflow(name: str, text: str, workflow: Workflow, sessions: set[str]) -> Iterator[str]:
    """Yield the breaches in one workflow."""
    yield from _of_pins(text)
    yield from _of_comments(text)
    if workflow.get("permissions") != {}:
        yield "the top has no `permissions: {}`"
    if "pull_request_target" in workflow["on"]:
        yield "pull_request_target gives a pull request's code the permissions of main"
    for job, content in workflow["jobs"].items():
        yield from (f"{job}: {problem}" for problem in _of_permissions(content, WRITERS.get((name, job), set())))
        yield from (f"{job}: {problem}" for problem in _of_job(content, sessions))
        yield from (f"{job}: {problem}" for problem in _of_failures(content, is_tolerant=(name, job) in TOLERANT))
        yield from (f"{job}: {problem}" for problem in (*_of_engine(content), *_of_saves(content)))


def _of_pins(text: str) -> Iterator[str]:
    """Yield the actions that may become others."""
    for action in _USES.findall(text):
        if not _PINNED.fullmatch(action):
            yield f"{action} is not pinned by SHA with its version"


def _of_parsed(text: str) -> Iterator[str]:
    """Yield the breaches in a workflow as GitHub reads it, or the reasons for which GitHub would refuse it."""
    try:
        workflow = parsed(text)
        yield from _of_concurrency(workflow)
        yield from _of_nights(workflow)
    except WorkflowSyntaxError as error:
        yield from str(error).splitlines()


def _of_concurrency(workflow: Workflow) -> Iterator[str]:
    """Yield the reasons for which a push could cancel the run of another push."""
    triggers, given = workflow["on"], workflow.get("concurrency")
    if given is None or not isinstance(triggers, dict) or triggers.keys().isdisjoint({"push", "workflow_call"}):
        return
    is_tagged = "tags" in (triggers.get("push") or {})
    refs = ("refs/tags/v1", "refs/tags/v2") if is_tagged else ("refs/heads/main", "refs/heads/main")
    first, second = (filled(given, _pushed(ref, run)) for run, ref in enumerate(refs, 1))
    if first["group"] == second["group"]:
        yield "of the pushes that wait in one group, GitHub keeps the newest only"
    if first.get("cancel-in-progress"):
        yield "a push cancels the run of the one before"


def _pushed(ref: str, run: int) -> dict[str, Any]:
    """Return the contexts of a run for a push."""
    return {"github": {"workflow": "", "event_name": "push", "ref": ref, "run_id": run}}


def _of_failures(job: Mapping[str, Any], *, is_tolerant: bool) -> Iterator[str]:
    """Yield the settings that would turn a red job green."""
    if "continue-on-error" in job:
        yield "it passes whatever fails in it"
    for step in job.get("steps", ()):
        if "continue-on-error" in step and not is_tolerant:
            yield "it passes although a step fails"
        if _SWALLOWED.search(str(step.get("run", ""))):
            yield f"a failure is swallowed: {step['run'].strip()!r}"


def _of_engine(job: Mapping[str, Any]) -> Iterator[str]:
    """Yield calls that would use the engine of another commit, on a runner that keeps its environments."""
    is_installed = False
    for step in job.get("steps", ()):
        for call in _ENGINE.finditer(str(step.get("run", ""))):
            if call[1] and not is_installed:
                yield f"`{call[0].strip()}` may find the engine of another commit: leave out -R in the first call"
            is_installed |= not call[1] and "if" not in step


def _of_call(ci: Workflow, called: Workflow) -> Iterator[str]:
    """Yield the reasons for which the called workflow would wait without end, or use the engine of another commit."""
    given = ci["jobs"]["ci"]["with"]
    if "nox -R " in given["headworks"] and "nox -s headworks -- " not in given["install"]:
        yield "`nox -R` may find the engine of another commit: `install` has to install it, without -R"
    groups = [filled(parsed(as_text(it))["concurrency"]["group"], _pushed("refs/heads/main", 1)) for it in (ci, called)]
    if groups[0] == groups[1]:
        yield "the called workflow waits for the group that its caller is in, without end"


def _of_installs(called: Workflow, version: str) -> Iterator[str]:
    """Yield the jobs that start Headworks where nothing has installed it, and the default that installs another one."""
    for name, job in called["jobs"].items():
        steps = [f"{step.get('run', '')} {step.get('env', '')}" for step in job["steps"]]
        first = next(number for number, step in enumerate(steps) if "$HEADWORKS " in step)
        if not any("${{ inputs.install }}" in step for step in steps[:first]):
            yield f"{name}: nothing installs Headworks"
    if not called["on"]["workflow_call"]["inputs"]["install"]["default"].endswith(f" headworks=={version.strip()}"):
        yield "who gives no command to install gets another version than the workflow's own, which VERSION says"


@functools.cache
def _of_comments(text: str) -> list[str]:
    """Return the values that a `#` ends although it was meant to be part of them."""
    problems = []
    for token in yaml.scan(text):
        if isinstance(token, yaml.ScalarToken) and token.plain:
            rest = text[token.end_mark.index :].partition("\n")[0]
            if re.match(r"\s+#", rest) and (_EXPRESSION in rest or token.value.count("{{") > token.value.count("}}")):
                problems.append(f"an expression is behind a `#`, which ends `{token.value}`; put it in quotes")
    return problems


def _of_permissions(job: Mapping[str, Any], writable: set[str]) -> Iterator[str]:
    """Yield the permissions that a job has and does not need."""
    permissions = job.get("permissions")
    if not isinstance(permissions, dict):
        yield f"it has no permissions of its own, but {permissions!r}"
        return
    for scope, level in permissions.items():
        if level == "write" and scope not in writable:
            yield f"it may write {scope}, which no job of that name needs"


def _of_job(job: Mapping[str, Any], sessions: set[str]) -> Iterator[str]:
    """Yield the breaches in one job."""
    if "uses" in job:
        yield from ["it hands secrets on"] * ("secrets" in job)
        lines = "\n".join(map(str, job.get("with", {}).values())).splitlines()
        yield from (problem for line in lines for problem in _of_command(line, sessions))
        return
    if "timeout-minutes" not in job:
        yield "it has no timeout-minutes"
    if "matrix" in job.get("strategy", {}) and job["strategy"].get("fail-fast") is not False:
        yield "its matrix has no `fail-fast: false`"
    name = re.sub(r"\$\{\{.*?\}\}", "$expression", str(job.get("name", "")))
    matrix = job.get("strategy", {}).get("matrix", {})
    for label in _LATEST.findall(f"{job['runs-on']} {matrix}"):
        yield f"{label} may become another system on any day: name its version"
    for word in matrix.get("session", ()) if isinstance(matrix, dict) else ():
        yield from _of_command(f"nox -s {word}", sessions)
    if name.startswith("nox "):
        yield from _of_command(name, sessions)
    for step in job.get("steps", ()):
        yield from _of_step(step, sessions)


def _of_saves(job: Mapping[str, Any]) -> Iterator[str]:
    """Yield the caches that a job saves although it need not be one of main."""
    for step in job.get("steps", ()):
        conditions = f"{job.get('if', '')} {step.get('if', '')}"
        if "actions/cache/save@" in str(step.get("uses", "")) and ("||" in conditions or not _MAIN.search(conditions)):
            yield "a cache is saved by other runs than those of main"


def _of_step(step: Mapping[str, Any], sessions: set[str]) -> Iterator[str]:
    """Yield the breaches in one step."""
    script = str(step.get("run", "")) + str(step.get("with", {}).get("script", ""))
    if _EXPRESSION in script:
        yield f"an expression inside a script is read as code: {script.strip()!r}"
    for line in script.replace("\\\n", " ").splitlines():
        yield from _of_command(line, sessions)
    uses = str(step.get("uses", ""))
    if uses.startswith("actions/checkout@"):
        if step.get("with", {}).get("persist-credentials") is not False:
            yield "a checkout keeps the token for every later step"
        if "filter" in step.get("with", {}):
            yield "a checkout leaves files for later, which cannot be fetched from a private repository"
    if uses.startswith("actions/upload-artifact@") and step["with"].get("overwrite") is not True:
        yield "a job that runs again cannot keep an artifact of the same name: overwrite it"
    if uses.startswith("actions/cache@"):
        yield "actions/cache saves in every run; use restore, and save on main only"


def _of_caches(workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Yield the caches that no job saves: GitHub finds a cache by its path and the beginning of its key."""
    caches: dict[str, list[tuple[str, Mapping[str, Any]]]] = {"restore": [], "save": []}
    for name, workflow in workflows.items():
        for step in (step for job in workflow["jobs"].values() for step in job.get("steps", ())):
            if action := re.match(r"actions/cache/(restore|save)@", str(step.get("uses", ""))):
                caches[action[1]].append((name, step["with"]))
    for name, given in caches["restore"]:
        for start in str(given.get("restore-keys", given["key"])).split("\n"):
            if not any(
                cache["path"] == given["path"] and cache["key"].startswith(start.strip()) for _, cache in caches["save"]
            ):
                yield f"{name}: no job saves a cache `{start.strip()}` of {given['path']}, which is restored"


def _of_artifacts(workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Yield the artifacts that are downloaded and that no job of the same run uploads."""
    steps = {
        name: [step for job in workflow["jobs"].values() for step in job.get("steps", ())]
        for name, workflow in workflows.items()
    }
    for name, workflow in workflows.items():
        started = workflow["on"].get("workflow_run", {}).get("workflows", ())
        others = {other for other, content in workflows.items() if content["name"] in started}
        others |= {called for other in (name, *others) for called in _called(other, workflows)}
        uploads = {
            re.sub(r"\$\{\{.*?\}\}", "0", step["with"]["name"])
            for step in (step for other in (name, *others) for step in steps[other])
            if str(step.get("uses", "")).startswith("actions/upload-artifact@")
        }
        for step in steps[name]:
            if str(step.get("uses", "")).startswith("actions/download-artifact@"):
                pattern = step["with"].get("pattern", step["with"].get("name"))
                if not fnmatch.filter(uploads, pattern):
                    yield f"{name}: no job uploads an artifact {pattern!r}, which is downloaded"


def _called(name: str, workflows: Mapping[str, Workflow]) -> set[str]:
    """Return the files of the workflows that a workflow calls, directly or not."""
    direct = {Path(job["uses"]).name for job in workflows[name]["jobs"].values() if "uses" in job}
    return direct.union(*(_called(other, workflows) for other in direct))


def _of_sessions(ci: Workflow, tags: set[str]) -> Iterator[str]:
    """Yield the reasons for which sessions would run at the wrong place, or without what they need."""
    for name, job in ci["jobs"].items():
        scripts = [" ".join(str(step.get("run", "")).replace("\\\n", " ").split()) for step in job["steps"]]
        number = next((number for number, script in enumerate(scripts) if "run --keep-going" in script), None)
        if number is not None and not any(
            script.endswith('store import "$RUNNER_TEMP/proof"') for script in scripts[:number]
        ):
            yield f"{name}: it imports no verdicts, and sessions do not find the outputs of others"
        for script in scripts:
            if apart := re.search(r"--apart ([\w,-]+)", script):
                yield from (
                    f"{name}: no session in noxfile.py has the tag {tag!r}, whose job would be skipped"
                    for tag in sorted(set(apart[1].split(",")) - tags)
                )
        if number is not None or any("$HEADWORKS plan " in script for script in scripts):
            checkouts = [step["with"] for step in job["steps"] if "checkout@" in step.get("uses", "")]
            if [str(given.get("fetch-depth")) for given in checkouts] != ["0"]:
                yield f"{name}: sessions need the history, which no later step can fetch from a private repository"


def _of_command(line: str, sessions: set[str]) -> Iterator[str]:
    """Yield the sessions in a command that do not exist."""
    words = shlex.split(line, comments=True)
    if "nox" not in words or "-s" not in words:
        return
    for word in words[words.index("-s") + 1 :]:
        if word == "--" or word.startswith("-"):
            return
        if word not in sessions and not word.startswith(
            "$"
        ):  # the values of a variable are in a matrix, where they are checked
            yield f"there is no session {word!r}"


def _of_pythons(workflow: Workflow, root: Path) -> Iterator[str]:
    """Yield the breaches in the Python versions that jobs install, since uv may not download any."""
    fetched = workflow.get("env", {}).get("UV_PYTHON_DOWNLOADS") != "never"
    for name, job in workflow["jobs"].items():
        used = " ".join(str(step.get("uses", "")) for step in job.get("steps", ()))
        if "setup-uv@" in used and "setup-python@" not in used and not fetched:
            yield f"{name}: it has no Python that uv could run nox with"
    packages = sorted(root.glob("packages/*/pyproject.toml"))  # all of them support the same ones
    supported = nox.project.python_versions(nox.project.load_toml(packages[0]))
    running = (root / ".python-version").read_text(encoding="utf-8").split()[0]
    for name, job in workflow["jobs"].items():
        for step in job.get("steps", ()):
            if str(step.get("uses", "")).startswith("actions/setup-python@"):
                text = str(step["with"]["python-version"])
                if given := _GIVEN.fullmatch(text):
                    text = workflow["on"]["workflow_call"]["inputs"][given[1]]["default"]
                versions = text.split()
                if sorted(versions) != sorted(supported):
                    yield f"{name}: it installs Python {', '.join(versions)}; {', '.join(supported)} are supported"
                if versions[-1] != running:
                    yield f"{name}: the last Python is the one that runs nox, and should be {running}"


def _of_ledger(workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Yield the reasons for which questions of pull requests would not be counted, or would be believed unchecked."""
    plan, pipeline, ledger = (
        " ".join(json.dumps(workflows[name]["jobs"].get(job, {}).get("steps", [])).replace('\\"', "").split())
        for name, job in (("headworks.yml", "plan"), ("headworks.yml", "pipeline"), ("report.yml", "ledger"))
    )
    asked = [
        step.get("if")
        for step in workflows["headworks.yml"]["jobs"]["pipeline"]["steps"]
        if "ledger --output" in step.get("run", "") or step.get("with", {}).get("name", "").startswith("asked-")
    ]
    if len(asked) != 2 or "ledger --take artifacts/asked" not in ledger or "asked-*" not in ledger:
        yield "report.yml: nothing adds the questions of pull requests to the ledger"
    if not all(condition.startswith("always() && ") for condition in asked):
        yield "headworks.yml: pipeline: a newer commit ends the run, and what it asked is not counted"
    report = workflows["report.yml"]
    if "concurrency" in report or report["jobs"].get("ledger", {}).get("concurrency", {}).get("queue") != "max":
        yield "report.yml: ledger: of the runs that wait in a group, GitHub keeps the newest only"
    known = "$RUNNER_TEMP/proof/plan.ledger"
    if f"ledger --output {known}" not in plan or f"--known {known}" not in pipeline:
        yield "headworks.yml: pipeline: the questions of all runs are written, of which few are new"
    if plan.count("proof/ledger.tar") != len(("restored", "uploaded")):
        yield "headworks.yml: plan: the gate does not get what pull requests asked, and its budget does not count it"
    if (
        "actions/cache/restore@" not in plan
        or '"restore-keys": "ledger-"' not in plan
        or "actions/cache/save@" not in ledger
    ):
        yield "headworks.yml: plan: it does not know the questions of other pull requests"
    for name, job in workflows["report.yml"]["jobs"].items():
        for script in (str(step.get("run", "")) for step in job["steps"]):
            if "store import" in script and not script.endswith('store import "$RUNNER_TEMP/proof"'):
                yield f"report.yml: {name}: a bundle of a pull request can say that anything passed"


def _of_required(called: Workflow, triggers: Mapping[str, Any]) -> Iterator[str]:
    """Yield the reasons for which a red run could be merged.

    Args:
        called: The workflow with the job that counts.
        triggers: What starts the workflow that calls it.
    """
    if "required" not in called["jobs"]:
        yield "there is no job `required`"
        return
    required = called["jobs"]["required"]
    if required.get("if") != "always()":
        yield "required: without `if: always()` it is skipped after a failure, and a skipped job counts as passed"
    if left_out := called["jobs"].keys() - {"required", "save", *required["needs"]}:
        yield f"required: it does not need {', '.join(sorted(left_out))}"
    if not any(str(step.get("run", "")).startswith("$HEADWORKS verify ") for step in required["steps"]):
        yield "required: nothing counts the sessions"
    if any(
        "continue-on-error" in step or "if" in step
        for step in required["steps"]
        if "INSTALL" not in step.get("env", "")
    ):
        yield "required: a step that is left out or may fail proves nothing"
    for trigger in ("pull_request", "merge_group"):
        if trigger not in triggers:
            yield f"required: it does not run for {trigger}, which waits for it without end"
        elif triggers[trigger]:
            yield f"required: what a filter of {trigger} leaves out waits for it without end"


def _of_nights(workflow: Workflow) -> Iterator[str]:
    """Yield the jobs that run sessions and do not watch them where everything is forced, or do in a pull request."""
    for name, job in workflow["jobs"].items():
        for step in job.get("steps", ()):
            if "run --keep-going" in str(step.get("run", "")):
                given = [
                    filled(step["env"].get("OBSERVE", ""), {"inputs": {"force": force}, "runner": {"os": system}})
                    for force, system in ((True, "Linux"), (True, "macOS"), (None, "Linux"))
                ]
                if given != ["--observe", "", ""] or '${OBSERVE:+"$OBSERVE"}' not in step["run"]:
                    yield f"{name}: a night has to watch what runs, on Linux, and nothing else has to"


def _of_bundles(ci: Workflow) -> Iterator[str]:
    """Yield the reasons for which verdicts are carried more often than needed, or lost."""
    for name, job in ci["jobs"].items():
        exports = [str(step["run"]) for step in job["steps"] if "store export" in str(step.get("run", ""))]
        caches = [step for step in job["steps"] if str(step.get("uses", "")).startswith("actions/cache/save@")]
        if not all("--known" in it or "--plan" in it for it in exports) and not caches:
            yield f"{name}: it uploads what it has downloaded"
        if caches and job.get("concurrency", {}).get("queue") != "max":
            yield f"{name}: of two runs that save verdicts at once, one loses those of the other"


def _of_queue(ci: Workflow) -> Iterator[str]:
    """Yield the reasons for which a run would believe another that proved other code, or where all has to run."""
    for name, job in ci["jobs"].items():
        for step in job["steps"]:
            run = str(step.get("with", {}).get("run-id", ""))
            if run and run not in {"${{ steps.queue.outputs.run }}", "${{ needs.plan.outputs.queue }}"}:
                yield f"{name}: it takes verdicts of a run that `headworks queue` has not named"
            if " queue --output" in str(step.get("run", "")):
                given = {"github": {"event_name": "push"}, "inputs": {"force": True}}
                if step.get("id") != "queue" or filled(step.get("if", "${{ true }}"), given):
                    yield f"{name}: it takes verdicts where everything has to run"


def _of_release(workflow: Workflow) -> Iterator[str]:
    """Yield the reasons for which something could be published that has not passed."""
    jobs, tags = workflow["jobs"], workflow["on"]["push"].get("tags", ["*"])
    if fnmatch.filter(["any-name"], *tags):
        yield "any tag publishes a release, also one that names no version"
    for name, job in jobs.items():
        before: set[str] = set()
        left = [name]
        while left:
            needs = jobs[left.pop()].get("needs", [])
            left += set(needs) - before
            before |= set(needs)
        if "write" in job["permissions"].values() and "everything" not in before:
            yield f"{name}: it publishes, and does not need that everything passed"
        if name.startswith("publish-") and "images" not in before:
            yield f"{name}: it publishes, and does not need that the images passed"
        if "if" in job:
            yield f"{name}: a condition could let it run after a failure"
    first = [step.get("run", "") for step in jobs["notes"]["steps"]]
    if not any("release-notes -- reviewed " in str(script) for script in first):
        yield "notes: a commit that nobody has reviewed can be released"
    if not any(str(script).endswith("nox -s names") for script in first) or jobs["everything"].get("needs") != [
        "notes"
    ]:
        yield "notes: hours are spent before the index is asked whether the names are ours"
    if jobs.get("everything", {}).get("with") != {"force": True}:
        yield "everything: it may skip sessions that have passed before"


def _of_images(workflow: Workflow) -> Iterator[str]:
    """Yield the reasons for which an image could be pushed that nobody asked for, or that has not passed."""
    run = {"event": "push", "head_branch": "main", "conclusion": "success"}
    cases: list[tuple[str, dict[str, str], str, bool]] = [
        ("a run of main that passed", run, "true", True),
        ("a run of main where no image is asked for", run, "", False),
        ("a run of main that failed", run | {"conclusion": "failure"}, "true", False),
        ("a pull request", run | {"event": "pull_request"}, "true", False),
        ("another branch", run | {"head_branch": "topic"}, "true", False),
    ]
    condition = f"${{{{ ({workflow['jobs']['build'].get('if', 'true')}) && 'yes' || 'no' }}}}"
    for about, started, asked, expected in cases:
        contexts = {"github": {"event": {"workflow_run": started}}, "vars": {"PUSH_IMAGES": asked}, "inputs": {}}
        if (filled(condition, contexts) == "yes") != expected:
            yield f"build: {about} {'pushes no' if expected else 'pushes an'} image"
    for name, job in workflow["jobs"].items():
        refs = [step["with"].get("ref") for step in job["steps"] if "checkout@" in str(step.get("uses", ""))]
        if refs != ["${{ github.event.workflow_run.head_sha }}"]:
            yield f"{name}: it builds the newest commit, and not the one that has passed"
        if name != "build" and "build" not in job.get("needs", ()):
            yield f"{name}: it runs where no image was pushed"


def _of_merging(workflow: Workflow) -> Iterator[str]:
    """Yield the reasons for which a pull request could merge itself that is not a small update by Dependabot."""
    branch = {"head_branch": "dependabot/uv/python", "head_repository": {"full_name": "a/b"}}
    run: dict[str, Any] = {"event": "pull_request", "conclusion": "success", **branch}
    cases: list[tuple[str, dict[str, Any], str, bool]] = [
        ("an update that passed", run, "true", True),
        ("an update where nobody asked for it", run, "", False),
        ("an update that failed", run | {"conclusion": "failure"}, "true", False),
        ("a push", run | {"event": "push"}, "true", False),
        ("another branch", run | {"head_branch": "topic"}, "true", False),
        ("a fork", run | {"head_repository": {"full_name": "c/b"}}, "true", False),
    ]
    job = workflow["jobs"]["merge"]
    condition = f"${{{{ ({job.get('if', 'true')}) && 'yes' || 'no' }}}}"
    for about, started, asked, expected in cases:
        contexts = {
            "github": {"event": {"workflow_run": started}, "repository": "a/b"},
            "vars": {"MERGE_UPDATES": asked},
        }
        if (filled(condition, contexts) == "yes") != expected:
            yield f"merge: {about} is {'not ' * expected}merged"
    scripts = [str(step.get("run", "")) for step in job["steps"]]
    read = [number for number, script in enumerate(scripts) if "small_update.py" in script]
    for number, step in enumerate(job["steps"]):
        if "gh pr merge" in scripts[number]:
            if not read or read[0] > number or step.get("if") != "steps.update.outputs.url != ''":
                yield "merge: nobody looks at who wrote the update, and how large it is"
            if " --auto " not in scripts[number] or ' --match-head-commit "$COMMIT" ' not in scripts[number]:
                yield "merge: it merges what has not passed, or another commit than the one that was looked at"
        if "ref" in step.get("with", {}):
            yield "merge: it runs files of the pull request"


def _of_promotion(project: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sessions that a promotion of a model does not need, but should."""
    promote = project["tool"]["headworks"]["gate"]["promote"]
    for alias, needed in _PROMOTED.items():
        if left_out := needed - {session.rstrip("?") for session in promote.get(alias, ())}:
            yield f"promotion to {alias} does not need {', '.join(sorted(left_out))}"


def _of_promoting(workflow: Workflow) -> Iterator[str]:
    """Yield the reasons for which an alias could move to a model that nobody has checked, or agreed to."""
    if workflow["on"].keys() - {"workflow_dispatch", "repository_dispatch"}:
        yield "it starts by itself, or for what a stranger proposes"
    if workflow["concurrency"].get("queue") != "max" or "cancel-in-progress" in workflow["concurrency"]:
        yield "a promotion drops another one that waits"
    jobs = workflow["jobs"]
    scripts = {
        name: [str(step["run"]) for step in job["steps"] if "run" in step and step.get("if") in _ASKED]
        for name, job in jobs.items()
    }
    checked = {
        name
        for name, lines in scripts.items()
        if all(any(f"nox {it}" in line for line in lines) for it in _PROMOTE_CHECKS)
        and jobs[name].get("if") == "github.ref == 'refs/heads/main'"
    }
    moving = {name for name, lines in scripts.items() if "--write-remote" in " ".join(lines)}
    if not moving:
        yield "no job moves an alias"
    for name in moving:
        if jobs[name].get("environment") != "production":
            yield f"{name}: an alias moves, and nobody was asked"
        if not checked & {*jobs[name].get("needs", ())} or "if" in jobs[name]:
            yield f"{name}: an alias moves to a model that was not checked on main"
        for line in "\n".join(scripts[name]).replace("\\\n", " ").splitlines():
            if "--write-remote" in line and "--expect " not in line:
                yield f"{name}: an alias moves also if it points to another model than the one that was compared with"


def _of_ruleset(file: Path, workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Yield the breaches in the ruleset of the branch."""
    ruleset = json.loads(file.read_text(encoding="utf-8"))
    rules = {rule["type"]: rule.get("parameters", {}) for rule in ruleset["rules"]}
    contexts = [check["context"] for check in rules.get("required_status_checks", {}).get("required_status_checks", [])]
    for context in contexts:
        jobs = [
            f"{name}: {key}"
            for name, workflow in workflows.items()
            for key in _checks(name, workflows)
            if key == context
        ]
        if not any(job.startswith("ci.yml") for job in jobs):
            yield f"there is no job {context!r}"
        if len(jobs) > 1:
            yield f"several jobs are called {context!r}, and GitHub takes any of them: {', '.join(jobs)}"
    if _REQUIRED not in contexts or ruleset["enforcement"] != "active":
        yield "the job `required` is not required"
    if ruleset["bypass_actors"]:
        yield "somebody may bypass it"
    if "merge_queue" in rules and "required" in workflows["headworks.yml"]["jobs"]:
        needed = _longest("required", workflows["headworks.yml"])
        allowed = rules["merge_queue"]["check_response_timeout_minutes"]
        if allowed < needed:
            yield f"the merge queue gives up after {allowed} minutes, and `required` may come after {needed}"


def _checks(name: str, workflows: Mapping[str, Workflow]) -> list[str]:
    """Return the names of the checks of a workflow: those of a called one come after the name of the job that calls."""
    checks = []
    for key, job in workflows[name]["jobs"].items():
        own = str(job.get("name", key))
        checks += [f"{own} / {it}" for it in _checks(Path(job["uses"]).name, workflows)] if "uses" in job else [own]
    return checks


def _longest(name: str, ci: Workflow) -> int:
    """Return the minutes after which a job has ended at the latest, once each job before it has a runner at once."""
    job = ci["jobs"][name]
    return int(job.get("timeout-minutes", 360)) + max((_longest(need, ci) for need in job.get("needs", ())), default=0)


def main() -> int:
    """Print every breach in the repository that is the working folder."""
    root = Path.cwd()
    problems = breaches(root, listed(root))
    sys.stdout.write("".join(f"{problem}\n" for problem in problems) or "The workflows keep every rule.\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
