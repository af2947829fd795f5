"""Collects the facts of the report: from the plan, the store, the files of the stages and those of their base."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from headworks._metrics.file import read_predictions
from headworks._metrics.predictions import pair
from headworks._plan.plan import plan
from headworks._project.gate_table import gate_settings
from headworks._project.report_settings import report_settings
from headworks._project.toml import parse, table
from headworks._report.artifacts import images_section, measurements_section, training_section
from headworks._report.data import contract_section, diff_section
from headworks._report.gate import gate_section
from headworks._report.mistakes import mistakes_section
from headworks._report.model import model_section
from headworks._report.page import Page, Section, Text
from headworks._report.plan import plan_section, red_section, session_facts, time_section
from headworks._report.source import ODD, BaseOutputs, NotThereError, Sources, guarded
from headworks._report.verdict import verdict
from headworks._store.store import Store
from headworks._tree.git import Repository
from headworks._tree.merge_base import reachable_base
from headworks.errors import HeadworksError, UsageError

if TYPE_CHECKING:
    from headworks._metrics.predictions import Predictions
    from headworks._plan.plan import Plan
    from headworks._project.gate_settings import GateSettings
    from headworks._project.report_settings import ReportSettings
    from headworks._report.plan import SessionFacts
    from headworks._tree.merge_base import Base

__all__ = ["collect"]

_CONFIG = "pyproject.toml"
_PREDICTIONS = {"": "artifacts/evaluate/predictions.parquet"}


class _Tables(NamedTuple):
    """What the project's pyproject.toml says."""

    report: ReportSettings
    gate: GateSettings
    has_gate: bool


def collect(folder: str, base: str | None = None, *, data_diff: str = "", gate: str = "") -> Page:
    """Return the report's page; what is not there is said on it.

    Args:
        folder: a folder of the project; without git, the project's folder.
        base: a revision whose merge base with HEAD is compared with; None for the branch to be merged into.
        data_diff: a file in place of what the table says.
        gate: the same.

    Raises:
        UsageError: there is no such revision.
        ConfigurationError: the table cannot be right.
    """
    repository, root = _repository(folder, base)
    tables = _tables(root)
    chosen = {"data_diff": data_diff or tables.report.data_diff, "gate": gate or tables.report.gate}
    tables = tables._replace(report=type(tables.report)(**vars(tables.report) | chosen))
    found, lost = _base(repository, base)
    with tempfile.TemporaryDirectory(prefix="headworks-") as place:
        return _Collection(root, tables, repository, found, base, place).page(lost)


def _repository(folder: str, base: str | None) -> tuple[Repository | None, str]:
    """Return the repository that a folder is in, if it is in one, and the project's folder."""
    try:
        repository = Repository(folder)
    except UsageError:
        if base is not None:
            raise
        return None, os.path.abspath(folder)
    return repository, repository.root


def _tables(root: str) -> _Tables:
    """Return what the project's table says; all defaults where there is none."""
    path = os.path.join(root, _CONFIG)
    data: object = {}
    if os.path.isfile(path):
        with open(path, "rb") as file:
            data = parse(file.read(), _CONFIG)
    gate = table(data, "tool", "headworks", "gate")
    report = report_settings(table(data, "tool", "headworks", "report"))
    return _Tables(report=report, gate=gate_settings(gate), has_gate=bool(gate))


def _base(repository: Repository | None, asked: str | None) -> tuple[Base | None, str]:
    """Return the base, or why there is none."""
    if repository is None:
        return None, "there is no git repository"
    return reachable_base(repository, asked)


