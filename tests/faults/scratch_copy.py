"""A copy of this repository's work tree, in which tests may break things."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
# Variables of the surrounding session that must not reach the sessions that run in the copy.
SURROUNDINGS: Final = {"CI", "FORCE_COLOR", "HEADWORKS_RUN", "NOXPYTHON", "NOX_PARALLEL"}


def copy_repository(target: Path, source: Path = ROOT) -> None:
    """Copy every file that git tracks or would track into a repository, and commit all of them.

    Args:
        target: An empty folder, or an earlier copy, in which ignored files stay.
        source: The repository.
    """
    names = _files(source)
    if (target / ".git").is_dir():
        for name in _files(target) - names:
            (target / name).unlink(missing_ok=True)
    else:
        _git(target, "init", "--quiet", "--initial-branch=main")
        _git(target, "config", "user.name", "A Tester")
        _git(target, "config", "user.email", "tester@example.org")
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)
    _git(target, "add", "--all")
    _git(target, "commit", "--quiet", "--allow-empty", "--message=Start")


def environment(store: Path) -> dict[str, str]:
    """Return the environment for commands in a copy: its own store, and no variables of the outer session."""
    inherited = {key: value for key, value in os.environ.items() if key not in SURROUNDINGS}
    return inherited | {"HEADWORKS_STORE": str(store), "NO_COLOR": "1"}


def _files(root: Path) -> set[str]:
    """Return the names of the files of a work tree that git does not ignore."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return {name for name in listed.split("\0") if name and (root / name).is_file()}


def _git(root: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints."""
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)
    return os.fsdecode(done.stdout)
