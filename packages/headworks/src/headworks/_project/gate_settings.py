"""What a candidate has to reach, and how sure one has to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from headworks._metrics.condition import parse_condition
from headworks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headworks._metrics.condition import Condition

    Outcome = Literal["passes", "fails", "cannot tell"]

__all__ = ["MOST_DRAWS", "GateSettings", "NamedCondition", "named_conditions"]

MOST_DRAWS = 1_000_000  # of a bootstrap


@dataclass(frozen=True, kw_only=True)
class NamedCondition:
    """A condition of the table.

    Attributes:
        name: what people call it; the condition itself where it has no name.
        condition: the condition.
        on: the name of the predictions that it reads; empty for the first.
        cannot_tell: what counts where it cannot be told.
    """

    name: str
    condition: Condition
    on: str = ""
    cannot_tell: Outcome = "cannot tell"


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """All that the table says.

    Attributes:
        conditions: what the candidate has to reach.
        reliability: how often, at least, an outcome other than `cannot tell` has to be right.
        predictions: files of predictions in the repository, by the names that conditions use.
        measurements: a JSON file in the repository with what was measured of the model; empty for none.
        model: the exported model in the repository; empty for none.
        min_shared: the share of rows that both sides must have.
        resamples: how many draws of a bootstrap, at least.
        group: the column whose equal values say that rows are not independent; empty for none.
        columns: the files' own names of columns.
        releases: a pattern of the names of tags, of which the last one is the base where nothing else is.
        bootstrap: the id of a commit that has nothing to compare with, or how it begins; empty for none.
        budget: how many models one test set may judge.
        adaptive: whether the outcome for one model may decide about the next.
        tolerance: what `--plan` takes for a condition that has no margin.
        disagreement: the share of rows on which `--plan` takes two models to disagree.
        rows: files with the rows that the dataset has, by the predictions' names; what is not among them is not asked.
        promote: what must have passed for a model to get an alias, by alias: names of sessions, and `gate`.
        predict: how a base's model predicts the rows of another dataset, by the predictions' names: a command, or the
            Parquet file with the rows, which ONNX Runtime then gives to the model.
    """

    conditions: tuple[NamedCondition, ...]
    reliability: float = 0.99
    predictions: dict[str, str]
    measurements: str = ""
    model: str = ""
    min_shared: float = 0.95
    resamples: int = 4_000
    group: str = ""
    columns: dict[str, str]
    releases: str = "v*"
    bootstrap: str = ""
    budget: int = 32
    adaptive: bool = True
    tolerance: float = 0.03
    disagreement: float = 0.02
    promote: dict[str, tuple[str, ...]]
    predict: dict[str, str | tuple[str, ...]]
    rows: dict[str, tuple[str, ...]]

    def reads(self, condition: NamedCondition) -> str:
        """Return the name of the predictions that a condition reads: by default the first."""
        return condition.on or next(iter(self.predictions), "")

    @property
    def error(self) -> float:
        """How often an outcome may be wrong."""
        return 1 - self.reliability


def named_conditions(conditions: Iterable[str]) -> tuple[NamedCondition, ...]:
    """Return conditions as those of a table.

    Raises:
        UsageError: there are none, which every model would reach.
        ConfigurationError: one of them is no condition.
    """
    found = tuple(NamedCondition(name=text, condition=parse_condition(text)) for text in conditions)
    if not found:
        message = "There are no conditions to judge a model by. Name one, or leave them out for those of the settings."
        raise UsageError(message)
    return found
