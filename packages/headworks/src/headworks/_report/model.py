"""The sections of the report about predictions: confusions, confidence, accuracy by slice, and new mistakes."""

from __future__ import annotations

import base64
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from headworks._metrics.bootstrap import seed_values
from headworks._metrics.condition import Subject
from headworks._metrics.proportions import exact_interval
from headworks._quantities import number_text
from headworks._report.charts import Intervals, Reliability, Series
from headworks._report.page import Block, Gallery, Kind, Matrix, Picture, Section, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headworks._metrics.predictions import Predictions
    from headworks._report.source import Sources

    Confusions = Counter[tuple[str, str]]

_BINS = 15
_ERROR = 0.025  # beyond each end of an interval
_MOST_CLASSES = 25  # that a matrix is drawn for
_MOST_SLICES = 40
_MOST_VALUES = 50  # of a column; one with more tells rows apart rather than groups them
_MOST_PAIRS = 20
_MOST_MISTAKES = 12
_SIDE = 512  # pixels of an image; a page that a reviewer opens shall stay small


def model_section(name: str, candidate: Predictions, base: Predictions | None, missing: str) -> Section:
    """Return the section that compares two sets of predictions of the same rows.

    Args:
        name: Their name in the table; empty for those without one.
        candidate: Those of the candidate.
        base: Those of the base, in the same order; None without.
        missing: Why there are none of the base.
    """
    seeds = f", {len(candidate.seeds)} times with other seeds" if len(candidate.seeds) > 1 else ""
    blocks: list[Block] = [f"{len(candidate.ids):,} rows were predicted{seeds}, from {candidate.source}."]
    sides = {"candidate": candidate}
    if base is None:
        blocks.append(missing)
    else:
        sides["base"] = base
    if candidate.errors is not None:
        blocks.append(_errors(sides))
    else:
        blocks += [*_confusion(sides), *_reliability(sides), *_slices(sides)]
    return Section(f"Predictions of {name}" if name else "Predictions", blocks)


def all_classes(sides: Iterable[Predictions]) -> list[str]:
    """Return the classes of several models, each once."""
    return list(dict.fromkeys(name for side in sides for name in side.classes))


def confusions(side: Predictions) -> Confusions:
    """Return how often each label got each prediction, of all seeds; only pairs that occur, since classes are many."""
    labels = side.labels.tolist()
    return Counter(pair for row in side.predicted.tolist() for pair in zip(labels, row, strict=True))


def squared(counts: Confusions, classes: Sequence[str]) -> list[list[int]]:
    """Return the counts as a row for each of K labels, of K predictions."""
    return [[counts[label, predicted] for predicted in classes] for label in classes]


def _confusion(sides: dict[str, Predictions]) -> Iterator[Block]:
    """Yield the confusion matrices, their difference, and the confusions as a list."""
    classes = all_classes(sides.values())
    counts = {name: confusions(side) for name, side in sides.items()}

    def matrix(caption: str, counts: Confusions, *, signed: bool = False) -> Matrix:
        return Matrix(caption, classes, squared(counts, classes), signed)

    if len(classes) <= _MOST_CLASSES:
        yield "In a confusion matrix, rows are labels and columns are predictions."
        yield from (matrix(f"Confusion matrix of the {name}", counts[name]) for name in counts)
        if "base" in counts:
            less = Counter(counts["candidate"])
            less.subtract(counts["base"])
            yield matrix("Difference: candidate less base", less, signed=True)
    yield _pairs(counts)


def _pairs(counts: dict[str, Confusions]) -> Table:
    """Return the confusions as a list, first those that got worse."""
    mine, other = counts["candidate"], counts.get("base", Counter())
    confusions = [
        (mine[pair] - other[pair], mine[pair], other[pair], *pair)
        for pair in mine.keys() | other.keys()
        if len({*pair}) > 1
    ]
    confusions.sort(key=lambda it: (-it[0], -it[1], it[3], it[4]))
    columns: dict[str, Kind] = {"label": "text", "predicted": "text", "candidate": "number"}
    if "base" in counts:
        columns |= {"base": "number", "difference": "number"}
    rows = [
        (label, predicted, f"{new:,}", f"{old:,}", f"{more:+,}")[: len(columns)]
        for more, new, old, label, predicted in confusions[:_MOST_PAIRS]
    ]
    rest = f", the first {_MOST_PAIRS} of {len(confusions):,}" if len(confusions) > _MOST_PAIRS else ""
    return Table(f"Confusions, what got worse first{rest}", columns, rows, folded=True)


