"""A perceptual hash: images that look alike differ in few of its bits.

Source: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1: the low
frequencies of the cosine transform of the image at 32 by 32, each compared with their median. The constant one is left
out, so that brightness has no say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from headworks_data._progress import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

HASH_BITS = 63
SIDE, FREQUENCIES = 32, 8
# Digits of a coefficient that count: what is less is the rounding of the transform, not the image.
DECIMALS = 3


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
