"""Simulated pairs of models whose difference is known, for the metrics that the gate judges by a bootstrap."""

# ruff: noqa: INP001  # a module of scripts

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from headworks._metrics.condition import parse_condition
from headworks._metrics.predictions import Predictions
from headworks._metrics.rows import row_sums
from headworks._project.gate_table import gate_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from headworks._metrics.condition import Condition
    from numpy.typing import NDArray

    Pair = tuple[Predictions, Predictions]
    Sample = Callable[[np.random.Generator], Pair]

__all__ = ["World", "equals", "lost_units", "worlds"]

ROWS = 180_000  # that all samples of a world are drawn from, so that its difference is known
CLASSES = 10
WRONG = 0.02  # the share of rows that both models have wrong
EVEN = np.full(CLASSES, 1 / CLASSES)
CLIP = 10  # nats, of a log loss
RARE = np.append(np.full(CLASSES - 1, 0.99 / (CLASSES - 1)), 0.01)
AUC, PRECISION = 'roc_auc["1"]', 'average_precision["1"]'
SKEWED = 0.75 ** np.arange(CLASSES) / (0.75 ** np.arange(CLASSES)).sum()


@dataclasses.dataclass(frozen=True, kw_only=True)
class World:
    """Two models, and the samples of rows that they are judged by.

    Attributes:
        name: The kind of models, for people.
        rows: Rows of a sample.
        condition: With the metric; its offset is the true difference.
        sample: Draws a sample.
        error: The chance of a wrong decision that is allowed.
    """

    name: str
    rows: int
    condition: Condition
    sample: Sample
    error: float = 0.01


def predictions(seeds: int = 1, **columns: Any) -> Predictions:  # noqa: ANN401  # as many kinds as there are columns
    """Return predictions with some columns."""
    nothing: dict[str, Any] = dict.fromkeys(("probabilities", "confidence", "errors", "groups"))
    nothing |= {"labels": np.empty(0, np.str_), "predicted": np.empty((seeds, 0), np.str_), "classes": (), "slices": {}}
    rows = max(np.shape(it)[-1] for name, it in columns.items() if name in {"labels", "errors"})
    names = {"source": "simulated", "ids": np.arange(rows).astype(np.str_), "seeds": tuple(map(str, range(seeds)))}
    return Predictions(**nothing | names | columns)


