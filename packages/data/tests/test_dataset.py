"""Datasets in memory refuse what does not fit together."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from headworks_data import Dataset, Split, content_ids
from headworks_data.errors import DatasetInvalidError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_an_id_is_the_hash_of_shape_and_pixels() -> None:
    """The rule is simple enough to be computed by anybody, and is pinned here."""
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1)
    assert content_ids(image).tolist() == [hashlib.sha256(b"2,3,1\n" + bytes(range(6))).hexdigest()]


def test_equal_bytes_of_another_shape_have_another_id() -> None:
    """A wide image is not a tall one."""
    image = np.zeros((1, 2, 3, 1), np.uint8)
    assert content_ids(image) != content_ids(image.reshape(1, 3, 2, 1))


def test_an_id_does_not_depend_on_the_layout_in_memory() -> None:
    """A transposed view hashes like its contiguous copy."""
    view = np.arange(24, dtype=np.uint8).reshape(1, 4, 6, 1).transpose(0, 2, 1, 3)
    assert content_ids(view).tolist() == content_ids(np.ascontiguousarray(view)).tolist()


def test_no_images_have_no_ids() -> None:
    """An empty split is an ordinary one."""
    assert content_ids(np.zeros((0, 2, 3, 1), np.uint8)).shape == (0,)


def test_the_digest_does_not_depend_on_the_order_of_rows(small: Dataset) -> None:
    """Rows are a set: files store them by id."""
    train = small.splits["train"]
    back = Split(
        ids=train.ids[::-1],
        images=train.images[::-1],
        labels=train.labels[::-1],
        slices={name: values[::-1] for name, values in train.slices.items()},
    )
    assert dataclasses.replace(small, splits={**small.splits, "train": back}).digest == small.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {"classes": ("dog", "cat")},
        lambda it: {
            "splits": dict(zip(it.splits, [it.splits[name] for name in ("test", "validation", "train")], strict=True))
        },
        lambda it: {
            "splits": {**it.splits, "test": dataclasses.replace(it.splits["test"], labels=np.zeros(4, np.int64))}
        },
        lambda it: {
            "splits": {
                **it.splits,
                "test": dataclasses.replace(it.splits["test"], slices={"class": np.array(["a"] * 4)}),
            }
        },
    ],
)
def test_the_digest_covers_rows_and_classes(small: Dataset, change: Callable[[Dataset], dict[str, Any]]) -> None:
    """Any other class, split, label or slice gives another digest."""
    assert dataclasses.replace(small, **change(small), digest="").digest != small.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((8, 4, 3, 1))}, "array of uint8"),
        ({"images": [[1]]}, "array of uint8"),
        ({"images": np.zeros((8, 4, 3), np.uint8)}, r"shape \(N, H, W, C\) with C 1 or 3, not \(8, 4, 3\)"),
        ({"images": np.zeros((8, 4, 3, 2), np.uint8)}, "C 1 or 3"),
        ({"images": np.zeros((8, 0, 3, 1), np.uint8)}, "shape"),
        ({"ids": np.array(["a"])}, "ids must be an array of 8 strings"),
        ({"ids": list("abcdefgh")}, "ids must be an array of 8 strings"),
        ({"labels": np.zeros(8)}, "labels must be an array of 8 integers"),
        ({"labels": np.zeros(8, np.int32)}, "labels must be int64, not int32"),
        ({"slices": {"label": np.array(["a"] * 8)}}, "a slice cannot be called 'label'"),
        ({"slices": {"": np.array(["a"] * 8)}}, "a slice cannot be called ''"),
        ({"slices": {"size": np.zeros(8)}}, "slice 'size' must be an array of 8 strings"),
    ],
)
def test_a_split_refuses_a_wrong_column(small: Dataset, change: dict[str, Any], message: str) -> None:
    """A split that exists is well-formed, and the message names the column."""
    with pytest.raises(DatasetInvalidError, match=message):
        dataclasses.replace(small.splits["train"], **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"splits": {}}, "splits must be train, validation, test"),
        ({"classes": ()}, "classes must be names"),
        ({"classes": ("cat", "cat")}, "classes must be names"),
        ({"classes": ("cat",)}, r"train has a label outside 0\.\.0"),
        ({"image_shape": (3, 4, 1)}, r"images of train have shape \(4, 3, 1\), not \(3, 4, 1\)"),
        ({"digest": "0"}, "not 0 as stated"),
    ],
)
def test_a_dataset_refuses_what_does_not_fit(small: Dataset, change: dict[str, Any], message: str) -> None:
    """A dataset that exists agrees with itself."""
    with pytest.raises(DatasetInvalidError, match=message):
        dataclasses.replace(small, **change)


def test_a_dataset_refuses_different_slices(small: Dataset) -> None:
    """Every split has the same slice columns."""
    bare = dataclasses.replace(small.splits["test"], slices={})
    with pytest.raises(DatasetInvalidError, match="test must have the slices class"):
        dataclasses.replace(small, splits={**small.splits, "test": bare})
