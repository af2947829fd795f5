"""Drift of the labels and pixels of a split: a test, and the size of the difference.

The tests take both sides for independent samples. Rows in both make them more cautious than stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._progress import progress

if TYPE_CHECKING:
    from headworks_data._dataset import Dataset
    from numpy.typing import NDArray

COLOURS = ("red", "green", "blue")
# Numbers in one block, 32 MiB of doubles.
BLOCK_NUMBERS = 2**22


@dataclass(frozen=True, kw_only=True)
class LabelDrift:
    """The labels of one split on both sides.

    Attributes:
        base: Number of rows of each class in the base.
        new: The same in the new dataset; both name the classes of either.
        chi_squared: Statistic of Pearson's test that both sides have the same shares of classes. It and the rest are
            None where a side has no row or all rows are of one class.
        degrees_of_freedom: Of that statistic.
        p_value: Probability of so large a statistic without drift.
        cramers_v: The effect size, 0 to 1 (H. Cramér, "Mathematical Methods of Statistics", 1946, section 21.9); about
            0.1 is small and 0.3 medium (J. Cohen, "Statistical Power Analysis", 1988, section 7.2).
    """

    base: dict[str, int]
    new: dict[str, int]
    chi_squared: float | None = None
    degrees_of_freedom: int | None = None
    p_value: float | None = None
    cramers_v: float | None = None


@dataclass(frozen=True, kw_only=True)
class PixelDrift:
    """One property of the images of one split on both sides.

    Attributes:
        base_mean: Its mean in the base.
        new_mean: Its mean in the new dataset.
        ks_distance: The effect size, 0 to 1: the largest difference between the shares of images that are below any
            value, which is the statistic of the two-sample test of Kolmogorov and Smirnov. S. Rabanser, S. Günnemann
            and Z. Lipton, "Failing Loudly", 2019, section 3.2, find drift with one such test for each property.
        p_value: Probability of so large a distance without drift (asymptotic, and cautious about ties).
        cohens_d: Difference of the means in pooled standard deviations (J. Cohen, "Statistical Power Analysis", 1988,
            section 2.5); None where nothing varies.
    """

    base_mean: float
    new_mean: float
    ks_distance: float
    p_value: float
    cohens_d: float | None


def label_drift(base: Dataset, new: Dataset, split: str) -> LabelDrift:
    """Compare the labels of a split, by the names of their classes."""
    from scipy.stats import chi2_contingency  # noqa: PLC0415 - it takes half a second, and only a comparison needs it

    names = list(dict.fromkeys([*base.classes, *new.classes]))
    counts = [_histogram(side, split) for side in (base, new)]
    table = np.array([[side.get(name, 0) for name in names] for side in counts])
    shown = [dict(zip(names, row, strict=True)) for row in table.tolist()]
    table = table[:, table.sum(axis=0) > 0]
    if not table.sum(axis=1).all() or table.shape[1] == 1:
        return LabelDrift(base=shown[0], new=shown[1])
    test = chi2_contingency(table, correction=False)
    return LabelDrift(
        base=shown[0],
        new=shown[1],
        chi_squared=float(test.statistic),
        degrees_of_freedom=int(test.dof),
        p_value=float(test.pvalue),
        # Of two rows and any number of columns, the smaller side less one is 1.
        cramers_v=min(1.0, float(np.sqrt(test.statistic / table.sum()))),
    )


def _histogram(dataset: Dataset, split: str) -> dict[str, int]:
    counts = np.bincount(dataset.splits[split].labels, minlength=len(dataset.classes))
    return dict(zip(dataset.classes, counts.tolist(), strict=True))


def pixel_drift(base: Dataset, new: Dataset, split: str) -> dict[str, PixelDrift]:
    """Compare the images of a split by the properties that both sides have; nothing where a side has no row."""
    sides = [side.splits[split].images for side in (base, new)]
    if not all(map(len, sides)):
        return {}
    one, other = map(properties, sides)
    return {name: _compare(values, other[name]) for name, values in one.items() if name in other}


def _compare(base: NDArray[np.float64], new: NDArray[np.float64]) -> PixelDrift:
    from scipy.stats import ks_2samp  # noqa: PLC0415 - as above

    test = ks_2samp(base, new, method="asymp")
    freedom = max(1, len(base) + len(new) - 2)
    pooled = np.sqrt((base.var() * len(base) + new.var() * len(new)) / freedom)
    return PixelDrift(
        base_mean=float(base.mean()),
        new_mean=float(new.mean()),
        ks_distance=float(test.statistic),
        p_value=float(test.pvalue),
        cohens_d=float((new.mean() - base.mean()) / pooled) if pooled else None,
    )


def properties(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Return a few numbers for each image, of any shape, whose distributions show a drift of the pixels.

    They see another exposure, scale, blur, noise, position or tint, but not another picture in the same light.

    - `brightness`: mean of all pixels, 0 to 255; for images in colour also `red`, `green` and `blue`.
    - `contrast`: standard deviation of the pixels (E. Peli, "Contrast in complex images", 1990, equation 2, in grey
      levels).
    - `sharpness`: mean difference between neighbours, the anisotropic total variation of a pixel (L. Rudin, S. Osher
      and E. Fatemi, "Nonlinear total variation based noise removal algorithms", 1992).
    - `centre_x`, `centre_y`: the centre of the brightness, 0 left or top to 1, from the first moments (M.-K. Hu,
      "Visual pattern recognition by moment invariants", 1962).

    Args:
        images: Pixels, uint8 of shape (N, H, W, C), at least one.

    Returns:
        Name to (N,) numbers.
    """
    step = max(1, BLOCK_NUMBERS // int(np.prod(images.shape[1:])))
    starts = range(0, len(images), step)
    blocks = [_measure(images[start : start + step]) for start in progress(starts, "measuring images, block")]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _measure(block: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    pixels = block.astype(np.float64)
    grey = pixels.mean(axis=3)
    means = pixels.mean(axis=(1, 2))
    measured = {"brightness": means.mean(axis=1), "contrast": grey.std(axis=(1, 2)), "sharpness": _sharpness(grey)}
    measured |= {"centre_x": _centre(grey.sum(axis=1)), "centre_y": _centre(grey.sum(axis=2))}
    if block.shape[3] == len(COLOURS):
        measured |= {name: means[:, number] for number, name in enumerate(COLOURS)}
    return measured


def _sharpness(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = [np.abs(np.diff(grey, axis=axis)).reshape(len(grey), -1) for axis in (1, 2)]
    both = np.concatenate(steps, axis=1)
    total: NDArray[np.float64] = both.sum(axis=1) / max(1, both.shape[1])
    return total


def _centre(profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centre of profiles (N, L); the middle where all is black."""
    places = (np.arange(profile.shape[1]) + 0.5) / profile.shape[1]
    total = profile.sum(axis=1)
    centre: NDArray[np.float64] = np.where(total > 0, profile @ places / np.maximum(total, 1), 0.5)
    return centre
