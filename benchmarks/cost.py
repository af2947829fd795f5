"""Counts what CI costs for commits of this repository's history, beside a plain matrix of nox: minutes and waiting.

Each commit that is drawn is planned by its own engine, from its own sources, against the digests of its parent, which
counts as proven. A digest that an old engine does not tell counts as a change. What would run is put into jobs as
`headworks plan --format github` puts it. How long a session takes was measured: a plan of a store that has run them
says it. What a machine costs before its first session is stated here. Nothing runs.

    headworks plan --format json > measured.json     # where all sessions have passed
    python benchmarks/cost.py . --measured measured.json --commits 25

The plain matrix has a job for each session, and one for all stages in a row, as `nox -s pipeline` runs them; its images
take the model from that job. Both bill every job by whole minutes, and as GitHub weighs systems.
"""

# ruff: noqa: INP001  # a script

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import statistics
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, cast

from headworks._plan.as_github import RUNNERS, as_github
from history import by_digest
from history_clone import Clone, RefusedError, as_session, git

# Seconds that a job takes beside its sessions: the runner's start, checkout, Python, uv, and for ours strace, the
# engine and the verdicts of earlier runs. Stated from the times that public logs of such steps show, not measured here.
SET_UP: Final = 40
PLAIN_SET_UP: Final = 25
# What the steps of our own jobs took in the replay on two processors.
PLAN, REPORT, REQUIRED = 10, 25, 5
WEIGHTS: Final = {"linux": 1, "windows": 2, "macos": 10}
APART: Final = ("pipeline", "images")
DOCUMENTS: Final = ("docs/*.md", "*.md")


class Cost(NamedTuple):
    """The cost of a run.

    Attributes:
        jobs: How many machines it starts.
        minutes: The billed minutes, as those of Linux.
        waiting: The seconds from its start to its end, if no job waits for a machine.
    """

    jobs: int
    minutes: int
    waiting: float


class Row(NamedTuple):
    """A commit, with both costs."""

    commit: str
    files: int
    is_documents: bool
    planned: int
    sessions: int
    ours: Cost
    plain: Cost


