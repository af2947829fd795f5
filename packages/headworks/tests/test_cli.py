"""The command line finds and runs commands, and turns errors into messages and exit codes."""

import argparse
import gc
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headworks import __main__, _cli, errors
from headworks._nearest import suggestion

FULL = Path("/dev/full")


class Probe:
    """A command that does what a test tells it to."""

    __doc__ = "Do as the test says.\n\nAnd say more."

    def __init__(self) -> None:
        """Start as a command that passes."""
        self.error: BaseException | None = None
        self.given: dict[str, Any] = {}

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare an option."""
        parser.add_argument("--base", help="a revision")

    def run(self, arguments: argparse.Namespace) -> int:
        """Keep the arguments, then end as told."""
        self.given = vars(arguments)
        if self.error:
            raise self.error
        return 0


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    """Install the probe as a command of that name."""
    it = Probe()
    monkeypatch.setitem(sys.modules, "headworks._commands.probe", it)
    return it


def test_a_command_is_found_by_its_name(probe: Probe) -> None:
    """The rest of the line are its arguments."""
    assert _cli.main(["probe", "--base", "main"]) == 0
    assert probe.given == {"base": "main"}


def test_the_arguments_of_this_process_are_the_default(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point calls without any."""
    monkeypatch.setattr(sys, "argv", ["headworks", "probe"])
    assert _cli.main() == 0
    assert probe.given == {"base": None}


