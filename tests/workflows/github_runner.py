"""Runs a workflow on this machine by GitHub's rules, each job in its own clone and with its own store.

The script of a step runs unchanged. Actions have a local equivalent: a checkout is a clone, caches and artifacts are
folders, and actions that install programs do nothing, since these are on PATH.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from github_actions import as_text, inlined
from github_job import Job
from github_parser import filled, holds, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WORKFLOWS: Final = Path(__file__).parents[2] / ".github/workflows"
_RESULTS: Final = ("failure", "cancelled", "success")  # of the jobs of a matrix, the most important first
_HERE: Final = {"ubuntu-24.04", "ubuntu-24.04-arm"}  # the runners that this machine stands for
_ELSEWHERE: Final = {"macos-15", "windows-2025"}  # those whose jobs are left out
_MATRIX: Final = 256  # the most jobs that a matrix may have
_OWNER: Final = "owner"
_VARIABLES: Final = {
    "ATTEST": "true",
    "NIGHTLY": "true",
    "PUSH_IMAGES": "true",
}  # of a repository that has asked for all that there is


@dataclass(kw_only=True)
class Run:
    """One run of a workflow.

    Attributes:
        workflow: The workflow's file.
        origin: The repository that a checkout clones.
        place: An empty folder for all files of the run; caches are beside it, so that runs share them.
        commit: The commit that is checked out.
        event: The event that started the run, as `pull_request`.
        ref: The ref that it runs for.
        environ: Variables that every step sees.
        inputs: The inputs that a calling workflow gives.
        payload: What GitHub says about the event.
        attempt: The number of the attempt: one that is not the first finds the artifacts of those before.
        is_private: Whether nothing can be fetched without a token.
        variables: Variables of the repository, beside those of one that has asked for all that there is.
        approve: Is called with the name of an environment before a job in it starts; tells whether a person agrees.
        unset: Variables that no step sees, even if the workflow sets them.
        is_shallow: Whether checkouts get the commit alone, even if they ask for more.
        is_cut_off: The same, and nothing can be fetched after a checkout.
        cancel_after: The run is cancelled when this job has ended.
        caller: The name of the workflow that calls this one.
        started: The file of the workflow that the event started, if that is another.
        required: The check that has to pass before a merge.
        say: Is called with a line about each job that has ended.
        results: The result of each job that has ended or was skipped.
        outputs: The outputs of each job that ran.
        jobs: The names of the jobs that ran, with their results, in order.
        log: The output of all steps, also written to `log` in `place`.
        summary: The text that steps added to GITHUB_STEP_SUMMARY.
        seconds: The duration, with one job after the other.
        is_cancelled: Whether the run was cancelled.
        content: The workflow as GitHub reads it.
    """

    workflow: Path
    origin: Path
    place: Path
    commit: str
    event: str
    ref: str
    environ: Mapping[str, str]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    is_private: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    approve: Callable[[str], bool] = lambda _: True
    unset: frozenset[str] = frozenset()
    is_shallow: bool = False
    is_cut_off: bool = False
    cancel_after: str = ""
    caller: str = ""
    started: str = ""
    required: str = "ci / required"
    say: Callable[[str], None] = lambda _: None
    results: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    jobs: list[tuple[str, str]] = field(default_factory=list)
    log: str = ""
    summary: str = ""
    seconds: float = 0.0
    is_cancelled: bool = False
    content: dict[str, Any] = field(default_factory=dict)

    def execute(self) -> None:
        """Run all jobs, each after the jobs that it needs."""
        started = time.monotonic()
        self.content = parsed(as_text(inlined(self.workflow.read_text(encoding="utf-8"))))
        left = dict(self.content["jobs"])
        while left:
            name = next(job_name for job_name, job in left.items() if self._needs(job) <= self.results.keys())
            self._decide(name, left.pop(name))
            self.is_cancelled |= name == self.cancel_after
        self.seconds = time.monotonic() - started

    @property
    def is_mergeable(self) -> bool:
        """Whether GitHub would merge the change: it counts a required job that was skipped as passed."""
        return self.results[self.required] in {"success", "skipped"}

    def contexts(self) -> dict[str, Any]:
        """Return the contexts of expressions that are the same in the whole workflow."""
        is_proposed = self.event == "pull_request"
        github = {
            "actor": _OWNER,
            "api_url": self.environ.get("GITHUB_API_URL", "http://127.0.0.1:9"),
            "base_ref": "main" if is_proposed else "",
            "event": {"repository": {"default_branch": "main", "private": self.is_private}, **self.payload},
            "event_name": self.event,
            "head_ref": "change" if is_proposed else "",
            "ref": self.ref,
            "ref_name": self.ref.split("/", 2)[2],
            "ref_type": "tag" if self.ref.startswith("refs/tags/") else "branch",
            "repository": f"{_OWNER}/project",
            "repository_owner": _OWNER,
            "run_attempt": str(self.attempt),
            "run_id": self.place.name,
            "run_number": self.place.name,
            "server_url": "https://github.com",
            "sha": self.commit,
            "token": "secret",
            "workflow": self.caller or self.content["name"],
            "workflow_ref": f"{_OWNER}/project/.github/workflows/{self.started or self.workflow.name}@{self.ref}",
        }
        runner = {"arch": "X64", "os": "Linux"}
        variables = _VARIABLES | dict(self.variables)
        return {"github": github, "inputs": dict(self.inputs), "runner": runner, "secrets": {}, "vars": variables}

    def _needs(self, job: Mapping[str, Any]) -> set[str]:
        """Return the jobs that a job needs."""
        needs = job.get("needs", [])
        return {needs} if isinstance(needs, str) else set(needs)

    def _ancestors(self, job: Mapping[str, Any]) -> set[str]:
        """Return the jobs that a job needs, directly or not."""
        direct = self._needs(job)
        return direct.union(*(self._ancestors(self.content["jobs"][name]) for name in direct))

    def _decide(self, name: str, job: Mapping[str, Any]) -> None:
        """Run or skip a job, depending on its `if` and the results before it."""
        before = [self.results[name] for name in self._ancestors(job)]
        status = {
            "always": True,
            "cancelled": self.is_cancelled,
            "failure": "failure" in before,
            "success": not self.is_cancelled and all(result == "success" for result in before),
        }
        needs = {
            other: {"result": self.results[other], "outputs": self.outputs.get(other, {})} for other in self._needs(job)
        }
        contexts = self.contexts() | {"needs": needs}
        if not holds(job["if"], contexts, **status):
            self.results[name] = "cancelled" if self.is_cancelled else "skipped"
            return
        if "uses" in job:
            self.results[name] = self._call(name, job, contexts)
            return
        if "environment" in job and not self.approve(filled(job["environment"], contexts)):
            self.results[name] = "failure"
            return
        results = [
            self._leg(name, number, job, contexts | leg) for number, leg in enumerate(self._legs(name, job, contexts))
        ]
        self.results[name] = next(result for result in _RESULTS if result in results)

    def _legs(self, name: str, job: Mapping[str, Any], contexts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the contexts of each job of a matrix, or of the only one; none that GitHub would refuse."""
        matrix = filled(job.get("strategy", {}).get("matrix", {}), contexts)
        entries = [{}] if "strategy" not in job else matrix.pop("include", [])
        if matrix:
            entries += [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]
        if not 0 < len(entries) <= _MATRIX:
            message = f"{name}: GitHub takes no matrix of {len(entries)} jobs"
            raise ValueError(message)
        return [{"matrix": entry, "strategy": {"job-index": number}} for number, entry in enumerate(entries)]

    def _leg(self, name: str, number: int, job: Mapping[str, Any], contexts: dict[str, Any]) -> str:
        """Run one job and return its result."""
        label = filled(job["runs-on"], contexts)
        if label in _HERE:
            return Job(self, name, number, job, contexts).execute()
        self.log += f"--- {name}: no runner here has the label {label!r}\n"
        return "success" if label in _ELSEWHERE else "failure"  # after a day without a runner

    def _call(self, name: str, job: Mapping[str, Any], contexts: dict[str, Any]) -> str:
        """Run the workflow that a job calls, as a part of this run, and return the job's result."""
        file = WORKFLOWS / Path(job["uses"].partition("@")[0]).name
        declared = parsed(file.read_text(encoding="utf-8"))["on"]["workflow_call"].get("inputs", {})
        inputs = {key: given["default"] for key, given in declared.items() if "default" in given}
        inputs |= filled(job.get("with", {}), contexts)
        caller = self.caller or self.content["name"]
        called = dataclasses.replace(
            self,
            workflow=file,
            inputs=inputs,
            caller=caller,
            started=self.started or self.workflow.name,
            results={},
            outputs={},
            jobs=[],
            log="",
        )
        called.execute()
        self.results |= {f"{name} / {job}": result for job, result in called.results.items()}
        self.is_cancelled |= called.is_cancelled
        self.jobs += called.jobs
        self.log += called.log
        self.summary = called.summary
        return next(result for result in (*_RESULTS, "skipped") if result in called.results.values())
