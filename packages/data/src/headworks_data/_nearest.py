"""The nearest image in another split, by a measure that fits the data.

Small images are compared pixel by pixel: an 8 by 8 digit has too little in it for a perceptual hash, which takes
different hands' sevens for one picture. For photographs it is the other way round: a copy that was compressed or scaled
again differs in every pixel, and not in its hash.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._expect import expect
from headworks_data._hash import HASH_BITS, perceptual_hashes
from headworks_data._progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MEASURES = ("auto", "pixels", "hash")
# `auto` takes the hash where both sides are at least this long, which is what the hash scales images to.
HASHED_FROM = 32
# A root mean square difference of 8 grey levels is a peak signal-to-noise ratio of 30 dB, 20 log10(255 / 8), hard to
# see. Of crops of two photographs, hashes of at most 8 bits apart told copies from others: `test_nearest.py` shows it.
DISTANCES = {"pixels": 8.0, "hash": 8.0}
# Numbers that one block of a comparison may hold, 64 MiB of doubles, and rows in one block.
BLOCK_NUMBERS, BLOCK_ROWS = 2**23, 2048


@dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """Which images of two splits are taken for the same picture, and how many are too many.

    Attributes:
        measure: `pixels` (root mean square difference in grey levels, 0 to 255), `hash` (bits of the perceptual hash
            that differ, 0 to 63), or `auto`: the hash for images of at least 32 by 32 pixels.
        distance: Images that are no further apart than this are near-duplicates; 8, in either measure, if left out.
        max_rows: How many rows of a split may have a near-duplicate in another one.
    """

    measure: str = "auto"
    distance: float | None = None
    max_rows: int = 0

    def __post_init__(self) -> None:
        """Refuse a measure that there is not, and bounds that nothing could break."""
        expect(self.measure in MEASURES, f"'measure' must be one of {', '.join(MEASURES)}, not {self.measure!r}")
        expect(self.distance is None or 0 <= self.distance < HASH_BITS, _DISTANCE.format(self.distance))
        expect(self.max_rows >= 0, f"'max_rows' must be 0 or more, not {self.max_rows}")

    def measure_for(self, shape: tuple[int, ...]) -> str:
        """Return `pixels` or `hash`, for images of shape (H, W, C)."""
        fitting = "hash" if min(shape[:2]) >= HASHED_FROM else "pixels"
        return fitting if self.measure == "auto" else self.measure

    def distance_for(self, shape: tuple[int, ...]) -> float:
        """Return how far near-duplicates may be apart, in the measure for a shape."""
        return DISTANCES[self.measure_for(shape)] if self.distance is None else self.distance


_DISTANCE = f"'distance' must be 0 or more and below {HASH_BITS}, not {{}}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Nearest:
    """For each row of one split, the nearest one of another.

    Attributes:
        ids: The rows, (N,). Rows whose very image is in the other split are left out: they are no near-duplicates.
        others: The nearest row of the other split, (N,).
        distances: How far apart they are, (N,).
    """

    ids: NDArray[np.str_]
    others: NDArray[np.str_]
    distances: NDArray[np.float64]

    def within(self, distance: float) -> Nearest:
        """Return those rows that are at most so far from their nearest, the closest first."""
        order = np.argsort(self.distances, kind="stable")
        near = order[self.distances[order] <= distance]
        return Nearest(ids=self.ids[near], others=self.others[near], distances=self.distances[near])


def prepare(images: NDArray[np.uint8], measure: str) -> NDArray[np.uint8]:
    """Return what a measure compares: the pixels of each image, (N, H x W x C), or the bits of its hash, (N, 63)."""
    if measure == "hash":
        return perceptual_hashes(images)
    return images.reshape(len(images), math.prod(images.shape[1:]))


def between_splits(
    ids: Mapping[str, NDArray[np.str_]], images: Mapping[str, NDArray[np.uint8]], measure: str
) -> dict[tuple[str, str], Nearest]:
    """Find the nearest row of every earlier split for each row of a later one.

    Args:
        ids: For each split the content hashes of its rows, (N,).
        images: For each split its images, uint8 of shape (N, H, W, C).
        measure: `pixels` or `hash`.

    Returns:
        For each pair of splits, the earlier one first, what is nearest to the rows of the later one.
    """
    values = {name: prepare(them, measure) for name, them in images.items()}
    pairs = combinations(images, 2)
    return {(one, it): nearest(measure, (ids[it], ids[one]), (values[it], values[one])) for one, it in pairs}


def nearest(measure: str, ids: Sequence[NDArray[np.str_]], values: Sequence[NDArray[np.uint8]]) -> Nearest:
    """Find the nearest row of another split for each row of one.

    Args:
        measure: `pixels` or `hash`.
        ids: Content hashes of the rows of the one split, (N,), and of the other, (M,).
        values: What `prepare` made of their images.
    """
    alone = np.flatnonzero(~np.isin(ids[0], ids[1])) if len(ids[1]) else np.array([], np.intp)
    step = _block_rows(values[0])
    blocks = [alone[start : start + step] for start in range(0, len(alone), step)]
    found = [_nearest(values[0][rows], values[1]) for rows in progress(blocks, "comparing images, block")]
    places = np.concatenate([np.array([], np.intp), *(place for place, _ in found)])
    squares = np.concatenate([np.array([], np.float64), *(square for _, square in found)])
    # Squares of differing bits add up to their number.
    distances = squares if measure == "hash" else np.sqrt(squares / values[0].shape[1])
    return Nearest(ids=ids[0][alone], others=ids[1][places], distances=distances)


def _block_rows(values: NDArray[np.uint8]) -> int:
    return max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // int(values.shape[1])))


def _nearest(block: NDArray[np.uint8], others: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return place and squared difference of the nearest other for each of a block, the first one of several."""
    places, best = np.zeros(len(block), np.intp), np.full(len(block), np.inf)
    step = _block_rows(others)
    for start in range(0, len(others), step):
        squares = _squares(block, others[start : start + step])
        place = squares.argmin(axis=1)
        least = squares[np.arange(len(block)), place]
        closer = least < best
        places[closer], best[closer] = place[closer] + start, least[closer]
    return places, best


def _squares(some: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the sum of squared differences of each pair; bytes as doubles, so that it is exact on every machine."""
    one, other = some.astype(np.float64), others.astype(np.float64)
    sums = np.square(one).sum(axis=1)[:, np.newaxis] + np.square(other).sum(axis=1)[np.newaxis]
    squares: NDArray[np.float64] = sums - 2 * (one @ other.T)
    return squares
