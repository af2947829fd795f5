"""Folds: like splits, a function of each row's content and the salt, and of nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from headworks_data import SPLITS, Dataset, Split
from headworks_model.errors import ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUM_FOLDS = 5
FEWEST = 2
"""Rows of a fold, as many as an evaluation needs of a test split."""


def fold_numbers(ids: NDArray[np.str_], *, salt: str) -> NDArray[np.int64]:
    """Return the fold of every row, from 0: SHA-256 over the word fold, salt and id, modulo the number of folds.

    No other row has a say, so that adding or removing rows never moves one between folds; an image that occurs twice is
    in one fold both times. The price is that folds are of nearly equal size only.

    Args:
        ids: Content hash of each row, (N,).
        salt: The one of the dataset; the word in front keeps folds apart from splits.
    """
    digests = (hashlib.sha256(f"fold\n{salt}\n{it}".encode()).digest() for it in ids)
    return np.array([int.from_bytes(it, "big") % NUM_FOLDS for it in digests], dtype=np.int64)


def joined(splits: list[Split]) -> Split:
    """Return the rows of several splits as one."""
    columns = {name: np.concatenate([getattr(it, name) for it in splits]) for name in ("ids", "images", "labels")}
    slices = {name: np.concatenate([it.slices[name] for it in splits]) for name in splits[0].slices}
    return Split(**columns, slices=slices)


def chosen(split: Split, rows: NDArray[np.bool_]) -> Split:
    """Return the rows of a split that a mask, (N,), marks."""
    columns = {name: getattr(split, name)[rows] for name in ("ids", "images", "labels")}
    return Split(**columns, slices={name: values[rows] for name, values in split.slices.items()})


def fold_datasets(dataset: Dataset) -> list[Dataset]:
    """Return a dataset for each fold: it is the test split, the next one the validation split, the rest is learnt.

    That gives the shares of the committed splits, so that each network is trained like the one that is exported.

    Raises:
        ShapeError: A fold would have less than 2 rows.
    """
    rows = joined(list(dataset.splits.values()))
    folds = fold_numbers(rows.ids, salt=dataset.salt)
    sizes = np.bincount(folds, minlength=NUM_FOLDS)
    if sizes.min() < FEWEST:
        message = (
            f"fold {sizes.argmin()} has {sizes.min()} row(s), at least {FEWEST} are needed: build a larger dataset."
        )
        raise ShapeError(message)
    found = []
    for fold in range(NUM_FOLDS):
        masks = {"test": folds == fold, "validation": folds == (fold + 1) % NUM_FOLDS}
        masks["train"] = ~(masks["test"] | masks["validation"])
        splits = {name: chosen(rows, masks[name]) for name in SPLITS}
        about = {name: getattr(dataset, name) for name in ("classes", "image_shape", "source", "salt")}
        found.append(Dataset(**about, splits=splits))
    return found
