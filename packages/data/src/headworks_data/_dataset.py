"""A dataset in memory: three splits of labelled images."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from headworks_data.errors import DatasetInvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

SPLITS = ("train", "validation", "test")
COLUMNS = ("id", "image", "label")
CHANNELS = (1, 3)
MOST_VALUES = 2**31 - 1  # of an image: as many as a column of Parquet holds in a row


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


def is_shape(shape: Sequence[int]) -> bool:
    """Tell whether (H, W, C) is the shape of an image that can be stored."""
    return len(shape) == len("HWC") and min(shape) >= 1 and math.prod(shape) <= MOST_VALUES


def require(condition: bool, message: str) -> None:  # noqa: FBT001 - a condition and its message read best in order
    """Raise DatasetInvalidError with a message unless a condition holds."""
    if not condition:
        raise DatasetInvalidError(message)


def is_text(value: str) -> bool:
    """Tell whether a string can be written down: bytes of a file's name that are not UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """The rows of one split.

    Attributes:
        ids: Content hash of each image, (N,), as `content_ids` gives it.
        images: Pixels, uint8 of shape (N, H, W, C), where C is 1 (grey) or 3 (red, green, blue).
        labels: Index of the class of each row, int64 of shape (N,).
        slices: Columns that group rows for evaluation: name to (N,) strings.
    """

    ids: NDArray[np.str_]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    slices: Mapping[str, NDArray[np.str_]]

    def __post_init__(self) -> None:
        """Refuse columns of another type or length."""
        require_images(self.images)
        _require_column("ids", self.ids, "U", len(self))
        require_label_column(self.labels, len(self))
        for name, values in self.slices.items():
            require(bool(name) and name not in COLUMNS and is_text(name), f"a slice cannot be called {name!r}")
            _require_column(f"slice {name!r}", values, "U", len(self))
            require(is_text("".join(np.unique(values).tolist())), f"slice {name!r} must hold text, not other bytes")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.images)

    def order(self) -> NDArray[np.intp]:
        """Return the order in which rows are stored: by id, then label, then slices."""
        return np.lexsort([*reversed(list(self.slices.values())), self.labels, self.ids])

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Split:
        """Return some of the rows.

        Args:
            rows: Their numbers in the order wanted, or a mask of all rows, (N,).
        """
        slices = {name: values[rows] for name, values in self.slices.items()}
        return Split(ids=self.ids[rows], images=self.images[rows], labels=self.labels[rows], slices=slices)

    def records(self) -> Iterator[list[Any]]:
        """Yield id, label and slices of each row in stored order."""
        order = self.order()
        columns = [self.ids, self.labels, *self.slices.values()]
        return map(list, zip(*(column[order].tolist() for column in columns), strict=True))


def require_images(images: object) -> None:
    """Refuse anything but an array of images, uint8 of shape (N, H, W, C)."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        message = "images must be an array of uint8"
        raise DatasetInvalidError(message)
    fits = images.ndim == len("NHWC") and min(images.shape[1:]) > 0 and images.shape[3] in CHANNELS
    require(fits, f"images must have shape (N, H, W, C) with C 1 or 3, not {images.shape}")


def require_label_column(labels: NDArray[np.int64], num_rows: int) -> None:
    """Refuse anything but an array of int64 of shape (N,)."""
    _require_column("labels", labels, "i", num_rows)
    require(labels.dtype == np.int64, f"labels must be int64, not {labels.dtype}")


def require_labels(labels: NDArray[np.int64], num_classes: int, where: str) -> None:
    """Refuse labels that are not the index of a class."""
    known = (labels >= 0) & (labels < num_classes)
    require(bool(known.all()), f"{where} has a label outside 0..{num_classes - 1}")


def _require_column(name: str, values: object, kind: str, length: int) -> None:
    kinds = {"U": "strings", "i": "integers"}
    fits = isinstance(values, np.ndarray) and values.dtype.kind == kind and values.shape == (length,)
    require(fits, f"{name} must be an array of {length} {kinds[kind]}, one for each image")


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labelled images in three splits, and their origin.

    Attributes:
        classes: Names of the classes; a label is an index into them.
        image_shape: (H, W, C) of every image.
        source: Name of the source of the rows.
        salt: Text that was hashed with the content of each row to choose its split.
        splits: The rows of each split of `SPLITS`.
        digest: SHA-256 over all rows and the classes. Computed when left out, verified when given.
    """

    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    source: str
    salt: str
    splits: Mapping[str, Split]
    digest: str = ""

    def __post_init__(self) -> None:
        """Refuse splits that do not match, and a digest of other rows."""
        require(tuple(self.splits) == SPLITS, f"splits must be {', '.join(SPLITS)}, in this order")
        require(len(set(self.classes)) == len(self.classes) > 0, "classes must be names, each given once")
        require(is_text("".join(self.classes)), f"classes must be text, not other bytes: {self.classes}")
        for name, split in self.splits.items():
            self._require_split(name, split)
        digest = _rows_digest(self)
        require(self.digest in {"", digest}, f"the rows have digest {digest}, not {self.digest} as stated")
        object.__setattr__(self, "digest", digest)

    def _require_split(self, name: str, split: Split) -> None:
        shape = split.images.shape[1:]
        require(shape == self.image_shape, f"images of {name} have shape {shape}, not {self.image_shape}")
        require_labels(split.labels, len(self.classes), name)
        require(
            list(split.slices) == self.slices, f"{name} must have the slices {', '.join(self.slices)}, in this order"
        )

    @property
    def slices(self) -> list[str]:
        """Names of the slice columns, the same in every split."""
        return list(self.splits[SPLITS[0]].slices)


def _rows_digest(dataset: Dataset) -> str:
    """Return SHA-256 over a line of JSON for the header and one for each row in stored order."""
    header = ["headworks-data 1", dataset.classes, dataset.image_shape, dataset.slices]
    digest = hashlib.sha256(json.dumps(header).encode())
    for name, split in dataset.splits.items():
        for record in split.records():
            digest.update(b"\n" + json.dumps([name, *record]).encode())
    return digest.hexdigest()


def verify_ids(dataset: Dataset) -> None:
    """Raise DatasetInvalidError unless every id is the content hash of its image."""
    for name, split in dataset.splits.items():
        wrong = split.ids[content_ids(split.images) != split.ids]
        require(
            not wrong.size, f"{wrong.size} ids of {name} are not the content of their image, as {wrong[:1].tolist()}"
        )
