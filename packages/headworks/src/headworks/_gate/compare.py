"""Compares a candidate's predictions with those of its rivals, as its base, by all conditions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from headworks._gate.judge import decided, judge
from headworks._gate.measurements import judge_measurement
from headworks._gate.result import Comparison, ConditionResult, Finding, GateResult, together
from headworks._metrics.bootstrap import seed_values
from headworks._metrics.condition import ANCHOR, BASE, PEERS, TRAIN, why_void
from headworks._metrics.file import read_predictions
from headworks._metrics.pair import Pair
from headworks._metrics.pair import pair as paired
from headworks._metrics.rows import parts_of
from headworks._project.gate_settings import GateSettings, NamedCondition, named_conditions
from headworks._project.gate_table import gate_settings
from headworks._quantities import few
from headworks.errors import CannotDecideError, UsageError

if TYPE_CHECKING:
    from headworks._metrics.condition import Condition
    from headworks._metrics.predictions import Predictions

    Key = tuple[str, str]  # a rival, and the name of predictions
    Measurements = Mapping[str, tuple[float, ...]]


class Compared(NamedTuple):
    """All predictions of a candidate, and those of both models for the rows of a rival where there is one."""

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
    anchor: str | Mapping[str, str] | None = None,
    peers: Sequence[str] = (),
    train: str = "",
    conditions: Iterable[str] | None = None,
    settings: GateSettings | None = None,
    measurements: Measurements | None = None,
    base_measurements: Measurements | None = None,
    anchor_measurements: Measurements | None = None,
) -> GateResult:
    """Judge a candidate model by its conditions.

    Args:
        candidate: A file of its predictions, or several by the names that conditions use.
        baseline: The same of the model that it is compared with.
        anchor: The same of the model that the sum of many changes is held to. Without any, conditions of the settings
            about it are left out, with a note, where there are others.
        peers: Files of the predictions of simpler models, for conditions about them.
        train: A file of the candidate's predictions of the rows that it learnt from, for conditions about them.
        conditions: The bounds that it has to reach, in place of those of the settings.
        settings: All else, as a table would state it.
        measurements: Measurements of the candidate.
        base_measurements: Measurements of the base.
        anchor_measurements: Measurements of the anchor.

    Raises:
        UsageError: A file is missing.
        ConfigurationError: A file, a condition or a setting cannot be right.
        CannotDecideError: There is no base, too few rows are shared, labels, groups or slices differ, or the candidate
            lacks rows that a metric has to know.
    """
    settings = replace(settings or gate_settings({}), budget=1)  # nobody counts the models that files are of
    given = settings.conditions if conditions is None else named_conditions(conditions)
    wanted, learnt = bounded_by_training(given, settings, lambda _: train)
    measured = {BASE: base_measurements, ANCHOR: anchor_measurements}
    is_left_out = conditions is None and any(it.condition.rival != ANCHOR for it in wanted)
    has_anchor = anchor is not None or anchor_measurements is not None or not is_left_out
    asked = [it for it in wanted if has_anchor or it.condition.rival != ANCHOR]
    unjudged = tuple(it.name for it in wanted if it not in asked)
    notes = [f"{name!r} is not judged, since there is no anchor: name its predictions in --anchor" for name in unjudged]
    on_names = {name: conditions_on(name, asked, settings) for name in names_needed(asked, settings)}
    candidates = {name: read_needed(_file(candidate, name, "candidate"), on, settings) for name, on in on_names.items()}
    compared: dict[Key, Compared] = {}
    for rival, name in keys_of(asked, settings):
        mine, on, shared = candidates[name], on_names[name], None
        if rival == PEERS:
            compared |= compared_with_peers(name, mine, on, settings, {it: it for it in peers})
            continue
        option, files = ("baseline", baseline) if rival == BASE else ("anchor", anchor)
        if files is not None:
            theirs = read_needed(_file(files, name, option), on, settings)
            shared = paired(mine, theirs, least=settings.min_shared, subjects=[it.subject for it in on])
        compared[rival, name] = Compared(candidate=mine, pair=shared)
    numbers = dict(measurements or {})  # the same object twice would say that the models are the same
    result = judge_all(asked, compared, settings, numbers, measured, [*notes, *learnt])
    return replace(result, unjudged=unjudged)


def keys_of(conditions: Iterable[NamedCondition], settings: GateSettings) -> list[Key]:
    """Return the rival and the name of the predictions of each comparison that conditions read, in their order.

    A bound that is a number reads the comparison with the base, which says what rows the candidate lost.
    """
    reading = [it for it in conditions if not it.condition.subject.is_measurement]
    return list(dict.fromkeys((it.condition.rival or BASE, settings.reads(it)) for it in reading))


def bounded_by_training(
    conditions: Iterable[NamedCondition], settings: GateSettings, find: Callable[[str], str]
) -> tuple[list[NamedCondition], list[str]]:
    """Return conditions, with a number for what a metric is on the rows that the candidate learnt from, and notes.

    These rows are all that there are of their kind, so that the metric on them is known, and not an estimate.

    Args:
        conditions: The conditions.
        settings: The settings.
        find: Gives the file with the predictions of the rows that were learnt from, by the name of predictions.

    Raises:
        CannotDecideError: There is no such file.
    """
    bounded, notes = [], []
    for named in conditions:
        condition = settings.declared(named.condition)
        if condition.rival == TRAIN:
            file = find(settings.reads(named))
            if not file:
                message = f"{named.name!r} needs the predictions of the rows that the model learnt from: name them in"
                message += " --train, or as `train` in the table."
                raise CannotDecideError(message)
            learnt = read_needed(file, [condition], settings)
            ((subject, rows),) = parts_of(condition.subject, learnt)
            learnt = learnt.take(rows)
            if learnt.missing.any():  # as mistakes they would speak for the candidate
                message = f"{file} has rows without a prediction. Let the model predict all rows that it learnt from."
                raise CannotDecideError(message)
            value = fmean(seed_values(subject, learnt))
            bound = condition.factor * value + condition.offset
            note = f"{subject} is {value:.4f} on the {len(rows):,} rows that it learnt from: the bound is {bound:.4f}"
            if reason := why_void(subject, 0, bound, is_floor=condition.is_floor):
                message = f"{named.name!r} cannot be judged: {note}. {reason}. Name another margin."
                raise CannotDecideError(message)
            notes.append(note)
            condition = replace(named.condition, rival="", factor=0.0, offset=bound)
            bounded.append(replace(named, condition=condition))
        else:
            bounded.append(named)
    return bounded, notes


def compared_with_peers(
    name: str, mine: Predictions, conditions: Sequence[Condition], settings: GateSettings, files: Mapping[str, str]
) -> dict[Key, Compared]:
    """Return a candidate's predictions, paired with those of each peer.

    Args:
        name: The name of the predictions.
        mine: Those of the candidate.
        conditions: All conditions on them.
        settings: The settings.
        files: The place of the predictions of each peer, by the name of the file for people.

    Raises:
        CannotDecideError: There are none, too few rows are shared, or labels, groups or slices differ.
    """
    subjects = [it.subject for it in conditions]
    compared = {}
    stems = [os.path.splitext(os.path.basename(it))[0] for it in files]
    for (file, place), stem in zip(files.items(), stems, strict=True):
        theirs = read_needed(place, conditions, settings, source=file)
        shared = paired(mine, theirs, least=settings.min_shared, subjects=subjects)
        peer = stem if stems.count(stem) == 1 else file
        compared[f"{PEERS}.{peer}", name] = Compared(candidate=mine, pair=shared)
    if not compared:
        message = "There are no peers to compare with. Name their predictions in --peer, or as `peers` in the table."
        raise CannotDecideError(message)
    return compared


def names_needed(conditions: Iterable[NamedCondition], settings: GateSettings) -> list[str]:
    """Return the names of all predictions that conditions read, in their order."""
    return list(dict.fromkeys(name for _, name in keys_of(conditions, settings)))


def conditions_on(name: str, conditions: Iterable[NamedCondition], settings: GateSettings) -> list[Condition]:
    """Return the conditions that are judged on the predictions of a name."""
    return [named.condition for named in conditions if name in names_needed([named], settings)]


def read_needed(path: str, conditions: Iterable[Condition], settings: GateSettings, *, source: str = "") -> Predictions:
    """Return the predictions in a file, of its slices those that conditions name.

    Args:
        path: The file.
        conditions: The conditions that are judged on it.
        settings: How files are read.
        source: A name of the file for people; its path unless given.
    """
    slices = {it.subject.column for it in conditions} - {""}
    return read_predictions(path, columns=settings.columns, group=settings.group, slices=slices, source=source)


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


def judge_all(
    conditions: Sequence[NamedCondition],
    compared: Mapping[Key, Compared],
    settings: GateSettings,
    measurements: Measurements,
    rival_measurements: Mapping[str, Measurements | None],
    notes: Sequence[str] = (),
) -> GateResult:
    """Judge all conditions.

    Args:
        conditions: The bounds that the candidate has to reach.
        compared: Predictions by rival and name.
        settings: The settings.
        measurements: Measurements of the candidate.
        rival_measurements: Measurements of its rivals; the very same for one that is the same model.
        notes: Notes for a reader that come before those of this comparison.
    """
    judged = []
    simpler: list[str] = []
    for named in conditions:
        condition, on = named.condition, ""
        if condition.subject.is_measurement:
            theirs = rival_measurements.get(condition.rival)
            same = theirs is measurements
            finding = judge_measurement(condition, measurements, theirs, error=settings.error, is_same=same)
            findings = decided([finding], settings.error)
        else:
            on = settings.reads(named)
            if condition.rival == PEERS:
                beside = {key[0]: it for key, it in compared.items() if key[1] == on and key[0].startswith(PEERS)}
                findings = decided(list(_beside_peers(beside, condition, settings)), settings.shared_error)
                simpler += _as_good(beside, condition, settings)
            else:
                findings = _judged_on(compared[condition.rival or BASE, on], condition, settings)
        found = together([finding.outcome for finding in findings])
        outcome = named.cannot_tell if found == "cannot tell" else found
        judged.append(ConditionResult(named.name, condition, on, tuple(findings), found, outcome))
    return GateResult(
        outcome=together([it.outcome for it in judged]),
        reliability=settings.reliability,
        budget=settings.budget,
        conditions=tuple(judged),
        comparisons=tuple(_comparison(*key, it) for key, it in compared.items()),
        notes=tuple(
            dict.fromkeys([*notes, *simpler, *(note for key, it in compared.items() for note in _notes(key[0], it))])
        ),
    )


def _judged_on(compared: Compared, condition: Condition, settings: GateSettings) -> list[Finding]:
    """Judge a condition by predictions."""
    pair, error, draws = compared.pair, settings.shared_error, settings.resamples
    if not condition.is_relative:
        return judge(settings.declared(condition), compared.whole, None, error=error, draws=draws)
    if pair is None:
        option = "--baseline" if condition.rival == BASE else "--anchor"
        message = (
            f"There is no {condition.rival} to compare with, which {condition.text!r} needs. Name its predictions in"
            f" {option}."
        )
        raise CannotDecideError(message)
    return judge(
        settings.declared(condition), pair.candidate, pair.base, error=error, draws=draws, is_same=pair.is_same
    )


def _beside_peers(compared: Mapping[str, Compared], condition: Condition, settings: GateSettings) -> Iterator[Finding]:
    """Judge a condition about the best of all peers: each has to pass, since nobody knows which is the best."""
    for peer, it in compared.items():
        for finding in _judged_on(it, condition, settings):
            yield replace(finding, subject=f"{finding.subject} against {peer.partition('.')[2]}")


def _as_good(compared: Mapping[str, Compared], condition: Condition, settings: GateSettings) -> Iterator[str]:
    """Yield a note for each peer that passes the same condition against the candidate.

    Source:
        Breck, Cai, Nielsen, Salib and Sculley, "The ML test score: A rubric for ML production readiness and technical
        debt reduction", IEEE Big Data 2017, test model 5: a simpler model is not better.
    """
    for peer, pair in ((peer, it.pair) for peer, it in compared.items() if it.pair is not None):
        one, other = pair.both()
        swapped = Compared(candidate=other, pair=replace(pair, candidate=other, base=one))
        if together([it.outcome for it in _judged_on(swapped, condition, settings)]) == "passes":
            name = peer.partition(".")[2]
            yield f"a simpler model, {name}, is as good: exchanged, the two reach {condition.text!r} as well"


def _comparison(rival: str, name: str, compared: Compared) -> Comparison:
    candidate, pair = compared.candidate, compared.pair
    return Comparison(
        on=name,
        rival=rival.partition(".")[0] if pair else "",
        candidate=candidate.source,
        base=pair.base.source if pair else "",
        rows=len(pair.candidate.ids if pair else candidate.ids),
        only_candidate=pair.only_candidate if pair else 0,
        only_base=len(pair.lost) if pair else 0,
        is_same=pair is not None and pair.is_same,
        test_set=candidate.rows_digest,
        model=candidate.digest,
        seeds=len(candidate.seeds),
    )


def _notes(rival: str, compared: Compared) -> Iterator[str]:
    """Yield notes about rows that could not be compared, and about models that are level and may not be the same."""
    pair, source = compared.pair, compared.candidate.source
    if pair is not None and pair.only_candidate:
        yield f"{pair.only_candidate:,} rows that only the candidate predicted were left out"
    if lost := compared.whole.ids[compared.whole.missing].tolist():
        yield f"{source} has no prediction for {len(lost):,} rows, which count as mistakes: {few(lost)}"
    if pair is not None and pair.is_level and not pair.is_same:
        yield (
            f"not one prediction of {source} differs from those of the {rival} on these rows, which says nothing about"
            " others: only equal files of the model, or a session that has not changed, say that it is the same"
        )
