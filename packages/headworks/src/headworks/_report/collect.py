"""Collects the sections of the report: from the plan, the store, the files of the stages and those of their base."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from headworks._gate.base_outputs import StoredOutputs
from headworks._metrics.file import read_predictions
from headworks._metrics.predictions import pair
from headworks._plan.plan import plan
from headworks._project.gate_table import gate_settings
from headworks._project.report_settings import report_settings
from headworks._project.toml import parse, table
from headworks._quantities import count_text
from headworks._report.artifacts import images_section, measurements_section, training_section
from headworks._report.data import contract_section, diff_section
from headworks._report.gate import gate_section
from headworks._report.mistakes import mistakes_section
from headworks._report.model import model_section
from headworks._report.page import Page, Section, Text
from headworks._report.plan import plan_section, red_section, session_facts, time_section
from headworks._report.source import ODD, BaseFiles, NotThereError, Sources
from headworks._store.store import Store
from headworks._tree.git import Repository
from headworks._tree.merge_base import reachable_base
from headworks.errors import HeadworksError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headworks._metrics.predictions import Predictions
    from headworks._plan.plan import Plan
    from headworks._project.gate_settings import GateSettings
    from headworks._project.report_settings import ReportSettings
    from headworks._report.page import Outcome
    from headworks._report.plan import SessionFacts
    from headworks._tree.merge_base import Base

__all__ = ["collect", "guarded", "verdict"]

_CONFIG = "pyproject.toml"
_PREDICTIONS = {"": "artifacts/evaluate/predictions.parquet"}
# From the worst, each with its words in the first line.
_WORDS: dict[Outcome, str] = {
    "failed": "Failed",
    "cannot tell": "Cannot tell",
    "unproven": "Not everything is proven",
    "passed": "Passed",
}
_SHOWN = 4  # reasons in the first line; more are counted


class _Tables(NamedTuple):
    """The tables of the project's pyproject.toml."""

    report: ReportSettings
    gate: GateSettings
    has_gate: bool


def collect(folder: str, base: str | None = None, *, data_diff: str = "", gate: str = "") -> Page:
    """Return the report's page; missing facts are stated on it.

    Args:
        folder: A folder of the project; without git, the project's folder.
        base: A revision whose merge base with HEAD is compared with; None for the branch to be merged into.
        data_diff: A file in place of the one that the table names.
        gate: The same.

    Raises:
        UsageError: There is no such revision.
        ConfigurationError: The table cannot be right.
    """
    repository, root = _repository(folder, base)
    tables = _tables(root)
    report = tables.report
    report = replace(report, data_diff=data_diff or report.data_diff, gate=gate or report.gate)
    reached: tuple[Base | None, str] = (None, "there is no git repository")
    if repository is not None:
        reached = reachable_base(repository, base)
    with tempfile.TemporaryDirectory(prefix="headworks-") as place:
        facts = _Facts(root, tables._replace(report=report), repository, reached, base, place)
        sections = tuple(guarded(title, make) for title, make in _rows(facts))
        outcome, line = verdict(sections)
        return Page(project=os.path.basename(root), about=facts.about, outcome=outcome, verdict=line, sections=sections)


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
    """Return the project's tables; all defaults where there are none."""
    path = os.path.join(root, _CONFIG)
    data: object = {}
    if os.path.isfile(path):
        with open(path, "rb") as file:
            data = parse(file.read(), _CONFIG)
    gate = table(data, "tool", "headworks", "gate")
    report = report_settings(table(data, "tool", "headworks", "report"))
    return _Tables(report=report, gate=gate_settings(gate), has_gate=bool(gate))


@dataclass(frozen=True, kw_only=True)
class _Predicted:
    """A file of predictions.

    Attributes:
        name: the name that conditions use; empty for one without.
        path: the file.
        candidate: its content, or why it cannot be read.
        pair: the predictions of both sides for the rows that both have; None without those of the base.
        missing: why there are none of the base.
    """

    name: str
    path: str
    candidate: Predictions | Exception
    pair: tuple[Predictions, Predictions] | None = None
    missing: str = ""


