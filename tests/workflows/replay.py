"""Carries changes through `ci.yml` on this machine, and writes what came of each as a table.

Call `nox -s replay`; it writes docs/replay.md.
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay_monorepo import SmallMonorepo

if TYPE_CHECKING:
    from github_runner import Run

_COUNTED: Final = re.compile(r"linux: (\d+) sessions? planned, \d+ ran in .*, (\d+) covered by verdicts")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A change, and what has to come of it.

    Attributes:
        files: what it writes.
        runs: the sessions that have to run.
        is_mergeable: whether `required` has to let it in.
        skipped: the jobs that have to be skipped.
        is_cut_off: whether a checkout gets no history, and nothing can be fetched after it.
        cancel_after: a job after which somebody cancels the run.
    """

    files: dict[str, str] = field(default_factory=dict)
    runs: frozenset[str] = frozenset()
    is_mergeable: bool = True
    skipped: frozenset[str] = frozenset()
    is_cut_off: bool = False
    cancel_after: str = ""


_STAGES: Final = frozenset({"dataset", "train", "serve-check", "build-images", "test-images"})
CASES: Final = {
    "nothing": Case(skipped=frozenset({"session", "pipeline", "images"})),
    "docs only": Case(
        files={"docs/guide.md": "A better guide.\n"},
        runs=frozenset({"lint"}),
        skipped=frozenset({"pipeline", "images"}),
    ),
    "serving only": Case(
        files={"packages/serving/server.txt": "another server\n"},
        runs=frozenset({"lint", "tests(serving)", "serve-check", "build-images", "test-images"}),
    ),
    "data": Case(
        files={"packages/data/dataset.txt": "other data\n"},
        runs=_STAGES | {"lint", "tests(data)"},
    ),
    "a red test": Case(
        files={"packages/model/tests/test.py": "assert 1 + 1 == 3\n"},
        runs=frozenset({"lint"}),
        is_mergeable=False,
        skipped=frozenset({"pipeline", "images"}),
    ),
    # The base gives the reasons only: what has passed is told by digests, which need no history.
    "serving only, in clones without history or origin": Case(
        files={"packages/serving/server.txt": "another server\n"},
        runs=frozenset({"lint", "tests(serving)", "serve-check", "build-images", "test-images"}),
        is_cut_off=True,
    ),
    "cancelled while sessions run": Case(
        files={"packages/data/dataset.txt": "other data\n"},
        runs=frozenset({"lint", "tests(data)"}),
        is_mergeable=False,
        cancel_after="session",
    ),
}


def propose(monorepo: SmallMonorepo, case: Case) -> Run:
    """Run CI for the pull request of a case."""
    return monorepo.propose(case.files, is_cut_off=case.is_cut_off, cancel_after=case.cancel_after)


def counted(run: Run) -> tuple[int, int]:
    """Return how many sessions the job `required` counted, and how many of them verdicts cover."""
    found = _COUNTED.search(run.summary)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def ran(run: Run) -> set[str]:
    """Return the names of the sessions that ran and passed."""
    found = re.search(r"^  ran: (.*)$", run.summary, flags=re.MULTILINE)
    return set(found[1].split(", ")) if found else set()


def _row(change: str, run: Run) -> str:
    """Return a line of the table."""
    planned, covered = counted(run)
    names = ", ".join(f"`{it}`" for it in sorted(ran(run))) or "none"
    count = f"{covered} of {planned}" if planned else "none"
    return f"| {change} | {names} | {count} | {run.results['required']} | {run.seconds / 60:.1f} |"


def main(target: Path) -> None:
    """Run all cases and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        monorepo = SmallMonorepo(Path(folder))
        rows = [_row("everything, on main, with no verdict yet", monorepo.push())]
        for change, case in CASES.items():
            sys.stdout.write(f"{change} ...\n")
            sys.stdout.flush()
            rows.append(_row(change, propose(monorepo, case)))
    head, _, _ = target.read_text(encoding="utf-8").partition("| change |")
    table = [
        "| change | sessions that ran and passed | covered | `required` | minutes |",
        "|---|---|---|---|---|",
        *rows,
    ]
    target.write_text(head + "\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
