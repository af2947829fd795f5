"""Collects the sections of the report: from the plan, the store, the files of the stages and those of their base."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from headworks._gate.base_outputs import StoredOutputs
from headworks._metrics.condition import BASE
from headworks._metrics.file import read_predictions
from headworks._metrics.pair import pair
from headworks._plan.plan import Plan, plan
from headworks._project.gate_table import gate_settings
from headworks._project.report_settings import ReportSettings, report_settings
from headworks._project.toml import parse, table
from headworks._quantities import count_text
from headworks._report.artifacts import (
    contract_section,
    diff_section,
    images_section,
    measurements_section,
    training_section,
)
from headworks._report.gate import gate_section
from headworks._report.model import learnt_section, mistakes_section, model_section
from headworks._report.page import OUTCOMES, Outcome, Page, Section
from headworks._report.plan import SessionFacts, plan_section, red_section, session_facts, time_section
from headworks._report.source import ODD, NotThereError, Sources
from headworks._report.summarize import planned_reasons, summarized
from headworks._store.store import Store
from headworks._tree.git import Repository
from headworks._tree.merge_base import Base, reachable_base
from headworks.errors import HeadworksError, UsageError

if TYPE_CHECKING:
    from headworks._metrics.predictions import Predictions
    from headworks._project.gate_settings import GateSettings
    from headworks._report.summary import Summary

_CONFIG = "pyproject.toml"
_PREDICTIONS = {"": "artifacts/evaluate/predictions.parquet"}
_SHOWN = 4  # reasons in the first line; more are counted


class _Tables(NamedTuple):
    """The tables of the project's pyproject.toml; all defaults where there are none."""

    report: ReportSettings
    gate: GateSettings
    has_gate: bool


def collect(
    folder: str, base: str | None = None, *, data_diff: str = "", gate: str = "", planned: str = ""
) -> tuple[Page, Summary]:
    """Return the report's page and what a comment says of it; missing facts are stated on the page.

    Args:
        folder: A folder of the project; without git, the project's folder.
        base: A revision whose merge base with HEAD is compared with; None for the branch to be merged into.
        data_diff: A file in place of the one that the table names.
        gate: The same.
        planned: A file with the plan as it was before anything ran, in JSON: it knows why each session ran.

    Raises:
        UsageError: There is no such revision, or the file is no plan.
        ConfigurationError: The table cannot be right.
    """
    try:
        repository = Repository(folder)
    except UsageError:
        if base is not None:
            raise
        repository = None
    root = os.path.abspath(folder) if repository is None else repository.root
    tables = _tables(root)
    report = replace(tables.report, data_diff=data_diff or tables.report.data_diff, gate=gate or tables.report.gate)
    with tempfile.TemporaryDirectory(prefix="headworks-") as place:
        facts = _Facts(root, repository, base, tables._replace(report=report), place)
        sections = [guarded(title, make) for title, make in facts.sections()]
        outcome, line = verdict(sections)
        page = Page(os.path.basename(root), facts.about(), outcome, line, sections)
        return page, facts.summary(page, planned_reasons(planned) if planned else {})


def _tables(root: str) -> _Tables:
    path = os.path.join(root, _CONFIG)
    data: object = {}
    if os.path.isfile(path):
        with open(path, "rb") as file:
            data = parse(file.read(), _CONFIG)
    gate = table(data, "tool", "headworks", "gate")
    return _Tables(report_settings(table(data, "tool", "headworks", "report")), gate_settings(gate), bool(gate))


class _Predicted(NamedTuple):
    """Predictions of one name in the table: of the candidate or why they cannot be read, of both or why not."""

    candidate: Predictions | Exception
    pair: tuple[Predictions, Predictions] | None = None
    missing: str = ""


