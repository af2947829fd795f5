"""Sessions install the locked versions and the present sources, whatever an environment held before."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from conftest import Scratch

TESTS = f"tests-{sys.version_info.major}.{sys.version_info.minor}(data)"
PROBE = '''"""A probe."""

import headworks_data


def test_probe() -> None:
    """The installed package behaves as its source says."""
    assert headworks_data.PROBE == {expected}
'''


def test_a_reused_environment_never_keeps_an_old_wheel(scratch: Scratch) -> None:
    """The next `nox -s tests` sees a changed source line, even if the version is the same."""
    source = scratch.root / "packages/data/src/headworks_data/__init__.py"
    original = source.read_text(encoding="utf-8")
    probe = scratch.root / "packages/data/tests/test_probe.py"
    for expected in (1, 2):
        source.write_text(f"{original}\nPROBE = {expected}\n", encoding="utf-8")
        probe.write_text(PROBE.format(expected=expected), encoding="utf-8")
        result = scratch.nox(TESTS, posargs=["packages/data/tests/test_probe.py"])
        assert "1 passed" in result.output
        assert "collected 1 item" in result.output
    assert "Reusing existing virtual environment" in result.output


def test_tests_run_side_by_side(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes are enough while other sessions run, and one for tests chosen by arguments."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    for file in scratch.root.glob("packages/data/tests/test_*.py"):
        file.unlink()
    probe = scratch.root / "packages/data/tests/test_probe.py"
    probe.write_text('"""A probe."""\n\n\ndef test_probe() -> None:\n    """It passes."""\n', encoding="utf-8")
    shared = re.compile(r"\d+ workers? \[1 item\]")
    assert shared.search(scratch.nox(TESTS).output)
    assert not shared.search(scratch.nox(TESTS, posargs=["-k", "test_probe"]).output)
    assert "2 workers [1 item]" in scratch.nox(TESTS, NOX_PARALLEL="2").output


def test_the_variable_that_chooses_the_build_of_torch_reaches_uv(scratch: Scratch) -> None:
    """`UV_TORCH_BACKEND` is read by the uv that a session calls: a wrong value is refused by it."""
    result = scratch.nox("imports", check=False, UV_TORCH_BACKEND="abacus")
    assert result.red == {"imports"}
    assert "abacus" in result.output
    assert "UV_TORCH_BACKEND" in result.output or "torch-backend" in result.output


def test_without_uv_a_session_installs_the_locked_one(scratch: Scratch) -> None:
    """Where uv is missing, the environment is made by virtualenv and everything else stays the same."""
    (scratch.root / "bin").mkdir()
    for name in ("git", "env", "sh"):
        program = next(
            Path(folder) / name for folder in os.environ["PATH"].split(os.pathsep) if Path(folder, name).exists()
        )
        (scratch.root / "bin" / name).symlink_to(program)
    result = scratch.nox(
        "imports", "--force-venv-backend", "virtualenv", PATH=str(scratch.root / "bin"), PIP_PROGRESS_BAR="off"
    )
    assert "Creating virtual environment (virtualenv)" in result.output
    assert "python -m pip install uv==" in result.output
    assert result.ended["imports"].startswith("was successful")


def test_a_missing_interpreter_is_an_error_in_ci_and_a_stated_skip_on_a_laptop(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing passes silently for want of a Python."""
    monkeypatch.setenv("NOX_DOWNLOAD_PYTHON", "never")
    scratch.replace(
        "packages/data/pyproject.toml",
        '"Programming Language :: Python :: 3.14"',
        '"Programming Language :: Python :: 3.99"',
    )
    laptop = scratch.nox("tests-3.99(data)")
    assert laptop.ended["tests-3.99(data)"].startswith("skipped: Python interpreter 3.99 not found")
    ci = scratch.nox("tests-3.99(data)", check=False, CI="true")
    assert ci.red == {"tests-3.99(data)"}
