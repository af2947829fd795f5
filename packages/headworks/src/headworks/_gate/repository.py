"""The gate in a repository: the predictions of the work tree, judged by those of its base."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headworks._digest.digest import Digester
from headworks._gate.base import choose_base
from headworks._gate.base_outputs import BaseOutputs, NoBaseError
from headworks._gate.base_predictions import BasePredictions
from headworks._gate.compare import Compared, conditions_on, judge_all, names_needed
from headworks._gate.ledger import charge
from headworks._gate.measurements import SIZE, measurements_of
from headworks._gate.outcomes import record_outcome
from headworks._metrics.file import read_ids, read_predictions
from headworks._metrics.pair import is_asked_the_same, pair
from headworks._output_file import replace_file
from headworks._quantities import few
from headworks._signals import interrupt_on_sigterm
from headworks._store.store import Store
from headworks.errors import CannotDecideError, ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headworks._gate.compare import Measurements
    from headworks._gate.result import GateResult
    from headworks._metrics.condition import Condition
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
        ConfigurationError: The table names no predictions, or none that a session writes.
        CannotDecideError: There is nothing to compare with, the budget is spent, or rows do not match.
    """
    now = Digester.for_worktree(os.curdir)
    repository = now.snapshot.repository
    store = Store.default(repository.root, remote=remote, write_remote=write_remote)
    chosen = choose_base(repository, base, settings.releases)
    with interrupt_on_sigterm(), tempfile.TemporaryDirectory(prefix="headworks-") as folder:
        outputs = BaseOutputs(now, store, folder, chosen, say)
        try:
            gating = _Gating(settings, outputs)
            if save:
                Path(save, RESULT).unlink(missing_ok=True)  # an older one is not about this work tree
            result = gating.result(conditions, bootstrap=bootstrap or chosen.is_excused(settings.bootstrap))
            if is_table and (note := gating.record(result)):
                result = replace(result, notes=(*result.notes, note))
            if save:
                gating.save(result, Path(save))
        except KeyboardInterrupt:
            say("stopped before anything was judged")
            raise
        finally:
            outputs.close()
    return result


