"""How far labels and pixels of a split have drifted: a test, and how large the difference is.

The tests take both sides for independent samples. Rows that are in both make them more cautious than they say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._properties import properties

if TYPE_CHECKING:
    from headworks_data._dataset import Dataset
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LabelDrift:
    """The labels of one split on both sides.

    Attributes:
        base: Number of rows of each class in the base.
        new: The same in the new dataset; both name the classes of either.
        chi_squared: Statistic of Pearson's test that both sides have the same shares of classes. None, like all that
            follow, where a side has no row or all rows are of one class.
        degrees_of_freedom: Of that statistic.
        p_value: How likely so large a statistic is where nothing has drifted.
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
        p_value: How likely so large a distance is where nothing has drifted (asymptotic, and cautious about ties).
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
    counts = [_histogram(it, split) for it in (base, new)]
    table = np.array([[side.get(name, 0) for name in names] for side in counts])
    shown = [dict(zip(names, row, strict=True)) for row in table.tolist()]
    table = table[:, table.sum(axis=0) > 0]
    if not table.sum(axis=1).all() or table.shape[1] == 1:
        return LabelDrift(base=shown[0], new=shown[1])
    found = chi2_contingency(table, correction=False)
    return LabelDrift(
        base=shown[0],
        new=shown[1],
        chi_squared=float(found.statistic),
        degrees_of_freedom=int(found.dof),
        p_value=float(found.pvalue),
        # Of two rows and any number of columns, the smaller side less one is 1.
        cramers_v=min(1.0, float(np.sqrt(found.statistic / table.sum()))),
    )


def _histogram(dataset: Dataset, split: str) -> dict[str, int]:
    counts = np.bincount(dataset.splits[split].labels, minlength=len(dataset.classes))
    return dict(zip(dataset.classes, counts.tolist(), strict=True))


def pixel_drift(base: Dataset, new: Dataset, split: str) -> dict[str, PixelDrift]:
    """Compare the images of a split by the properties that both sides have; nothing where a side has no row."""
    sides = [it.splits[split].images for it in (base, new)]
    if not all(map(len, sides)):
        return {}
    one, other = map(properties, sides)
    return {name: _compare(values, other[name]) for name, values in one.items() if name in other}


def _compare(base: NDArray[np.float64], new: NDArray[np.float64]) -> PixelDrift:
    from scipy.stats import ks_2samp  # noqa: PLC0415 - as above

    found = ks_2samp(base, new, method="asymp")
    freedom = max(1, len(base) + len(new) - 2)
    pooled = np.sqrt((base.var() * len(base) + new.var() * len(new)) / freedom)
    return PixelDrift(
        base_mean=float(base.mean()),
        new_mean=float(new.mean()),
        ks_distance=float(found.statistic),
        p_value=float(found.pvalue),
        cohens_d=float((new.mean() - base.mean()) / pooled) if pooled else None,
    )
