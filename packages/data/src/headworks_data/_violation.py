"""Violations of the contract, in the form that every command reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_ROWS_SHOWN = 5
REBUILD = "build the dataset again, or change the contract if this is meant"


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A broken rule.

    Attributes:
        rule: Name of the rule.
        where: The split or file.
        what: The fault in words.
        count: Number of rows, classes or values that break the rule.
        remedy: The next step.
        rows: Ids of up to five of the rows.
    """

    rule: str
    where: str
    what: str
    count: int
    remedy: str
    rows: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the line for people."""
        rows = f" (rows {', '.join(self.rows)})" if self.rows else ""
        return f"{self.rule}: {self.where}: {self.count} x {self.what}{rows}; {self.remedy}"


def some(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the first ids, as many as are shown."""
    return tuple(dict.fromkeys(map(str, ids)))[:MAX_ROWS_SHOWN]


def about_rows(rule: str, where: str, ids: Iterable[str], what: str, remedy: str) -> Iterator[Violation]:
    """Yield a violation if any rows break a rule."""
    broken = list(ids)
    if broken:
        yield Violation(rule=rule, where=where, what=what, count=len(broken), remedy=remedy, rows=some(broken))
