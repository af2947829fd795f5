#!/usr/bin/env python
"""Compares the gate's decisions about a share of rows with those of other ways to decide, on the same simulated pairs.

McNemar's exact test as a gate passes what is not significantly worse. A plain interval passes what lies within the
margin by the normal approximation. `nel compare` and `nel gate` are NVIDIA's, as they come: `--nel` names a Python that
has them (`pip install 'nemo-evaluator==0.3.0' scipy`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
from gate import by_normal, cells, decision, head
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Case = tuple[int, int, int, float]  # wins, losses, rows, margin
    Decide = Callable[[Case], str]

ERROR = 0.01
WINS = 0.005  # the share of rows that only the candidate has right
SETTINGS = ((60, 0.1), (360, 0.03), (1797, 0.03))
SCRIPT = """
import json, sys, tempfile
from pathlib import Path
from nemo_evaluator.config.gate_policy import GatePolicy
from nemo_evaluator.engine import compare_results, gate_runs

VERDICTS = {"PASS": "passes", "GO": "passes", "BLOCK": "fails", "NO-GO": "fails"}


def save(folder, rewards):
    folder.mkdir()
    lines = [json.dumps({"problem_idx": at, "repeat": 0, "reward": it}) for at, it in enumerate(rewards)]
    (folder / "results.jsonl").write_text("\\n".join(lines))
    score = {"mean_reward": {"value": sum(rewards) / len(rewards)}}
    bundle = {"run_id": folder.name, "benchmark": {"name": "rows", "samples": len(rewards), "scores": score}}
    (folder / "eval-rows.json").write_text(json.dumps(bundle))


for line in sys.stdin:
    wins, losses, rows, margin = json.loads(line)
    base = [0.0] * wins + [1.0] * (rows - wins)
    candidate = [1.0] * (rows - losses) + [0.0] * losses
    sides = [{(at, 0): {"reward": it} for at, it in enumerate(rewards)} for rewards in (base, candidate)]
    verdicts = [compare_results(*sides, min_effect=margin)["verdict"]]
    with tempfile.TemporaryDirectory() as name:
        folders = Path(name, "base"), Path(name, "candidate")
        for folder, rewards in zip(folders, (base, candidate)):
            save(folder, rewards)
        policy = GatePolicy(defaults={"max_drop": margin, "metric": "mean_reward"})
        verdicts.append(gate_runs(*folders, policy).verdict)
    print(json.dumps([VERDICTS.get(it, "cannot tell") for it in verdicts]), flush=True)
"""


def by_mcnemar(case: Case) -> str:
    """Return the decision by McNemar's exact test against a candidate that is worse, one-sided."""
    wins, losses, _, _ = case
    return "fails" if stats.binom.sf(losses - 1, wins + losses, 0.5) <= ERROR else "passes"


def by_nel(python: str, cases: Iterable[Case]) -> tuple[dict[Case, str], dict[Case, str]]:
    """Return the decisions of `nel compare` and `nel gate` about each case."""
    some = sorted(set(cases))
    lines = "\n".join(map(json.dumps, some))
    done = subprocess.run([python, "-c", SCRIPT], input=lines, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603  # the user's
    compared, gated = zip(*map(json.loads, done.stdout.splitlines()), strict=True)
    return dict(zip(some, compared, strict=True)), dict(zip(some, gated, strict=True))


def main() -> None:
    """Print how often each way passes a model that is as good, at the margin, and beyond it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2_000, help="how many pairs of models for each cell")
    parser.add_argument("--nel", default="", help="a Python with nemo-evaluator; without it, its rows are left out")
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    cases: dict[tuple[int, float, int], list[Case]] = {}
    for rows, margin in SETTINGS:
        for factor in (0, 1, 2):
            worse = factor * margin
            counts = generator.multinomial(rows, [WINS, WINS + worse, 1 - 2 * WINS - worse], arguments.pairs)
            cases[rows, margin, factor] = [(int(win), int(loss), rows, margin) for win, loss, _ in counts]
    ways: dict[str, Decide] = {
        "headworks gate, 0.99": lambda it: decision(*it, ERROR),
        "McNemar's test, 0.99": by_mcnemar,
        "plain interval, 0.99": lambda it: by_normal(*it, ERROR),
    }
    if arguments.nel:
        compared, gated = by_nel(arguments.nel, (it for some in cases.values() for it in some))
        ways |= {"`nel compare`": compared.__getitem__, "`nel gate`": gated.__getitem__}
    places = ("as good: passes", "fails", "at the margin: passes", "fails", "twice as far: passes", "fails")
    head("rows", "margin", "decided by", *places)
    for rows, margin in SETTINGS:
        for name, decide in ways.items():
            found = [[decide(it) for it in cases[rows, margin, factor]] for factor in (0, 1, 2)]
            shares = [some.count(it) / arguments.pairs for some in found for it in ("passes", "fails")]
            sys.stdout.write(cells(f"{rows:,}", f"{margin:g}", name, *shares))


if __name__ == "__main__":
    main()
