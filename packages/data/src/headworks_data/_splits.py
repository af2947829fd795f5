"""Which split a row belongs to: a function of its content and a salt, and of nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from headworks_data._dataset import SPLITS
from headworks_data._expect import expect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# The rank of a row is read from this many hexadecimal digits, 52 bits, which a double holds exactly.
RANK_DIGITS = 13
# How far shares may be from 1 together: decimals in a file are no more exact.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How much of a dataset each split gets; together they are 1.

    Attributes:
        train: Share of the training rows, above 0 and below 1.
        validation: Share of the rows that training is stopped by.
        test: Share of the rows that the model is judged on.
    """

    train: float = 0.6
    validation: float = 0.2
    test: float = 0.2

    def __post_init__(self) -> None:
        """Refuse shares that are not positive or do not add up."""
        shares = [getattr(self, name) for name in SPLITS]
        fits = all(it > 0 for it in shares) and abs(sum(shares) - 1) <= ROUNDING
        expect(fits, f"shares must be above 0 and add up to 1, not {', '.join(map(str, shares))}")


def assign(ids: NDArray[np.str_], *, salt: str, shares: Shares) -> Mapping[str, NDArray[np.intp]]:
    """Choose the split of every row.

    A row is ranked by SHA-256 over the salt and its id, as a number in [0, 1), and the shares cut that interval. No
    other row has a say, so that adding or removing rows never moves one from split to split; an image that occurs
    twice is in one split both times. The price is that shares are met on average, not exactly.

    Args:
        ids: Content hash of each row, (N,).
        salt: Any text; another one gives other splits.
        shares: How much each split gets.

    Returns:
        For each split, the indices of its rows.
    """
    ranks = np.array([_rank(salt, it) for it in ids], dtype=np.float64)
    chosen = np.searchsorted([shares.train, shares.train + shares.validation], ranks, side="right")
    return {name: np.flatnonzero(chosen == number) for number, name in enumerate(SPLITS)}


def _rank(salt: str, row_id: str) -> float:
    digest = hashlib.sha256(f"{salt}\n{row_id}".encode()).hexdigest()
    return int(digest[:RANK_DIGITS], 16) / 16.0**RANK_DIGITS