def _reliability(sides: dict[str, Predictions]) -> Iterator[Block]:
    """Yield the accuracy of each model by its confidence."""
    series = []
    for name, side in sides.items():
        if side.confidence is not None:
            confidence, right = side.confidence.reshape(-1), (side.predicted == side.labels).reshape(-1)
            places = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
            bins = [places == number for number in np.unique(places)]
            points = [(float(confidence[it].mean()), float(right[it].mean()), int(it.sum())) for it in bins]
            series.append(Series(name=name, points=points, is_base=name == "base"))
    if not series:
        yield "There is no reliability diagram, since the predictions have no probabilities and no score."
        return
    yield Reliability(caption=f"Reliability: how often it is right, by how sure it is ({_BINS} bins)", series=series)
    rows = [(it.name, f"{sure:.4f}", f"{right:.4f}", f"{n:,}") for it in series for sure, right, n in it.points]
    columns: dict[str, Kind] = {"model": "text", "mean confidence": "number", "accuracy": "number", "rows": "number"}
    yield Table("Reliability in numbers", columns, rows, folded=True)


def _slices(sides: dict[str, Predictions]) -> Iterator[Block]:
    """Yield the accuracy of every slice, with its interval."""
    slices: dict[str, NDArray[np.bool_]] = {}
    left = []
    for column, cells in sides["candidate"].slices.items():
        values = np.unique(cells)
        if len(values) > _MOST_VALUES:
            left.append(f"{column} ({len(values):,})")
        else:
            slices |= {f"{column}={value}": cells == value for value in values}
    if left:
        yield f"Not shown by slice, having more than {_MOST_VALUES} values: {', '.join(left)}."
    if not slices:
        return
    found = {name: [_accuracy(side, rows) for side in sides.values()] for name, rows in slices.items()}
    rest = ""
    if len(slices) > _MOST_SLICES:
        rest = f", the lowest {_MOST_SLICES} of {len(slices):,}"
        lowest = sorted(found, key=lambda it: found[it][0][0] - (found[it][1][0] if len(sides) > 1 else 0.0))
        found = {name: found[name] for name in lowest[:_MOST_SLICES]}
    series = [
        Series(name=name, points=[it[number] for it in found.values()], is_base=name == "base")
        for number, name in enumerate(sides)
    ]
    caption = f"Accuracy by slice with 95% intervals (exact){rest}"
    yield Intervals(caption=caption, across="accuracy", names=list(found), series=series)
    columns: dict[str, Kind] = {"slice": "text", "rows": "number", "accuracy": "number", "interval": "number"}
    columns |= {"base": "number"} if "base" in sides else {}
    rows = [
        (
            *(name, f"{int(slices[name].sum()):,}", f"{mine[0]:.4f}", f"{mine[1]:.4f} to {mine[2]:.4f}"),
            *(f"{base[0]:.4f}" for base in theirs),
        )
        for name, (mine, *theirs) in found.items()
    ]
    yield Table(f"Slices in numbers{rest}", columns, rows, folded=True)


