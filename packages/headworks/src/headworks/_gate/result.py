"""The result of the gate: conditions with their findings, and the predictions that were compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from headworks.errors import Exit

if TYPE_CHECKING:
    from headworks._metrics.condition import Condition
    from headworks._metrics.proportions import Interval
    from headworks._project.gate_settings import Outcome

    Method = Literal["identical", "score", "exact", "bounds", "bootstrap", "measured", "runs"]

_FORM = 1
_EXIT_CODES = {"passes": Exit.PASSED, "fails": Exit.FAILED, "cannot tell": Exit.UNDECIDED}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding about one metric on one set of rows.

    Attributes:
        subject: the metric, as a condition names it.
        outcome: whether it reaches its bound, does not, or cannot be told; open until all findings are there.
        method: how it was judged: `identical` models; the `score` test of paired proportions; the `exact` test of one
            proportion; `bounds` of the mean of a bounded number; a paired `bootstrap`; an exact number that was
            `measured`; or the sign test over `runs`.
        candidate: the metric of the candidate, the mean over its seeds or the median over its runs.
        base: the metric of the rival, the base or the anchor; None where the condition does not need it.
        estimate: candidate - factor * base, which has to lie above or below the bound; the median over runs.
        bound: the condition's offset.
        interval: where the true value of the estimate lies, each end with the stated reliability; None without any.
        p_passes: the p-value of the test that the condition is violated.
        p_fails: the p-value of the test that it is met, adjusted over slices.
        rows: how many rows were judged; 0 for a measurement.
        wins: rows that only the candidate has right; None where no rows are right or wrong.
        losses: rows that only the base has right.
        mcnemar: the exact p-value of McNemar's test, as information.
        rows_needed: about how many rows like these would settle it; None where that cannot be said.
        seeds: the metric of each of the candidate's seeds, where it declares several.
        base_seeds: the metric of each of the base's.
        seed_error: the standard error that the choice of seeds adds to the estimate; 0 where it is about these alone.
        runs: how many runs were measured, of each model; 0 for what is not measured in runs.
        reason: what is not known, so that it cannot be told; empty where more rows would settle it.
    """

    subject: str
    outcome: Outcome = "cannot tell"
    method: Method
    candidate: float
    base: float | None
    estimate: float
    bound: float
    interval: Interval | None
    p_passes: float
    p_fails: float
    rows: int
    wins: int | None = None
    losses: int | None = None
    mcnemar: float | None = None
    rows_needed: int | None = None
    seeds: tuple[float, ...] = ()
    base_seeds: tuple[float, ...] = ()
    seed_error: float = 0.0
    runs: int = 0
    reason: str = ""


@dataclass(frozen=True)
class ConditionResult:
    """A condition with its outcome.

    Attributes:
        name: its name, by which people speak of it.
        condition: the condition.
        on: the name of the predictions that it reads.
        findings: one; or one for each value of a slice column.
        found: the worst outcome of the findings.
        outcome: the outcome that counts, `cannot tell` mapped as the table says.
    """

    name: str
    condition: Condition
    on: str
    findings: tuple[Finding, ...]
    found: Outcome
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two sets of predictions that were compared.

    Attributes:
        on: their name.
        candidate: the candidate's file.
        rival: the model that it was compared with, `base`, `anchor` or `peers`; empty where there is none.
        base: that model's file, or the one that stands in for it; empty where there is none.
        rows: how many rows the base has; without a base, the candidate.
        only_candidate: how many only the candidate has.
        only_base: how many only the base has, so that the candidate lost them.
        is_same: whether both are known to be the same model.
        test_set: the SHA-256 of the ids and labels.
        model: the SHA-256 of all predictions of the candidate.
        seeds: how many seeds the candidate declares.
    """

    on: str
    candidate: str
    rival: str
    base: str
    rows: int
    only_candidate: int
    only_base: int
    is_same: bool
    test_set: str
    model: str
    seeds: int


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """The result for a candidate.

    Attributes:
        outcome: the worst of all conditions: `fails` before `cannot tell` before `passes`.
        reliability: how often, at least, an outcome other than `cannot tell` is right, for all models of the budget
            together.
        budget: how many models share the error; each end of an interval holds for one of them.
        conditions: each condition with its outcome.
        comparisons: the predictions that were read.
        notes: notes for a reader: rows that were left out, the origin of the base, the budget that was spent.
        unjudged: names of the conditions that were not judged for lack of a base.
    """

    outcome: Outcome
    reliability: float
    budget: int = 1
    conditions: tuple[ConditionResult, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    unjudged: tuple[str, ...] = ()

    def is_judged_by(self, rival: str) -> bool:
        """Tell whether any condition was judged by a model, the base or the anchor."""
        return any(judged.condition.rival == rival for judged in self.conditions)

    def end_reliability(self, condition: Condition) -> float:
        """Return how often an end of an interval is right; what is measured anew each time wears no test set out."""
        return 1 - (1 - self.reliability) / (1 if condition.subject.is_measurement else self.budget)

    @property
    def exit_code(self) -> int:
        """The exit code of the command: 0 passes, 1 fails, 3 cannot tell."""
        return _EXIT_CODES[self.outcome]

    def as_json(self) -> str:
        """Return it as JSON, in the form that gate.schema.json describes."""
        conditions = [
            {
                "name": judged.name,
                "condition": judged.condition.text,
                "on": judged.on or None,
                "outcome": judged.outcome,
                "found": judged.found,
                "findings": [vars(finding) for finding in judged.findings],
            }
            for judged in self.conditions
        ]
        comparisons = [vars(comparison) for comparison in self.comparisons]
        data = {"format": _FORM, **vars(self), "conditions": conditions, "comparisons": comparisons}
        return json.dumps(data, indent=2) + "\n"


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of several: one that fails decides, then one that cannot be told."""
    ranked: tuple[Outcome, ...] = ("fails", "cannot tell", "passes")
    return next(it for it in ranked if it in outcomes or it == "passes")
