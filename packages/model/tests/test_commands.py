"""The command line: what it says, its exit codes, and what Ctrl-C leaves."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import headworks_model
import pytest
from headworks_data import Dataset
from headworks_model import errors, evaluate, export, load_trained
from headworks_model._cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHORT = ["--set", "epochs=3", "--set", "width=4"]


def test_another_dataset_is_refused(stages: Path, digits: Dataset, tmp_path: Path) -> None:
    """Its test rows may have been trained on."""
    for stage in (evaluate, export):
        with pytest.raises(errors.TrainedError, match="was trained on dataset"):
            stage(digits, load_trained(stages / "train"), tmp_path)


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["train", "{none}", "{out}"], 2, "there is no dataset in"),
        (["train", "{data}", "{out}", "--set", "epoch=3"], 2, "did you mean 'epochs'"),
        (["evaluate", "{data}", "{none}", "{out}"], 2, "holds no finished training"),
        (
            ["train", "{data}", "{file}", *SHORT],
            2,
            "Not a directory: a file stands where a folder must be",
        ),
        (["train", "{data}", "{out}", *SHORT, "--set", "learning_rate=1e30", "--set", "warmup=0"], 1, "learning_rate"),
    ],
)
def test_bad_input_is_one_clear_line(
    stages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], code: int, message: str
) -> None:
    """No traceback, and the exit code tells what kind it is."""
    (tmp_path / "file").touch()
    names = {"none": tmp_path / "none", "out": tmp_path / "out", "file": tmp_path / "file", "data": stages / "dataset"}
    assert main([word.format(**names) for word in command]) == code
    assert message in capsys.readouterr().err.splitlines()[-1]


def interrupt(*_: object, **__: object) -> None:
    """Act like Ctrl-C, at once."""
    raise KeyboardInterrupt


def test_an_interrupted_training_says_how_to_go_on(
    stages: Path,
    tmp_path: Path,
    start: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real Ctrl-C ends it with the usual code and no traceback, and what it advises works."""
    command = ["train", str(stages / "dataset"), str(tmp_path / "out"), "--set", "epochs=30", "--set", "width=4"]
    running = start(*command)
    running.wait_for("epoch 2/30")
    os.kill(running.process.pid, signal.SIGINT)
    code, rest = running.end()
    assert code == 130
    assert "Traceback" not in rest
    assert "the same command with --resume continues" in rest.splitlines()[-1]
    with monkeypatch.context() as patched:
        patched.setattr(headworks_model, "train", interrupt)
        assert main([*command, "--resume"]) == 130
    assert "the same command with --resume continues" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0


@pytest.mark.parametrize(
    ("command", "name", "message"),
    [
        (["train", "{data}", "{out}"], "train", "there is nothing to continue"),
        (["export", "{data}", "{trained}", "{out}"], "export", "nothing was written"),
    ],
)
def test_an_early_interruption_promises_nothing(
    stages: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    name: str,
    message: str,
) -> None:
    """Nothing was kept, and that is what it says."""
    monkeypatch.setattr(headworks_model, name, interrupt)
    names = {"data": stages / "dataset", "trained": stages / "train", "out": tmp_path / "out"}
    assert main([word.format(**names) for word in command]) == 130
    assert message in capsys.readouterr().err


def test_an_interruption_while_starting_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports take seconds, in which one may give up as well."""

    class Slow(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "headworks_model._cli", Slow("slow"))
    with pytest.raises(SystemExit) as raised:
        runpy.run_module("headworks_model", run_name="__main__")
    assert raised.value.code == 130


def test_torch_is_not_loaded_before_it_is_needed() -> None:
    """Help and wrong usage are answered at once; every public name is there all the same."""
    imports = "import sys, headworks_model as model, headworks_model._cli"
    code = f"{imports}; print('torch' in sys.modules, 'train' in dir(model))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False True\n"
    assert all(hasattr(headworks_model, name) for name in headworks_model.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        headworks_model.trian  # type: ignore[attr-defined]  # noqa: B018 - wrong on purpose


def test_the_module_is_a_command() -> None:
    """`python -m headworks_model` lists its commands."""
    done = subprocess.run([sys.executable, "-m", "headworks_model", "-h"], check=True, capture_output=True, text=True)
    assert "train a network on a dataset" in done.stdout