def _accuracy(predictions: Predictions, rows: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return the accuracy of some rows, the mean over seeds, and its interval."""
    right = float((predictions.predicted[:, rows] == predictions.labels[rows]).mean())
    number = int(rows.sum())
    interval = exact_interval(right * number, number, _ERROR)
    return right, interval.low, interval.high


def _errors(sides: dict[str, Predictions]) -> Table:
    """Return a table of the errors of a regression."""
    rows = [
        (name, f"{np.abs(it.errors).mean():.4g}", f"{np.sqrt(np.square(it.errors).mean()):.4g}")
        for name, it in sides.items()
        if it.errors is not None
    ]
    return Table(
        "Errors", {"model": "text", "mean absolute error": "number", "root mean squared error": "number"}, rows
    )


def learnt_section(name: str, learnt: Predictions, held_out: Predictions) -> Section:
    """Return the section that compares a model on the rows that it learnt from with itself on others.

    Args:
        name: The predictions' name in the table.
        learnt: Those of the rows that it learnt from.
        held_out: Those of rows that it was not trained on.
    """
    sides = (learnt, held_out)
    metrics = ["accuracy"] if held_out.errors is None else ["mae", "rmse"]
    if all(it.probabilities is not None for it in sides):
        metrics.append("log_loss")
    values = {it: [fmean(seed_values(Subject(metric=it), side)) for side in sides] for it in metrics}
    columns = (
        "metric",
        *(f"{what}, {len(it.ids):,} rows" for what, it in zip(("learnt", "held out"), sides, strict=True)),
    )
    table = Table(
        "The same model on both",
        {**dict.fromkeys(columns, "number"), "difference": "number", "metric": "code"},
        [(it, *map(number_text, (one, other)), number_text(other - one, "+")) for it, (one, other) in values.items()],
    )
    reading = (
        "A model that is much worse on rows held out has learnt the others by heart (overfit); one that is poor on both"
        " has learnt too little (underfit). A condition of the gate decides how much is too much."
    )
    return Section(f"Learnt and held out: {name}", [table, reading])


def mistakes_section(
    name: str, candidate: Predictions, base: Predictions | None, sources: Sources, pattern: str
) -> Section:
    """Return the section with the most confident mistakes that the base does not make, or of all without a base.

    Args:
        name: The predictions' name in the table; empty for those without one.
        candidate: Predictions of a classification, of which the first seed counts.
        base: Those of the base, in the same order; None without.
        sources: Where files are.
        pattern: A pattern of files with images.
    """
    kind = "mistakes" if base is None else "new mistakes"
    title = f"Most confident {kind}{f' of {name}' if name else ''}"
    wrong = candidate.predicted[0] != candidate.labels
    if base is not None:
        wrong &= base.predicted[0] == base.labels
    rows = np.flatnonzero(wrong)
    if not rows.size:
        return Section(title, [f"There are no {kind}."])
    confidence = None if candidate.confidence is None else candidate.confidence[0]
    if confidence is not None:
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
    mistakes = [
        (
            *map(str, (candidate.ids[row], candidate.labels[row], candidate.predicted[0, row])),
            "" if confidence is None else f"{confidence[row]:.4f}",
        )
        for row in rows[:_MOST_MISTAKES]
    ]
    pictures = _pictures([it for it, *_ in mistakes], sources, pattern)
    drawn = [
        Picture(
            source=pictures[row],
            alt=f"Row {row[:12]}: labelled {label}, predicted {predicted}",
            lines=(f"{label} taken for {predicted}", *([f"sure: {sure}"] if sure else []), row[:12]),
        )
        for row, label, predicted, sure in mistakes
        if row in pictures
    ]
    shown = f"{_MOST_MISTAKES} of {len(rows):,}" if len(rows) > _MOST_MISTAKES else f"{len(rows)} in all"
    seed = f", of seed {candidate.seeds[0]}" if len(candidate.seeds) > 1 else ""
    kinds: dict[str, Kind] = {"row": "code", "label": "text", "predicted": "text", "confidence": "number"}
    blocks: list[Block] = [
        f"{shown}{seed}, the most confident first.",
        Gallery(title, drawn) if drawn else f"There are no images of these rows: {pattern} has none by their ids.",
        Table("The same rows in words", kinds, [(row[:16], *more) for row, *more in mistakes], folded=bool(drawn)),
    ]
    return Section(title, blocks)


def _pictures(ids: Sequence[str], sources: Sources, pattern: str) -> Mapping[str, str]:
    """Return the images of rows as `data:` URLs, by id; without those that are no small images of bytes."""
    images: dict[str, str] = {}
    for name in sources.names(pattern):
        file = parquet.ParquetFile(os.path.join(sources.root, name))
        if not {"id", "image"} <= set(file.schema_arrow.names):
            continue
        table = file.read(columns=["id", "image"])
        table = table.filter(compute.is_in(table["id"], pa.array(ids)))
        if table.num_rows and isinstance(table.schema.field("image").type, pa.FixedShapeTensorType):
            pixels = table["image"].combine_chunks().to_numpy_ndarray()
            if pixels.dtype == np.uint8 and max(pixels.shape[1:3]) <= _SIDE:
                images |= zip(table["id"].to_pylist(), map(_url, pixels), strict=True)
    return images


def _url(pixels: NDArray[np.uint8]) -> str:
    """Return an image, (H, W, C) or (H, W), as a `data:` URL of a PNG file."""
    from matplotlib.image import imsave

    content = io.BytesIO()
    shown = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels  # noqa: PLR2004  # the channels
    imsave(content, shown, format="png", cmap="gray", vmin=0, vmax=255)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