def drawn(
    name: str, rows: int, metric_name: str, pair: Pair, size: int = 1, *, error: float = 0.01, bound: float = 10.0
) -> World:
    """Return a world whose samples are rows, or whole groups of some size, of two models' predictions.

    Args:
        name: Its name.
        rows: Rows of a sample.
        metric_name: The metric.
        pair: The predictions that samples are drawn from.
        size: Rows of a group.
        error: The chance of a wrong decision that is allowed.
        bound: The declared bound of errors.
    """
    candidate, base = pair
    settings = gate_settings({"log-loss-clip": CLIP, "error-bound": bound, "classes": list(pair[0].classes)})
    condition = settings.declared(parse_condition(f"{metric_name} >= base.{metric_name}"))
    value = [float(row_sums(condition.subject, it, 0)(np.ones((1, len(it.ids))))[0]) for it in pair]
    fields = dict(vars(condition)) | {"offset": value[0] - value[1], "is_floor": value[0] < value[1]}
    groups = None if size == 1 else np.repeat(np.arange(rows // size), size).astype(np.str_)
    names = {"groups": groups, "ids": np.arange(rows).astype(np.str_)}

    def sample(generator: np.random.Generator) -> Pair:
        first = generator.integers(ROWS // size, size=rows // size)[:, None] * size
        places = (first + np.arange(size)).reshape(-1)
        one, other = (Predictions(**vars(it.take(places)) | names) for it in (candidate, base))
        return one, other

    return World(name=name, rows=rows, condition=type(condition)(**fields), sample=sample, error=error)


def classified(generator: np.random.Generator, shares: NDArray[np.float64], wins: float, losses: float) -> Pair:
    """Return two models that have 2% of the rows wrong together, and some each by itself."""
    labels = generator.choice(CLASSES, size=ROWS, p=shares)
    wrong, place = (labels + generator.integers(1, CLASSES, ROWS)) % CLASSES, generator.random(ROWS)
    base = np.where(place < WRONG + wins, wrong, labels)
    candidate = np.where((place < WRONG) | (place >= 1 - losses), wrong, labels)
    logits = generator.normal(4, 1, ROWS)
    return confident(labels, candidate, logits), confident(labels, base, logits)


def confident(labels: NDArray[np.int64], predicted: NDArray[np.int64], logits: NDArray[np.float64]) -> Predictions:
    """Return predictions with the probabilities that follow from how sure a model is, (N,) logits."""
    confidence = 1 / (1 + np.exp(-np.maximum(logits, 0)))
    probabilities = np.repeat((1 - confidence)[:, None] / (CLASSES - 1), CLASSES, axis=1)
    probabilities[np.arange(len(labels)), predicted] = confidence
    texts: dict[str, Any] = {"labels": labels.astype(np.str_), "predicted": predicted.astype(np.str_)[None]}
    sure: dict[str, Any] = {"probabilities": probabilities[None], "confidence": confidence[None]}
    return predictions(classes=tuple(map(str, range(CLASSES))), **texts, **sure)


def unsure(generator: np.random.Generator, losses: float, noise: float, scale: float) -> Pair:
    """Return a model with 2% of the rows wrong, and one that is changed.

    Args:
        generator: The source of chance.
        losses: The share of rows that only the candidate has wrong.
        noise: Of the candidate's logits.
        scale: The factor of the candidate's logits.
    """
    labels, place = generator.integers(CLASSES, size=ROWS), generator.random(ROWS)
    wrong = (labels + 1) % CLASSES
    logits = np.where(place < WRONG, generator.normal(1.5, 1, ROWS), generator.normal(5, 2, ROWS))
    candidate = np.where(place > 1 - losses, generator.normal(1.5, 1, ROWS), logits * scale)
    candidate += generator.normal(0, noise, ROWS) if noise else 0
    is_wrong = (place < WRONG) | (place > 1 - losses)
    base = confident(labels, np.where(place < WRONG, wrong, labels), logits)
    return confident(labels, np.where(is_wrong, wrong, labels), candidate), base


def half_lost(generator: np.random.Generator, *, is_bare: bool) -> Pair:
    """Return two models that differ in a class of 1% of the rows, of which the candidate loses every other one.

    Args:
        generator: The source of chance.
        is_bare: Whether the models give labels alone.
    """
    labels = generator.choice(CLASSES, size=ROWS, p=RARE)
    lost = (labels == CLASSES - 1) & (generator.integers(2, size=ROWS) == 0)
    logits = generator.normal(4, 1, ROWS)
    sides = [confident(labels, it, logits) for it in (np.where(lost, 0, labels), labels)]
    labels_alone: dict[str, Any] = {"probabilities": None, "confidence": None} if is_bare else {}
    one, other = (dataclasses.replace(it, **labels_alone) for it in sides)
    return one, other


def blundering(generator: np.random.Generator, share: float) -> Pair:
    """Return two models that are right with the same probabilities, of which the candidate is sure of a wrong class.

    Args:
        generator: The source of chance.
        share: How often it is.
    """
    labels, logits = generator.integers(CLASSES, size=ROWS), generator.normal(5, 1, ROWS)
    is_wrong = generator.random(ROWS) < share
    wrong = np.where(is_wrong, (labels + 1) % CLASSES, labels)
    return confident(labels, wrong, np.where(is_wrong, np.inf, logits)), confident(labels, labels, logits)


def grouped(generator: np.random.Generator, size: int, spread: float) -> Pair:
    """Return two models that have rows of a group wrong together, the candidate 3% more.

    Args:
        generator: The source of chance.
        size: Rows of a group.
        spread: The shape of the beta distribution of a group's share of wrong rows; the smaller, the more together.
    """
    shares = [np.repeat(generator.beta(it * spread, (1 - it) * spread, ROWS // size), size) for it in (0.035, 0.005)]
    both, labels = generator.random(ROWS) < WRONG, np.full(ROWS, "0")
    sides = [np.where(both | (generator.random(ROWS) < it), "1", "0")[None] for it in shares]
    one, other = (predictions(labels=labels, predicted=it, classes=("0", "1")) for it in sides)
    return one, other


def lost_units(units: int, size: int, wrong: int) -> Pair:
    """Return labels of a model that has whole groups of rows wrong, as many as are asked for, and of one without."""
    numbers = np.repeat(np.arange(units), size)
    groups = None if size == 1 else numbers.astype(np.str_)
    labels = np.full(len(numbers), "0")
    sides = [np.where(numbers < it, "1", labels)[None] for it in (wrong, 0)]
    more: dict[str, Any] = {"ids": np.char.zfill(np.arange(len(numbers)).astype(np.str_), 6), "groups": groups}
    one, other = (predictions(labels=labels, predicted=it, classes=("0", "1"), **more) for it in sides)
    return one, other


def ranked(generator: np.random.Generator, share: float, sunk: float, raised: float, *, step: float = 0.0) -> Pair:
    """Return two models that tell one class from another one well, of which the candidate ranks some rows last.

    Args:
        generator: The source of chance.
        share: The share of rows that are of the class.
        sunk: How often the candidate ranks a row of the class below all others.
        raised: How often it ranks another row above all.
        step: What the candidate rounds its logits to, so that many rows are ranked alike; 0 for nothing.
    """
    labels, place = (generator.random(ROWS) < share).astype(int), generator.random(ROWS)
    base = generator.normal(np.where(labels == 1, 3, -3), 1.5, ROWS)
    candidate = np.round(base / step) * step if step else base
    candidate = np.where(place < np.where(labels == 1, sunk, raised), np.where(labels == 1, -50, 50), candidate)
    one, other = (of_two(labels, it) for it in (candidate, base))
    return one, other


def of_two(labels: NDArray[np.int64], logits: NDArray[np.float64]) -> Predictions:
    """Return predictions of two classes, by the logits of the second one, (N,)."""
    second = 1 / (1 + np.exp(-logits))
    probabilities = np.stack([1 - second, second], axis=1)[None]
    texts: dict[str, Any] = {"labels": labels.astype(np.str_), "predicted": (second > 0.5).astype(int).astype(np.str_)}  # noqa: PLR2004  # even
    texts["predicted"] = texts["predicted"][None]
    return predictions(classes=("0", "1"), probabilities=probabilities, confidence=probabilities.max(axis=2), **texts)


def regressed(
    generator: np.random.Generator,
    factor: float,
    noise: float,
    blunders: float,
    blunder: float = 0.0,
    *,
    far: float = 0.0,
) -> Pair:
    """Return the heavy-tailed errors of two regressions, of which the candidate's are larger, or sometimes large.

    Labels have three times their spread, and a share of them is 100.
    """
    base, other = (np.clip(generator.standard_t(5, ROWS), -6, 6) for _ in range(2))
    candidate = base * factor + noise * other
    candidate = np.where(
        generator.random(ROWS) < blunders,
        np.clip(generator.normal(blunder, 3, ROWS), blunder - 9, blunder + 9),
        candidate,
    )
    labels = np.clip(generator.normal(0, 4, ROWS), -9, 9)
    labels = np.where(generator.random(ROWS) < far, 100, labels)
    one, other = (predictions(errors=it[None], labels=labels.astype(np.str_)) for it in (candidate, base))
    return one, other


def seeded(rows: int, seeds: int, spread: float) -> World:
    """Return models of several seeds, whose accuracies differ by three points on average."""
    condition = parse_condition("accuracy >= base.accuracy - 0.03")

    def side(generator: np.random.Generator, accuracy: float) -> Predictions:
        right = generator.random((seeds, rows)) < generator.normal(accuracy, spread, (seeds, 1))
        labels = np.full(rows, "0")
        return predictions(seeds, labels=labels, predicted=np.where(right, "0", "1"), classes=("0", "1"))

    def sample(generator: np.random.Generator) -> Pair:
        return side(generator, 0.93), side(generator, 0.96)

    return World(name=f"{seeds} seeds", rows=rows, condition=condition, sample=sample)


def worlds() -> list[Callable[[], World]]:
    """Return a function for each world, since all of them at once would not fit in memory."""
    new = np.random.default_rng

    def lost(name: str, rows: int, error: float, *, is_bare: bool) -> World:
        return drawn(name, rows, "macro_f1", half_lost(new(5), is_bare=is_bare), error=error)

    return [
        lambda: drawn("wins 0.5%", 360, "macro_f1", classified(new(1), EVEN, 0.005, 0.035)),
        lambda: drawn("no wins", 360, "macro_f1", classified(new(1), EVEN, 0.0, 0.03)),
        lambda: drawn("rare classes", 360, "macro_f1", classified(new(1), SKEWED, 0.005, 0.035)),
        lambda: drawn("wins 0.5%", 1797, "macro_f1", classified(new(1), EVEN, 0.005, 0.035)),
        lambda: drawn("each row a little", 360, "log_loss", unsure(new(2), 0.0, 0.5, 0.7)),
        lambda: drawn("0.3% of the rows", 360, "log_loss", unsure(new(2), 0.003, 0.0, 1.0)),
        lambda: drawn("1% of the rows", 1797, "log_loss", unsure(new(2), 0.01, 0.0, 1.0)),
        lambda: drawn("1% of the rows", 360, "brier", unsure(new(2), 0.01, 0.0, 1.0)),
        lambda: drawn("less sure", 360, "ece", unsure(new(2), 0.0, 0.0, 0.7)),
        lambda: drawn("10% larger", 360, "mae", regressed(new(3), 1.1, 0.3, 0.0)),
        lambda: drawn("1% of the rows", 360, "mae", regressed(new(3), 1.0, 0.0, 0.01)),
        lambda: drawn("10% larger", 1797, "rmse", regressed(new(3), 1.1, 0.3, 0.0)),
        *(
            functools.partial(lost, name, rows, error, is_bare=is_bare)
            for name, is_bare in (("half of a class of 1%", False), ("the same, labels alone", True))
            for rows, error in ((100, 0.05), (360, 0.01))
        ),
        lambda: drawn("0.3% cost all", 360, "log_loss", blundering(new(5), 0.003)),
        lambda: drawn("0.05% cost all", 1797, "log_loss", blundering(new(5), 0.0005)),
        lambda: drawn("2% cost all", 100, "brier", blundering(new(5), 0.02)),
        lambda: drawn("0.5% cost all", 360, "brier", blundering(new(5), 0.005)),
        lambda: drawn("0.5% by 200", 360, "mae", regressed(new(5), 1.0, 0.0, 0.005, 200), bound=220),
        lambda: drawn("20% of a class of 5%", 360, AUC, ranked(new(7), 0.05, 0.2, 0.0)),
        lambda: drawn("1.2% of the others", 360, AUC, ranked(new(7), 0.05, 0.0, 0.012)),
        lambda: drawn("1% of either, of 30%", 1797, AUC, ranked(new(7), 0.3, 0.01, 0.01)),
        lambda: drawn("ranks many alike", 360, AUC, ranked(new(7), 0.3, 0.0, 0.0, step=6.0)),
        lambda: drawn("20% of a class of 5%", 360, PRECISION, ranked(new(7), 0.05, 0.2, 0.0)),
        lambda: drawn("0.5% of the others", 360, PRECISION, ranked(new(7), 0.05, 0.0, 0.005)),
        lambda: drawn("0.2% of the others", 1797, PRECISION, ranked(new(7), 0.3, 0.0, 0.002)),
        lambda: drawn("ranks many alike", 360, PRECISION, ranked(new(7), 0.3, 0.0, 0.0, step=6.0)),
        lambda: drawn("10% larger", 1797, "r2", regressed(new(3), 1.1, 0.3, 0.0)),
        lambda: drawn("0.5% by 200", 360, "r2", regressed(new(5), 1.0, 0.0, 0.005, 200), bound=220),
        lambda: drawn("0.5% of the labels far", 360, "r2", regressed(new(3), 1.1, 0.3, 0.0, far=0.005), bound=110),
        lambda: drawn("60 groups", 360, "accuracy", grouped(new(4), 6, 2.0), 6),
        lambda: drawn("100 groups", 1800, "accuracy", grouped(new(4), 18, 0.5), 18),
        functools.partial(seeded, 360, 3, 0.01),
        functools.partial(seeded, 360, 10, 0.01),
    ]


def equals() -> list[Callable[[], World]]:
    """Return a function for each world of a model that is as good as its base, with a margin that a team may choose."""

    def equal(rows: int, text: str, make: Callable[[np.random.Generator], Pair], size: int = 1) -> World:
        world = drawn("as good", rows, text.split(maxsplit=1)[0], make(np.random.default_rng(6)), size)
        asked = parse_condition(text)
        return dataclasses.replace(world, condition=dataclasses.replace(asked, subject=world.condition.subject))

    return [
        functools.partial(equal, rows, text, make, size)
        for rows in (360, 1797)
        for text, make, size in (
            ("macro_f1 >= base.macro_f1 - 0.03", retrained, 1),
            *((f"{it} >= base.{it} - 0.05", retrained, 1) for it in ('f1["3"]', 'precision["3"]')),
            ("log_loss <= base.log_loss + 0.1", retrained, 1),
            ("brier <= base.brier + 0.03", retrained, 1),
            ("ece <= base.ece + 0.03", retrained, 1),
            ("mae <= base.mae + 0.1", scattered, 1),
            ("rmse <= base.rmse + 0.3", scattered, 1),
            (f"{AUC} >= base.{AUC} - 0.03", reseeded, 1),
            (f"{PRECISION} >= base.{PRECISION} - 0.05", reseeded, 1),
            ("r2 >= base.r2 - 0.03", scattered, 1),
            ("accuracy >= base.accuracy - 0.03", patients, 3),
        )
    ]


def retrained(generator: np.random.Generator) -> Pair:
    """Return two models that have 2% of the rows wrong together and 0.5% each by itself, and differ in how sure."""
    labels, place = generator.integers(CLASSES, size=ROWS), generator.random(ROWS)
    wrong = (labels + generator.integers(1, CLASSES, ROWS)) % CLASSES
    sides = []
    for first in (WRONG, WRONG + 0.005):
        is_wrong = (place < WRONG) | ((place >= first) & (place < first + 0.005))
        logits = np.where(is_wrong, generator.normal(1.5, 1, ROWS), generator.normal(5, 2, ROWS))
        sides.append(confident(labels, np.where(is_wrong, wrong, labels), logits))
    return sides[0], sides[1]


def reseeded(generator: np.random.Generator) -> Pair:
    """Return two models of two classes that are as good, and differ in how sure they are."""
    labels = (generator.random(ROWS) < 0.3).astype(int)  # noqa: PLR2004  # three of ten
    logits = generator.normal(np.where(labels == 1, 3, -3), 1.5, ROWS)
    one, other = (of_two(labels, logits + generator.normal(0, 0.3, ROWS)) for _ in range(2))
    return one, other


def scattered(generator: np.random.Generator) -> Pair:
    """Return the heavy-tailed errors of two regressions that are as good, and differ by a tenth."""
    common, labels = np.clip(generator.standard_t(5, ROWS), -6, 6), np.clip(generator.normal(0, 4, ROWS), -9, 9)
    sides = [(common + 0.1 * generator.normal(size=ROWS))[None] for _ in range(2)]
    one, other = (predictions(errors=it, labels=labels.astype(np.str_)) for it in sides)
    return one, other


def patients(generator: np.random.Generator) -> Pair:
    """Return two models that are wrong about groups of three rows, the same ones but for 0.5% each."""
    place, labels = np.repeat(generator.random(ROWS // 3), 3), np.full(ROWS, "0")
    sides = []
    for first in (WRONG, WRONG + 0.005):
        is_wrong = (place < WRONG) | ((place >= first) & (place < first + 0.005))
        sides.append(predictions(labels=labels, predicted=np.where(is_wrong, "1", "0")[None], classes=("0", "1")))
    return sides[0], sides[1]
