"""The settings of the gate: conditions on a candidate, and how reliable their outcomes have to be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from headworks._metrics.condition import Condition, parse_condition, why_void
from headworks.errors import ConfigurationError, UsageError

Outcome = Literal["passes", "fails", "cannot tell"]
MOST_DRAWS = 1_000_000  # of a bootstrap


@dataclass(frozen=True, kw_only=True)
class NamedCondition:
    """A condition of the table.

    Attributes:
        name: Its name for people; by default its text.
        condition: The condition.
        on: The name of the predictions that it reads; empty for the first.
        cannot_tell: The outcome that counts where the condition cannot be decided.
    """

    name: str
    condition: Condition
    on: str = ""
    cannot_tell: Outcome = "cannot tell"


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """The table [tool.headworks.gate].

    Attributes:
        conditions: The conditions that the candidate has to pass.
        reliability: How often, at least, an outcome other than `cannot tell` has to be right.
        predictions: Files of predictions in the repository, by the names that conditions use.
        measurements: A JSON file in the repository with measurements of the model; empty for none.
        model: The exported model in the repository; empty for none.
        min_shared: The share of rows that both sides must have.
        resamples: The least number of draws of a bootstrap.
        group: The column whose equal values say that rows are not independent; empty for none.
        columns: The files' own names of columns.
        releases: A pattern of the names of tags; the last one is the base where there is no other.
        anchor: The alias whose model is the anchor; where nothing was promoted to it, the last release is.
        bootstrap: The id of a commit that has nothing to compare with, or how it begins; empty for none.
        budget: How many models one test set may judge.
        log_loss_clip: The most that a row adds to the log loss, in nats; infinite where nothing is declared.
        error_bound: The largest error that a regression can make; infinite where nothing is declared.
        classes: All classes that there are; empty where the files name them.
        adaptive: Whether the outcome for one model may decide about the next.
        tolerance: The margin that `--plan` assumes for a condition without one.
        disagreement: The share of rows on which `--plan` assumes that two models disagree.
        promote: The sessions, and `gate`, that must have passed before a model gets an alias, by alias.
        train: The predictions of the rows that the model learnt from, by the names of predictions.
        peers: Files of the predictions of simpler models for the same rows, by the names of predictions.
        predict: How a base's model predicts the rows of another dataset, by the names of predictions: a command, or a
            Parquet file with the rows, which ONNX Runtime then gives to the model.
        rows: Files with the rows of the dataset, by the names of predictions; other rows are not judged.
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
    anchor: str = "production"
    bootstrap: str = ""
    budget: int = 32
    log_loss_clip: float = math.inf
    error_bound: float = math.inf
    classes: tuple[str, ...] = ()
    adaptive: bool = True
    tolerance: float = 0.03
    disagreement: float = 0.02
    promote: dict[str, tuple[str, ...]]
    train: dict[str, str]
    peers: dict[str, tuple[str, ...]]
    predict: dict[str, str | tuple[str, ...]]
    rows: dict[str, tuple[str, ...]]

    def reads(self, condition: NamedCondition) -> str:
        """Return the name of the predictions that a condition reads."""
        return condition.on or next(iter(self.predictions), "")

    def declared(self, condition: Condition) -> Condition:
        """Return a condition with what is declared of its metric.

        Raises:
            ConfigurationError: By that, the condition decides nothing.
        """
        limits = {"log-loss-clip": self.log_loss_clip, "error-bound": self.error_bound}
        subject = condition.subject
        limit = limits.get(subject.definition.limit, math.inf)
        subject = replace(subject, limit=limit, classes=self.classes)
        if reason := why_void(subject, condition.factor, condition.offset, is_floor=condition.is_floor):
            message = f"{condition.text!r} does not go with `{subject.definition.limit}`: {reason}."
            raise ConfigurationError(message)
        return replace(condition, subject=subject)

    @property
    def error(self) -> float:
        """How often an outcome may be wrong."""
        return 1 - self.reliability

    @property
    def shared_error(self) -> float:
        """How often the outcome of each model of the budget may be wrong, so that all of them hold together."""
        return self.error / self.budget


def named_conditions(conditions: Iterable[str]) -> tuple[NamedCondition, ...]:
    """Return conditions that are named by their texts.

    Raises:
        UsageError: There are none, so that every model would pass.
        ConfigurationError: A text is not a condition.
    """
    named = tuple(NamedCondition(name=text, condition=parse_condition(text)) for text in conditions)
    if not named:
        message = "There are no conditions to judge a model by. Name one, or leave them out for those of the settings."
        raise UsageError(message)
    return named