class _Gating:
    """One run of the gate in a repository."""

    def __init__(self, settings: GateSettings, outputs: BaseOutputs) -> None:
        self._settings = settings
        self._outputs = outputs
        self._base = BasePredictions(settings, outputs)
        self._when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self._base_files: dict[str, str] = {}

    def result(self, conditions: Sequence[NamedCondition], *, bootstrap: bool) -> GateResult:
        """Judge the work tree by conditions."""
        notes = self._outputs.notes
        candidates = {name: self._candidate(name) for name in names_needed(conditions, self._settings)}
        asked = self._with_base(conditions) if bootstrap else conditions
        relative = [named for named in asked if named.condition.is_relative]
        on = {name: conditions_on(name, asked, self._settings) for name in candidates}
        compared = {name: self._compared(name, it, on[name]) for name, it in candidates.items()}
        for name in names_needed(asked, self._settings):
            self._charge(name, compared[name], on[name])
        pairs = [it.pair for it in compared.values() if it.pair is not None]
        if self._outputs.base.is_head and pairs and all(one.is_same for one in pairs):
            notes.append(
                "the base is the last commit, and what was changed since leaves its model as it is, so that a pass says"
                " nothing: name an older one, as by `--base HEAD^`"
            )
        measured = self._measured(self._current, asked) or {}
        base_measured = self._measured(self._outputs.find, relative)
        if base_measured and base_measured.keys() - {SIZE}:
            notes.append("what was measured of the base was measured when it was made, perhaps elsewhere")
        result = judge_all(asked, compared, self._settings, measured, base_measured, notes)
        return replace(result, unjudged=tuple(it.name for it in conditions if it not in asked))

    def record(self, result: GateResult) -> str:
        """Record a result for the exported model; return why it was not recorded, or nothing."""
        return record_outcome(result, self._settings, self._outputs, self._base.firsts, self._when)

    def save(self, result: GateResult, folder: Path) -> None:
        """Write the result, after the predictions that the base was judged by, as `base-NAME`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in self._base_files.items():
            shutil.copyfile(file, folder / f"base-{name}{os.path.splitext(file)[1]}")
        replace_file(str(folder / RESULT), result.as_json().encode())

    def _candidate(self, name: str) -> Predictions:
        """Return the predictions of the work tree's model."""
        path = self._settings.predictions.get(name)
        if path is None:
            message = (
                "[tool.headworks.gate] names no predictions. Add predictions = {"
                ' evaluate = "artifacts/evaluate/predictions.parquet" }, or give --candidate and --baseline.'
            )
            raise ConfigurationError(message)
        return self._read(self._current(path), path)

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

    def _read(self, path: str, source: str) -> Predictions:
        """Return the predictions in a file, which has a name for people."""
        return read_predictions(path, columns=self._settings.columns, group=self._settings.group, source=source)

    def _compared(self, name: str, mine: Predictions, conditions: Sequence[Condition]) -> Compared:
        """Return a candidate's predictions, paired with those of the base where a condition needs that."""
        files = self._settings.rows.get(name, ())
        ids = np.concatenate([mine.ids[:0], *(read_ids(self._current(it)) for it in files)])
        subjects = [it.subject for it in conditions]
        if not any(it.is_relative for it in conditions):
            self._check_predicted(name, ids, mine.ids)
            return Compared(candidate=mine, pair=None)
        source = f"{self._settings.predictions[name]} of the base"
        file = self._base.file(name)
        theirs = before = self._read(file, source)
        if name in self._settings.predict and not is_asked_the_same(subjects, mine, theirs):
            file = self._base.anew(name)
            theirs = self._read(file, f"{source}, predicted anew")
        elif files:
            self._check_predicted(name, ids, np.concatenate([mine.ids, theirs.ids]))
            theirs = theirs.take(np.flatnonzero(np.isin(theirs.ids, ids)))
        if gone := before.ids[~np.isin(before.ids, theirs.ids)].tolist():
            note = f"{len(gone):,} rows of {name} that the base had are asked no more: {few(gone)}"
            self._outputs.notes.append(note)
        self._base_files[name] = file
        shared = pair(mine, theirs, least=self._settings.min_shared, subjects=subjects)
        if shared.is_level and not shared.is_same and self._base.is_same_model(name):
            shared = replace(shared, is_same_model=True)
        return Compared(candidate=mine, pair=shared)

    def _check_predicted(self, name: str, ids: NDArray[np.str_], known: NDArray[np.str_]) -> None:
        """Refuse rows of the dataset that neither model predicted: neither their labels nor their slices are known."""
        if lacking := ids[~np.isin(ids, known)].tolist():
            message = (
                f"{self._settings.predictions[name]} has no prediction for {len(lacking):,} rows of the dataset that"
                f" the base does not have either: {few(lacking)}. Let the candidate predict these rows as well."
            )
            raise CannotDecideError(message)

    def _with_base(self, conditions: Sequence[NamedCondition]) -> list[NamedCondition]:
        """Return the conditions that can be judged with the base there is; record a first base for the others."""
        asked = []
        for named in conditions:
            try:
                if named.condition.is_relative:
                    for name in names_needed([named], self._settings):
                        self._base.file(name)
                    for path in self._measured_files([named]):
                        self._outputs.find(path)
                asked.append(named)
            except NoBaseError as error:
                note = f"{named.name!r} is not judged, since there is no base yet: {error.reason}"
                self._outputs.notes.append(note)
        for name in names_needed([it for it in conditions if it not in asked], self._settings):
            self._base.record_first(name, self._when)
        return asked

    def _charge(self, name: str, compared: Compared, conditions: Sequence[Condition]) -> None:
        """Note that a test set is asked, unless the answer is known: that of the base."""
        if compared.pair is not None and compared.pair.is_same:
            self._outputs.notes.append(f"not one prediction of {name} differs, which costs no budget")
            return
        cost = charge(
            self._outputs.store.root,
            compared.whole.rows_digest,
            compared.candidate.digest,
            conditions=[it.text for it in conditions],
            budget=self._settings.budget,
            when=self._when,
            remote=self._outputs.store.remote,
        )
        before = "" if cost.is_new else ", as it did before"
        self._outputs.notes.append(f"model {cost.step} of {cost.budget} asks the test set of {name}{before}")

    def _measured(self, find: Callable[[str], str], conditions: Iterable[NamedCondition]) -> Measurements | None:
        """Return the measurements that conditions need of a model; None where they need none."""
        files = self._measured_files(conditions)
        if not files:
            return None
        paths = [find(it) if it in files else "" for it in (self._settings.measurements, self._settings.model)]
        return measurements_of(paths[0], paths[1])

    def _measured_files(self, conditions: Iterable[NamedCondition]) -> set[str]:
        """Return the files of the work tree that conditions about measurements read."""
        settings = self._settings
        names = {named.condition.subject.metric for named in conditions if named.condition.subject.is_measurement}
        # The size of a model that the table names is measured here; everything else is in the file.
        files = {settings.model if name == SIZE and settings.model else settings.measurements for name in names}
        return files - {""}
