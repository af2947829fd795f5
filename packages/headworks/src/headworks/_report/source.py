"""The files and commands that the report's facts come from, of the work tree and of its base."""

from __future__ import annotations

import glob
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headworks._gate.measurements import measurements_of
from headworks.errors import HeadworksError

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings
    from headworks._report.page import Outcome

_FORM = 1
_SECONDS = 600.0  # that a declared command may take
# Errors of reading and showing a file of another kind than expected: a folder, broken Parquet, numbers beyond any.
ODD = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError, pa.ArrowException)


class NotThereError(HeadworksError):
    """A fact of the report is not there, which the report says and is not stopped by.

    Attributes:
        outcome: the section's outcome then; None for none.
    """

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        """Take a message, and the section's outcome."""
        super().__init__(message)
        self.outcome = outcome


def check_form(data: Mapping[str, Any]) -> None:
    """Refuse a form that is newer than this reader.

    Raises:
        ValueError: It is.
    """
    if data["format"] != _FORM:
        message = f"its format is {data['format']!r}, and this version of headworks reads {_FORM}"
        raise ValueError(message)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where facts are read.

    Attributes:
        root: the project's folder.
        base: finds the place of a file or folder that the base has, by its path in the work tree; empty for none.
    """

    root: str
    base: Callable[[str], str]

    def here(self, name: str) -> str:
        """Return the place of a file or folder of the work tree; empty where there is none."""
        place = os.path.join(self.root, name)
        return place if name and os.path.exists(place) else ""

    def path(self, name: str) -> str:
        """Return the place of a file of the work tree.

        Raises:
            NotThereError: There is none.
        """
        if place := self.here(name):
            return place
        message = f"There is no {name}." if name else "Nothing is declared for this in [tool.headworks.report]."
        raise NotThereError(message)

    def names(self, pattern: str) -> list[str]:
        """Return the files of the work tree that a pattern names, relative to its folder, in order."""
        return sorted(glob.glob(pattern, root_dir=self.root, recursive=True))

    def json(self, source: str | tuple[str, ...], places: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401  # it may be anything
        """Return the content of a JSON file, or the JSON that a command prints.

        Args:
            source: The file, or the program and its arguments.
            places: Folders by the names that stand for them in curly brackets among the arguments.

        Raises:
            NotThereError: There is no such file, or the command fails.
        """
        if isinstance(source, str):
            with open(self.path(source), encoding="utf-8") as file:
                return json.load(file)
        command = list(source)
        for name, place in (places or {}).items():
            command = [argument.replace(f"{{{name}}}", place) for argument in command]
        try:
            done = subprocess.run(  # noqa: S603  # the project's own table names it
                command, cwd=self.root, check=False, capture_output=True, timeout=_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            message = f"{source[0]} cannot be run: {error}"
            raise NotThereError(message, "cannot tell") from None
        if done.returncode not in {0, 1}:  # 1 says that a limit is broken
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            message = f"{' '.join(source)} ended with exit code {done.returncode}: {last}"
            raise NotThereError(message, "cannot tell")
        return json.loads(done.stdout)

    def measured(self, settings: GateSettings) -> dict[str, tuple[float, ...]]:
        """Return the measurements in the table's file, and the size of the model, as far as they are there."""
        return measurements_of(self.here(settings.measurements), self.here(settings.model))
