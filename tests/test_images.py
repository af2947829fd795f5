"""The program that builds images finds its engine, or prints why there is none."""

from __future__ import annotations

import io
import json
import runpy
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[1]


@pytest.fixture
def find(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the program where only the given commands exist, each with its exit code."""

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
    """Docker before podman before buildah; one that is installed but does not answer is skipped."""
    done = find(**programs)
    assert (done.returncode, done.stdout) == (0, f"{engine}\n")


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


FILES = [("opt/a/module.py", b"one", 0o644), ("opt/a-1.dist-info/RECORD", b"two", 0o644)]


def saved(folder: Path, files: Sequence[tuple[str, bytes, int]], user: str = "65532") -> Path:
    """Write an image of one layer in the form in which an engine saves it, and return the folder."""
    folder.mkdir()
    with tarfile.open(folder / "layer.tar", mode="w") as archive:
        for name, content, mode in files:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    (folder / "manifest.json").write_text(json.dumps([{"Config": "config.json", "Layers": ["layer.tar"]}]))
    digest = str((folder / "layer.tar").stat().st_mtime_ns)
    (folder / "config.json").write_text(json.dumps({"config": {"User": user}, "rootfs": {"diff_ids": [digest]}}))
    return folder


@pytest.mark.parametrize(
    ("files", "user", "numbers"),
    [
        (FILES, "65532", []),
        (FILES[::-1], "65532", []),
        ([*FILES[:1], ("opt/a-1.dist-info/RECORD", b"TWO", 0o644)], "65532", [0]),
        ([*FILES[:1], ("opt/a-1.dist-info/RECORD", b"two", 0o755)], "65532", [0]),
        (FILES[:1], "65532", [0]),
        (FILES, "0", [0]),
    ],
    ids=["the same", "another order", "another content", "other rights", "a file less", "another user"],
)
def test_images_are_the_same_whatever_order_their_files_have(
    tmp_path: Path, files: Sequence[tuple[str, bytes, int]], user: str, numbers: list[int]
) -> None:
    """The content of an engine's store decides the order of the files in a layer; nothing else may differ."""
    differing = runpy.run_path(str(ROOT / "docker/compare.py"))["differing"]
    assert differing(saved(tmp_path / "one", FILES), saved(tmp_path / "other", files, user)) == numbers
