"""Runs a workflow on this machine by the rules of GitHub, each job in a clone and with a store of its own.

What a step `run`s is executed as it stands. The actions that are used have a local equivalent: a checkout is a clone,
a cache and the artifacts are folders, and what installs programs does nothing, since they are on PATH.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml
from github_expressions import condition, filled
from github_job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_RESULTS: Final = ("failure", "cancelled", "success")  # of the jobs of a matrix, the one that decides first


@dataclass(kw_only=True)
class Run:
    """One run of a workflow.

    Attributes:
        workflow: the workflow's file.
        origin: the repository that a checkout clones.
        place: an empty folder for all that the run writes; caches lie beside it, so that runs share them.
        commit: what is checked out.
        event: what started the run: `pull_request` or `push`.
        ref: the ref that it runs for.
        environ: variables that every step sees.
        unset: variables that no step sees, whatever the workflow says.
        is_shallow: whether checkouts get the commit alone, whatever they ask for.
        is_cut_off: whether checkouts get that as well, and nothing can be fetched after them.
        cancel_after: a job; once it has ended, somebody cancels the run.
        say: takes a line about each job that has ended.
        results: the result of each job that is decided.
        outputs: the outputs of each job that ran.
        jobs: the names of the jobs that ran, with their results, in order.
        log: all that the steps printed; it lies as `log` in the place as well.
        summary: all that they added to GITHUB_STEP_SUMMARY.
        seconds: how long it took, one job after the other.
        is_cancelled: whether somebody has cancelled it.
        content: what the workflow's file says.
    """

    workflow: Path
    origin: Path
    place: Path
    commit: str
    event: str
    ref: str
    environ: Mapping[str, str]
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

    def go(self) -> None:
        """Run all jobs, each when those that it needs are decided."""
        started = time.monotonic()
        self.content = yaml.safe_load(self.workflow.read_text(encoding="utf-8"))
        left = dict(self.content["jobs"])
        while left:
            name = next(it for it, job in left.items() if self._needs(job) <= self.results.keys())
            self._decide(name, left.pop(name))
            self.is_cancelled |= name == self.cancel_after
        self.seconds = time.monotonic() - started

    @property
    def is_mergeable(self) -> bool:
        """Whether GitHub lets the change in: it takes a required job that was skipped for one that passed."""
        return self.results["required"] in {"success", "skipped"}

    def contexts(self) -> dict[str, Any]:
        """Return what expressions may name anywhere in the workflow."""
        github = {"event_name": self.event, "ref": self.ref, "run_id": self.place.name, "run_attempt": "1"}
        return {"github": github | {"workflow": self.content["name"], "sha": self.commit}}

    def _needs(self, job: Mapping[str, Any]) -> set[str]:
        """Return the jobs that a job needs."""
        needs = job.get("needs", [])
        return {needs} if isinstance(needs, str) else set(needs)

    def _ancestors(self, job: Mapping[str, Any]) -> set[str]:
        """Return the jobs that a job needs, and those that these need."""
        direct = self._needs(job)
        return direct.union(*(self._ancestors(self.content["jobs"][it]) for it in direct))

    def _decide(self, name: str, job: Mapping[str, Any]) -> None:
        """Run or skip a job, as its `if` and the results before say."""
        before = [self.results[it] for it in self._ancestors(job)]
        status = {
            "always": lambda: True,
            "cancelled": lambda: self.is_cancelled,
            "failure": lambda: "failure" in before,
            "success": lambda: not self.is_cancelled and all(it == "success" for it in before),
        }
        needs = {it: {"result": self.results[it], "outputs": self.outputs.get(it, {})} for it in self._needs(job)}
        contexts = self.contexts() | {"needs": needs}
        if not condition(job.get("if", "success()"), contexts, status):
            self.results[name] = "cancelled" if self.is_cancelled else "skipped"
            return
        found = [Job(self, name, number, job, contexts | it).go() for number, it in enumerate(_legs(job, contexts))]
        self.results[name] = next(it for it in _RESULTS if it in found)


def _legs(job: Mapping[str, Any], contexts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what expressions mean in each job of a matrix, or in the only one."""
    matrix = filled(job.get("strategy", {}).get("matrix", {}), contexts)
    for number, it in enumerate(matrix.get("include", [{}])):
        yield {"matrix": it, "strategy": {"job-index": float(number)}}
