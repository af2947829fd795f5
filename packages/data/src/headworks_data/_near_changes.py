"""Near-duplicates across splits that are new in a dataset; an exact copy is the nearest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._nearest import Nearest, between_splits
from headworks_data._violation import MAX_ROWS_SHOWN

if TYPE_CHECKING:
    from headworks_data._dataset import Dataset
    from headworks_data._nearest import NearDuplicates
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class NearPair:
    """A row, and the nearest one in an earlier split.

    Attributes:
        splits: The earlier split, and that of the row.
        rows: Ids of the nearest row and of the row, in this order.
        distance: Distance of the two: grey levels (`pixels`) or bits (`hash`).
    """

    splits: tuple[str, str]
    rows: tuple[str, str]
    distance: float


@dataclass(frozen=True, kw_only=True)
class NearAdded:
    """Rows that newly have a near-duplicate.

    Attributes:
        count: Number of rows.
        pairs: Up to five, the closest first.
    """

    count: int
    pairs: tuple[NearPair, ...]


@dataclass(frozen=True, kw_only=True)
class NearChanges:
    """Near-duplicates across splits on both sides.

    Attributes:
        measure: Measure for images of the new dataset: `pixels` or `hash`.
        distance: Largest distance of near-duplicates.
        base: Number of rows of the base with a near-duplicate or exact copy in an earlier split, once for each split.
        new: The same for the new dataset.
        added: Rows without one in the base.
        closest: The closest pair in the new dataset, near-duplicates or not; None where there is no pair.
    """

    measure: str
    distance: float
    base: int
    new: int
    added: NearAdded
    closest: NearPair | None


def near_changes(base: Dataset, new: Dataset, settings: NearDuplicates) -> NearChanges:
    """Compare the near-duplicates of two datasets."""
    nearest = _nearest(new, settings)
    before = nearest if base.digest == new.digest else _nearest(base, settings)
    old = _pairs(before, settings.distance_for(base.image_shape))
    now = _pairs(nearest, settings.distance_for(new.image_shape))
    known = {(pair.splits, pair.rows[1]) for pair in old}
    added = [pair for pair in now if (pair.splits, pair.rows[1]) not in known]
    return NearChanges(
        measure=settings.measure_for(new.image_shape),
        distance=settings.distance_for(new.image_shape),
        base=len(old),
        new=len(now),
        added=NearAdded(count=len(added), pairs=tuple(added[:MAX_ROWS_SHOWN])),
        closest=next(iter(_pairs(nearest, math.inf)), None),
    )


def _nearest(dataset: Dataset, settings: NearDuplicates) -> list[tuple[tuple[str, str], Nearest]]:
    """Return the nearest row in every earlier split for each row of a later one, exact copies among them."""
    ids = {name: split.ids for name, split in dataset.splits.items()}
    images = {name: split.images for name, split in dataset.splits.items()}
    nearest = between_splits(ids, images, settings.measure_for(dataset.image_shape))
    copies = ((splits, _copies(ids[splits[0]], ids[splits[1]])) for splits in nearest)
    return [*nearest.items(), *copies]


def _copies(earlier: NDArray[np.str_], later: NDArray[np.str_]) -> Nearest:
    """Return the rows of the later split whose image is also in the earlier one."""
    both = later[np.isin(later, earlier)]
    return Nearest(ids=both, others=both, distances=np.zeros(len(both)))


def _pairs(nearest_rows: list[tuple[tuple[str, str], Nearest]], distance: float) -> list[NearPair]:
    """Return all pairs within a distance, the closest first."""
    pairs = []
    for splits, nearest in nearest_rows:
        near = nearest.within(distance)
        rows = zip(near.others.tolist(), near.ids.tolist(), strict=True)
        distances = near.distances.tolist()
        pairs += [NearPair(splits=splits, rows=pair, distance=far) for pair, far in zip(rows, distances, strict=True)]
    return sorted(pairs, key=lambda pair: (pair.distance, pair.splits, pair.rows))
