"""The ledger: the models that each test set has judged, since every answer wears it out.

A test set that has judged many models, each made after the outcome of the last, is no proof any more that a model is
good for rows that it has not seen. So the number of models is limited by `budget`. The same model asks for free.

Source:
    Renggli et al., "Continuous integration of machine learning models with ease.ml/ci", MLSys 2019, section 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from headworks._store.files import seal_json
from headworks._store.journal import Entry, Journal, read_entry
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from headworks._store.remote import Remote


class Charge(NamedTuple):
    """The number of a model among those that asked a test set, how many may, and whether it had not asked before."""

    step: int
    budget: int
    is_new: bool


def charge(
    root: str,
    test_set: str,
    model: str,
    *,
    conditions: Sequence[str],
    budget: int,
    when: str,
    remote: Remote | None = None,
) -> Charge:
    """Record that a model asks a test set, before it is told anything.

    Entries in a remote store count as well. Where this run may write there, its entry is written before what others
    wrote is read, so that of several which ask at a time no more are told than the budget allows:
    where there are more entries than that, no model is told anything.

    Args:
        root: The store's folder.
        test_set: The SHA-256 of the rows that are asked.
        model: The SHA-256 of the model's predictions.
        conditions: The conditions that it is judged by.
        budget: How many models may.
        when: The time, ISO 8601 in UTC.
        remote: A store that others read too, if any.

    Raises:
        CannotDecideError: The budget is spent, or the remote's ledger cannot be read.
        StoreError: The ledger cannot be written.
    """
    journal = Journal(root, "ledger", test_set)
    _take(journal, remote, test_set)
    known: list[bool] = []

    def entry(entries: list[Entry | None]) -> Entry | None:
        known[:] = [any(entry is not None and entry.get("model") == model for entry in entries)]
        if known[0]:
            return None
        if len(entries) >= budget:
            raise CannotDecideError(_spent(test_set, budget))
        return {
            "test_set": test_set,
            "model": model,
            "conditions": list(conditions),
            "step": len(entries) + 1,
            "when": when,
        }

    added = journal.append(entry)
    if added is not None and remote is not None and remote.writes:
        # By the name of its model, so that two runs never write the same entry.
        remote.write(f"ledger/{test_set}/{model}", seal_json(added), what="The ledger")
        _take(journal, remote, test_set)
    entries = journal.entries()
    if len(entries) > budget:  # whatever their times say, since clocks differ
        raise CannotDecideError(_spent(test_set, budget))
    times = sorted((str(it.get("when")), str(it.get("model"))) for it in entries if it is not None)
    step = 1 + entries.count(None) + [name for _, name in times].index(model)  # damaged entries come first
    return Charge(step=step, budget=budget, is_new=not known[0])


def _take(journal: Journal, remote: Remote | None, test_set: str) -> None:
    """Add the entries of a remote store to a ledger; one that is damaged there counts by its name."""
    if remote is None:
        return
    entries = remote.read_folder(f"ledger/{test_set}")
    if entries is None:
        message = (
            f"How often the test set was asked is not known: {' '.join(remote.problems)} Ask again when it can be"
            " reached, or without HEADWORKS_REMOTE, to count what this machine alone knows."
        )
        raise CannotDecideError(message)
    nothing: Entry = {"test_set": test_set, "conditions": [], "when": ""}
    taken = [(read_entry(data) or nothing) | {"model": name} for name, data in sorted(entries.items())]
    journal.merge(taken, "model")


def _spent(test_set: str, budget: int) -> str:
    return (
        f"The test set {test_set[:12]} has judged {budget} models, which is its whole budget: another outcome would say"
        " little about rows that no model has seen. Refresh it with rows that were never used, as with another salt of"
        " the splits; or raise `budget` in [tool.headworks.gate], and `headworks gate --plan` says what that needs."
    )
