"""The nearest image in another split, by a measure that fits the data.

Small images are compared pixel by pixel: an 8 by 8 digit has too little detail for a perceptual hash, which takes the
sevens of different hands for one picture. Photographs are the opposite: a copy that was compressed or scaled again
differs in every pixel, but not in its hash.

The hash is that of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section
3.2.1: the low frequencies of the cosine transform of the image at 32 by 32, each compared with their median. The
constant one is left out, so that brightness has no influence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Annotated

import numpy as np
from headworks_data._progress import progress
from headworks_data._settings import Range, expect, validate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

HASH_BITS = 63
SIDE, FREQUENCIES = 32, 8
# Digits of a coefficient that count: smaller ones are rounding errors of the transform, not the image.
DECIMALS = 3
MEASURES = ("auto", "pixels", "hash")
# `auto` takes the hash where both sides are at least as long as the images that the hash scales to.
HASHED_FROM = SIDE
# A root mean square difference of 8 grey levels is a peak signal-to-noise ratio of 30 dB, 20 log10(255 / 8), hard to
# see. Of crops of two photographs, hashes of at most 8 bits apart told copies from others: `test_nearest.py` shows it.
DISTANCES = {"pixels": 8.0, "hash": 8.0}
# Numbers that one block of a comparison may hold, 64 MiB of doubles, and rows in one block.
BLOCK_NUMBERS, BLOCK_ROWS = 2**23, 2048


@dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """Limits for images of two splits that look alike.

    Attributes:
        measure: `pixels` (root mean square difference in grey levels, 0 to 255), `hash` (bits of the perceptual hash
            that differ, 0 to 63), or `auto`: the hash for images of at least 32 by 32 pixels.
        distance: Images that are no further apart than this are near-duplicates; 8, in either measure, if left out.
        max_rows: Most rows of a split that may have a near-duplicate in another one.
    """

    measure: str = "auto"
    distance: Annotated[float | None, Range(least=0, below=HASH_BITS)] = None
    max_rows: Annotated[int, Range(least=0)] = 0

    def __post_init__(self) -> None:
        """Refuse an unknown measure, and bounds that nothing could break."""
        validate(self)
        expect(self.measure in MEASURES, f"'measure' must be one of {', '.join(MEASURES)}, not {self.measure!r}")

    def measure_for(self, shape: tuple[int, ...]) -> str:
        """Return `pixels` or `hash`, for images of shape (H, W, C)."""
        fitting = "hash" if min(shape[:2]) >= HASHED_FROM else "pixels"
        return fitting if self.measure == "auto" else self.measure

    def distance_for(self, shape: tuple[int, ...]) -> float:
        """Return the largest distance of near-duplicates, in the measure for a shape."""
        return DISTANCES[self.measure_for(shape)] if self.distance is None else self.distance


@dataclass(frozen=True, kw_only=True, eq=False)
class Nearest:
    """For each row of one split, the nearest one of another.

    Attributes:
        ids: The rows, (N,), without exact copies of a row of the other split.
        others: The nearest row of the other split, (N,).
        distances: Distance of the two, (N,).
    """

    ids: NDArray[np.str_]
    others: NDArray[np.str_]
    distances: NDArray[np.float64]

    def within(self, distance: float) -> Nearest:
        """Return the rows within a distance of their nearest, the closest first."""
        order = np.argsort(self.distances, kind="stable")
        near = order[self.distances[order] <= distance]
        return Nearest(ids=self.ids[near], others=self.others[near], distances=self.distances[near])


def prepare(images: NDArray[np.uint8], measure: str) -> NDArray[np.uint8]:
    """Return the numbers that a measure compares: pixels, (N, H x W x C), or the bits of hashes, (N, 63)."""
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
        For each pair of splits, the earlier one first, the rows nearest to those of the later one.
    """
    values = {name: prepare(pixels, measure) for name, pixels in images.items()}
    return {
        (one, other): nearest(measure, (ids[other], ids[one]), (values[other], values[one]))
        for one, other in combinations(images, 2)
    }


def nearest(measure: str, ids: Sequence[NDArray[np.str_]], values: Sequence[NDArray[np.uint8]]) -> Nearest:
    """Find the nearest row of another split for each row of one.

    Args:
        measure: `pixels` or `hash`.
        ids: Content hashes of the rows of the one split, (N,), and of the other, (M,).
        values: Their images after `prepare`.
    """
    alone = np.flatnonzero(~np.isin(ids[0], ids[1])) if len(ids[1]) else np.array([], np.intp)
    step = _block_rows(values[0])
    blocks = [alone[start : start + step] for start in range(0, len(alone), step)]
    results = [_nearest(values[0][rows], values[1]) for rows in progress(blocks, "comparing images, block")]
    places = np.concatenate([np.array([], np.intp), *(place for place, _ in results)])
    squares = np.concatenate([np.array([], np.float64), *(square for _, square in results)])
    # Squares of differing bits add up to their number.
    distances = squares if measure == "hash" else np.sqrt(squares / values[0].shape[1])
    return Nearest(ids=ids[0][alone], others=ids[1][places], distances=distances)


def _block_rows(values: NDArray[np.uint8]) -> int:
    return max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // int(values.shape[1])))


def _nearest(block: NDArray[np.uint8], others: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return place and squared difference of the nearest other image for each of a block, the first of equals."""
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
    """Return the sum of squared differences of each pair, in doubles, which are exact for bytes on every machine."""
    one, other = some.astype(np.float64), others.astype(np.float64)
    sums = np.square(one).sum(axis=1)[:, np.newaxis] + np.square(other).sum(axis=1)[np.newaxis]
    squares: NDArray[np.float64] = sums - 2 * (one @ other.T)
    return squares


def perceptual_hashes(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the bits of the hash of every image.

    Args:
        images: Pixels, uint8 of shape (N, H, W, C).

    Returns:
        Zeros and ones, uint8 of shape (N, 63).
    """
    bits = [_hash(images[row]) for row in progress(range(len(images)), "hashing images")]
    return np.array(bits, dtype=np.uint8).reshape(len(images), HASH_BITS)


def _hash(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    from PIL import Image  # noqa: PLC0415 - most comparisons need no hash, and so neither library
    from scipy.fft import dctn  # noqa: PLC0415 - as above

    grey = Image.fromarray(image.squeeze(axis=2) if image.shape[2] == 1 else image).convert("L")
    small = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)
    low = dctn(small, norm="ortho")[:FREQUENCIES, :FREQUENCIES].round(DECIMALS).reshape(-1)[1:]
    bits: NDArray[np.bool_] = low > np.median(low)
    return bits