class _Facts:
    """The facts of one page."""

    def __init__(
        self, root: str, repository: Repository | None, asked: str | None, tables: _Tables, place: str
    ) -> None:
        """Plan already, since the outputs of the base are found by its digests."""
        self._tables = tables
        self._repository = repository
        self._store = Store.default(root)
        self._plan: Plan | None = None
        self._problem = "There is no git repository here, so that there is no plan."
        self._base: Base | None = None
        self._lost, self._head = "there is no git repository", ""
        if repository is not None:
            self._base, self._lost = reachable_base(repository, asked)
            self._head = repository.ask("rev-parse", "--verify", "--quiet", "HEAD") or ""
            try:
                self._plan = plan(root, base=asked, store=self._store)
            except HeadworksError as error:
                self._problem = f"There is no plan: {error}"
        stored = None
        if self._plan is not None and self._base is not None and self._base.commit:
            stored = StoredOutputs(self._plan.digester, self._store, self._base.commit, place)
        self._sources = Sources(root=root, base=stored.look_up if stored else lambda _: "")

    def about(self) -> dict[str, str]:
        """Return commit, base and time of the page."""
        about = {"compared with": f"none: {self._lost}" if self._base is None else self._base.name}
        if self._repository is not None:
            dirty = self._repository.run("status", "--porcelain", "--untracked-files=normal").strip()
            state = f"{self._head[:12] or 'none yet'}{' with changes that are not committed' if dirty else ''}"
            about = {"commit": state} | about
        return about | {"written": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")}

    @cached_property
    def _sessions(self) -> tuple[SessionFacts, ...]:
        return () if self._plan is None else session_facts(self._plan, self._store, self._head)

    def _predicted(self, path: str, name: str) -> _Predicted:
        """Read a file of predictions, with that of the base."""
        try:
            candidate = self._read(self._sources.path(path), path)
        except (HeadworksError, *ODD) as error:
            return _Predicted(error)
        place = self._judged_by(candidate, name, path) or self._sources.base(path)
        if not place:
            missing = f"The store has no {path} of the base, so that the candidate stands alone here."
            return _Predicted(candidate, missing=missing)
        try:
            base = self._read(place, f"{path} of the base")
            return _Predicted(candidate, pair(candidate, base, least=self._tables.gate.min_shared).both())
        except (HeadworksError, *ODD) as error:
            return _Predicted(candidate, missing=str(error))

    def _read(self, place: str, source: str) -> Predictions:
        """Return the predictions in a file, which the page calls by its path in the project."""
        settings = self._tables.gate
        return replace(read_predictions(place, columns=settings.columns, group=settings.group), source=source)

    def _judged_by(self, candidate: Predictions, name: str, path: str) -> str:
        """Return the base's predictions that the gate judged just this candidate by; empty where it did not."""
        gate = self._tables.report.gate
        try:
            is_judged = any(
                (it["on"], it["model"]) == (name, candidate.digest) and it["rival"] == BASE
                for it in self._sources.json(gate)["comparisons"]
            )
        except (NotThereError, *ODD):  # the section of the gate says what is wrong with it
            return ""
        saved = os.path.join(os.path.dirname(gate), f"base-{name}{os.path.splitext(path)[1]}")
        return self._sources.here(saved) if is_judged else ""

    @cached_property
    def _predictions(self) -> dict[str, tuple[str, _Predicted]]:
        """The predictions that the table names, by name: their file, and what is in it."""
        named = self._tables.gate.predictions or _PREDICTIONS
        return {name: (path, self._predicted(path, name)) for name, path in named.items()}

    def summary(self, page: Page, reasons: Mapping[str, Sequence[str]]) -> Summary:
        """Return what a comment says of the page.

        Args:
            page: The page.
            reasons: Why sessions ran, by name, as a plan before them knew it.
        """
        return summarized(
            compared_with=page.about["compared with"],
            sections=page.sections,
            sessions=self._sessions,
            reasons=reasons,
            gate=partial(self._sources.json, self._tables.report.gate),
            predicted={name: (it.candidate, it.pair) for name, (_, it) in self._predictions.items()},
            data_diff=partial(self._sources.json, self._tables.report.data_diff),
            coverage=partial(self._sources.json, self._tables.report.coverage),
        )

    def _learnt(self, name: str, held_out: Predictions) -> Section:
        path = self._tables.gate.train[name]
        return learnt_section(name, self._read(self._sources.path(path), path).present(), held_out)

    def sections(self) -> Iterator[tuple[str, Callable[[], Section]]]:
        """Yield all sections with their titles, first those that a reader needs most: the Markdown may cut the rest."""
        sources, (report, gate, has_gate) = self._sources, self._tables
        predicted = self._predictions
        digests = {
            name: (it.candidate.digest, it.candidate.rows_digest)
            for name, (_, it) in predicted.items()
            if not isinstance(it.candidate, Exception)
        }
        if self._plan is None:
            none = Section("Plan", [self._problem], "cannot tell", ["there is no plan"])
            yield "Plan", lambda: none
        else:
            yield "How to reproduce", lambda: red_section(self._sessions)
            yield "Plan", lambda: plan_section(self._sessions)
        yield "Gate", lambda: gate_section(sources, report.gate, digests, gate if has_gate else None)
        if self._plan is not None:
            yield "Time", lambda: time_section(self._sessions)
        yield "Data contract", lambda: contract_section(sources, report)
        yield "Data diff", lambda: diff_section(sources, report)
        for name, (path, (candidate, both, missing)) in predicted.items():
            title = f"Predictions of {name}" if name else "Predictions"
            if isinstance(candidate, Exception):
                yield title, partial(_unread, title, candidate, path)
                continue
            mine, theirs = both or (candidate.present(), None)
            yield title, partial(model_section, name, mine, theirs, missing)
            if name in gate.train:
                yield "Learnt and held out", partial(self._learnt, name, candidate.present())
            if mine.errors is None:
                yield "Mistakes", partial(mistakes_section, name, mine, theirs, sources, report.pictures)
        yield "Training", lambda: training_section(sources, report.training)
        yield "Container images", lambda: images_section(sources, report.images)
        yield "Latency and size", lambda: measurements_section(sources, gate)


def guarded(title: str, make: Callable[[], Section]) -> Section:
    """Return a section, or one that says why its facts are not there; facts that cannot be read never pass."""
    try:
        return make()
    except (HeadworksError, *ODD) as error:
        return _unread(title, error, title.lower())


def _unread(title: str, error: Exception, what: str) -> Section:
    """Return a section that says why its facts are not there, and what cannot be read."""
    if isinstance(error, NotThereError):
        return Section(title, [str(error)], error.outcome, [str(error)] if error.outcome else [])
    form = f"The facts are not in the form that is expected here ({type(error).__name__}: {error})."
    reason = str(error) if isinstance(error, HeadworksError) else form
    return Section(title, [reason], "cannot tell", [f"{what} cannot be read"])


def verdict(sections: Sequence[Section]) -> tuple[Outcome, str]:
    """Return the outcome of a page, the worst of its sections, and the first line, which says it with its reasons.

    A page on which nothing was judged has not everything proven: it never passes.
    """
    outcomes = {section.outcome for section in sections}
    worst = next((outcome for outcome in OUTCOMES if outcome in outcomes), None)
    if worst is None:
        return "unproven", "Not everything is proven: nothing was judged"
    reasons = [reason for it in sections if it.outcome == worst for reason in it.reasons]
    more = len(reasons) - _SHOWN
    reasons = [*reasons[:_SHOWN], *([f"and {count_text(more, 'more reason')}"] if more > 0 else [])]
    return worst, f"{OUTCOMES[worst]}: {'; '.join(reasons)}"