class _Facts:
    """The facts of one page.

    Attributes:
        tables: the project's tables.
        plan: the plan; None where there can be none.
        problem: why there is none.
        sources: the files of work tree and base.
    """

    def __init__(
        self,
        root: str,
        tables: _Tables,
        repository: Repository | None,
        base: tuple[Base | None, str],
        asked: str | None,
        place: str,
    ) -> None:
        """Plan already, since the outputs of the base are found by its digests."""
        self.tables = tables
        self.plan: Plan | None = None
        self.problem = "There is no git repository here, so that there is no plan."
        self._repository = repository
        self._base, self._lost = base
        self._head = (repository and repository.ask("rev-parse", "--verify", "--quiet", "HEAD")) or ""
        self._store = Store.default(root)
        if repository is not None:
            try:
                self.plan = plan(root, base=asked, store=self._store)
            except HeadworksError as error:
                self.problem = f"There is no plan: {error}"
        stored = None
        if self.plan is not None and self._base is not None and self._base.commit:
            stored = StoredOutputs(self.plan.digester, self._store, self._base.commit, place)
        self.sources = Sources(root=root, base=BaseFiles(stored))

    @property
    def about(self) -> dict[str, str]:
        """Commit, base and time of the page."""
        when = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
        base = f"none: {self._lost}" if self._base is None else self._base.name
        if self._repository is None:
            return {"compared with": base, "written": when}
        dirty = self._repository.run("status", "--porcelain", "--untracked-files=normal").strip()
        state = f"{self._head[:12] or 'none yet'}{' with changes that are not committed' if dirty else ''}"
        return {"commit": state, "compared with": base, "written": when}

    @cached_property
    def sessions(self) -> tuple[SessionFacts, ...]:
        """The sessions of the plan."""
        return () if self.plan is None else session_facts(self.plan, self._store, self._head)

    @cached_property
    def predicted(self) -> list[_Predicted]:
        """The files of predictions."""
        files = self.tables.gate.predictions or _PREDICTIONS
        return [self._predicted(name, path) for name, path in files.items()]

    @property
    def digests(self) -> dict[str, tuple[str, str]]:
        """The digests of predictions and of their rows, by name."""
        read = [(predictions.name, predictions.candidate) for predictions in self.predicted]
        return {name: (it.digest, it.rows_digest) for name, it in read if not isinstance(it, Exception)}

    def _predicted(self, name: str, path: str) -> _Predicted:
        """Read a file of predictions, with that of the base."""
        try:
            candidate = self._read(self.sources.path(path), path)
        except (HeadworksError, *ODD) as error:
            return _Predicted(name=name, path=path, candidate=error)
        place = self._judged_by(candidate, name, path) or self.sources.base.find(path)
        both, missing = None, f"The store has no {path} of the base, so that the candidate stands alone here."
        if place:
            try:
                base = self._read(place, f"{path} of the base")
                both, missing = pair(candidate, base, least=self.tables.gate.min_shared).both(), ""
            except (HeadworksError, *ODD) as error:
                missing = str(error)
        return _Predicted(name=name, path=path, candidate=candidate, pair=both, missing=missing)

    def _read(self, place: str, source: str) -> Predictions:
        """Return the predictions in a file, which the page calls by its path in the project."""
        settings = self.tables.gate
        return replace(read_predictions(place, columns=settings.columns, group=settings.group), source=source)

    def _judged_by(self, candidate: Predictions, name: str, path: str) -> str:
        """Return the base's predictions that the gate judged just this candidate by; empty where it did not."""
        gate = self.tables.report.gate
        saved = os.path.join(os.path.dirname(gate), f"base-{name}{os.path.splitext(path)[1]}")
        try:
            asked = self.sources.json(gate)["comparisons"]
            is_judged = any(
                (comparison["on"], comparison["model"]) == (name, candidate.digest) and comparison["base"]
                for comparison in asked
            )
            return self.sources.path(saved) if is_judged else ""
        except (NotThereError, *ODD):  # the section of the gate says what is wrong with it
            return ""