def test_help_of_a_command_is_argparses(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the options and the first line of the module's docstring."""
    with pytest.raises(SystemExit) as ended:
        _cli.main(["probe", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: headworks probe" in shown
    assert "Do as the test says." in shown
    assert "a revision" in shown
    assert probe.given == {}


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_overview_lists_every_command(
    arguments: list[str], probe: Probe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands are the modules that there are; each is shown with its first line."""
    monkeypatch.setattr(os, "listdir", lambda _folder: ["__init__.py", "probe.py", "probe.pyc"])
    assert _cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "  probe  Do as the test says.\n" in shown
    assert probe.given == {}


def test_the_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    """It comes from the metadata of the distribution."""
    assert _cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("headworks ")


def test_an_unknown_command_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip of the finger is answered with what was meant."""
    monkeypatch.setattr(os, "listdir", lambda _folder: ["probe.py"])
    assert _cli.main(["prob"]) == 2
    assert capsys.readouterr().err == (
        "headworks: There is no command 'prob'. Did you mean 'probe'? See `headworks --help`.\n"
    )
    for name in ("--zzz", "", "__init__", "a.b", "plan.x"):
        assert _cli.main([name]) == 2
        assert "Did you mean" not in capsys.readouterr().err


def test_a_suggestion_is_near_or_complete_or_none() -> None:
    """The nearest; else all of a few; else nothing."""
    assert suggestion("tset", ["test", "lint"]) == " Did you mean 'test'?"
    assert suggestion("zzz", ["test", "lint"]) == " There are: lint, test."
    assert suggestion("zzz", map(str, range(20))) == suggestion("zzz", []) == ""


def test_a_module_that_a_command_misses_is_not_taken_for_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken installation is shown as what it is."""

    def missing(_name: str) -> SimpleNamespace:
        message = "No module named 'elsewhere'"
        raise ModuleNotFoundError(message, name="elsewhere")

    monkeypatch.setattr(_cli, "import_module", missing)
    assert _cli.main(["probe"]) == 3
    shown = capsys.readouterr().err
    assert "ModuleNotFoundError: No module named 'elsewhere'" in shown
    assert "no command" not in shown


@pytest.mark.parametrize(
    ("error", "code"), [(errors.UsageError("no such session"), 2), (errors.CannotDecideError("no such session"), 3)]
)
def test_an_error_becomes_a_message_and_an_exit_code(
    error: Exception, code: int, probe: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody who makes a mistake sees a traceback."""
    probe.error = error
    assert _cli.main(["probe"]) == code
    assert capsys.readouterr().err == "headworks: no such session\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "there is too little memory, so that nothing can be decided."),
        (MemoryError("malloc of size 7"), "there is too little memory (malloc of size 7), so that nothing can"),
        (RecursionError("too deep"), "an unexpected error, so that nothing is decided. Please report it.\n  Traceback"),
        (ZeroDivisionError("by\na mistake"), "an unexpected error, so that nothing is decided."),
    ],
)
def test_a_crash_never_has_the_exit_code_of_a_failure(
    error: Exception, line: str, probe: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 would say that a session or a gate fails."""
    probe.error = error
    assert _cli.main(["probe"]) == 3
    assert capsys.readouterr().err.startswith(f"headworks: {line}")


def test_an_interrupted_command_ends_as_a_shell_expects(probe: Probe) -> None:
    """130 is 128 plus the number of the signal."""
    probe.error = KeyboardInterrupt()
    assert _cli.main(["probe"]) == 130


@pytest.mark.skipif(not FULL.exists(), reason="a disk that is full is a device of Linux")
@pytest.mark.usefixtures("measured")
def test_a_full_disk_is_no_pass() -> None:
    """Neither for a plan nor for a help page: one line, exit code 3, and no traceback."""
    command = [sys.executable, "-m", "headworks", "--help"]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with FULL.open("w") as full:
        done = subprocess.run(command, check=False, env=environ, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 3
    assert done.stderr.startswith(
        "headworks: the system refused: [Errno 28] No space left on device. Until that is mended"
    )
    assert done.stderr.count("\n") == 1


def test_a_refusal_of_the_system_is_one_message(probe: Probe, capfd: pytest.CaptureFixture[str]) -> None:
    """It names the file."""
    probe.error = PermissionError(13, "Permission denied", "folder/file")
    assert _cli.main(["probe"]) == 3
    assert "the system refused: [Errno 13] Permission denied: 'folder/file'" in capfd.readouterr().err


def test_output_that_somebody_closed_is_not_missed(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with other programs, the exit code says it all then."""
    monkeypatch.setattr(sys, "stdout", None)
    assert _cli.main(["probe"]) == 0
    assert probe.given == {"base": None}
    sys.stdout.close()


@pytest.mark.usefixtures("measured")
def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    """As other programs end then, with 128 and the number of the signal, which is no pass."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "headworks", "--help"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("first", "arguments", "code", "said"),
    [
        ("os", ["store", "ls"], 0, "There is no such verdict in "),
        ("os", ["store", "forget", "none"], 2, "has no verdict of 'none'"),
        ("os", ["nothing"], 2, "There is no command 'nothing'"),
        ("atexit", ["store", "ls"], 0, "and the interpreter goes on"),
    ],
)
def test_a_program_ends_at_once_where_nothing_waits_for_that(
    first: str, arguments: list[str], code: int, said: str
) -> None:
    """All that it said is written, and the exit code is that of the command; coverage would wait for the end."""
    script = f"import sys, {first}; from headworks.__main__ import program; sys.argv[1:] = {arguments}"
    script += "; print('at first'); code = program(); print('and the interpreter goes on'); sys.exit(code)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert done.stdout.startswith("at first\n")
    assert ("goes on" in done.stdout) == (first == "atexit")


def test_a_program_does_not_wait_for_a_call_that_was_left_behind(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter would wait for its threads."""
    ended: list[int] = []
    monkeypatch.setattr(_cli, "has_abandoned", lambda: True)
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(sys, "argv", ["headworks", "probe"])
    _cli.program()
    assert ended == [0]
    assert probe.given == {"base": None}


def test_a_program_that_is_interrupted_while_it_looks_for_an_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its exit code, as the command line does."""
    monkeypatch.setattr(gc, "set_threshold", lambda _number: None)

    def interrupted(_arguments: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "recall", interrupted)
    assert __main__.program() == errors.Exit.INTERRUPTED


def test_a_program_that_is_interrupted_while_it_begins_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has said nothing yet, and shows no traceback."""

    class Importing:
        @property
        def program(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(gc, "set_threshold", lambda _number: None)
    monkeypatch.setattr(__main__, "recall", lambda _arguments: None)
    monkeypatch.setitem(sys.modules, "headworks._cli", Importing())
    assert __main__.program() == errors.Exit.INTERRUPTED


def test_an_answer_that_cannot_be_recalled_is_made_anew(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with what was remembered."""
    monkeypatch.setattr(gc, "set_threshold", lambda _number: None)
    monkeypatch.setattr(sys, "argv", ["headworks", "probe"])

    def broken(_arguments: list[str]) -> None:
        message = "what was remembered"
        raise LookupError(message)

    monkeypatch.setattr(__main__, "recall", broken)
    assert __main__.program() == 0
    assert probe.given == {"base": None}


def test_a_program_returns_its_code(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something else runs in the process, as tests do."""
    monkeypatch.setattr(gc, "set_threshold", lambda _number: None)
    monkeypatch.setattr(sys, "argv", ["headworks", "probe"])
    assert __main__.program() == 0
    assert probe.given == {"base": None}
