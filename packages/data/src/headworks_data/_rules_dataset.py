"""Rules of the contract for all splits together."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._dataset import SPLITS
from headworks_data._nearest import between_splits
from headworks_data._splits import assign
from headworks_data._violation import Violation, about_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headworks_data._contract import Contract
    from headworks_data._nearest import NearDuplicates
    from headworks_data._rules_split import Columns

_SEEN = "remove the copies: the model would be judged on rows that it has seen"


def shares(columns: Mapping[str, Columns], contract: Contract) -> Iterator[Violation]:
    """Judge the share of the rows in each split."""
    total = sum(len(split.ids) for split in columns.values())
    if len(columns) < len(SPLITS) or not total:
        return
    for name, split in columns.items():
        wanted, share = getattr(contract.shares, name), len(split.ids) / total
        if abs(share - wanted) > contract.share_tolerance:
            bounds = f"{wanted:.1%}, give or take {contract.share_tolerance:.1%}"
            what = f"it has {share:.1%} of the rows and must have {bounds}"
            remedy = "correct the shares of the build, or change the contract"
            yield Violation(rule="share", where=name, what=what, count=1, remedy=remedy)


def shared_content(columns: Mapping[str, Columns]) -> Iterator[Violation]:
    """Find images that are in two splits, by their content: a wrong id must not hide a copy."""
    what = "images are in both splits"
    for one, other in combinations(columns, 2):
        shared = np.intersect1d(columns[one].hashes, columns[other].hashes)
        yield from about_rows("leak", f"{one} and {other}", shared, what, _SEEN)


def near_duplicates(columns: Mapping[str, Columns], limits: NearDuplicates) -> Iterator[Violation]:
    """Find rows that look like a row of an earlier split."""
    if not columns:
        return
    shape = next(iter(columns.values())).images.shape[1:]
    measure, distance = limits.measure_for(shape), limits.distance_for(shape)
    hashes = {name: split.hashes for name, split in columns.items()}
    images = {name: split.images for name, split in columns.items()}
    for (one, other), nearest in between_splits(hashes, images, measure).items():
        near = nearest.within(distance)
        if len(near.ids) > limits.max_rows:
            what = f"rows have a near-duplicate in {one} by {measure}, the closest {near.others[0]} at "
            what += f"{near.distances[0]:.3g}, where {distance:g} is too close"
            yield from about_rows("near-duplicate", f"{one} and {other}", near.ids, what, _SEEN)


def conflicts(columns: Mapping[str, Columns]) -> Iterator[Violation]:
    """Find images that have two labels."""
    labels: defaultdict[str, set[int]] = defaultdict(set)
    for split in columns.values():
        for row, label in zip(split.hashes.tolist(), split.labels.tolist(), strict=True):
            labels[row].add(label)
    torn = sorted(row for row, given in labels.items() if len(given) > 1)
    what, remedy = "images have two different labels", "decide which label is right, in the source"
    yield from about_rows("conflict", "all", torn, what, remedy)


def moved(columns: Mapping[str, Columns], salt: str, contract: Contract) -> Iterator[Violation]:
    """Find rows outside of the split that their content gives them."""
    what = "rows belong to another split by their content"
    remedy = "build the dataset again, with the contract's shares"
    for name, split in columns.items():
        stray = np.delete(split.hashes, assign(split.hashes, salt=salt, shares=contract.shares)[name])
        yield from about_rows("moved", name, stray, what, remedy)
