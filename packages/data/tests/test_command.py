"""Commands: their exit codes, and the handling of errors and of output that cannot be written."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from headworks_data import run_command, write
from headworks_data._cli import main

if TYPE_CHECKING:
    from headworks_data import Dataset


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("a\nb"), 2, r"mine: a\nb"),
        (MemoryError(), 2, "mine: the dataset does not fit into memory: scale its images down or take fewer"),
        (KeyboardInterrupt(), 130, "mine: interrupted; all is well"),
        (PermissionError(13, "Permission denied", "x"), 2, "mine: x: Permission denied: change the permissions or"),
        (OSError("odd"), 2, "mine: odd: choose another place"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    """Whatever it is, and whatever its message holds."""

    def fail() -> int:
        raise error

    assert run_command("mine", fail, errors=(ValueError,), interrupted=lambda: "all is well") == code
    shown = capsys.readouterr().err
    assert shown.startswith(line)
    assert len(shown.splitlines()) == bool(line)


def test_a_crash_never_has_the_exit_code_of_a_failed_check(capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback is shown, and the last line says what to do."""

    def fail() -> int:
        return 1 // 0

    assert run_command("mine", fail, errors=(ValueError,), interrupted=str) == 2
    shown = capsys.readouterr().err
    assert "ZeroDivisionError" in shown
    assert shown.endswith("\nmine: an unexpected error; please report it with the lines above\n")


@pytest.fixture
def check(tmp_path: Path, small: Dataset) -> list[str]:
    """Return a command that finds a dataset unlike its contract; of all that print, it imports least."""
    write(tmp_path / "a", small)
    (tmp_path / "contract.toml").write_text('classes = ["cat", "dog"]\nimage_shape = [4, 3, 1]\n', encoding="utf-8")
    contract = str(tmp_path / "contract.toml")
    return [sys.executable, "-m", "headworks_data", "check", str(tmp_path / "a"), "--contract", contract]


@pytest.mark.parametrize(
    ("closed", "code", "line"),
    [
        (">&-", 1, ""),
        (">&- 2>&-", 1, ""),
        (">/dev/full", 2, "headworks_data: No space left on device: free space there or choose another folder\n"),
    ],
)
@pytest.mark.usefixtures("measured")
def test_output_that_cannot_be_written_leaves_no_traceback(check: list[str], closed: str, code: int, line: str) -> None:
    """Closed streams are nobody's, and change no verdict; a full disk is an error."""
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *check]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, line)


def test_output_that_is_left_when_a_disk_is_full_is_not_written_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter would try at its end, and show a traceback."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run_command("mine", lambda: full.write("x") - 1, errors=(), interrupted=str) == 2
        full.write("y")
    assert capsys.readouterr().err.startswith("mine: No space left on device: free space there")


@pytest.mark.usefixtures("measured")
def test_a_reader_that_ends_early_ends_the_command(check: list[str]) -> None:
    """As `head` does."""
    reading, writing = os.pipe()
    with subprocess.Popen(check, stdout=writing, stderr=subprocess.PIPE, text=True) as process:
        os.close(writing)
        os.close(reading)
        _, shown = process.communicate()
    assert (process.returncode, shown) == (141, "")


def test_ctrl_c_while_a_command_starts_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports take a while."""
    monkeypatch.setitem(sys.modules, "headworks_data._cli", Slow("slow"))
    with pytest.raises(SystemExit, match="130"):
        runpy.run_module("headworks_data", run_name="__main__")


class Slow(ModuleType):
    """A module that Ctrl-C stops."""

    def __getattr__(self, name: str) -> object:
        """Act like Ctrl-C."""
        raise KeyboardInterrupt


def test_an_interrupted_check_judges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody takes it for a pass."""
    monkeypatch.setattr("headworks_data._cli.diff", Mock(side_effect=KeyboardInterrupt))
    assert main(["diff", str(tmp_path), str(tmp_path)]) == 130
    assert capsys.readouterr().err == "headworks_data: interrupted; nothing was judged\n"
