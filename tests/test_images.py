"""The program that builds images chooses its engine, and says what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]


@pytest.fixture
def find(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the choice where only the given programs are, each with its exit code."""

    def run(ci: str = "", **programs: int) -> subprocess.CompletedProcess[str]:
        for name, code in programs.items():
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\necho {name} is not well >&2\nexit {code}\n", encoding="utf-8")
            path.chmod(0o755)
        environ = {"PATH": str(tmp_path)} | ({"CI": ci} if ci else {})
        command = [sys.executable, str(ROOT / "docker/engines.py")]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=environ)

    return run


@pytest.mark.parametrize(
    ("programs", "engine"),
    [
        ({"docker": 0, "podman": 0, "buildah": 0}, "docker"),
        ({"docker": 1, "podman": 0, "buildah": 0}, "podman"),
        ({"podman": 0}, "podman"),
        ({"buildah": 0}, "buildah"),
    ],
    ids=["all", "docker is ill", "podman", "buildah"],
)
def test_the_first_engine_that_answers_is_taken(
    find: Callable[..., subprocess.CompletedProcess[str]], programs: dict[str, int], engine: str
) -> None:
    """Docker before podman before buildah; one that is installed but does not answer is passed over."""
    found = find(**programs)
    assert (found.returncode, found.stdout) == (0, f"{engine}\n")


def test_no_engine_is_said_on_a_laptop_and_an_error_in_ci(
    find: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """The message names each engine with its reason, so that a session can be skipped with it, or fail."""
    laptop = find(docker=1)
    assert laptop.returncode == 0
    assert laptop.stdout == (
        "No container engine answers (`docker info` failed: docker is not well; there is no program podman here; "
        "there is no program buildah here). Start Docker with buildx, or install podman or buildah.\n"
    )
    assert find(ci="true", docker=1).returncode == 1
