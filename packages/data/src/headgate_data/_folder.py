"""A folder of images, with one folder inside for each class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from headgate_data._progress import progress
from headgate_data._source import Rows
from headgate_data.errors import SourceError
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Grey stays grey, everything else becomes red, green and blue.
GREY_MODES = frozenset({"1", "L", "LA"})
# Deeper than a byte: to squeeze such pixels in is a decision that the owner of the data has to take.
DEEP_MODES = frozenset({"F", "I", "I;16", "I;16B", "I;16L"})


def read(argument: str) -> Rows:
    """Return the images of a folder; the name of the folder that an image lies in is its class.

    Hidden files and folders are passed over, and so are files beside the class folders. Links are followed.

    Args:
        argument: The path of the folder.

    Raises:
        SourceError: There is no such folder, no class, an empty class, or an image that is unreadable, of another
            size than the first one, or deeper than a byte.
    """
    root = Path(argument)
    if not argument or not root.is_dir():
        message = f"there is no folder {argument!r}: name an existing one as folder:PATH"
        raise SourceError(message)
    folders = [path for path in _visible(root) if path.is_dir()]
    if not folders:
        message = f"{root} holds no folder: put the images of each class into a folder of its own there"
        raise SourceError(message)
    files = [(path, label) for label, folder in enumerate(folders) for path in _images(folder)]
    images = _stack([path for path, _ in files])
    labels = np.array([label for _, label in files], dtype=np.int64)
    return Rows(images=images, labels=labels, classes=tuple(folder.name for folder in folders), slices={})


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    files = [path for path in _visible(folder) if path.is_file()]
    if not files:
        message = f"{folder} holds no file: put images of its class there, or remove the folder"
        raise SourceError(message)
    return files


def _stack(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """Read all images, grey if every one of them is and in colour if any of them is."""
    images = [_open(path) for path in progress(paths, "reading images")]
    first = images[0].size
    for path, image in zip(paths, images, strict=True):
        if image.size != first:
            sizes = [f"{width} x {height} pixels" for width, height in (first, image.size)]
            message = f"{paths[0]} has {sizes[0]} and {path} has {sizes[1]}: bring all images to one size"
            raise SourceError(message)
    mode = "L" if all(image.mode in GREY_MODES for image in images) else "RGB"
    return np.stack([np.asarray(image.convert(mode)).reshape(first[1], first[0], -1) for image in images])


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        message = f"cannot read {path} as an image: {error}: replace or remove it"
        raise SourceError(message) from error
    if image.mode in DEEP_MODES:
        message = f"{path} has more than 8 bits for each pixel (mode {image.mode}): convert it to 8 bits"
        raise SourceError(message)
    return image
