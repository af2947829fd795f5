"""What these programs know about the repository: its packages, their prefix, and what names may be."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

WORD = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 30  # letters of a name


class RefusedError(Exception):
    """What was asked for cannot be done; the message says why, and what to do."""


def project_names() -> dict[str, str]:
    """Return the name of each package by its folder."""
    files = sorted(Path("packages").glob("*/pyproject.toml"))
    return {it.parent.name: tomllib.loads(it.read_text(encoding="utf-8"))["project"]["name"] for it in files}


def prefix_of(names: dict[str, str]) -> str:
    """Return what the packages' names begin with, as in `headworks` of `headworks-data` in the folder `data`.

    Raises:
        RefusedError: no package is called so.
    """
    for folder, name in names.items():
        if name.endswith(f"-{folder}"):
            return name.removesuffix(f"-{folder}")
    message = f"No package in packages/ is called PREFIX-FOLDER; there are {', '.join(names.values()) or 'none'}."
    raise RefusedError(message)


def check_word(word: str, what: str) -> None:
    """Refuse what can be no part of a package's name."""
    if not WORD.fullmatch(word) or len(word) > LONGEST:
        message = (
            f"{word!r} cannot be {what}: it has to begin with a letter and have lowercase letters, digits and single"
            f" hyphens, at most {LONGEST} in all, as in `features`."
        )
        raise RefusedError(message)


def check_free(wanted: list[str]) -> None:
    """Refuse names that uv.lock has already, here or on an index."""
    lock = tomllib.loads(Path("uv.lock").read_text(encoding="utf-8"))
    if taken := sorted({it["name"] for it in lock["package"]} & set(wanted)):
        message = f"uv.lock has {', '.join(taken)} already: choose another name."
        raise RefusedError(message)


def call(*command: str) -> str:
    """Run a program and return what it printed.

    Raises:
        RefusedError: it failed.
    """
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        message = f"`{' '.join(command)}` failed, so that all is as it was:\n{done.stdout.strip()}"
        raise RefusedError(message)
    return done.stdout
