"""The id of a row: a hash of its image, and of nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ID_LENGTH = hashlib.sha256().digest_size * 2


def content_ids(images: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Return the content hash of every image.

    The hash is SHA-256 over the line ``H,W,C`` and the pixels in row-major order. The label is no part of it, so that
    one image always has one id.

    Args:
        images: Pixels, uint8 of shape (N, H, W, C).

    Returns:
        N strings of 64 hexadecimal digits.
    """
    head = hashlib.sha256(",".join(map(str, images.shape[1:])).encode() + b"\n")
    return np.array([_digest(head.copy(), image) for image in images], dtype=np.str_)


def _digest(head: hashlib._Hash, image: NDArray[np.uint8]) -> str:
    head.update(np.ascontiguousarray(image).data)
    return head.hexdigest()
