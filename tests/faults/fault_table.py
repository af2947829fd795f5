"""The table of planted faults: what each of them changes, and the sessions that have to notice it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TABLE: Final = Path(__file__).with_name("table.toml")


class FaultsError(Exception):
    """The campaign cannot go on; the message says what happened, where, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A text that stands exactly once in a file, and what takes its place."""

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
            FaultsError: The file is not there, or the text does not stand in it exactly once.
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
    """A fault, and what has to come of it.

    Attributes:
        name: what it is called.
        what: one sentence that says what goes wrong.
        red: each session that has to turn red, with what its output then says.
        edits: the edits that make it.
        also: sessions to run beside those that every fault goes through.
    """

    name: str
    what: str
    red: Mapping[str, str]
    edits: Sequence[Edit]
    also: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse a fault that does nothing, or that nothing has to notice."""
        if not self.red or not self.edits:
            message = f"{self.name!r} needs both `red` and `edits`."
            raise FaultsError(message)


@dataclass(frozen=True, kw_only=True)
class Table:
    """All faults, and what they are run through.

    Attributes:
        prepare: edits that make the copy which everything passes in.
        left_out: functions of the noxfile that the faults do not go through, with the reason.
        faults: all of them, by name.
    """

    prepare: Sequence[Edit]
    left_out: Mapping[str, str]
    faults: Mapping[str, Fault]

    def chosen(self, names: Sequence[str]) -> list[Fault]:
        """Return the faults of these names, or all.

        Raises:
            FaultsError: There is none of a name.
        """
        if unknown := [it for it in names if it not in self.faults]:
            message = f"There is no fault {unknown[0]!r}; `nox -s faults -- --list` names them all."
            raise FaultsError(message)
        return [self.faults[it] for it in names or self.faults]


def read_table(path: Path = TABLE) -> Table:
    """Read the table.

    Raises:
        FaultsError: It cannot be read, it has no row, or a row of it lacks something or has something else.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return Table(
            prepare=[Edit(**it) for it in content["prepare"]],
            left_out=content["left-out"],
            faults=_faults(content["faults"]),
        )
    except (OSError, ValueError, KeyError, TypeError, FaultsError) as error:
        message = f"{path} is no table of faults: {error}"
        raise FaultsError(message) from error


def _faults(rows: Mapping[str, Any]) -> dict[str, Fault]:
    """Return the faults of all rows."""
    if not rows:
        message = "it holds no fault, and none would pass for all of them noticed."
        raise FaultsError(message)
    return {name: _fault(name, row) for name, row in rows.items()}


def _fault(name: str, row: Mapping[str, Any]) -> Fault:
    """Return the fault that a row tells of."""
    if not isinstance(row.get("also", []), list):
        message = f"`also` of {name!r} is {row['also']!r}; give a list of sessions."
        raise FaultsError(message)
    edits = [Edit(**it) for it in row.get("edits", ())]
    return Fault(**{**row, "name": name, "edits": edits})
