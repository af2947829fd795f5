"""Command-line arguments of the plain kind, read without argparse.

Importing argparse takes 10 ms, nearly as long as the interpreter takes to start. A command declares its arguments once,
by `parser.add_argument`; `Arguments` stands in for the parser and reads what people type all day. Whatever is not
plain (a request for help, a mistake, a kind of argument it does not know) it leaves to argparse, by returning None.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__ = ["Arguments", "Values"]

_KNOWN = {"action", "choices", "default", "dest", "help", "metavar", "nargs", "type"}


class Values:
    """What the arguments were, one attribute each, like argparse's Namespace."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Take the values by name."""
        self.__dict__.update(values)


class _NotPlainError(ValueError):
    """What was declared or typed is left to argparse."""


class Arguments:
    """Stands in for `argparse.ArgumentParser` while a command declares its arguments."""

    def __init__(self) -> None:
        """Start with no argument declared."""
        self._options: dict[str, tuple[str, dict[str, Any]]] = {}
        self._positional = ""
        self._values: dict[str, Any] = {}
        self._is_plain = True

    def add_argument(self, *names: str, **settings: Any) -> None:  # noqa: ANN401  # argparse's own settings
        """Declare an argument as argparse does."""
        name = settings.get("dest") or next((it for it in names if it.startswith("--")), names[0]).lstrip("-")
        name = name.replace("-", "_")
        action, nargs = settings.get("action", "store"), settings.get("nargs")
        if names[0].startswith("-"):
            self._options.update(dict.fromkeys(names, (name, settings)))
            is_plain = action in {"store", "store_true"} and nargs is None
        else:
            is_plain = not self._positional and nargs == "*" and "default" in settings and "type" not in settings
            self._positional = name
        self._is_plain &= is_plain and settings.keys() <= _KNOWN
        self._values[name] = settings.get("default", False if action == "store_true" else None)

    def __getattr__(self, name: str) -> Callable[..., Arguments]:
        """Accept any other declaration, such as a group or subcommands, and leave it all to argparse."""
        self._is_plain = False
        return lambda *_arguments, **_settings: self

    def parse(self, arguments: list[str]) -> Values | None:
        """Return the values of the arguments, or None where only argparse knows what to make of them."""
        if not self._is_plain:
            return None
        values = dict(self._values)
        try:
            self._read(arguments, values)
        except ValueError:
            return None
        return Values(values)

    def _read(self, arguments: list[str], values: dict[str, Any]) -> None:
        """Read all arguments into `values`."""
        rest = iter(arguments)
        names: list[str] = []
        is_closed = False
        for argument in rest:
            if argument.startswith("-"):
                is_closed = bool(names)
                self._read_option(argument, rest, values)
            elif is_closed or not self._positional:
                raise _NotPlainError  # argparse takes positional arguments from one place only
            else:
                names.append(argument)
        if names:
            values[self._positional] = names

    def _read_option(self, argument: str, rest: Iterator[str], values: dict[str, Any]) -> None:
        """Read one option, and its value from the arguments that follow it."""
        flag, has_value, value = argument.partition("=")
        if flag not in self._options or (has_value and not flag.startswith("--")):
            raise _NotPlainError
        name, settings = self._options[flag]
        if settings.get("action") == "store_true":
            if has_value:
                raise _NotPlainError
            values[name] = True
            return
        if not has_value:
            value = next(rest, "-")
        if not has_value and value.startswith("-"):
            raise _NotPlainError
        values[name] = settings.get("type", str)(value)
        if values[name] not in settings.get("choices", [values[name]]):
            raise _NotPlainError