def _rows(facts: _Facts) -> Iterator[tuple[str, Callable[[], Section]]]:
    """Yield all sections with their titles: first those that a reader needs most, which the Markdown has room for."""
    sources, report, gate = facts.sources, facts.tables.report, facts.tables.gate
    has_plan = facts.plan is not None
    if has_plan:
        yield "How to reproduce", lambda: red_section(facts.sessions)
        yield "Plan", lambda: plan_section(facts.sessions)
    else:
        text = Text(text=facts.problem)
        none = Section(title="Plan", blocks=(text,), outcome="cannot tell", reasons=("there is no plan",))
        yield "Plan", lambda: none
    yield "Gate", lambda: gate_section(sources, report.gate, facts.digests, gate if facts.tables.has_gate else None)
    if has_plan:
        yield "Time", lambda: time_section(facts.sessions)
    yield "Data contract", lambda: contract_section(sources, report)
    yield "Data diff", lambda: diff_section(sources, report)
    for predictions in facts.predicted:
        title = f"Predictions of {predictions.name}" if predictions.name else "Predictions"
        if isinstance(predictions.candidate, Exception):
            yield title, partial(_unread, title, predictions.path, predictions.candidate)
            continue
        mine, theirs = predictions.pair or (predictions.candidate.present(), None)
        yield title, partial(model_section, predictions.name, mine, theirs, predictions.missing)
        if mine.errors is None:
            yield "Mistakes", partial(mistakes_section, predictions.name, mine, theirs, sources, report.pictures)
    yield "Training", lambda: training_section(sources, report.training)
    yield "Container images", lambda: images_section(sources, report.images)
    yield "Latency and size", lambda: measurements_section(sources, gate)


def _unread(title: str, path: str, error: Exception) -> Section:
    """Return the section of predictions that are not there, or cannot be read."""
    if isinstance(error, NotThereError):
        return Section(title=title, blocks=(Text(text=str(error)),))
    reasons = (f"{path} cannot be read",)
    return Section(title=title, blocks=(Text(text=str(error)),), outcome="cannot tell", reasons=reasons)


def guarded(title: str, make: Callable[[], Section]) -> Section:
    """Return a section, or one that says why its facts are not there; facts that cannot be read never pass."""
    try:
        return make()
    except NotThereError as error:
        reasons = (str(error),) if error.outcome else ()
        return Section(title=title, blocks=(Text(text=str(error)),), outcome=error.outcome, reasons=reasons)
    except HeadworksError as error:
        reason = str(error)
    except ODD as error:
        reason = f"The facts are not in the form that is expected here ({type(error).__name__}: {error})."
    told = (f"{title.lower()} cannot be read",)
    return Section(title=title, blocks=(Text(text=reason),), outcome="cannot tell", reasons=told)


def verdict(sections: Sequence[Section]) -> tuple[Outcome, str]:
    """Return the outcome of a page, the worst of its sections, and the first line, which says it with its reasons.

    A page on which nothing was judged has not everything proven: it never passes.
    """
    outcomes = {section.outcome for section in sections}
    worst = next((outcome for outcome in _WORDS if outcome in outcomes), None)
    if worst is None:
        return "unproven", "Not everything is proven: nothing was judged"
    reasons = [reason for it in sections if it.outcome == worst for reason in it.reasons]
    more = len(reasons) - _SHOWN
    reasons = [*reasons[:_SHOWN], *([f"and {count_text(more, 'more reason')}"] if more > 0 else [])]
    return worst, f"{_WORDS[worst]}: {'; '.join(reasons)}"
