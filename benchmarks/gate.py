#!/usr/bin/env python
"""Counts how often the gate decides wrongly about pairs of models whose difference is known."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import sys
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from gate_measured import timings
from gate_worlds import World, equals, lost_units, worlds
from headworks._gate.judge import judge
from headworks._metrics.condition import parse_condition
from headworks._metrics.pair import pair
from headworks._metrics.proportions import Interval, holm, p_above
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

CHANCE = 1e-4  # of a false alarm in one of the lines
DRAWN = {"average_precision", "ece", "r2", "rmse", "roc_auc"}
OUTCOMES = ("passes", "fails", "cannot tell")


@functools.cache
def p_values(wins: int, losses: int, rows: int, margin: float) -> tuple[float, float]:
    """Return the probability of the observed counts if a candidate is worse by a margin, and if it is not."""
    return p_above(wins, losses, rows, -margin), p_above(losses, wins, rows, margin)


def decision(wins: int, losses: int, rows: int, margin: float, error: float) -> str:
    """Return what the gate decides about a candidate that may be worse by a margin."""
    passes, fails = p_values(wins, losses, rows, margin)
    return "passes" if passes <= error else "fails" if fails <= error else "cannot tell"


def by_interval(found: Interval, bound: float, *, is_floor: bool) -> str:
    """Return the decision that an interval allows: a bound outside it decides."""
    if found.low <= bound <= found.high:
        return "cannot tell"
    return "passes" if (found.low > bound) == is_floor else "fails"


def by_normal(wins: int, losses: int, rows: int, margin: float, error: float) -> str:
    """Return the decision by the normal approximation, with the observed standard error of the difference."""
    difference = (wins - losses) / rows
    half = stats.norm.isf(error) * np.sqrt(max(0.0, (wins + losses) / rows - difference**2) / rows)
    if difference - half > -margin:
        return "passes"
    return "fails" if difference + half < -margin else "cannot tell"


def cells(*values: str | float) -> str:
    """Return a line of a table in Markdown: shares as percentages."""
    return "| " + " | ".join(it if isinstance(it, str) else f"{it:.1%}" for it in values) + " |\n"


def head(*names: str) -> None:
    """Print the head of a table."""
    sys.stdout.write("\n" + cells(*names) + "|" + "---|" * len(names) + "\n")


@dataclasses.dataclass(kw_only=True)
class Count:
    """Counts of the gate's decisions.

    Attributes:
        pairs: The number of pairs of models for each line.
        error: The allowed share of wrong decisions.
        is_too_often: Whether a line had more wrong decisions than chance explains.
    """

    pairs: int
    error: float
    is_too_often: bool = False

    def pairs_of(self, world: World) -> int:
        """Return the number of pairs for a world: a tenth where rows are drawn, which takes long."""
        return self.pairs // 10 if world.condition.subject.metric in DRAWN else self.pairs

    def shares(self, decided: Sequence[str], wrong: int, error: float | None = None) -> list[float]:
        """Return the shares of outcomes and of wrong ones, and record whether these are too many."""
        pairs = len(decided) or self.pairs
        test = stats.binomtest(wrong, pairs, error or self.error, alternative="greater")
        self.is_too_often |= test.pvalue < CHANCE
        return [it / pairs for it in (*(list(decided).count(it) for it in OUTCOMES), wrong)]


def count_shares(count: Count, generator: np.random.Generator) -> None:
    """Print how often the score test decides, and how often the normal approximation is wrong."""
    head("rows", "margin", "wins", "worse by", *OUTCOMES, "wrong", "wrong, normal")
    settings = [(60, 0.1), *itertools.product((360, 1797), (0.01, 0.03))]
    for (rows, margin), wins in itertools.product(settings, (0.0, 0.005)):
        # To fail a model that is within the margin is as wrong as to pass one that is not, or just at it.
        for factor, is_wrong in ((0.0, "fails"), (0.99, "fails"), (1.0, "passes"), (2.0, "passes")):
            worse = factor * margin
            counts = generator.multinomial(rows, [wins, wins + worse, 1 - 2 * wins - worse], count.pairs)
            cases = [(int(win), int(loss), rows, margin, count.error) for win, loss, _ in counts]
            decided, normal = [decision(*case) for case in cases], [by_normal(*case) for case in cases]
            shares = count.shares(decided, decided.count(is_wrong))
            first = (f"{rows:,}", f"{margin:g}", f"{wins:g}", f"{worse:.4f}")
            sys.stdout.write(cells(*first, *shares, normal.count(is_wrong) / count.pairs))


def count_labels(count: Count, generator: np.random.Generator) -> None:
    """Print how often labels alone, which two models often have in common, let one pass that is just at the margin."""
    head("rows", "wrong or right together", "margin, by which it is worse", *OUTCOMES, "wrong")
    for units, size, margin in ((1, 1, 0.001), (40, 1, 0.03), (360, 1, 0.01), (5, 20, 0.07)):
        condition = parse_condition(f"accuracy >= base.accuracy - {margin}")
        found = []
        for wrong, times in Counter(generator.binomial(units, margin, count.pairs).tolist()).items():
            both = pair(*lost_units(units, size, wrong), least=0.5)
            (decided,) = judge(
                condition, both.candidate, both.base, error=count.error, draws=10_000, is_same=both.is_same
            )
            found += [decided.outcome] * times
        first = (f"{units * size:,}", str(size), f"{margin:g}")
        sys.stdout.write(cells(*first, *count.shares(found, found.count("passes"))))


def count_slices(count: Count, generator: np.random.Generator) -> None:
    """Print how often slices, all of which have to pass, are decided wrongly about by one condition."""
    head("slices", "rows of each", "of which at the margin, 0.05", "all pass", "any fails", "wrong")
    for slices, rows, at_margin in ((3, 600, 3), (3, 600, 1), (10, 180, 1), (10, 180, 5), (10, 180, 10), (10, 180, 0)):
        worse = np.repeat([0.05, 0.0], [at_margin, slices - at_margin])
        found = []
        for _ in range(count.pairs):
            counts = [generator.multinomial(rows, [0.005, 0.005 + it, 0.99 - it])[:2].tolist() for it in worse]
            passes, fails = zip(*(p_values(*it, rows, 0.05) for it in counts), strict=True)
            found.append((max(passes) <= count.error, min(holm(fails)) <= count.error))
        passed, failed = (sum(it) for it in zip(*found, strict=True))
        # To pass is wrong where one is at the margin; to fail is wrong always, since none is beyond it.
        wrong = max(failed, passed if at_margin else 0)
        count.shares([], wrong)
        shares = (it / count.pairs for it in (passed, failed, wrong))
        sys.stdout.write(cells(str(slices), str(rows), str(at_margin), *shares))


def count_drawn(count: Count, generator: np.random.Generator, draws: int) -> None:
    """Print how often models are decided, by bounds or a bootstrap, that are at the margin, beyond it, or within."""
    head("metric", "how the candidate is worse", "rows", "worse by", "margin", *OUTCOMES, "wrong")
    for make in worlds():
        world = make()
        condition = world.condition
        intervals = []
        for _ in range(count.pairs_of(world)):
            candidate, base = world.sample(generator)
            found = judge(condition, candidate, base, error=world.error, draws=draws)[-1]
            intervals.append(found.interval or Interval(-np.inf, np.inf))
        for factor, wrong in ((0.5, ("passes",)), (1.0, ("passes", "fails")), (2.0, ("fails",))):
            decided = [by_interval(it, factor * condition.offset, is_floor=condition.is_floor) for it in intervals]
            worse, margin = (f"{abs(it * condition.offset):.4f}" for it in (1, factor))
            first = (str(condition.subject), world.name, f"{world.rows:,}", worse, margin)
            sys.stdout.write(cells(*first, *count.shares(decided, max(map(decided.count, wrong)), world.error)))
            sys.stdout.flush()


def count_equal(count: Count, generator: np.random.Generator, draws: int) -> None:
    """Print how often a model that is as good as its base passes."""
    head("metric", "rows", "margin", *OUTCOMES)
    for make in equals():
        world = make()
        found = []
        for _ in range(count.pairs_of(world)):
            candidate, base = world.sample(generator)
            found.append(judge(world.condition, candidate, base, error=count.error, draws=draws)[-1].outcome)
        condition = world.condition
        first = (str(condition.subject), f"{world.rows:,}", f"{abs(condition.offset):g}")
        sys.stdout.write(cells(*first, *count.shares(found, found.count("fails"))[:-1]))
        sys.stdout.flush()


def count_budget(count: Count, generator: np.random.Generator) -> None:
    """Print how often any of as many models as may ask a test set passes, each of which is just at the margin."""
    head("models", "rows", "margin", "any passes", "any fails", "any passes, error not shared")
    for models, rows, margin in ((32, 1797, 0.03), (32, 900, 0.05), (8, 360, 0.05)):
        found = []
        for _ in range(count.pairs):
            drawn = generator.multinomial(rows, [0.005, 0.005 + margin, 0.99 - margin], models)[:, :2].tolist()
            passes, fails = np.array([p_values(*it, rows, margin) for it in drawn]).T
            shared = count.error / models
            found.append((passes.min() <= shared, fails.min() <= shared, passes.min() <= count.error))
        some = np.sum(found, axis=0)
        count.shares([], int(max(some[:2])))
        first = (str(models), f"{rows:,}", f"{margin:g}")
        sys.stdout.write(cells(*first, *(float(it) / count.pairs for it in some)))


def count_ratchet(count: Count, generator: np.random.Generator) -> None:
    """Print what ten changes lose together: each is merged if it passes 0.03 to its base, and 0.05 to the anchor."""
    head("rows", "each loses", "together without the anchor", "with it", "more than 0.05 with it")
    for rows, loss in ((1797, 0.012), (1797, 0.018), (1797, 0.024)):
        merged = np.zeros((2, count.pairs), int)
        for with_anchor, number in itertools.product((0, 1), range(count.pairs)):
            total = 0
            for more in generator.binomial(rows, loss, 10).tolist():
                is_merged = decision(0, more, rows, 0.03, count.error) == "passes"
                if with_anchor:
                    is_merged &= decision(0, total + more, rows, 0.05, count.error) == "passes"
                if is_merged:
                    total += more
                    merged[with_anchor, number] += 1
        alone, anchored = (merged * loss).mean(1)
        wrong = int((merged[1] * loss > 0.05).sum())  # noqa: PLR2004  # the margin to the anchor
        count.shares([], wrong)
        sys.stdout.write(cells(f"{rows:,}", f"{loss:g}", f"{alone:.3f}", f"{anchored:.3f}", wrong / count.pairs))


def count_measured(count: Count, generator: np.random.Generator) -> None:
    """Print how often latencies of runs that take turns decide, and how often those by Welch's t-test are wrong."""
    head("metric", "runs", "slow runs", "rounded", "allowed", "slower", *OUTCOMES, "wrong", "wrong, Welch's t")
    for timing in timings():
        found = []
        for _ in range(count.pairs):
            sides = timing.sample(generator)
            found.append((timing.decision(*sides, count.error), timing.by_t(*sides, count.error)))
        decided, by_t = zip(*found, strict=True)
        # At the bound it is as wrong to pass as to fail.
        over = round(timing.mean_ratio - timing.bound, 9)
        is_wrong = [it for it, far in (("passes", over >= 0), ("fails", over <= 0)) if far]
        wrong, wrong_t = (max(map(it.count, is_wrong)) for it in (decided, by_t))
        slow, unit = " and ".join(f"{it:.0%}" for it in timing.slow), "to 1 ms" if timing.is_rounded else "no"
        first = (timing.metric, str(timing.runs), slow, unit, f"{timing.bound:g}", f"{timing.mean_ratio:g}")
        sys.stdout.write(cells(*first, *count.shares(decided, wrong), wrong_t / count.pairs))


