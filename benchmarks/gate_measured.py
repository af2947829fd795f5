"""Simulated latencies of two models in runs that take turns, whose ratio is known."""

# ruff: noqa: INP001  # a module of scripts

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from headworks._gate.measurements import judge_measurement
from headworks._metrics.condition import parse_condition
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Timing", "timings"]

REQUESTS = 100  # of a run
SLOW = 10.0  # times as long as others take runs that another program disturbs
PERCENTILES = {"latency_p50_ms": 50, "latency_p99_ms": 99}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timing:
    """Two models that are measured in turns.

    Attributes:
        metric: The percentile that is judged.
        runs: How many runs each model has.
        bound: The condition allows so many times the latency of the base.
        ratio: The candidate takes so many times as long.
        slow: The share of slow runs, of the candidate and of the base.
        spread: How much all latencies vary, times the usual.
        is_rounded: Whether requests are measured in whole milliseconds.
    """

    metric: str = "latency_p99_ms"
    runs: int
    bound: float = 1.2
    ratio: float = 1.2
    slow: tuple[float, float] = (0.05, 0.05)
    spread: float = 1.0
    is_rounded: bool = False

    def sample(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Return the percentile of each run of the candidate, and of the base.

        Requests vary by 30% in a run, runs by 10%, and the machine by 20% from one pair of runs to the next.
        """
        machine = generator.lognormal(np.log(4), 0.2 * self.spread, self.runs)
        sides = []
        for ratio, slow in zip((self.ratio, 1.0), self.slow, strict=True):
            run = ratio * machine * generator.lognormal(0, 0.1 * self.spread, self.runs)
            run *= np.where(generator.random(self.runs) < slow, SLOW, 1.0)
            times = np.sort(run[:, None] * generator.lognormal(0, 0.3 * self.spread, (self.runs, REQUESTS)), axis=1)
            sides.append(times[:, PERCENTILES[self.metric] * REQUESTS // 100 - 1])
        mine, theirs = (np.rint(it) if self.is_rounded else it for it in sides)
        return mine, theirs

    @property
    def mean_ratio(self) -> float:
        """How many times as long the candidate takes, slow runs included."""
        mine, theirs = (1 + it * (SLOW - 1) for it in self.slow)
        return self.ratio * mine / theirs

    def decision(self, mine: Floats, theirs: Floats, error: float) -> str:
        """Return what the gate decides."""
        condition = parse_condition(f"{self.metric} <= base.{self.metric} * {self.bound}")
        sides = [{self.metric: tuple(it.tolist())} for it in (mine, theirs)]
        found = judge_measurement(condition, *sides, error=error)
        return "passes" if found.p_passes <= error else "fails" if found.p_fails <= error else "cannot tell"

    def by_t(self, mine: Floats, theirs: Floats, error: float) -> str:
        """Return the decision by Welch's t-test, which takes one run at its word."""
        gap = float(mine.mean() - self.bound * theirs.mean())
        squares = [0.0] if self.runs == 1 else [mine.var(ddof=1), self.bound**2 * theirs.var(ddof=1)]
        if not (total := sum(squares)):
            return "passes" if gap <= 0 else "fails"
        freedom = total**2 / sum(it**2 for it in squares) * (self.runs - 1)
        p_value = float(stats.t.cdf(gap / np.sqrt(total / self.runs), freedom))
        return "passes" if p_value <= error else "fails" if 1 - p_value <= error else "cannot tell"


def timings() -> Iterator[Timing]:
    """Yield models at the bound, where any decision is wrong, then equal ones, and one that is slower."""
    for is_rounded in (False, True):
        for runs in (1, 2, 5, 7, 20):
            yield Timing(runs=runs, is_rounded=is_rounded)
    for runs in (2, 5):  # equal but for slow runs of the candidate, by whose mean it is at the bound
        yield Timing(runs=runs, bound=1.45, ratio=1.0, slow=(0.05, 0.0), spread=0.0, is_rounded=True)
    yield Timing(runs=1, bound=1.05, ratio=1.0)
    for metric in PERCENTILES:
        for runs in (7, 11, 20):
            yield Timing(metric=metric, runs=runs, bound=1.5, ratio=1.0)
    yield Timing(runs=11, bound=1.5, ratio=3.0)
