"""The split of a row: a function of its content and a salt, and of nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from headworks_data._dataset import SPLITS
from headworks_data._settings import Range, expect, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# The rank of a row is read from this many hexadecimal digits, 52 bits, which a double holds exactly.
RANK_DIGITS = 13
# How far the sum of the shares may be from 1: decimals in a file are no more exact.
ROUNDING = 1e-9
POSITIVE = Range(above=0)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Shares of a dataset's rows for each split; they add up to 1.

    Attributes:
        train: Share of the training rows, above 0 and below 1.
        validation: Share of the rows that decide when training stops.
        test: Share of the rows that judge the model.
    """

    train: Annotated[float, POSITIVE] = 0.6
    validation: Annotated[float, POSITIVE] = 0.2
    test: Annotated[float, POSITIVE] = 0.2

    def __post_init__(self) -> None:
        """Refuse shares that are not positive or do not add up."""
        validate(self)
        shares = [getattr(self, name) for name in SPLITS]
        expect(abs(sum(shares) - 1) <= ROUNDING, f"shares must add up to 1, not {' + '.join(map(str, shares))}")


def assign(ids: NDArray[np.str_], *, salt: str, shares: Shares) -> Mapping[str, NDArray[np.intp]]:
    """Choose the split of every row.

    A row is ranked by SHA-256 over the salt and its id, as a number in [0, 1), and the shares cut that interval. Other
    rows have no influence: adding or removing rows never moves one between splits, and both copies of an image are in
    the same split. The price is that shares are met on average, not exactly.

    Args:
        ids: Content hash of each row, (N,).
        salt: Any text; another one gives other splits.
        shares: Share of each split.

    Returns:
        For each split, the indices of its rows.
    """
    ranks = np.array([_rank(salt, row_id) for row_id in ids], dtype=np.float64)
    chosen = np.searchsorted([shares.train, shares.train + shares.validation], ranks, side="right")
    return {name: np.flatnonzero(chosen == number) for number, name in enumerate(SPLITS)}


def _rank(salt: str, row_id: str) -> float:
    digest = hashlib.sha256(f"{salt}\n{row_id}".encode()).hexdigest()
    return int(digest[:RANK_DIGITS], 16) / 16.0**RANK_DIGITS