class _Collection:
    """The facts of one page."""

    def __init__(
        self,
        root: str,
        tables: _Tables,
        repository: Repository | None,
        base: Base | None,
        asked: str | None,
        place: str,
    ) -> None:
        """Take where facts are; plan already, since the outputs of the base are found by its digests."""
        self._root = root
        self._tables = tables
        self._repository = repository
        self._base = base
        self._asked = asked
        self._head = (repository and repository.ask("rev-parse", "--verify", "--quiet", "HEAD")) or ""
        self._store = Store.default(root)
        self._problem = ""
        self._plan: Plan | None = self._planned()
        commit = base.commit if base else ""
        outputs = BaseOutputs(self._plan.digester if self._plan else None, self._store, commit, place)
        self._sources = Sources(root=root, base=outputs)
        self._judged: dict[str, tuple[str, str]] = {}  # digests of predictions and of their rows, by name

    def _planned(self) -> Plan | None:
        """Return the plan, if there can be one."""
        if self._repository is None:
            self._problem = "There is no git repository here, so that there is no plan."
            return None
        try:
            return plan(self._root, base=self._asked, store=self._store)
        except HeadworksError as error:
            self._problem = f"There is no plan: {error}"
            return None

    def page(self, lost: str) -> Page:
        """Return the page."""
        sessions = () if self._plan is None else session_facts(self._plan, self._store, self._head)
        data = [
            guarded("Data contract", lambda: contract_section(self._sources, self._tables.report)),
            guarded("Data diff", lambda: diff_section(self._sources, self._tables.report)),
        ]
        model = self._model_sections()
        gate = guarded("Gate", self._gate_section)
        # First what a reader needs most, which the Markdown has room for whatever follows.
        first, last = self._session_sections(sessions)
        sections = (*first, gate, *last, *data, *model, *self._artifact_sections())
        outcome, line = verdict(sections)
        return Page(
            project=os.path.basename(self._root),
            about=self._about(lost),
            outcome=outcome,
            verdict=line,
            sections=sections,
        )

    def _about(self, lost: str) -> dict[str, str]:
        """Return what the page is about."""
        when = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
        base = f"none: {lost}" if self._base is None else self._base.name
        if self._repository is None:
            return {"compared with": base, "written": when}
        dirty = self._repository.run("status", "--porcelain", "--untracked-files=normal").strip()
        state = f"{self._head[:12] or 'none yet'}{' with changes that are not committed' if dirty else ''}"
        return {"commit": state, "compared with": base, "written": when}

    def _session_sections(self, sessions: tuple[SessionFacts, ...]) -> tuple[list[Section], list[Section]]:
        """Return what is said about sessions: how to see what is red, and the plan; then how long they took."""
        if self._plan is None:
            reasons = ("there is no plan",)
            text = Text(text=self._problem)
            return [Section(title="Plan", blocks=(text,), outcome="cannot tell", reasons=reasons)], []
        return [red_section(sessions), plan_section(sessions)], [time_section(sessions)]

    def _gate_section(self) -> Section:
        """Return what the gate found."""
        settings = self._tables.gate if self._tables.has_gate else None
        return gate_section(self._sources, self._tables.report.gate, self._judged, settings)

    def _model_sections(self) -> list[Section]:
        """Return what is said about each file of predictions."""
        files = self._tables.gate.predictions or _PREDICTIONS
        return [section for name, path in files.items() for section in self._of_predictions(name, path)]

    def _of_predictions(self, name: str, path: str) -> list[Section]:
        """Return what one file of predictions looks like, and what it newly gets wrong."""
        title = f"Predictions of {name}" if name else "Predictions"
        try:
            candidate = self._read(self._sources.path(path), path)
        except (HeadworksError, *ODD) as error:
            text = Text(text=str(error))
            if isinstance(error, NotThereError):
                return [Section(title=title, blocks=(text,))]
            reasons = (f"{path} cannot be read",)
            return [Section(title=title, blocks=(text,), outcome="cannot tell", reasons=reasons)]
        self._judged[name] = candidate.digest, candidate.rows_digest
        base, missing = self._base_predictions(candidate, name, path)
        mine = candidate.present() if base is None else base[0]
        theirs = None if base is None else base[1]
        sections = [guarded(title, lambda: model_section(name, mine, theirs, missing))]
        if mine.errors is None:
            pictures = self._tables.report.pictures
            sections.append(guarded("Mistakes", lambda: mistakes_section(name, mine, theirs, self._sources, pictures)))
        return sections

    def _read(self, place: str, path: str) -> Predictions:
        """Return the predictions in a file, which the page calls by its path in the project."""
        settings = self._tables.gate
        found = read_predictions(place, columns=settings.columns, group=settings.group)
        return type(found)(**vars(found) | {"source": path})

    def _base_predictions(
        self, candidate: Predictions, name: str, path: str
    ) -> tuple[tuple[Predictions, Predictions] | None, str]:
        """Return both predictions of the rows that both have; or why the base's are not there."""
        place = self._judged_by(candidate, name, path) or self._sources.base.find(path)
        if not place:
            return None, f"The store has no {path} of the base, so that the candidate stands alone here."
        try:
            found = pair(candidate, self._read(place, f"{path} of the base"), least=self._tables.gate.min_shared)
        except (HeadworksError, *ODD) as error:
            return None, str(error)
        return found.both(), ""

    def _judged_by(self, candidate: Predictions, name: str, path: str) -> str:
        """Return the base's predictions that the gate judged just this candidate by; empty where it did not."""
        saved = os.path.join(os.path.dirname(self._tables.report.gate), f"base-{name}{os.path.splitext(path)[1]}")
        try:
            asked = self._sources.json(self._tables.report.gate)["comparisons"]
            is_judged = any((it["on"], it["model"]) == (name, candidate.digest) and it["base"] for it in asked)
            return self._sources.path(saved) if is_judged else ""
        except (NotThereError, *ODD):  # the section of the gate says what is wrong with it
            return ""

    def _artifact_sections(self) -> list[Section]:
        """Return what is said about the training and about what is shipped."""
        settings = self._tables.report
        return [
            guarded("Training", lambda: training_section(self._sources, settings.training)),
            guarded("Container images", lambda: images_section(self._sources, settings.images)),
            guarded("Latency and size", lambda: measurements_section(self._sources, self._tables.gate)),
        ]
