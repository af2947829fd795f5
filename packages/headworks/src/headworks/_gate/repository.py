"""The gate in a repository: the predictions of the work tree, judged by those of its base."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headworks._digest.digest import Digester
from headworks._gate.base import choose_anchor, choose_base
from headworks._gate.base_outputs import BaseOutputs, NoBaseError, PromotedOutputs
from headworks._gate.base_predictions import BasePredictions
from headworks._gate.compare import (
    Compared,
    bounded_by_training,
    compared_with_peers,
    conditions_on,
    judge_all,
    keys_of,
    names_needed,
    read_needed,
)
from headworks._gate.ledger import AskedRows, charge
from headworks._gate.measurements import (
    CANDIDATE,
    SIZE,
    base_measurements_of,
    measurements_of,
    models_of,
)
from headworks._gate.outcomes import record_outcome
from headworks._metrics.condition import ANCHOR, BASE, PEERS
from headworks._metrics.content import row_hashes
from headworks._metrics.file import read_texts
from headworks._metrics.pair import asked_alike, is_asked_the_same, pair, relabelled
from headworks._metrics.predictions import is_among
from headworks._output_file import replace_file
from headworks._quantities import few
from headworks._signals import interrupt_on_sigterm
from headworks._store.store import Store
from headworks.errors import CannotDecideError, ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headworks._gate.compare import Key, Measurements
    from headworks._gate.result import GateResult
    from headworks._metrics.condition import Condition
    from headworks._metrics.pair import Pair
    from headworks._metrics.predictions import Predictions
    from headworks._project.gate_settings import GateSettings, NamedCondition

RESULT = "gate.json"


def gate_repository(
    conditions: Sequence[NamedCondition],
    settings: GateSettings,
    *,
    base: str | None = None,
    bootstrap: bool = False,
    save: str = "",
    remote: str | None = None,
    write_remote: bool = False,
    is_table: bool = False,
    say: Callable[[str], None],
) -> GateResult:
    """Judge the work tree's model by its conditions.

    Args:
        conditions: The bounds that it has to reach.
        settings: The table.
        base: A revision whose merge base is compared with; None for the branch to be merged into, or the last release.
        bootstrap: Whether the work tree's predictions become the first base where there is none, as they always do at
            the first commit, and where the table names the base.
        save: A folder for `gate.json` and the base's predictions, for a report; empty for none.
        remote: The URL of a store elsewhere; HEADWORKS_REMOTE unless given.
        write_remote: Whether the models that ask a test set are counted there too.
        is_table: Whether these are the conditions and the table of the project, by which a model may be promoted.
        say: Takes a message for the person who waits.

    Raises:
        UsageError: There is no such repository or revision.
        ConfigurationError: The table names no predictions, or none that a session writes; or a condition needs a
            measurement of the anchor, which does not take turns.
        CannotDecideError: There is nothing to compare with, the budget is spent, or rows do not match.
    """
    _check_measured(conditions)
    now = Digester.for_worktree(os.curdir)
    repository = now.snapshot.repository
    store = Store.default(repository.root, remote=remote, write_remote=write_remote)
    found = choose_base(repository, base, settings.releases)
    with interrupt_on_sigterm(), tempfile.TemporaryDirectory(prefix="headworks-") as folder:
        outputs = {BASE: BaseOutputs(now, store, f"{folder}/{BASE}", found, say)}
        if any(it.condition.rival == ANCHOR for it in conditions):
            anchor = choose_anchor(repository, store, found, settings)
            kind = PromotedOutputs if anchor.files else BaseOutputs
            is_base = bool(anchor.commit) and anchor.commit == found.commit
            mine = outputs[BASE] if is_base else kind(now, store, f"{folder}/{ANCHOR}", anchor, say)
            outputs[ANCHOR] = mine
        try:
            gating = _Gating(settings, outputs)
            if save:
                Path(save, RESULT).unlink(missing_ok=True)  # an older one is not about this work tree
            result = gating.result(conditions, bootstrap=bootstrap)
            if is_table and (note := gating.record(result)):
                result = replace(result, notes=(*result.notes, note))
            if save:
                gating.save(result, Path(save))
        except KeyboardInterrupt:
            say("stopped before anything was judged")
            raise
        finally:
            for it in set(outputs.values()):
                it.close()
    return result


def _check_measured(conditions: Iterable[NamedCondition]) -> None:
    """Refuse measurements of the anchor but its size: only the base's model takes turns with the candidate's."""
    for name, condition in ((it.name, it.condition) for it in conditions):
        if condition.rival == ANCHOR and condition.subject.is_measurement and condition.subject.metric != SIZE:
            message = (
                f"{name!r} cannot be judged in a repository: {condition.subject} is measured in turns with the base"
                f" alone, not with the anchor. Compare it with `{BASE}.` or with a number."
            )
            raise ConfigurationError(message)


class _Gating:
    """One run of the gate in a repository."""

    def __init__(self, settings: GateSettings, outputs: Mapping[str, BaseOutputs]) -> None:
        self._settings = settings
        self._outputs = outputs[BASE]
        known = {it: BasePredictions(settings, it) for it in outputs.values()}  # the anchor may be the base
        self._rivals = {rival: known[it] for rival, it in outputs.items()}
        self._all_outputs = [*known]
        self._when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self._base_files: dict[str, str] = {}

    def result(self, conditions: Sequence[NamedCondition], *, bootstrap: bool) -> GateResult:
        """Judge the work tree by conditions."""
        settings, train = self._settings, self._settings.train
        conditions, learnt = bounded_by_training(
            conditions, settings, lambda name: self._current(train[name]) if name in train else ""
        )
        self._outputs.notes.extend(learnt)
        candidates = {name: self._candidate(name, conditions) for name in names_needed(conditions, settings)}
        asked = self._with_rivals(conditions, bootstrap=bootstrap)
        on = {name: conditions_on(name, asked, settings) for name in candidates}
        compared: dict[Key, Compared] = {}
        # The base comes first, since it says which rows are asked.
        keys = keys_of(asked, settings)
        for rival, name in dict.fromkeys(
            [*((BASE, name) for name in candidates), *(it for it in keys if it[0] != PEERS)]
        ):
            known = compared[BASE, name].pair if rival != BASE else None
            compared[rival, name] = self._compared(rival, name, candidates[name], on[name], known)
        for name in names_needed(asked, settings):
            self._charge(name, [it for (_, other), it in compared.items() if other == name])
        for name in (name for rival, name in keys if rival == PEERS):
            peers = {it: self._current(it) for it in settings.peers.get(name, ())}
            compared |= compared_with_peers(name, candidates[name], on[name], settings, peers)
        pairs = [it.pair for (rival, _), it in compared.items() if rival == BASE and it.pair is not None]
        if self._outputs.base.is_head and pairs and all(one.is_same for one in pairs):
            self._outputs.notes.append(
                "the base is the last commit, and what was changed since leaves its model as it is, so that a pass says"
                " nothing: name an older one, as by `--base HEAD^`"
            )
        measured = self._measured(asked)
        theirs = {rival: self._rival_measured(rival, asked, measured) for rival in self._rivals}
        notes = [note for it in self._all_outputs for note in it.notes]
        result = judge_all(asked, compared, settings, measured, theirs, notes)
        return replace(result, unjudged=tuple(it.name for it in conditions if it not in asked))

    def record(self, result: GateResult) -> str:
        """Record a result for the exported model; return why it was not recorded, or nothing."""
        anchor = self._rivals[ANCHOR].base.files.get(self._settings.model, "") if result.is_judged_by(ANCHOR) else ""
        firsts = self._rivals[BASE].firsts
        return record_outcome(result, self._settings, self._outputs, firsts, anchor=anchor, when=self._when)

    def save(self, result: GateResult, folder: Path) -> None:
        """Write the result, after the predictions that the base was judged by, as `base-NAME`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in self._base_files.items():
            shutil.copyfile(file, folder / f"base-{name}{os.path.splitext(file)[1]}")
        replace_file(str(folder / RESULT), result.as_json().encode())

    def _candidate(self, name: str, conditions: Sequence[NamedCondition]) -> Predictions:
        """Return the predictions of the work tree's model."""
        path = self._settings.predictions.get(name)
        if path is None:
            message = (
                "[tool.headworks.gate] names no predictions. Add predictions = {"
                ' evaluate = "artifacts/evaluate/predictions.parquet" }, or give --candidate and --baseline.'
            )
            raise ConfigurationError(message)
        place, on = self._current(path), conditions_on(name, conditions, self._settings)
        return read_needed(place, on, self._settings, source=path)

    def _current(self, path: str) -> str:
        """Return the place of a file of the work tree, which its session as it is now has to have written.

        Raises:
            CannotDecideError: There is no such file, or it is of another state of the work tree.
        """
        place = os.path.join(self._outputs.root, path)
        if not os.path.isfile(place):
            message = f"There is no {path} to judge. Run the session that writes it, as by `headworks run`."
            raise CannotDecideError(message)
        self._outputs.check_current(path)
        return place

    def _compared(
        self, rival: str, name: str, mine: Predictions, conditions: Sequence[Condition], known: Pair | None
    ) -> Compared:
        """Return a candidate's predictions, paired with those of a rival where a condition needs that.

        Args:
            rival: The base or the anchor.
            name: The name of the predictions.
            mine: Those of the candidate.
            conditions: All conditions on them.
            known: For the anchor, the comparison with the base: what was changed before it was accepted then.
        """
        files = self._settings.rows.get(name, ()) if known is None else ()  # which the base's comparison has read
        ids = np.concatenate([mine.ids[:0], *(read_texts(self._current(it), "id") for it in files)])
        subjects = [it.subject for it in conditions]
        if not any(it.rival == rival for it in conditions):
            self._check_predicted(name, ids, mine.ids)
            return Compared(candidate=mine, pair=None)
        source, base = f"{self._settings.predictions[name]} of the {rival}", self._rivals[rival]
        file = base.file(name)
        theirs = before = read_needed(file, conditions, self._settings, source=source)
        if name in self._settings.predict and not is_asked_the_same(subjects, mine, theirs):
            file = base.anew(name)
            theirs = read_needed(file, conditions, self._settings, source=f"{source}, predicted anew")
        elif known is not None:
            theirs = asked_alike(subjects, known.whole, theirs)
        elif files:
            self._check_predicted(name, ids, np.concatenate([mine.ids, theirs.ids]))
            theirs = theirs.take(np.flatnonzero(is_among(theirs.ids, ids)))
            theirs = self._relabelled(name, mine, theirs, ids)
        if gone := before.ids[~is_among(before.ids, theirs.ids)].tolist():
            how = "are asked no more" if known is None else "are not asked any more, or not as they were"
            self._outputs.notes.append(f"{len(gone):,} rows of {name} that the {rival} had {how}: {few(gone)}")
        if rival == BASE:
            self._base_files[name] = file
        least = self._settings.min_shared if known is None else 0
        shared = pair(mine, theirs, least=least, subjects=subjects)
        if shared.is_level and not shared.is_same and base.is_same_model(name):
            shared = replace(shared, is_same_model=True)
        return Compared(candidate=mine, pair=shared)

    def _relabelled(self, name: str, mine: Predictions, theirs: Predictions, ids: NDArray[np.str_]) -> Predictions:
        """Return the base's predictions with the dataset's labels, where these differ and the candidate has them too.

        That data may change so is for the session to say that compares datasets.
        """
        files = self._settings.rows[name]
        try:
            anew = relabelled(
                mine, theirs, ids, lambda: np.concatenate([read_texts(self._current(it), "label") for it in files])
            )
        except ConfigurationError:  # no labels, or none of classes
            return theirs
        if changed := theirs.ids[theirs.labels != anew.labels].tolist():
            note = f"the dataset has another label for {len(changed):,} rows of {name}, by which both models are judged"
            self._outputs.notes.append(f"{note}: {few(changed)}")
        return anew

    def _check_predicted(self, name: str, ids: NDArray[np.str_], known: NDArray[np.str_]) -> None:
        """Refuse rows of the dataset that neither model predicted: neither their labels nor their slices are known."""
        if lacking := ids[~is_among(ids, known)].tolist():
            message = (
                f"{self._settings.predictions[name]} has no prediction for {len(lacking):,} rows of the dataset that"
                f" the base does not have either: {few(lacking)}. Let the candidate predict these rows as well."
            )
            raise CannotDecideError(message)

    def _with_rivals(self, conditions: Sequence[NamedCondition], *, bootstrap: bool) -> list[NamedCondition]:
        """Return the conditions that can be judged with the rivals there are; record a first base for the others."""
        asked = []
        left: dict[tuple[str, str], list[str]] = {}
        for named in conditions:
            rival = self._rivals.get(named.condition.rival)
            try:
                if rival is not None:
                    for name in names_needed([named], self._settings):
                        rival.file(name)
                    self._rival_measured(named.condition.rival, [named], {})
                asked.append(named)
            except NoBaseError as error:
                if rival is None or not (bootstrap or rival.base.is_excused(self._settings.bootstrap)):
                    raise
                left.setdefault((rival.base.rival, error.reason), []).append(repr(named.name))
        for (missing, reason), names in left.items():
            self._outputs.notes.append(f"not judged, since there is no {missing} yet: {', '.join(names)}. {reason}")
        first = [it for it in conditions if it not in asked and it.condition.rival == BASE]
        for name in names_needed(first, self._settings):
            self._rivals[BASE].record_first(name, self._when)
        return asked

    def _charge(self, name: str, compared: Sequence[Compared]) -> None:
        """Note that a test set is asked, unless the answer is known: that of the same predictions."""
        pairs = [it.pair for it in compared if it.pair is not None]
        if pairs and all(it.is_level for it in pairs):
            self._outputs.notes.append(f"not one prediction of {name} differs, which costs no budget")
            return
        settings, store = self._settings, self._outputs.store
        predicted = settings.predict.get(name)
        files = [*settings.rows.get(name, ()), *([predicted] if isinstance(predicted, str) else [])]
        places = [os.path.join(self._outputs.root, it) for it in files]
        rows = AskedRows.of(row_hashes(compared[0].whole, filter(os.path.isfile, places)))
        model = compared[0].candidate.digest
        cost = charge(store.root, rows, model, budget=settings.budget, when=self._when, remote=store.remote)
        before = "" if cost.is_new else ", as it did before"
        self._outputs.notes.append(f"model {cost.step} of {cost.budget} asks the test set of {name}{before}")

    def _measured(self, conditions: Iterable[NamedCondition]) -> Measurements:
        """Return the measurements of the work tree's model that conditions need."""
        settings, names = self._settings, _measured_names(conditions)
        # The size of a model that the table names is measured here; everything else is in the file.
        is_read = bool(names - {SIZE} or (names and not settings.model))
        path = self._runs({}) if is_read else ""
        return measurements_of(path, self._current(settings.model) if SIZE in names and settings.model else "")

    def _rival_measured(
        self, rival: str, conditions: Iterable[NamedCondition], mine: Measurements
    ) -> Measurements | None:
        """Return the measurements of a rival's model that conditions need: `mine` if it is the work tree's model.

        Raises:
            CannotDecideError: There is no such model, or the runs are of other models.
        """
        settings = self._settings
        names = _measured_names(it for it in conditions if it.condition.rival == rival)
        if not names or not settings.model:
            return None
        model, digest = self._rivals[rival].model
        if digest == self._rivals[rival].mine:
            return mine
        timed = self._runs({BASE: digest}) if names - {SIZE} else ""
        return measurements_of("", model) | base_measurements_of("", timed)

    def _runs(self, digests: Mapping[str, str]) -> str:
        """Return the place of the table's measurements; empty where it names none.

        Args:
            digests: The SHA-256 of models beside that of the work tree, which a file may say that its runs are of.

        Raises:
            CannotDecideError: There is no such file, or its runs are of other models.
        """
        path = self._settings.measurements
        place = os.path.join(self._outputs.root, path)
        models = models_of(place) if path and os.path.isfile(place) else {}
        # A session that always runs leaves no verdict, and what it measured names its models itself.
        if path and (CANDIDATE not in models or any(it.cache for it in self._outputs.writers(path))):
            self._current(path)
        known = {CANDIDATE: self._rivals[BASE].mine, **digests}
        if any(models.get(role, digest) != digest for role, digest in known.items()):
            message = f"{path} was measured of other models than these. Measure them again, in turns."
            raise CannotDecideError(message)
        return place if path else ""


def _measured_names(conditions: Iterable[NamedCondition]) -> set[str]:
    """Return the measurements that conditions are about."""
    return {named.condition.subject.metric for named in conditions if named.condition.subject.is_measurement}
