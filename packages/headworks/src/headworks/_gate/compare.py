"""The gate: is a candidate model no worse than the base, on what, and how sure is that?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._gate.judge import decided, judge
from headworks._gate.measurements import judge_measurement
from headworks._gate.result import Comparison, GateResult, Judged, together
from headworks._metrics.file import read_predictions
from headworks._metrics.pair import few
from headworks._metrics.predictions import pair
from headworks._project.gate_settings import named_conditions
from headworks._project.gate_table import gate_settings
from headworks.errors import CannotDecideError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headworks._gate.result import Finding
    from headworks._metrics.condition import Subject
    from headworks._metrics.predictions import Pair, Predictions
    from headworks._project.gate_settings import GateSettings, NamedCondition, Outcome

    Measurements = Mapping[str, tuple[float, ...]]

__all__ = ["Compared", "compare", "gate", "judge_all", "names_needed", "subjects_on"]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Predictions of a candidate, with those of the base where there is one.

    Attributes:
        candidate: all that the candidate predicted.
        pair: what both predicted; None without a base.
    """

    candidate: Predictions
    pair: Pair | None

    @property
    def whole(self) -> Predictions:
        """All rows of the candidate, and those that it lost as far as that is known."""
        return self.candidate if self.pair is None else self.pair.whole


def gate(
    candidate: str | Mapping[str, str],
    baseline: str | Mapping[str, str] | None = None,
    *,
    conditions: Iterable[str] | None = None,
    settings: GateSettings | None = None,
    measurements: Measurements | None = None,
    base_measurements: Measurements | None = None,
) -> GateResult:
    """Return whether a candidate reaches its conditions.

    Args:
        candidate: a file of its predictions, or several by the names that conditions use.
        baseline: the same of the model that it is compared with.
        conditions: what it has to reach, in place of those of the settings.
        settings: all else, as a table would say it.
        measurements: what was measured of the candidate.
        base_measurements: what was measured of the base.

    Raises:
        UsageError: a file is missing.
        ConfigurationError: a file, a condition or a setting cannot be right.
        CannotDecideError: there is no base, too few rows are shared, labels, groups or slices differ, or the candidate
            lacks rows that a metric has to know.
    """
    chosen = settings or gate_settings({})
    asked = chosen.conditions if conditions is None else named_conditions(conditions)
    compared: dict[str, Compared] = {}
    for name in names_needed(asked, chosen):
        base = None if baseline is None else _file(baseline, name, "baseline")
        compared[name] = compare(_file(candidate, name, "candidate"), base, chosen, subjects_on(name, asked, chosen))
    return judge_all(asked, compared, chosen, measurements or {}, base_measurements)


def names_needed(conditions: Sequence[NamedCondition], settings: GateSettings) -> list[str]:
    """Return the names of all predictions that conditions read, in their order."""
    reading = [settings.reads(it) for it in conditions if not it.condition.subject.is_measurement]
    return list(dict.fromkeys(reading))


def subjects_on(name: str, conditions: Sequence[NamedCondition], settings: GateSettings) -> list[Subject]:
    """Return what is judged on the predictions of a name."""
    return [it.condition.subject for it in conditions if name in names_needed([it], settings)]


def _file(files: str | Mapping[str, str], name: str, option: str) -> str:
    """Return the file with the predictions of a name; a single one stands for all names."""
    if isinstance(files, str):
        return files
    if name not in files:
        message = f"The conditions read predictions without a name: give one file, --{option} FILE."
        if name:
            message = f"A condition reads the predictions {name!r}, and there are none: give --{option} {name}=FILE."
        raise UsageError(message)
    return files[name]


def compare(candidate: str, baseline: str | None, settings: GateSettings, subjects: Sequence[Subject] = ()) -> Compared:
    """Return the predictions in two files, paired; both have to agree in the slices that are judged."""
    mine = read_predictions(candidate, columns=settings.columns, group=settings.group)
    if baseline is None:
        return Compared(candidate=mine, pair=None)
    theirs = read_predictions(baseline, columns=settings.columns, group=settings.group)
    return Compared(candidate=mine, pair=pair(mine, theirs, least=settings.min_shared, subjects=subjects))


def judge_all(
    conditions: Sequence[NamedCondition],
    compared: Mapping[str, Compared],
    settings: GateSettings,
    measurements: Measurements,
    base_measurements: Measurements | None,
    notes: Sequence[str] = (),
) -> GateResult:
    """Return what becomes of all conditions.

    Args:
        conditions: what the candidate has to reach.
        compared: predictions by name.
        settings: the settings.
        measurements: what was measured of the candidate.
        base_measurements: what was measured of the base.
        notes: what a reader should know already.
    """
    judged = [
        _judged(
            it,
            settings.reads(it),
            _findings(it, compared.get(settings.reads(it)), settings, measurements, base_measurements),
        )
        for it in conditions
    ]
    comparisons = tuple(_comparison(name, it) for name, it in compared.items())
    return GateResult(
        outcome=together([it.outcome for it in judged]),
        reliability=settings.reliability,
        conditions=tuple(judged),
        comparisons=comparisons,
        notes=(*notes, *(note for it in compared.values() for note in _noted(it))),
    )


def _findings(
    it: NamedCondition,
    compared: Compared | None,
    settings: GateSettings,
    measurements: Measurements,
    base_measurements: Measurements | None,
) -> list[Finding]:
    """Return what is found about one condition."""
    condition = it.condition
    if compared is None or condition.subject.is_measurement:
        finding = judge_measurement(condition, measurements, base_measurements, error=settings.error)
        return decided([finding], settings.error)
    found = compared.pair
    if not condition.is_relative:
        return judge(condition, compared.whole, None, error=settings.error, draws=settings.resamples)
    if found is None:
        message = (
            f"There is no base to compare with, which {condition.text!r} needs. Name its predictions in --baseline."
        )
        raise CannotDecideError(message)
    same = found.is_same
    return judge(condition, found.candidate, found.base, error=settings.error, draws=settings.resamples, is_same=same)


def _judged(it: NamedCondition, on: str, findings: list[Finding]) -> Judged:
    """Return a condition with its outcome."""
    found = together([finding.outcome for finding in findings])
    outcome: Outcome = it.cannot_tell if found == "cannot tell" else found
    on = "" if it.condition.subject.is_measurement else on
    return Judged(name=it.name, condition=it.condition, on=on, findings=tuple(findings), found=found, outcome=outcome)


def _comparison(name: str, compared: Compared) -> Comparison:
    """Return what was compared."""
    mine, found = compared.candidate, compared.pair
    return Comparison(
        on=name,
        candidate=mine.source,
        base=found.base.source if found else "",
        rows=len(found.candidate.ids if found else mine.ids),
        only_candidate=found.only_candidate if found else 0,
        only_base=len(found.lost) if found else 0,
        is_same=found is not None and found.is_same,
        test_set=mine.rows_digest,
        model=mine.digest,
        seeds=len(mine.seeds),
    )


def _noted(it: Compared) -> Iterator[str]:
    """Yield notes about rows that could not be compared, and about models that are level and may not be the same."""
    found, source = it.pair, it.candidate.source
    if found is not None and found.only_candidate:
        yield f"{found.only_candidate:,} rows that only the candidate predicted were left out"
    if lost := it.whole.ids[it.whole.missing].tolist():
        yield f"{source} has no prediction for {len(lost):,} rows, which count as mistakes: {few(lost)}"
    if found is not None and found.is_level and not found.is_same:
        yield (
            f"not one label of {source} differs, which many models have in common: only equal probabilities or equal"
            " files of the model say that it is the same"
        )
