"""Which near-duplicates across splits a dataset has that another one does not have; an exact copy is the nearest."""

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
        distance: How far apart they are: grey levels (`pixels`) or bits (`hash`).
    """

    splits: tuple[str, str]
    rows: tuple[str, str]
    distance: float


@dataclass(frozen=True, kw_only=True)
class NearAdded:
    """Rows that newly have a near-duplicate.

    Attributes:
        count: How many.
        pairs: Up to five, the closest first.
    """

    count: int
    pairs: tuple[NearPair, ...]


@dataclass(frozen=True, kw_only=True)
class NearChanges:
    """Near-duplicates across splits on both sides.

    Attributes:
        measure: How images of the new dataset are compared: `pixels` or `hash`.
        distance: How far apart near-duplicates may be.
        base: How many rows of the base have a near-duplicate or an exact copy in an earlier split, once for each.
        new: How many rows of the new dataset have one.
        added: Those that have none in the base.
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
    found = _nearest(new, settings)
    before = found if base.digest == new.digest else _nearest(base, settings)
    old = _pairs(before, settings.distance_for(base.image_shape))
    now = _pairs(found, settings.distance_for(new.image_shape))
    known = {(pair.splits, pair.rows[1]) for pair in old}
    added = [pair for pair in now if (pair.splits, pair.rows[1]) not in known]
    return NearChanges(
        measure=settings.measure_for(new.image_shape),
        distance=settings.distance_for(new.image_shape),
        base=len(old),
        new=len(now),
        added=NearAdded(count=len(added), pairs=tuple(added[:MAX_ROWS_SHOWN])),
        closest=next(iter(_pairs(found, math.inf)), None),
    )


def _nearest(dataset: Dataset, settings: NearDuplicates) -> list[tuple[tuple[str, str], Nearest]]:
    """Return what is nearest to each row of a later split in every earlier one, exact copies among it."""
    ids = {name: split.ids for name, split in dataset.splits.items()}
    images = {name: split.images for name, split in dataset.splits.items()}
    found = between_splits(ids, images, settings.measure_for(dataset.image_shape))
    copies = ((splits, _copies(ids[splits[0]], ids[splits[1]])) for splits in found)
    return [*found.items(), *copies]


def _copies(earlier: NDArray[np.str_], later: NDArray[np.str_]) -> Nearest:
    """Return the rows of the later split whose very image is in the earlier one."""
    both = later[np.isin(later, earlier)]
    return Nearest(ids=both, others=both, distances=np.zeros(len(both)))


def _pairs(found: list[tuple[tuple[str, str], Nearest]], distance: float) -> list[NearPair]:
    """Return all pairs that are at most so far apart, the closest first."""
    pairs = []
    for splits, nearest in found:
        near = nearest.within(distance)
        columns = near.others.tolist(), near.ids.tolist(), near.distances.tolist()
        pairs += [NearPair(splits=splits, rows=(one, it), distance=far) for one, it, far in zip(*columns, strict=True)]
    return sorted(pairs, key=lambda pair: (pair.distance, pair.splits, pair.rows))
