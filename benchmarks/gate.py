#!/usr/bin/env python
"""Counts how often the gate decides wrongly about pairs of models whose difference is known."""

from __future__ import annotations

import argparse
import functools
import itertools
import sys

import numpy as np
from headgate._gate_proportions import p_above
from scipy import stats

CHANCE = 1e-4  # of a false alarm in one of the lines


@functools.cache
def decision(wins: int, losses: int, rows: int, margin: float, error: float) -> str:
    """Return what the gate decides about a candidate that may be worse by a margin."""
    if p_above(wins, losses, rows, -margin) <= error:
        return "passes"
    return "fails" if p_above(losses, wins, rows, margin) <= error else "cannot tell"


def by_normal(wins: int, losses: int, rows: int, margin: float, error: float) -> str:
    """Return the decision by the normal approximation, with the standard error of the difference as it was seen."""
    difference = (wins - losses) / rows
    half = stats.norm.isf(error) * np.sqrt(max(0.0, (wins + losses) / rows - difference**2) / rows)
    if difference - half > -margin:
        return "passes"
    return "fails" if difference + half < -margin else "cannot tell"


def main() -> int:
    """Print how often the gate and the normal approximation decide, and how often wrongly.

    Returns:
        1 where wrong decisions of the gate are more than chance explains if the stated reliability holds, else 0.
    """
    parser = argparse.ArgumentParser(description="Count the wrong decisions about simulated pairs of models.")
    parser.add_argument("--pairs", type=int, default=2_000, help="how many pairs of models for each line")
    parser.add_argument("--reliability", type=float, default=0.99, help="how often a decision has to be right")
    arguments = parser.parse_args()
    error, generator = 1 - arguments.reliability, np.random.default_rng(0)
    head = ("rows", "margin", "wins", "worse by", "passes", "fails", "cannot tell", "wrong", "wrong, normal")
    sys.stdout.write("| " + " | ".join(head) + " |\n|" + "---|" * len(head) + "\n")
    is_too_often = False
    for rows, margin, wins in itertools.product((360, 1797), (0.01, 0.03), (0.0, 0.005)):
        # To fail a model that is within the margin is as wrong as to pass one that is not, or just at it.
        for factor, is_wrong in ((0.0, "fails"), (0.99, "fails"), (1.0, "passes"), (2.0, "passes")):
            worse = factor * margin
            counts = generator.multinomial(rows, [wins, wins + worse, 1 - 2 * wins - worse], arguments.pairs)
            cases = [(int(win), int(loss), rows, margin, error) for win, loss, _ in counts]
            said, normal = [decision(*case) for case in cases], [by_normal(*case) for case in cases]
            numbers = [said.count(it) for it in ("passes", "fails", "cannot tell", is_wrong)] + [normal.count(is_wrong)]
            cells = [f"{rows:,}", f"{margin:g}", f"{wins:g}", f"{worse:.4f}"]
            cells += [f"{it / arguments.pairs:.1%}" for it in numbers]
            sys.stdout.write("| " + " | ".join(cells) + " |\n")
            is_too_often |= stats.binomtest(numbers[3], arguments.pairs, error, alternative="greater").pvalue < CHANCE
    sys.stdout.write("more wrong decisions than stated\n" if is_too_often else "no more wrong decisions than stated\n")
    return int(is_too_often)


if __name__ == "__main__":
    sys.exit(main())
