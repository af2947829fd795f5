"""Finds verdicts of sessions that were watched: those of which everything that was read is still the same."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from headworks._observe.witness import Tree
from headworks._store.witness import Witnesses

if TYPE_CHECKING:
    from headworks._digest.digest import Digester
    from headworks._store.store import Store
    from headworks._store.verdict import Verdict

    Cores = tuple[str, ...]

_TABLE = "witnesses"
_SPARE = 1_000  # witnesses that are remembered although nobody asks for them
_MOST = 100  # differences of a witness that are counted


class Seen(NamedTuple):
    """The verdicts of a session that was watched.

    Attributes:
        verdict: One whose witness holds; None where there is none that can be relied on.
        is_flaky: Whether the session has failed with all that it read as it is now, and also passed so.
        failed: The digest of a failure whose witness holds; empty where there is none.
        differences: How the tree differs from what the newest one read; empty where there is none.
    """

    verdict: Verdict | None
    is_flaky: bool
    failed: str
    differences: tuple[str, ...]


class Observed:
    """Holds the witnesses of a store against a work tree."""

    def __init__(self, digester: Digester, store: Store) -> None:
        """Take a digester of the work tree and the store."""
        self._store = store
        self._memory = digester.memory
        self._tree = Tree(digester.snapshot)
        self._read: Witnesses | None = None

    def find(self, cores: Collection[Cores], elsewhere: Collection[Cores]) -> dict[Cores, Seen]:
        """Return the verdicts of sessions, by their cores; of some of these, a remote is asked as well."""
        found = self._look(cores)
        if open_ones := [it for it in elsewhere if found[it].verdict is None and not found[it].is_flaky]:
            self._store.fetch_observed(core for own in open_ones for core in own)
            found |= self._look(open_ones)
        return found

    def _look(self, cores: Collection[Cores]) -> dict[Cores, Seen]:
        names = {own: [it for core in own for it in self._store.observed(core)] for own in cores}
        every = {it for its in names.values() for it in its}
        table = self._table(every)
        holding = table.holding(every, self._tree.holds)
        failed = self._store.failed(holding)
        verdicts = self._store.verdicts(sorted(holding - failed))
        return {cores: self._seen(own, table, holding, failed, verdicts) for cores, own in names.items()}

    def _seen(
        self, names: list[str], table: Witnesses, holding: set[str], failed: set[str], verdicts: dict[str, Verdict]
    ) -> Seen:
        verdict = next((verdicts[it] for it in names if it in verdicts), None)
        own_failed = failed.intersection(names)
        is_flaky = bool(own_failed) and (verdict is not None or any(map(self._store.is_flaky, own_failed)))
        if verdict is not None and not own_failed:
            return Seen(verdict, is_flaky=False, failed="", differences=())
        last = next((it for it in names if it in table and it not in failed), None)
        differences = () if last is None or last in holding else self._tree.differences(table[last])
        return Seen(None, is_flaky, min(own_failed, default=""), tuple(islice(differences, _MOST)))

    def _table(self, names: set[str]) -> Witnesses:
        """Return the witnesses of some names, remembered in one table, since reading a record for each takes long."""
        if self._read is None:
            self._read = Witnesses(*(self._memory.get(_TABLE, "") or ()))
        table, known = self._read, set(self._read)
        if names <= known:
            return table
        new = {it: witness for it in names - known if (witness := self._store.witness(it)) is not None}
        kept = known if len(known) < _SPARE + 2 * len(names) else names & known
        self._read = Witnesses.of({it: table[it] for it in kept} | new)
        self._memory.put(_TABLE, "", (self._read.lines, self._read.numbers))
        return self._read
