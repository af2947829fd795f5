"""Facts about the repository that these programs share: its packages, their prefix, and the rules for names."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

WORD = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 30  # letters of a name


class RefusedError(Exception):
    """A request cannot be fulfilled; the message says why, and what to do."""


def project_names() -> dict[str, str]:
    """Return the name of each package by its folder."""
    files = sorted(Path("packages").glob("*/pyproject.toml"))
    return {file.parent.name: tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"] for file in files}


def prefix_of(names: dict[str, str]) -> str:
    """Return the prefix of the packages' names, as in `headworks` of `headworks-data` in the folder `data`.

    Raises:
        RefusedError: No package has such a name.
    """
    for folder, name in names.items():
        if name.endswith(f"-{folder}"):
            return name.removesuffix(f"-{folder}")
    message = f"No package in packages/ is called PREFIX-FOLDER; there are {', '.join(names.values()) or 'none'}."
    raise RefusedError(message)


def check_word(word: str, role: str) -> None:
    """Refuse a word that cannot be part of a package's name."""
    if not WORD.fullmatch(word) or len(word) > LONGEST:
        message = (
            f"{word!r} cannot be {role}: it has to begin with a letter and have lowercase letters, digits and single"
            f" hyphens, at most {LONGEST} in all, as in `features`."
        )
        raise RefusedError(message)


def check_free(names: list[str]) -> None:
    """Refuse names that uv.lock already has, of packages here or on an index."""
    lock = tomllib.loads(Path("uv.lock").read_text(encoding="utf-8"))
    if taken := sorted({package["name"] for package in lock["package"]} & set(names)):
        message = f"uv.lock has {', '.join(taken)} already: choose another name."
        raise RefusedError(message)


def call(*command: str) -> str:
    """Run a program and return what it printed.

    Raises:
        RefusedError: It failed.
    """
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        message = f"`{' '.join(command)}` failed, so that nothing has changed:\n{done.stdout.strip()}"
        raise RefusedError(message)
    return done.stdout
