"""The least of git that an answer needs to be given again."""

from __future__ import annotations

import os

from headworks._quick.process import Process

TYPE_CHECKING = False  # importing it from typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

# Settings that let git overlook a change are overruled: a false alarm costs one more hash, an oversight a false pass.
_SETTINGS = ["core.checkStat=default", "core.trustctime=true", "core.fsmonitor=false", "core.quotePath=false"]
_SETTINGS += ["core.ignoreCase=false", "core.symlinks=true"]
_SETTINGS += ["core.fileMode=true"] if os.name == "posix" else []  # elsewhere files have no mode to be seen
_START = [it for setting in _SETTINGS for it in ("-c", setting)]
# The two questions of a look at a work tree: all its files, and those that differ from git's index. Python writes its
# caches wherever it imports from, the noxfile's included, and never reads one that is stale.
LOOK = (
    ("ls-files", "-s", "-v", "-o", "-z", "--exclude-standard", "--exclude=__pycache__/"),
    ("diff-files", "-z", "--no-renames", "--ignore-submodules=all"),
)
_GIT = "git"
_KEPT = {
    *("GIT_ASKPASS", "GIT_CONFIG_COUNT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY"),
}
_NUMBERED = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")  # as many as GIT_CONFIG_COUNT says


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which git finds the repository by itself, even inside one of its hooks."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("GIT_") or name in _KEPT or name.startswith(_NUMBERED)
    }
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def top_of(folder: str) -> str:
    """Return the top folder of the work tree that a folder lies in; empty where it lies in none."""
    while not os.path.lexists(os.path.join(folder, ".git")):
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            return ""
    return folder


def folder_of(top: str) -> str:
    """Return the folder with a work tree's index, which a linked work tree or submodule keeps elsewhere."""
    place = os.path.join(top, ".git")
    if os.path.isdir(place):
        return place
    with open(place, encoding="utf-8", errors="surrogateescape") as file:
        target = file.read().strip().removeprefix("gitdir: ")
    return os.path.join(top, target)


def shared_folder_of(folder: str) -> str:
    """Return the folder that all linked work trees of a repository share, given that of one of them."""
    try:
        with open(os.path.join(folder, "commondir"), encoding="utf-8", errors="surrogateescape") as file:
            return os.path.normpath(os.path.join(folder, file.read().strip()))
    except OSError:  # only linked work trees have it
        return folder


def index_stamp(top: str) -> tuple[int, ...]:
    """Return a stamp that changes whenever the index of a work tree is written."""
    try:
        found = os.stat(folder_of(top) + "/index")
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size


def start(top: str, question: tuple[str, ...], given: bytes, environ: Mapping[str, str]) -> Process:
    """Start a git command in the top folder of a work tree; the environment is one of `environment`.

    Raises:
        OSError: There is no git.
    """
    return Process([_GIT, "-C", top, *_START, *question], environ, given=given)
