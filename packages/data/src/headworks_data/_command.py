"""Runs a command: an error becomes one line on standard error and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from headworks_data._advice import advice
from headworks_data._progress import shown

if TYPE_CHECKING:
    from collections.abc import Callable

FAULT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141


def run_command(
    program: str, run: Callable[[], int], *, errors: tuple[type[Exception], ...], interrupted: Callable[[], str]
) -> int:
    """Run a command.

    Args:
        program: Name of the program in front of each line.
        run: The command; returns its exit code.
        errors: Its expected errors, whose message tells everything; some have an `exit_code`.
        interrupted: Describes the state that Ctrl-C leaves.

    Returns:
        The exit code: that of the command or the error, 2 for all other errors, 130 after Ctrl-C, 141 if
        nobody reads the output.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # It was closed.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the process ends
    # Names of files may not be text, and terminals may lack letters of them: show both escaped, as on standard error.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # its type is wider
    try:
        code = run()
        sys.stdout.flush()
    except errors as error:
        message, code = str(error), getattr(error, "exit_code", FAULT)
    except MemoryError:
        message, code = "the dataset does not fit into memory: scale its images down or take fewer", FAULT
    except KeyboardInterrupt:
        message, code = f"interrupted; {interrupted()}", INTERRUPTED
    except BrokenPipeError:  # The reader, such as `head`, has ended.
        _discard_output()
        return BROKEN_PIPE
    except OSError as error:
        _discard_output()
        place = f"{error.filename}: " if error.filename else ""
        message, code = f"{place}{error.strerror or error}: {advice(error)}", FAULT
    except Exception:  # noqa: BLE001 - left to Python, it would be exit code 1, which means that a check failed
        traceback.print_exc()
        message, code = "an unexpected error; please report it with the lines above", FAULT
    else:
        return code
    sys.stderr.write(f"{program}: {shown(message)}\n")
    return code


def _discard_output() -> None:
    """Drop the rest of the output, which the interpreter would try to write once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
