"""The table of planted faults: the edits that make each of them, and the sessions that have to notice it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TABLE: Final = Path(__file__).with_name("table.toml")


class FaultsError(Exception):
    """The campaign cannot continue; the message says what happened, where, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A text that occurs exactly once in a file, and its replacement."""

    file: str
    old: str
    new: str

    def __post_init__(self) -> None:
        """Refuse an edit that changes nothing."""
        if self.old == self.new:
            message = f"the edit of {self.file} changes nothing: its `old` and `new` are equal."
            raise FaultsError(message)

    def apply(self, root: Path) -> None:
        """Make the edit in a copy of the repository.

        Raises:
            FaultsError: The file is missing, or the text does not occur in it exactly once.
        """
        path = root / self.file
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            message = f"{self.file} cannot be read: {error.strerror}. Name the file that holds {self.old!r} now."
            raise FaultsError(message) from error
        if (count := text.count(self.old)) != 1:
            message = f"{self.file} holds {self.old!r} {count} times, not once. Bring `old` up to date."
            raise FaultsError(message)
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault, and the sessions that have to turn red for it.

    Attributes:
        name: The fault's name.
        effect: One sentence that says what goes wrong.
        red: Each session that has to turn red, with a text that its output then contains.
        edits: The edits that make the fault.
        before: The edits of changes that were merged since the last release, in which everything has passed.
        also: Sessions to run in addition to those that judge every fault.
    """

    name: str
    effect: str
    red: Mapping[str, str]
    edits: Sequence[Edit]
    before: Sequence[Edit] = ()
    also: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse a fault without edits, or without a session that has to notice it."""
        if not self.red or not self.edits:
            message = f"{self.name!r} needs both `red` and `edits`."
            raise FaultsError(message)


@dataclass(frozen=True, kw_only=True)
class Table:
    """All faults, and the sessions that judge them.

    Attributes:
        prepare: Edits of the copy before everything has to pass in it.
        left_out: Functions of the noxfile that judge no fault, with the reasons.
        faults: All faults by their names.
    """

    prepare: Sequence[Edit]
    left_out: Mapping[str, str]
    faults: Mapping[str, Fault]

    def chosen(self, names: Sequence[str]) -> list[Fault]:
        """Return the faults of these names, or all.

        Raises:
            FaultsError: There is no fault of that name.
        """
        if unknown := [name for name in names if name not in self.faults]:
            message = f"There is no fault {unknown[0]!r}; `nox -s faults -- --list` names them all."
            raise FaultsError(message)
        return [self.faults[name] for name in names or self.faults]


def read_table(path: Path = TABLE) -> Table:
    """Read the table.

    Raises:
        FaultsError: It cannot be read, or has no row, or a row lacks a key or has an unknown one.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return Table(
            prepare=[Edit(**edit) for edit in content["prepare"]],
            left_out=content["left-out"],
            faults=_faults(content["faults"]),
        )
    except (OSError, ValueError, KeyError, TypeError, FaultsError) as error:
        message = f"{path} is not a table of faults: {error}"
        raise FaultsError(message) from error


def _faults(rows: Mapping[str, Any]) -> dict[str, Fault]:
    """Return the faults of all rows."""
    if not rows:
        message = "it holds no fault, so that a run would prove nothing."
        raise FaultsError(message)
    return {name: _fault(name, row) for name, row in rows.items()}


def _fault(name: str, row: Mapping[str, Any]) -> Fault:
    """Return the fault that a row describes."""
    if not isinstance(row.get("also", []), list):
        message = f"`also` of {name!r} is {row['also']!r}; give a list of sessions."
        raise FaultsError(message)
    edits = {key: [Edit(**edit) for edit in row.get(key, ())] for key in ("edits", "before")}
    return Fault(**{**row, **edits, "name": name})
