"""A folder of images, with one folder inside for each class."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._advice import advice
from headworks_data._litter import is_litter
from headworks_data._picture import read_picture
from headworks_data._progress import note, progress
from headworks_data._source import Rows
from headworks_data._violation import MAX_ROWS_SHOWN
from headworks_data.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# Names of splits that somebody else made, in small letters.
SPLIT_NAMES = frozenset({"dev", "eval", "test", "testing", "train", "training", "val", "valid", "validation"})


def read(argument: str) -> Rows:
    """Return the images of a folder, which are all grey or all in colour.

    Each folder inside is a class, with all files and folders in it. Links are followed, to each folder once a class.
    `_picture` has the rules for each file. Leftovers of desktops are passed over, and so are hidden entries and files
    beside the class folders, which a line on standard error names.

    A mixture is refused: if one coloured image turned all others into colour, it would change the content of every
    row, and so its id and its split.

    Args:
        argument: The path of the folder.

    Raises:
        SourceError: There is no such folder, no class, an empty class, a name that no class can have, a folder of
            splits, a folder that links lead to twice, or an image that is refused or unlike the first one.
    """
    return _read(argument, "folder", "")


def read_grey(argument: str) -> Rows:
    """Return the images of a folder as `read` does, each one turned to grey."""
    return _read(argument, "folder-grey", "L")


def read_rgb(argument: str) -> Rows:
    """Return the images of a folder as `read` does, each one turned to red, green and blue."""
    return _read(argument, "folder-rgb", "RGB")


def _read(argument: str, source: str, mode: str) -> Rows:
    try:
        root = Path(argument)
        if not argument or not root.is_dir():
            message = f"there is no folder {argument!r}: name an existing one as {source}:PATH"
            raise SourceError(message)
        return _rows(root, source, mode)
    except OSError as error:
        message = f"cannot read {error.filename or argument}: {error.strerror or error}: {advice(error)}"
        raise SourceError(message) from error


def _rows(root: Path, source: str, mode: str) -> Rows:
    passed: list[Path] = []
    folders = _class_folders(root, passed)
    files = [(path, label) for label, folder in enumerate(folders.values()) for path in _files(folder, passed)]
    images = _stack([path for path, _ in files], mode)
    labels = np.array([label for _, label in files], dtype=np.int64)
    rows = Rows(images=images, labels=labels, classes=tuple(folders), slices={}, source=source)
    if passed:
        shown = [*map(str, passed[:MAX_ROWS_SHOWN]), *(["..."] if len(passed) > MAX_ROWS_SHOWN else [])]
        note(f"passed over {len(passed)} hidden entries and files of no class: {', '.join(shown)}")
    return rows


def _entries(folder: Path, passed: list[Path]) -> list[Path]:
    """Return the visible entries of a folder in order, and add the hidden ones to those passed over."""
    entries = sorted(path for path in folder.iterdir() if not is_litter(path.name))
    passed += [path for path in entries if path.name.startswith(".")]
    visible = [path for path in entries if not path.name.startswith(".")]
    if len({path.name.casefold() for path in visible if path.is_dir()} & SPLIT_NAMES) > 1:
        names = " and ".join(path.name for path in visible if path.name.casefold() in SPLIT_NAMES)
        message = f"{folder} holds {names}, which are splits, not classes: put all images of a class into one folder, "
        raise SourceError(message + "since a dataset is split by the content of its images")
    return visible


def _class_folders(root: Path, passed: list[Path]) -> Mapping[str, Path]:
    """Return the folder of each class by its name, in order."""
    folders: dict[str, Path] = {}
    alike: dict[str, Path] = {}
    for path in _entries(root, passed):
        if path.is_dir():
            name = _class_name(path)
            other = alike.setdefault(name.casefold(), path)
            if other != path:
                message = f"{other} and {path} have one name on many systems: rename one, or put their files together"
                raise SourceError(message)
            folders[name] = path
        elif path.is_symlink() and not path.exists():
            message = f"{path} is a link to {path.readlink()}, where nothing is: mend or remove it"
            raise SourceError(message)
        else:
            passed.append(path)
    if not folders:
        message = f"{root} holds no folder: put the images of each class into a folder of its own there"
        raise SourceError(message)
    return dict(sorted(folders.items()))


def _class_name(folder: Path) -> str:
    """Return the name of a class, in the form of Unicode that systems exchange files in."""
    name = unicodedata.normalize("NFC", folder.name)
    if {"Cc", "Cs", "Zl", "Zp"} & set(map(unicodedata.category, name)):
        fault = "has bytes that are not UTF-8, control characters or line ends"
    elif name != name.strip():
        fault = "begins or ends with a blank"
    else:
        return name
    message = f"the name of the folder {str(folder)!r} {fault}, which cannot name a class: rename it"
    raise SourceError(message)


def _files(folder: Path, passed: list[Path]) -> list[Path]:
    """Return all files of a class, also from folders inside.

    A folder counts once: links could lead to it in circles, or along 2 ** 20 ways through 20 folders of two links.
    """
    files: list[Path] = []
    pending, known = [folder], dict[Path, Path]()
    for here in pending:  # grows while it is read
        other = known.setdefault(here.resolve(), here)
        if other != here:
            message = f"{here} and {other} are the same folder: remove one of the links to it"
            raise SourceError(message)
        entries = _entries(here, passed)
        pending += [path for path in entries if path.is_dir()]
        files += [path for path in entries if not path.is_dir()]
    if not files:
        message = f"{folder} holds no file: put images of its class there, or remove the folder"
        raise SourceError(message)
    return files


def _stack(paths: Sequence[Path], mode: str) -> NDArray[np.uint8]:
    """Read all images in a mode, or in their own where it is empty."""
    first = read_picture(paths[0])
    kind = mode or first.mode
    try:
        images = np.empty((len(paths), first.height, first.width, len(kind)), np.uint8)
    except MemoryError as error:
        message = f"{len(paths):,} images of {first.width} x {first.height} pixels do not fit into memory: scale them "
        raise SourceError(message + "down, or take fewer") from error
    for number, path in enumerate(progress(paths, "reading images")):
        image = read_picture(path, (paths[0], first.size))
        if not mode and image.mode != kind:
            kinds = [{"L": "grey", "RGB": "in colour"}[found] for found in (kind, image.mode)]
            message = f"{paths[0]} is {kinds[0]} and {path} is {kinds[1]}: convert one of them, or name the source "
            raise SourceError(message + "folder-grey:PATH or folder-rgb:PATH, which converts every image")
        images[number] = np.asarray(image.convert(kind)).reshape(images.shape[1:])
    return images
