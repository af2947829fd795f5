"""Where a work tree is, and the folder beside its history that only Headgate writes to."""

from __future__ import annotations

import os

from headgate._store_files import read

__all__ = ["place_of", "private_folder"]

_LIMIT = 65_536  # bytes


def _git_folder(root: str) -> str | None:
    """Return git's folder of a work tree: `.git`, or the one that a linked work tree's `.git` file names."""
    git = os.path.join(root, ".git")
    if os.path.isdir(git):
        return git
    text = os.fsdecode(read(git, _LIMIT) or b"")
    folder = os.path.join(root, text.removeprefix("gitdir:").strip())
    return folder if text.startswith("gitdir:") and os.path.isdir(folder) else None


def private_folder(root: str) -> str | None:
    """Return the folder for Headgate's own files about a work tree, which git never lists, or None outside git.

    It need not exist yet.
    """
    folder = _git_folder(root)
    return None if folder is None else os.path.join(folder, "headgate")


def place_of(root: str) -> str:
    """Return a name for the repository that a work tree belongs to, equal for all its linked work trees.

    One store serves many repositories, in which sessions have the same names; this tells their histories apart.
    """
    import hashlib

    folder = _git_folder(root) or root
    common = os.fsdecode(read(os.path.join(folder, "commondir"), _LIMIT) or b"").strip()  # only linked ones have it
    return hashlib.sha256(os.fsencode(os.path.realpath(os.path.join(folder, common)))).hexdigest()[:16]
