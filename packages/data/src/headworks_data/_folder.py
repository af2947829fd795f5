"""A folder of images, with one folder inside for each class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._progress import progress
from headworks_data._source import Rows
from headworks_data.errors import SourceError
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Everything else is taken for colour.
GREY_MODES = frozenset({"1", "L", "LA"})
# Deeper than a byte: to squeeze such pixels in is a decision that the owner of the data has to take.
DEEP_MODES = frozenset({"F", "I", "I;16", "I;16B", "I;16L"})


def read(argument: str) -> Rows:
    """Return the images of a folder, which are all grey or all in colour.

    The name of the folder that an image lies in is its class. Hidden files and folders are passed over, and so are
    files beside the class folders. Links are followed.

    A mixture is refused: were one coloured image to turn all others into colour, it would change the content of every
    row, and with it each one's id and split.

    Args:
        argument: The path of the folder.

    Raises:
        SourceError: There is no such folder, no class, an empty class, or an image that is unreadable, deeper than a
            byte, or of another size or kind than the first one.
    """
    return _read(argument, "folder", "")


def read_grey(argument: str) -> Rows:
    """Return the images of a folder as `read` does, each one turned to grey."""
    return _read(argument, "folder-grey", "L")


def read_rgb(argument: str) -> Rows:
    """Return the images of a folder as `read` does, each one turned to red, green and blue."""
    return _read(argument, "folder-rgb", "RGB")


def _read(argument: str, source: str, mode: str) -> Rows:
    root = Path(argument)
    if not argument or not root.is_dir():
        message = f"there is no folder {argument!r}: name an existing one as {source}:PATH"
        raise SourceError(message)
    folders = [path for path in _visible(root) if path.is_dir()]
    if not folders:
        message = f"{root} holds no folder: put the images of each class into a folder of its own there"
        raise SourceError(message)
    files = [(path, label) for label, folder in enumerate(folders) for path in _images(folder)]
    images = _stack([path for path, _ in files], mode)
    labels = np.array([label for _, label in files], dtype=np.int64)
    classes = tuple(folder.name for folder in folders)
    return Rows(images=images, labels=labels, classes=classes, slices={}, source=source)


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    files = [path for path in _visible(folder) if path.is_file()]
    if not files:
        message = f"{folder} holds no file: put images of its class there, or remove the folder"
        raise SourceError(message)
    return files


def _stack(paths: Sequence[Path], mode: str) -> NDArray[np.uint8]:
    """Read all images in a mode, or in their own if it is empty."""
    arrays: list[NDArray[np.uint8]] = []
    first = _open(paths[0])
    for path in progress(paths, "reading images"):
        image = _open(path)
        _require_alike(paths[0], first, path, image, mode)
        arrays.append(np.asarray(image.convert(mode or _kind(image))))
    return np.stack(arrays).reshape(len(arrays), first.height, first.width, -1)


def _kind(image: Image.Image) -> str:
    return "L" if image.mode in GREY_MODES else "RGB"


def _require_alike(first_path: Path, first: Image.Image, path: Path, image: Image.Image, mode: str) -> None:
    """Refuse an image of another size than the first one, or of another kind if none is given for all."""
    if image.size != first.size:
        sizes = [f"{width} x {height} pixels" for width, height in (first.size, image.size)]
        message = f"{first_path} has {sizes[0]} and {path} has {sizes[1]}: bring all images to one size"
        raise SourceError(message)
    if not mode and _kind(image) != _kind(first):
        kinds = [{"L": "grey", "RGB": "in colour"}[_kind(it)] for it in (first, image)]
        message = f"{first_path} is {kinds[0]} and {path} is {kinds[1]}: convert one of them, or name the source "
        raise SourceError(message + "folder-grey:PATH or folder-rgb:PATH, which converts every image")


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
