"""Moves and removes files and folders of any mode, also across file systems."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path


def remove(place: Path) -> None:
    """Remove a file, or a folder with its content; a mounted volume is only emptied.

    Raises:
        OSError: A part of it cannot be removed.
    """
    if not _is_folder(place):
        place.unlink()
        return
    folders = [place]
    for folder in folders:  # grows while it is read
        _unlock(folder)
        folders += [inner for inner in folder.iterdir() if _is_folder(inner)]
    try:
        shutil.rmtree(place)
    except OSError:
        if not place.is_dir() or any(place.iterdir()):
            raise


def move(place: Path, target: Path) -> None:
    """Move a file or folder to a free path, if need be on another file system.

    Raises:
        OSError: It cannot be copied, and is as it was; or it cannot be removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if _renamed(place, target):
        return
    try:
        _copy(place, target)
    except OSError:
        if os.path.lexists(target):
            remove(target)
        raise
    remove(place)


def put(new: Path, place: Path, old: Path) -> None:
    """Replace a file or folder by `new`; in one step if both are files, else the old one is moved to `old` first.

    A place that cannot be renamed, such as a mounted volume, is emptied and filled.

    Raises:
        OSError: The place cannot be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    is_folder = _is_folder(new) or _is_folder(place)
    if is_folder and os.path.lexists(place) and not _renamed(place, old):
        remove(place)
    if not _renamed(new, place):
        if not is_folder and os.path.lexists(place):
            place.unlink()
        _copy(new, place)


def files_of(place: Path) -> set[Path]:
    """Return everything at a path that is not a folder, relative to it."""
    if not _is_folder(place):
        return {Path()}
    return {
        Path(folder, name).relative_to(place)
        for folder, folders, files in os.walk(place)
        for name in (*files, *(link for link in folders if os.path.islink(os.path.join(folder, link))))
    }


def _is_folder(place: Path) -> bool:
    """Whether a path is a folder, not a link to one."""
    return place.is_dir() and not place.is_symlink()


def _unlock(folder: Path) -> None:
    """Make a folder writable for its owner; another user is refused by the next operation."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        with contextlib.suppress(PermissionError):
            folder.chmod(mode | stat.S_IRWXU)


def _renamed(place: Path, target: Path) -> bool:
    """Rename a path; False across file systems, for a mounted volume, or without the right to."""
    if _is_folder(place):
        _unlock(place)  # its entry `..` changes
    try:
        place.replace(target)
    except OSError:
        return False
    return True


def _copy(place: Path, target: Path) -> None:
    """Copy a file, a link or a folder; the target may be an empty folder."""
    if _is_folder(place):
        shutil.copytree(place, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(place, target, follow_symlinks=False)


def reason(error: OSError) -> str:
    """Return the system's message with the file; an error of `shutil` has several in one."""
    text = error.strerror or str(error)
    return text if error.filename is None else f"{text}: {error.filename}"
