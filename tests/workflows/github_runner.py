"""Runs a workflow on this machine by GitHub's rules, each job in its own clone and with its own store.

The script of a step runs unchanged. Actions have a local equivalent: a checkout is a clone, caches and artifacts are
folders, and actions that install programs do nothing, since these are on PATH.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from github_job import Job
from github_parser import filled, holds, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_RESULTS: Final = ("failure", "cancelled", "success")  # of the jobs of a matrix, the most important first


@dataclass(kw_only=True)
class Run:
    """One run of a workflow.

    Attributes:
        workflow: The workflow's file.
        origin: The repository that a checkout clones.
        place: An empty folder for all files of the run; caches are beside it, so that runs share them.
        commit: The commit that is checked out.
        event: The event that started the run: `pull_request` or `push`.
        ref: The ref that it runs for.
        environ: Variables that every step sees.
        inputs: The inputs that a calling workflow gives.
        payload: What GitHub says about the event.
        unset: Variables that no step sees, even if the workflow sets them.
        is_shallow: Whether checkouts get the commit alone, even if they ask for more.
        is_cut_off: The same, and nothing can be fetched after a checkout.
        cancel_after: The run is cancelled when this job has ended.
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
    unset: frozenset[str] = frozenset()
    is_shallow: bool = False
    is_cut_off: bool = False
    cancel_after: str = ""
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
        self.content = parsed(self.workflow.read_text(encoding="utf-8"))
        left = dict(self.content["jobs"])
        while left:
            name = next(job_name for job_name, job in left.items() if self._needs(job) <= self.results.keys())
            self._decide(name, left.pop(name))
            self.is_cancelled |= name == self.cancel_after
        self.seconds = time.monotonic() - started

    @property
    def is_mergeable(self) -> bool:
        """Whether GitHub would merge the change: it counts a required job that was skipped as passed."""
        return self.results["required"] in {"success", "skipped"}

    def contexts(self) -> dict[str, Any]:
        """Return the contexts of expressions that are the same in the whole workflow."""
        github: dict[str, Any] = {
            "event_name": self.event,
            "ref": self.ref,
            "run_id": self.place.name,
            "run_attempt": "1",
        }
        github |= {"workflow": self.content["name"], "sha": self.commit, "event": dict(self.payload), "token": ""}
        return {"github": github, "inputs": dict(self.inputs), "runner": {"os": "Linux"}}

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
        results = [
            Job(self, name, number, job, contexts | leg).execute() for number, leg in enumerate(_legs(job, contexts))
        ]
        self.results[name] = next(result for result in _RESULTS if result in results)


def _legs(job: Mapping[str, Any], contexts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the contexts of each job of a matrix, or of the only one."""
    matrix = filled(job.get("strategy", {}).get("matrix", {}), contexts)
    for number, entry in enumerate(matrix.get("include", [{}])):
        yield {"matrix": entry, "strategy": {"job-index": float(number)}}
