"""The command line: finds the module of a command and runs it.

A command NAME is a module `_commands.NAME` with `add_arguments(parser)` and `run(arguments) -> int`; its docstring's
first line is its help. Where it says `accepts_extra_args = True`, it gets what follows `--` as `extra`. Only the module
of the command that was asked for is imported.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from headworks._lines import complain, say, shown
from headworks._nearest import suggestion
from headworks._store.patience import has_abandoned
from headworks.errors import Exit, HeadworksError, UsageError

if TYPE_CHECKING:
    from types import ModuleType

_COMMANDS = "_commands"


def _names() -> list[str]:
    """Return the names of all commands there are."""
    modules = os.listdir(os.path.join(os.path.dirname(__file__), _COMMANDS))
    return sorted(it.removesuffix(".py").replace("_", "-") for it in modules if it.endswith(".py") and it[0] != "_")


def _command(name: str) -> ModuleType:
    """Import the module of a command."""
    module = f"{__package__}.{_COMMANDS}.{name.replace('-', '_')}"
    if not name.replace("-", "").isalpha():  # a dot would lead to another module
        raise _unknown(name)
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise _unknown(name) from None


def _unknown(name: str) -> UsageError:
    """Return the error for an unknown command."""
    message = f"There is no command {name!r}.{suggestion(name, _names())} See `headworks --help`."
    return UsageError(message)


def _first_line(module: object) -> str:
    """Return the first line of a module's docstring."""
    return (module.__doc__ or "").strip().partition("\n")[0]


def _overview() -> str:
    """Return the help that lists every command."""
    commands = _names()
    width = max(map(len, commands), default=0)
    lines = [f"  {name:{width}}  {_first_line(_command(name))}" for name in commands]
    return "\n".join(
        [
            "usage: headworks [--help] [--version] COMMAND ...",
            "",
            "Re-prove exactly what a change can reach in a machine learning monorepo.",
            "",
            "commands:",
            *lines,
            "",
            "exit codes:",
            *(f"  {it:3}  {it.meaning}" for it in Exit),
            "",
            "`headworks COMMAND --help` says more of one.",
        ]
    )


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints do nothing but be shown."""

    def error(self, message: str) -> NoReturn:
        super().error(shown(message))


def _run(arguments: list[str]) -> int:
    """Run the command of a command line and return its exit code."""
    name, *rest = arguments or ["--help"]
    if name in {"-h", "--help"}:
        say(_overview())
        return 0
    if name == "--version":
        from importlib.metadata import version  # which takes 20 ms to import

        say(f"headworks {version('headworks')}")
        return 0
    command = _command(name)
    extra = None
    if getattr(command, "accepts_extra_args", False):
        dashes = rest.index("--") if "--" in rest else len(rest)
        rest, extra = rest[:dashes], rest[dashes + 1 :]
    parser = _Parser(prog=f"headworks {name}", description=_first_line(command), allow_abbrev=False)
    command.add_arguments(parser)
    values = parser.parse_args(rest)
    if extra is not None:
        values.extra = extra
    return int(command.run(values))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: what follows the program's name; by default that of this process.

    Returns:
        One of `Exit`.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # somebody closed it, and so does not want to read it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # until this process ends
        # File names may be no valid text, and terminals may not know every letter: show both escaped.
        getattr(sys, name).reconfigure(errors="backslashreplace")
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except HeadworksError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _discard_output()
        return Exit.BROKEN_PIPE
    except OSError as error:
        _discard_output()
        complain(f"the system refused: {error}. Until that is mended, nothing counts as passed.")
    except MemoryError as error:
        complain(f"there is too little memory{f' ({error})' if str(error) else ''}, so that nothing can be decided.")
    except Exception:  # noqa: BLE001  # left to Python, it would be exit code 1, which means that something fails
        import traceback  # which takes 8 ms to import

        complain(f"an unexpected error, so that nothing is decided. Please report it.\n{traceback.format_exc()}")
    else:
        return code
    return Exit.UNDECIDED


def _discard_output() -> None:
    """Drop output that cannot be written, which the interpreter would try again as it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def program() -> int:
    """Run the command line as all that this process does, and return its exit code.

    Where nothing can have asked to be called at the end and no thread can still run, the process ends here and now:
    taking the interpreter apart takes 15 ms. So it does where a call to a remote store was left behind, such as the
    look-up of a name, for whose threads the interpreter would wait.
    """
    code = main()
    if has_abandoned() or ("atexit" not in sys.modules and threading.active_count() == 1):
        with contextlib.suppress(OSError):  # nobody reads on
            sys.stdout.flush()
        os._exit(code)
    return code
