"""dataset.json: the content of a dataset, for people and for checks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from headworks_data._advice import advice
from headworks_data._dataset import SPLITS, is_shape, require
from headworks_data.errors import DatasetInvalidError, DatasetMissingError

if TYPE_CHECKING:
    from pathlib import Path

    from headworks_data._dataset import Dataset, Split
    from numpy.typing import NDArray

SUMMARY = "dataset.json"
FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The content of dataset.json except for the counts.

    Attributes:
        classes: Names of the classes.
        image_shape: (H, W, C) of every image.
        source: Name of the source.
        salt: Salt of the splits.
        slices: Names of the slice columns.
        digest: SHA-256 over all rows and the classes.
        raw: The whole document.
    """

    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    source: str
    salt: str
    slices: tuple[str, ...]
    digest: str
    raw: dict[str, Any]


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return the content of dataset.json for a dataset."""
    return {
        "format": FORMAT,
        "source": dataset.source,
        "salt": dataset.salt,
        "digest": dataset.digest,
        "classes": list(dataset.classes),
        "image_shape": list(dataset.image_shape),
        "slices": dataset.slices,
        "splits": {name: _count(split, len(dataset.classes)) for name, split in dataset.splits.items()},
        "schema": schema_text(dataset.image_shape, dataset.slices),
    }


def _count(split: Split, num_classes: int) -> dict[str, Any]:
    counts = np.bincount(split.labels, minlength=num_classes)
    labels = {str(label): count for label, count in enumerate(counts.tolist())}
    return {"rows": len(split), "labels": labels, "pixel_means": pixel_means(split.images)}


def pixel_means(images: NDArray[np.uint8]) -> list[float]:
    """Return the mean of the pixels in each channel, the same on every machine; an empty list without images."""
    # Sums of integers are exact in any order.
    sums: list[int] = images.sum(axis=(0, 1, 2), dtype=np.int64).tolist()
    return [total / (images.size // len(sums)) for total in sums] if len(images) else []


def schema_text(shape: tuple[int, int, int], slices: list[str]) -> dict[str, str]:
    """Return the name and type of every column, in words of this package, which no library's version changes."""
    image = f"fixed_shape_tensor<uint8>[{', '.join(map(str, shape))}]"
    return {"id": "string", "image": image, "label": "int64"} | dict.fromkeys(slices, "string")


def write_summary(path: Path, dataset: Dataset) -> None:
    """Write dataset.json."""
    path.write_text(json.dumps(describe(dataset), indent=2) + "\n", encoding="utf-8", newline="\n")


def read_summary(folder: Path) -> Summary:
    """Read dataset.json of a folder.

    Raises:
        DatasetMissingError: There is none.
        DatasetInvalidError: It cannot be read or lacks a value.
    """
    path = folder / SUMMARY
    try:
        raw = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        message = f"there is no dataset in {folder}: {SUMMARY} is missing; build it with: "
        raise DatasetMissingError(message + f"python -m headworks_data build {folder}") from error
    except (OSError, ValueError, RecursionError) as error:
        message = f"cannot read {path}: {error}; {advice(error, 'build the dataset again')}"
        raise DatasetInvalidError(message) from error
    try:
        return _parse(raw)
    except DatasetInvalidError as error:
        message = f"{path}: {error}; build the dataset again"
        raise DatasetInvalidError(message) from error


def _parse(raw: Any) -> Summary:  # noqa: ANN401 - whatever JSON can hold
    require(isinstance(raw, dict), "it must hold a table")
    require(raw.get("format") == FORMAT, f"'format' must be {FORMAT}, not {raw.get('format')!r}")
    for key in ("source", "salt", "digest"):
        require(isinstance(raw.get(key), str), f"'{key}' must be a string")
    for key, kind in {"classes": str, "slices": str, "image_shape": int}.items():
        values = raw.get(key)
        require(isinstance(values, list) and all(type(value) is kind for value in values), f"'{key}' must be a list")
    require(is_shape(raw["image_shape"]), "'image_shape' must be [H, W, C]")
    require(
        isinstance(raw.get("splits"), dict) and list(raw["splits"]) == list(SPLITS), "'splits' must name each split"
    )
    values = {key: tuple(raw[key]) for key in ("classes", "slices", "image_shape")}
    texts = {key: raw[key] for key in ("source", "salt", "digest")}
    return Summary(**values, **texts, raw=raw)
