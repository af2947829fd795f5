"""Near-duplicates across splits, by pixels and by perceptual hash."""

from __future__ import annotations

import io
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from headworks_data import NearDuplicates, content_ids, read_source
from headworks_data import _nearest as module
from headworks_data._nearest import between_splits, nearest, perceptual_hashes, prepare
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Crop = tuple[int, int, int, int]


@pytest.mark.parametrize(
    ("shape", "measure", "distance"),
    [((8, 8, 1), "pixels", 8.0), ((31, 200, 3), "pixels", 8.0), ((32, 32, 3), "hash", 8.0)],
)
def test_the_measure_fits_the_size_of_the_images(shape: tuple[int, ...], measure: str, distance: float) -> None:
    """Small images are compared by their pixels, unless another measure is asked for."""
    assert (NearDuplicates().measure_for(shape), NearDuplicates().distance_for(shape)) == (measure, distance)
    assert NearDuplicates(measure="hash").measure_for(shape) == "hash"
    assert NearDuplicates(distance=2.5).distance_for(shape) == 2.5


@settings(max_examples=25)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2**32 - 1), st.sampled_from([(3, 2, 1), (2, 2, 3)]))
def test_the_nearest_row_is_the_one_that_all_comparisons_give(
    num_rows: int, num_others: int, seed: int, shape: tuple[int, int, int]
) -> None:
    """Also over several blocks, and with rows that are in both splits, which are no near-duplicates."""
    rng = np.random.default_rng(seed)
    rows, others = (rng.integers(0, 4, (number, *shape), np.uint8) for number in (num_rows, num_others))
    rows[: min(num_rows, num_others) // 3] = others[: min(num_rows, num_others) // 3]
    ids = content_ids(rows), content_ids(others)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ROWS", 4)
        found = nearest("pixels", ids, (prepare(rows, "pixels"), prepare(others, "pixels")))
    expected = {
        row_id: min(float(np.sqrt(np.square(row - it.astype(float)).mean())) for it in others)
        for row_id, row in zip(ids[0].tolist(), rows.astype(float), strict=True)
        if num_others and row_id not in ids[1]
    }
    assert dict(zip(found.ids.tolist(), found.distances.tolist(), strict=True)) == pytest.approx(expected)
    images = dict(zip(ids[1].tolist(), others, strict=True))
    for row_id, other, distance in zip(found.ids.tolist(), found.others.tolist(), found.distances, strict=True):
        row = rows[ids[0].tolist().index(row_id)].astype(float)
        assert np.sqrt(np.square(row - images[other]).mean()) == pytest.approx(distance)


def test_the_closest_come_first() -> None:
    """What is within a distance is sorted by it."""
    images = np.array([10, 30, 11, 90, 28], np.uint8).reshape(-1, 1, 1, 1)
    ids = content_ids(images)
    split_ids, split_images = {"train": ids[:2], "test": ids[2:]}, {"train": images[:2], "test": images[2:]}
    near = between_splits(split_ids, split_images, "pixels")["train", "test"].within(2.0)
    assert near.ids.tolist() == ids[[2, 4]].tolist()
    assert near.others.tolist() == ids[[0, 1]].tolist()
    assert near.distances.tolist() == [1.0, 2.0]


def crops(count: int) -> tuple[list[Image.Image], list[Crop]]:
    """Return parts of the two photographs in scikit-learn at 64 by 64 pixels, and where they were cut out."""
    rng = np.random.default_rng(0)
    images, places = [], []
    for number, photograph in enumerate(load_sample_images().images):
        whole = Image.fromarray(photograph)
        for _ in range(count):
            side = int(rng.integers(96, 256))
            left, top = (int(rng.integers(0, length - side)) for length in whole.size)
            images.append(whole.crop((left, top, left + side, top + side)).resize((64, 64)))
            places.append((number, left, top, side))
    return images, places


def apart(one: Crop, other: Crop) -> bool:
    """Return whether two crops share no pixel."""
    beside = any(one[axis] + one[3] <= other[axis] or other[axis] + other[3] <= one[axis] for axis in (1, 2))
    return one[0] != other[0] or beside


def hashes(images: list[Image.Image]) -> NDArray[np.int64]:
    """Return the bits of the hash of each image."""
    return perceptual_hashes(np.stack([np.asarray(it) for it in images])).astype(np.int64)


def compressed(image: Image.Image) -> Image.Image:
    """Return an image after JPEG of low quality."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.open(file)


@pytest.mark.parametrize(
    "change",
    [
        compressed,
        lambda it: it.resize((32, 32)).resize((64, 64)),
        lambda it: Image.eval(it, lambda value: min(255, int(value * 1.1))),
        lambda it: it.crop((1, 1, 63, 63)).resize((64, 64)),
    ],
    ids=["compressed", "scaled", "brightened", "cropped"],
)
def test_the_hash_knows_a_photograph_again(change: Callable[[Image.Image], Image.Image]) -> None:
    """At least 90 in 100 copies are within the default distance, though nearly every pixel has changed."""
    images, _ = crops(50)
    distances = np.abs(hashes(images) - hashes([change(it) for it in images])).sum(axis=1)
    assert (distances <= module.DISTANCES["hash"]).mean() >= 0.9


def test_the_hash_tells_photographs_apart() -> None:
    """Of more than 3,000 pairs of parts that share no pixel, none is within the default distance."""
    images, places = crops(50)
    bits = hashes(images)
    pairs = [pair for pair in combinations(range(100), 2) if apart(places[pair[0]], places[pair[1]])]
    assert len(pairs) > 3000
    assert min(int(np.abs(bits[one] - bits[other]).sum()) for one, other in pairs) > module.DISTANCES["hash"]


def test_grey_images_and_none_have_hashes() -> None:
    """Colour is not needed, and images of one brightness have no bit set, whatever it is."""
    flat = np.full((2, 40, 50, 1), [[[[9]]], [[[200]]]], np.uint8)
    assert perceptual_hashes(flat).tolist() == [[0] * 63] * 2
    assert perceptual_hashes(flat[:0]).shape == (0, 63)


def test_the_hash_takes_different_digits_for_copies() -> None:
    """Why digits are compared by their pixels: by hash, hundreds of rows have a near-duplicate; by pixels, none."""
    images = read_source("digits").images
    ids = content_ids(images)
    split_ids, split_images = {"train": ids[:900], "test": ids[900:]}, {"train": images[:900], "test": images[900:]}
    found = {it: between_splits(split_ids, split_images, it)["train", "test"] for it in ("hash", "pixels")}
    assert len(found["hash"].within(8).ids) > 200
    assert found["pixels"].distances.min() > 8
