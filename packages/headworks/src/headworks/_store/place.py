"""The name of a project on this machine, and the folder for Headworks's own files in git's folder."""

from __future__ import annotations

import os
from hashlib import sha256

from headworks._quick.answers import note_file
from headworks._quick.git import folder_of, shared_folder_of, top_of


def _git_folder(root: str) -> tuple[str, str]:
    """Return git's folder of a work tree, and the path of a project within the work tree; empty outside git."""
    top = top_of(root)
    return (folder_of(top), root[len(top) :].strip(os.sep).replace(os.sep, "/")) if top else ("", "")


def private_folder(root: str) -> str | None:
    """Return the folder for Headworks's own files about a project's work tree, which git never lists.

    It need not exist yet. None outside git.
    """
    folder, prefix = _git_folder(os.path.abspath(root))
    return os.path.join(folder, "headworks", prefix.replace("/", "%2F")) if folder else None


def place_of(root: str) -> str:
    """Return a name for the project that a work tree holds, equal for all linked work trees of its repository.

    One store serves many projects, in which sessions have the same names; this tells their histories apart.
    """
    folder, prefix = _git_folder(os.path.abspath(root))
    note_file(os.path.join(folder, "commondir"))
    shared = shared_folder_of(folder) if folder else root
    place = f"{os.path.realpath(shared)}\0{prefix}"
    return sha256(os.fsencode(place)).hexdigest()[:16]
