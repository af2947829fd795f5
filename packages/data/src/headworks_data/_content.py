"""What identifies a row: its image, and nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

ID_LENGTH = hashlib.sha256().digest_size * 2


def content_ids(images: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Return the content hash of every image.

    The hash is SHA-256 over the line ``H,W,C`` and the pixels in row-major order. The label is no part of it, so that
    one image always has one id, whatever it is said to show.

    Args:
        images: Pixels, uint8 of shape (N, H, W, C).

    Returns:
        N strings of 64 hexadecimal digits.
    """
    head = hashlib.sha256(",".join(map(str, images.shape[1:])).encode() + b"\n")
    return strings(_digest(head.copy(), image) for image in images)


def _digest(head: hashlib._Hash, image: NDArray[np.uint8]) -> str:
    head.update(np.ascontiguousarray(image).data)
    return head.hexdigest()


def strings(values: Iterable[object]) -> NDArray[np.str_]:
    """Return values as a one-dimensional array of strings, also when there is none."""
    return np.array([str(value) for value in values], dtype=np.str_).reshape(-1)
