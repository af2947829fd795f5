"""What an image of any shape can be described by: a few numbers whose distribution shows that pixels have drifted.

They see another exposure, scale, blur, noise, position or tint. They do not see another picture of the same light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from headworks_data._progress import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLOURS = ("red", "green", "blue")
# Numbers in one block, 32 MiB of doubles.
BLOCK_NUMBERS = 2**22


def properties(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Return the properties of every image.

    - `brightness`: mean of all pixels, 0 to 255; for images in colour also `red`, `green` and `blue`.
    - `contrast`: standard deviation of the pixels (E. Peli, "Contrast in complex images", 1990, equation 2, in grey
      levels).
    - `sharpness`: mean difference between neighbours, the anisotropic total variation of a pixel (L. Rudin, S. Osher
      and E. Fatemi, "Nonlinear total variation based noise removal algorithms", 1992).
    - `centre_x`, `centre_y`: where the brightness has its centre, 0 left or top to 1, from the first moments (M.-K. Hu,
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
    found = {"brightness": means.mean(axis=1), "contrast": grey.std(axis=(1, 2)), "sharpness": _sharpness(grey)}
    found |= {"centre_x": _centre(grey.sum(axis=1)), "centre_y": _centre(grey.sum(axis=2))}
    if block.shape[3] == len(COLOURS):
        found |= {name: means[:, number] for number, name in enumerate(COLOURS)}
    return found


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
