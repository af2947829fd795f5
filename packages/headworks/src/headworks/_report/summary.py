"""The facts of a report that a comment shows, in a strict form.

The run of a pull request writes them, maybe a fork's, and a job with the permissions of main makes the comment: so they
are numbers and known words alone, but for names, which are cut here and escaped where they are shown.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from headworks._project.gate_settings import Outcome as GateOutcome  # noqa: TC001  # msgspec looks it up
from headworks._report.escape import one_line
from headworks._report.page import Outcome  # noqa: TC001  # msgspec looks it up
from headworks.errors import UsageError

FORM: Final = 1
MOST: Final = 2_000  # of a list; the writer leaves out what comes after
MOST_CLASSES: Final = 12  # of a matrix or histogram that a reader can take in
_LIMIT: Final = 1 << 20  # bytes of a file
_LONGEST = 100  # characters of a name
LONGEST_TEXT: Final = 300  # of a reason, or a session that somebody may run by its name
_REASONS = 4
_T = TypeVar("_T", bound=msgspec.Struct)

Name = Annotated[str, Meta(max_length=_LONGEST)]
Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
Count = Annotated[int, Meta(ge=0, le=10**12)]
Counts = Annotated[list[Annotated[list[Count], Meta(max_length=MOST_CLASSES)]], Meta(max_length=MOST_CLASSES)]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Facts of which nothing is unknown."""


class SessionFact(Strict, frozen=True, kw_only=True):
    """A session of the plan.

    Attributes:
        name: As nox shows it.
        state: As the page says it.
        basis: What its verdict rests on; empty where there is none.
        why: Why no verdict covers it.
        seconds: How long it took, or should take.
    """

    name: Text
    state: Literal["passed", "covered", "failed", "flaky", "not run", "waiting", "not recorded"]
    basis: Literal["", "observed", "declared", "all files"]
    why: Annotated[list[Text], Meta(max_length=_REASONS)]
    seconds: Annotated[float, Meta(ge=0, le=1e9)] | None


class FindingFact(Strict, frozen=True, kw_only=True):
    """The gate's finding about a model, or a slice of it, as in `gate.json`."""

    subject: Name
    outcome: GateOutcome
    base: float | None
    candidate: float | None
    estimate: float | None
    interval: tuple[float, float] | None
    bound: float | None
    rows: Count | None


class ConditionFact(Strict, frozen=True, kw_only=True):
    """A condition of the gate, as in `gate.json`."""

    name: Name
    found: GateOutcome
    findings: Annotated[list[FindingFact], Meta(max_length=MOST)]


class ConfusionFact(Strict, frozen=True, kw_only=True):
    """How often rows of a label got a prediction, of all seeds together.

    Attributes:
        name: The predictions' name in the table.
        rows: How many rows were predicted.
        classes: Names of K classes; none where there are too many for a comment.
        candidate: (K, K) counts by label and prediction.
        base: The same of the base; None without.
    """

    name: Name
    rows: Count
    classes: Annotated[list[Name], Meta(max_length=MOST_CLASSES)]
    candidate: Counts
    base: Counts | None


class DataFact(Strict, frozen=True, kw_only=True):
    """The differences between the base's dataset and this one.

    Attributes:
        passed: Whether all limits were kept, or what breaks them was accepted.
        limits: How many limits judged it.
        violations: How many were broken.
        rows: How many rows were added, removed, relabelled and so on, by the word for it.
        labels: For each class, how many rows the base has and how many this has; none where there are too many.
    """

    passed: bool
    limits: Count
    violations: Count
    rows: dict[Literal["added", "removed", "relabelled", "moved", "resliced"], Count]
    labels: Annotated[list[tuple[Name, Count, Count]], Meta(max_length=MOST_CLASSES)]


class CoverageFact(Strict, frozen=True, kw_only=True):
    """The coverage of the tests, as coverage.py counts it."""

    statements: Count
    branches: Count
    percent: Annotated[float, Meta(ge=0, le=100)]


class Summary(Strict, frozen=True, kw_only=True):
    """All facts of a comment.

    Attributes:
        format: The number of this form.
        compared_with: The base.
        sections: The outcomes of the page's sections that have one, by their titles.
        sessions: The sessions of the plan.
        conditions: Those of the gate; none where it was not asked.
        predictions: Confusions of each file of predictions.
        data: The data diff; None where there is none.
        coverage: None where none was measured.
    """

    format: Literal[1]
    compared_with: Name
    sections: Annotated[dict[Name, Outcome], Meta(max_length=MOST)]
    sessions: Annotated[list[SessionFact], Meta(max_length=MOST)]
    conditions: Annotated[list[ConditionFact], Meta(max_length=MOST)]
    predictions: Annotated[list[ConfusionFact], Meta(max_length=MOST)]
    data: DataFact | None
    coverage: CoverageFact | None


def cut(text: object, longest: int = _LONGEST) -> str:
    """Return a name as a summary has it: one line, of which the end is left out where it is long."""
    name = one_line(str(text))
    return name if len(name) <= longest else f"{name[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def shortened(reasons: Sequence[str]) -> list[str]:
    """Return the first reasons, and how many there are besides."""
    kept = len(reasons) if len(reasons) <= _REASONS else _REASONS - 1
    more = len(reasons) - kept
    return [*(cut(it, LONGEST_TEXT) for it in reasons[:kept]), *([f"and {more} more reasons"] if more else [])]


def picked(kind: type[_T], data: Any, **others: object) -> _T:  # noqa: ANN401  # read from a file
    """Return facts of a kind from those of an object that have a place in it.

    Raises:
        msgspec.ValidationError: One is missing or of another type.
    """
    return msgspec.convert({it: data[it] for it in kind.__struct_fields__ if it in data} | others, kind)


def as_json(summary: Summary) -> str:
    """Return a summary as a text of JSON."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=1).decode() + "\n"


def read_summary(path: str) -> Summary:
    """Return the summary in a file that anybody may have written.

    Raises:
        UsageError: There is no such file, or it is not of this form.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}. `headworks report` writes it as summary.json."
        raise UsageError(message) from None
    if len(content) > _LIMIT:
        message = f"{path} has more than {_LIMIT:,} bytes, so that it is no summary of a report."
        raise UsageError(message)
    try:
        return msgspec.json.decode(content, type=Summary)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"{os.path.basename(path)} is no summary that this version of headworks reads: {one_line(str(error))}"
        raise UsageError(message) from None
