"""The handwritten digits in the scikit-learn wheel: 1,797 real ones, 8 by 8 pixels, nothing to download.

They are the test part of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998.
"""

from __future__ import annotations

import numpy as np
from headworks_data._source import Rows
from headworks_data.errors import SourceError

# A pixel is the number of inked points in a block of 4 by 4, scaled here to the range of a byte.
FULL_INK = 16
# Mean brightness between thin and medium, and between medium and thick strokes. It is fixed, at about the thirds of
# the digits, so that added or removed rows change the slice of no other row.
STROKES = (73.0, 82.0)
STROKE_NAMES = np.array(["thin", "medium", "thick"])


def read(argument: str) -> Rows:
    """Return the digits, with their stroke weight as a slice."""
    if argument:
        message = f"the source 'digits' takes no argument, and got {argument!r}: leave out the colon and what follows"
        raise SourceError(message)
    from sklearn.datasets import load_digits  # noqa: PLC0415 - it takes a second, and only this function needs it

    digits = load_digits()
    images = np.rint(digits.images * (255 / FULL_INK)).astype(np.uint8)[..., np.newaxis]
    strokes = STROKE_NAMES[np.searchsorted(STROKES, images.mean(axis=(1, 2, 3)), side="right")]
    classes = tuple(str(name) for name in digits.target_names)
    return Rows(images=images, labels=digits.target.astype(np.int64), classes=classes, slices={"stroke": strokes})
