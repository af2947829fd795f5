"""A model is signed with a key, and nothing else passes for it: `nox -s sign` and `nox -s verify-signature`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]


def make_keys(folder: Path) -> tuple[Path, Path]:
    """Write a private and a public key with the commands of the guide."""
    private, public = folder / "private.pem", folder / "public.pem"
    for command in (
        f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {private}",
        f"openssl pkey -in {private} -pubout -out {public}",
    ):
        subprocess.run(command.split(), check=True)
    return private, public


@pytest.fixture(scope="module")
def nox(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., int]:
    """Return a function that runs a session with arguments, and returns its exit code."""
    folder = tmp_path_factory.mktemp("environments")

    def run(session: str, *arguments: Path | str, text: bytes | None = None) -> int:
        command = [
            sys.executable,
            "-m",
            "nox",
            "-R",
            "-j",
            "1",
            f"--envdir={folder}",
            "-s",
            session,
            "--",
            *map(str, arguments),
        ]
        return subprocess.run(command, cwd=ROOT, check=False, input=text).returncode

    return run


@pytest.fixture(scope="module")
def signed(nox: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with its signature and the public key beside it."""
    folder = tmp_path_factory.mktemp("signed")
    private, _ = make_keys(folder)
    (folder / "model.onnx").write_bytes(b"a model")
    # From standard input, as a workflow gives it, so that the key is never in a file.
    assert nox("sign", folder / "model.onnx", "--key", "/dev/stdin", text=private.read_bytes()) == 0
    private.unlink()
    return folder


def test_what_was_signed_passes_under_any_name(nox: Callable[..., int], signed: Path, tmp_path: Path) -> None:
    """A store calls a model by its digest."""
    files = signed / "model.onnx", signed / "model.onnx.sig", signed / "public.pem"
    assert nox("verify-signature", *files) == 0
    shutil.copy(files[0], tmp_path / "c0ffee")
    assert nox("verify-signature", tmp_path / "c0ffee", *files[1:]) == 0


@pytest.mark.parametrize("fault", ["another model", "another key", "no signature", "half a signature"])
def test_nothing_else_passes(nox: Callable[..., int], signed: Path, tmp_path: Path, fault: str) -> None:
    """The exit code is 1, which ends a promotion."""
    folder = shutil.copytree(signed, tmp_path / "signed")
    model, signature, public = folder / "model.onnx", folder / "model.onnx.sig", folder / "public.pem"
    match fault:
        case "another model":
            model.write_bytes(b"a modeL")
        case "another key":
            make_keys(folder)
        case "no signature":
            signature.unlink()
        case _:
            signature.write_bytes(signature.read_bytes()[: signature.stat().st_size // 2])
    assert nox("verify-signature", model, signature, public) == 1


def test_a_call_that_lacks_a_file_is_a_mistake(nox: Callable[..., int], signed: Path) -> None:
    """Nothing was checked, so that it is neither passed nor failed."""
    assert nox("verify-signature", signed / "model.onnx") == 2
    assert nox("sign", signed / "model.onnx") == 2