def main() -> int:
    """Print how often the gate and the normal approximation decide, and how often wrongly.

    Returns:
        1 where wrong decisions of the gate are more than chance explains if the stated reliability holds, else 0.
    """
    parser = argparse.ArgumentParser(description="Count the wrong decisions about simulated pairs of models.")
    parser.add_argument("--pairs", type=int, default=2_000, help="how many pairs of models for each line")
    parser.add_argument("--reliability", type=float, default=0.99, help="how often a decision has to be right")
    parser.add_argument("--draws", type=int, default=2_000, help="of each bootstrap; the gate itself draws 10,000")
    arguments = parser.parse_args()
    count, generator = Count(pairs=arguments.pairs, error=1 - arguments.reliability), np.random.default_rng(0)
    count_shares(count, generator)
    count_labels(count, np.random.default_rng(1))
    count_slices(count, generator)
    count_budget(count, np.random.default_rng(3))
    count_ratchet(count, np.random.default_rng(5))
    count_measured(count, np.random.default_rng(2))
    count_drawn(count, np.random.default_rng(3), arguments.draws)
    count_equal(count, np.random.default_rng(4), arguments.draws)
    decided = "more wrong decisions than stated" if count.is_too_often else "no more wrong decisions than stated"
    sys.stdout.write(f"\n{decided}\n")
    return int(count.is_too_often)


if __name__ == "__main__":
    sys.exit(main())
