"""The ledger: how often each test set was asked, since every answer wears it out.

A test set that has judged many models, each made after the outcome of the last, is no proof any more that a model is
good for rows that it has not seen. So the number of models is limited by `budget`. The same model asks for free.

Source:
    Renggli et al., "Continuous integration of machine learning models with ease.ml/ci", MLSys 2019, section 2.2.
"""

from __future__ import annotations

from headgate._record import Record
from headgate._store_journal import Journal
from headgate.errors import CannotDecideError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["Charge", "charge"]


class Charge(Record):
    """What asking a test set cost.

    Attributes:
        step: the number of the model among those that asked.
        budget: how many may.
        is_new: whether it had not asked before.
    """

    step: int
    budget: int
    is_new: bool


def charge(root: str, test_set: str, model: str, *, conditions: Sequence[str], budget: int, when: str) -> Charge:
    """Note that a model asks a test set, before it is told anything.

    Args:
        root: the store's folder.
        test_set: the SHA-256 of the rows that are asked.
        model: the SHA-256 of what the model says.
        conditions: what is asked.
        budget: how many models may.
        when: the time, ISO 8601 in UTC.

    Raises:
        CannotDecideError: the budget is spent.
        StoreError: the ledger cannot be written.
    """
    steps: list[int] = []

    def entry(found: list[dict[str, Any] | None]) -> dict[str, Any] | None:
        known = [number for number, it in enumerate(found, 1) if it is not None and it.get("model") == model]
        steps[:] = known or [len(found) + 1]
        if known:
            return None
        if len(found) >= budget:
            raise CannotDecideError(_spent(test_set, budget))
        return {"test_set": test_set, "model": model, "conditions": list(conditions), "step": steps[0], "when": when}

    is_new = Journal(root, "ledger", test_set).append(entry) is not None
    return Charge(step=steps[0], budget=budget, is_new=is_new)


def _spent(test_set: str, budget: int) -> str:
    """Return the message for a test set that is worn out."""
    return (
        f"The test set {test_set[:12]} has judged {budget} models, which is its whole budget: another outcome would say"
        " little about rows that no model has seen. Refresh it with rows that were never used, as with another salt of"
        " the splits; or raise `budget` in [tool.headgate.gate], and `headgate gate --plan` says what that needs."
    )
