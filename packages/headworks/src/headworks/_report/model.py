"""The section of the report about predictions: confusions, confidence, and accuracy by slice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from headworks._metrics.proportions import exact_interval
from headworks._report.charts import Intervals, Reliability, Side
from headworks._report.page import Column, Matrix, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from headworks._metrics.predictions import Predictions
    from headworks._report.page import Block

__all__ = ["model_section"]

_BINS = 15
_ERROR = 0.025  # beyond each end of an interval
_MOST_CLASSES = 25  # that a matrix is drawn for
_MOST_SLICES = 40
_MOST_VALUES = 50  # of a column; one with more tells rows apart rather than groups them
_MOST_PAIRS = 20


def model_section(name: str, candidate: Predictions, base: Predictions | None, missing: str) -> Section:
    """Return the section that compares two sets of predictions of the same rows.

    Args:
        name: Their name in the table; empty for those without one.
        candidate: Those of the candidate.
        base: Those of the base, in the same order; None without.
        missing: Why there are none of the base.
    """
    seeds = f", {len(candidate.seeds)} times with other seeds" if len(candidate.seeds) > 1 else ""
    text = f"{len(candidate.ids):,} rows were predicted{seeds}, from {candidate.source}."
    blocks: list[Block] = [Text(text=text)]
    if base is None:
        blocks.append(Text(text=missing))
    if candidate.errors is not None:
        blocks.append(_errors(candidate, base))
    else:
        blocks += [*_confusion(candidate, base), *_reliability(candidate, base), *_slices(candidate, base)]
    return Section(title=f"Predictions of {name}" if name else "Predictions", blocks=tuple(blocks))


def _confusion(candidate: Predictions, base: Predictions | None) -> Iterator[Block]:
    """Yield the confusion matrices, their difference, and the confusions as a list."""
    classes = candidate.classes if base is None else tuple(dict.fromkeys((*candidate.classes, *base.classes)))
    mine = _counts(candidate)
    theirs = None if base is None else _counts(base)
    if len(classes) <= _MOST_CLASSES:
        yield Text(text="In a confusion matrix, rows are labels and columns are predictions.")
        yield _matrix("Confusion matrix of the candidate", classes, mine)
        if theirs is not None:
            yield _matrix("Confusion matrix of the base", classes, theirs)
            less = Counter(mine)
            less.subtract(theirs)
            yield _matrix("Difference: candidate less base", classes, less, signed=True)
    yield _pairs(mine, theirs)


def _counts(predictions: Predictions) -> Counter[tuple[str, str]]:
    """Return rows by label and prediction, added up over seeds; only pairs that occur, since classes may be many."""
    labels = predictions.labels.tolist()
    return Counter(pair for row in predictions.predicted.tolist() for pair in zip(labels, row, strict=True))


def _matrix(
    caption: str, classes: tuple[str, ...], counts: Counter[tuple[str, str]], *, signed: bool = False
) -> Matrix:
    rows = tuple(tuple(counts[label, predicted] for predicted in classes) for label in classes)
    return Matrix(caption=caption, classes=classes, counts=rows, signed=signed)


def _pairs(mine: Counter[tuple[str, str]], theirs: Counter[tuple[str, str]] | None) -> Table:
    """Return the confusions as a list, first those that got worse."""
    other = Counter[tuple[str, str]]() if theirs is None else theirs
    confusions = [
        (mine[label, predicted], other[label, predicted], label, predicted)
        for label, predicted in mine.keys() | other.keys()
        if label != predicted
    ]
    confusions.sort(key=lambda it: (it[1] - it[0], -it[0], it[2], it[3]))
    columns = [Column(title="label"), Column(title="predicted"), Column(title="candidate", kind="number")]
    rows = [(label, predicted, f"{new:,}") for new, _, label, predicted in confusions[:_MOST_PAIRS]]
    if theirs is not None:
        columns += [Column(title="base", kind="number"), Column(title="difference", kind="number")]
        rows = [(*row, f"{it[1]:,}", f"{it[0] - it[1]:+,}") for row, it in zip(rows, confusions, strict=False)]  # type: ignore[misc]
    rest = f", the first {_MOST_PAIRS} of {len(confusions):,}" if len(confusions) > _MOST_PAIRS else ""
    return Table(
        caption=f"Confusions, what got worse first{rest}", columns=tuple(columns), rows=tuple(rows), folded=True
    )


def _reliability(candidate: Predictions, base: Predictions | None) -> Iterator[Block]:
    """Yield the accuracy of each model by its confidence."""
    models = [("candidate", candidate, False), ("base", base, True)]
    made = [_side(name, it, is_base=is_base) for name, it, is_base in models if it is not None]
    sides = tuple(side for side in made if side is not None)
    if not sides:
        yield Text(text="There is no reliability diagram, since the predictions have no probabilities and no score.")
        return
    yield Reliability(caption=f"Reliability: how often it is right, by how sure it is ({_BINS} bins)", sides=sides)
    columns = (
        *(Column(title="model"), Column(title="mean confidence", kind="number")),
        *(Column(title="accuracy", kind="number"), Column(title="rows", kind="number")),
    )
    rows = tuple((it.name, f"{sure:.4f}", f"{right:.4f}", f"{n:,}") for it in sides for sure, right, n in it.bins)
    yield Table(caption="Reliability in numbers", columns=columns, rows=rows, folded=True)


def _side(name: str, predictions: Predictions, *, is_base: bool) -> Side | None:
    """Return the bins of one model that have rows; None without confidence."""
    if predictions.confidence is None:
        return None
    confidence = predictions.confidence.reshape(-1)
    right = (predictions.predicted == predictions.labels).reshape(-1)
    places = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    chosen = [places == number for number in range(_BINS)]
    bins = tuple(
        (float(confidence[rows].mean()), float(right[rows].mean()), int(rows.sum())) for rows in chosen if rows.any()
    )
    return Side(name=name, bins=bins, is_base=is_base)


def _slices(candidate: Predictions, base: Predictions | None) -> Iterator[Block]:
    """Yield the accuracy of every slice, with its interval."""
    values_of = {column: np.unique(values) for column, values in candidate.slices.items()}
    kept = {column: values for column, values in values_of.items() if len(values) <= _MOST_VALUES}
    if left := [f"{column} ({len(values):,})" for column, values in values_of.items() if column not in kept]:
        yield Text(text=f"Not shown by slice, having more than {_MOST_VALUES} values: {', '.join(left)}.")
    slices = [
        (f"{column}={value}", candidate.slices[column] == value) for column, values in kept.items() for value in values
    ]
    if not slices:
        return
    mine = {name: _accuracy(candidate, rows) for name, rows in slices}
    theirs = {} if base is None else {name: _accuracy(base, rows) for name, rows in slices}
    counts = {name: int(rows.sum()) for name, rows in slices}
    names = sorted(mine, key=lambda name: mine[name][0] - theirs.get(name, (0.0,))[0])[:_MOST_SLICES]
    if len(slices) <= _MOST_SLICES:
        names = [name for name, _ in slices]
    rest = f", the lowest {_MOST_SLICES} of {len(slices):,}" if len(slices) > _MOST_SLICES else ""
    caption = f"Accuracy by slice with 95% intervals (exact){rest}"
    values = tuple(mine[it] for it in names)
    yield Intervals(
        caption=caption,
        across="accuracy",
        names=tuple(names),
        values=values,
        base=tuple(theirs[it] for it in names) if theirs else (),
    )
    columns = [Column(title="slice"), *(Column(title=it, kind="number") for it in ("rows", "accuracy", "interval"))]
    columns += [Column(title="base", kind="number")] if theirs else []
    rows = tuple(
        (
            *(name, f"{counts[name]:,}", f"{mine[name][0]:.4f}", f"{mine[name][1]:.4f} to {mine[name][2]:.4f}"),
            *([f"{theirs[name][0]:.4f}"] if theirs else []),
        )
        for name in names
    )
    yield Table(caption=f"Slices in numbers{rest}", columns=tuple(columns), rows=rows, folded=True)


def _accuracy(predictions: Predictions, rows: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return the accuracy of some rows, the mean over seeds, and its interval."""
    right = float((predictions.predicted[:, rows] == predictions.labels[rows]).mean())
    number = int(rows.sum())
    interval = exact_interval(right * number, number, _ERROR)
    return right, interval.low, interval.high


def _errors(candidate: Predictions, base: Predictions | None) -> Table:
    """Return a table of the errors of a regression."""
    columns = [Column(title="model"), Column(title="mean absolute error", kind="number")]
    columns += [Column(title="root mean squared error", kind="number")]
    pairs = [("candidate", candidate.errors), *([] if base is None else [("base", base.errors)])]
    rows = tuple(
        (name, f"{np.abs(it).mean():.4g}", f"{np.sqrt(np.square(it).mean()):.4g}")
        for name, it in pairs
        if it is not None
    )
    return Table(caption="Errors", columns=tuple(columns), rows=rows)
