"""Compares the predictions of a server with those of the evaluation, row by row."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from headworks_serving.check._tables import Predictions, Split
from numpy.typing import NDArray

TOLERANCE: Final = 1e-4


@dataclass(frozen=True, kw_only=True)
class Served:
    """Predictions of a server for the rows of a split: label texts (N,) and probabilities (N, K)."""

    labels: list[str]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row with two different predictions: its id and both sides in words."""

    id: str
    expected: str
    served: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The outcome: the number of rows, those that differ, and the largest difference of a probability."""

    num_rows: int
    differences: list[Difference]
    largest: float


def compare(split: Split, predictions: Predictions, served: Served) -> Comparison:
    """Compare predictions by id.

    Args:
        split: The rows that were sent, N of them.
        predictions: Predictions of the evaluation, in any order.
        served: Predictions of the server, in the order of the split.

    Returns:
        The outcome, with every row that one side lacks, or whose class, label text or probabilities (by more than
        1e-4) differ.
    """
    rows = {name: row for row, name in enumerate(predictions.ids)}
    differences, largest = [], 0.0
    for index, name in enumerate(split.ids):
        row = rows.pop(name, None)
        if row is None:
            differences.append(Difference(id=name, expected="no row for this id", served="a row of the split"))
            continue
        predicted = int(predictions.predicted[row])
        expected = (predicted, split.classes[predicted], predictions.probabilities[row])
        gap, said = _compare_row(*expected, served.labels[index], served.probabilities[index])
        largest = max(largest, gap)
        differences += [Difference(id=name, expected=one, served=other) for one, other in said]
    differences += [Difference(id=name, expected="a prediction", served="no row of the split") for name in rows]
    return Comparison(num_rows=len(split.ids), differences=differences, largest=largest)


def _compare_row(
    expected_class: int, expected_label: str, expected: NDArray[np.float32], label: str, served: NDArray[np.float32]
) -> tuple[float, list[tuple[str, str]]]:
    """Return the largest difference of a probability, and both sides in words if the row differs."""
    if expected.shape != served.shape:
        return np.inf, [(f"{expected.size} probabilities", f"{served.size} probabilities")]
    gaps = np.nan_to_num(abs(expected - served), nan=np.inf)  # NaN equals nothing.
    worst = int(gaps.argmax())
    served_class = int(served.argmax())
    if (served_class, label) != (expected_class, expected_label):
        return float(gaps[worst]), [(f'class {expected_class} "{expected_label}"', f'class {served_class} "{label}"')]
    if gaps[worst] > TOLERANCE:
        both = [f"probability {side[worst]:.6f} of class {worst}" for side in (expected, served)]
        return float(gaps[worst]), [(both[0], both[1])]
    return float(gaps[worst]), []