def planned(clone: Clone, folder: Path) -> list[dict[str, Any]]:
    """Return the sessions of the commit that is checked out, as its own engine plans them.

    Args:
        clone: A clone of the repository.
        folder: Where the engine keeps its store, empty for each plan.

    Raises:
        RefusedError: It has no engine that plans.
    """
    names = git(clone.root, "ls-tree", "--name-only", "HEAD", "packages/").stdout.split()
    engine = next((Path(it).name for it in names if Path(it).name in {"headworks", "headgate"}), None)
    if engine is None:
        message = "there is no engine"
        raise RefusedError(message)
    shutil.rmtree(folder, ignore_errors=True)
    sources = {"PYTHONPATH": str(clone.root / "packages" / engine / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return clone.told(engine=engine, **sources, **{f"{name}_STORE": str(folder) for name in ("HEADWORKS", "HEADGATE")})


def tree_of(told: dict[str, Any], commit: str) -> str:
    """Return the digest of what a session can depend on; one that is not told is one that no other commit has."""
    return str(told.get("tree") or told["digest"] or f"{commit} {told['name']}")


def ours(sessions: list[dict[str, Any]], states: dict[str, str], seconds: dict[str, float]) -> Cost:
    """Return what the workflow costs that the plan divides into jobs."""
    each = [
        SimpleNamespace(
            session=SimpleNamespace(
                name=it["name"], function=it["function"], tags=it["tags"], needs=it["needs"], runs_on=()
            ),
            state=states[it["name"]],
            seconds=seconds[it["name"]],
            covered_on=it["tags"] if states[it["name"]] == "cached" and not it["needs"] else (),
        )
        for it in sessions
    ]
    catalog = {it.session.name: it.session for it in each}
    plan = SimpleNamespace(sessions=each, digester=SimpleNamespace(catalog=catalog))
    text = as_github(cast("Any", plan), jobs=50, apart=APART)
    outputs = dict(line.partition("=")[::2] for line in text.splitlines())
    total = [Cost(1, billed(SET_UP + PLAN), SET_UP + PLAN)]
    for name in ("matrix", *APART):
        entries = json.loads(outputs[name])["include"] if outputs[name] else []
        lengths = [(it["system"], SET_UP + it["seconds"]) for it in entries]
        total.append(side_by_side(lengths))
    required = Cost(1, billed(SET_UP + REQUIRED), SET_UP + REQUIRED)
    report = Cost(1, billed(SET_UP + REPORT), 0)  # `required` does not wait for it
    return in_a_row([*total, required, report])


def plain(sessions: list[dict[str, Any]], seconds: dict[str, float]) -> Cost:
    """Return what a matrix costs that runs every session."""
    alone, stages, images = [], 0.0, []
    for it in sessions:
        length = seconds[it["name"]]
        systems = ["linux", *(name for name in RUNNERS if name != "linux" and name in it["tags"])]
        if "pipeline" in it["tags"]:
            stages += length
        elif "images" in it["tags"]:
            images.append(length)
        else:
            alone += [(system, PLAIN_SET_UP + length) for system in systems]
    rows = [side_by_side([*alone, *([("linux", PLAIN_SET_UP + stages)] if stages else [])])]
    if images:
        rows.append(side_by_side([("linux", PLAIN_SET_UP + sum(images))]))
    return in_a_row(rows)


def billed(seconds: float, system: str = "linux") -> int:
    """Return whole minutes, weighed by the system."""
    return math.ceil(seconds / 60) * WEIGHTS[system]


def side_by_side(lengths: list[tuple[str, float]]) -> Cost:
    """Return the cost of jobs that start together."""
    minutes = sum(billed(length, system) for system, length in lengths)
    return Cost(len(lengths), minutes, max((length for _, length in lengths), default=0))


def in_a_row(costs: list[Cost]) -> Cost:
    """Return the cost of jobs that wait for each other."""
    return Cost(sum(it.jobs for it in costs), sum(it.minutes for it in costs), sum(it.waiting for it in costs))


def measured(files: list[Path]) -> dict[str, float]:
    """Return how long sessions took, by their names, and by their functions on average.

    Raises:
        RefusedError: A file is no plan, or says nothing of it.
    """
    known: dict[str, list[float]] = {}
    for file in files:
        try:
            sessions = json.loads(file.read_text(encoding="utf-8"))["sessions"]
            for it in sessions:
                for key in {it["name"], it["function"]} if it["seconds"] is not None else ():
                    known.setdefault(key, []).append(it["seconds"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{file} is no plan: {error!r}. `headworks plan --format json` writes one."
            raise RefusedError(message) from error
    if not known:
        message = "No session of these plans has ever passed, so that nothing says how long it takes."
        raise RefusedError(message)
    return {name: statistics.mean(its) for name, its in known.items()}


def lengths_of(sessions: list[dict[str, Any]], known: dict[str, float]) -> dict[str, float]:
    """Return how long each session takes: as measured, or as others of its function, or as the usual one."""
    usual = statistics.median(known.values())
    return {it["name"]: known.get(it["name"], known.get(it["function"], usual)) for it in sessions}


def row_of(clone: Clone, commit: str, folder: Path, known: dict[str, float]) -> Row:
    """Return what a commit costs.

    Raises:
        RefusedError: It or its parent cannot be planned.
    """
    clone.checkout(f"{commit}^")
    before = {tree_of(it, f"{commit}^") for it in planned(clone, folder)}
    clone.checkout(commit)
    sessions = planned(clone, folder)
    states = by_digest([as_session(it, tree_of(it, commit)) for it in sessions], {}, before)
    files = git(clone.root, "diff", "--name-only", f"{commit}^", commit).stdout.splitlines()
    is_documents = all(any(fnmatchcase(it, glob) for glob in DOCUMENTS) for it in files)
    seconds = lengths_of(sessions, known)
    number = sum(it != "cached" for it in states.values())
    return Row(
        commit,
        len(files),
        is_documents,
        number,
        len(sessions),
        ours(sessions, states, seconds),
        plain(sessions, seconds),
    )


def as_markdown(rows: list[Row]) -> str:
    """Return a table, and the sums below it."""
    lines = [
        "| commit | files | sessions | jobs | minutes | waiting | plain: jobs | minutes | waiting |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for it in rows:
        costs = " | ".join(f"{cost.jobs} | {cost.minutes} | {cost.waiting / 60:.1f}" for cost in (it.ours, it.plain))
        note = " (documents)" if it.is_documents else ""
        lines.append(f"| {it.commit[:10]}{note} | {it.files} | {it.planned} of {it.sessions} | {costs} |")
    own, other = (sum(getattr(it, name).minutes for it in rows) for name in ("ours", "plain"))
    waits = [statistics.median(getattr(it, name).waiting / 60 for it in rows) for name in ("ours", "plain")]
    lines += [
        "",
        f"{len(rows)} commits: {own} billed minutes in place of {other}, {own / other:.0%}; median of waiting",
    ]
    lines[-1] += f" {waits[0]:.1f} minutes in place of {waits[1]:.1f}."
    if documents := [it.ours.waiting / 60 for it in rows if it.is_documents]:
        lines.append(f"Documents alone: {len(documents)} commits, {max(documents):.1f} minutes of waiting at most.")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Draw commits until there are enough that can be planned, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("repository", type=Path)
    parser.add_argument("--measured", type=Path, nargs="+", required=True, metavar="PLAN", help="plans with times")
    parser.add_argument("--commits", type=int, default=25, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    settings = parser.parse_args()
    chance = random.Random(settings.seed)  # noqa: S311  # chance picks commits
    rows: list[Row] = []
    refused = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        try:
            known = measured(settings.measured)
            clone = Clone(settings.repository, folder)
            listed = git(clone.root, "rev-list", "--first-parent", "--min-parents=1", "HEAD").stdout.split()
            for commit in chance.sample(listed, len(listed)):
                if len(rows) == settings.commits:
                    break
                try:
                    rows.append(row_of(clone, commit, folder / "own", known))
                except RefusedError as error:
                    refused += 1
                    sys.stderr.write(f"\n{commit[:10]} cannot be planned: {error}\n")
                sys.stderr.write(f"\r{len(rows)} of {settings.commits} commits")
        except RefusedError as error:
            parser.error(str(error))
    sys.stderr.write("\n")
    rows.sort(key=lambda it: listed.index(it.commit), reverse=True)
    sys.stdout.write(as_markdown(rows))
    sys.stdout.write(f"{refused} commits that were drawn could not be planned.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
