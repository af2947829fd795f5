"""Values on a scale that does not depend on their unit."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from example_features.errors import NoSpreadError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["standardise"]


def standardise(values: Sequence[float]) -> list[float]:
    """Return values with their mean taken away, in units of their standard deviation.

    Args:
        values: N numbers, of any one unit.

    Returns:
        N numbers without a unit, with mean 0 and standard deviation 1.

    Raises:
        NoSpreadError: All values are equal, or there is none.
    """
    deviation = statistics.pstdev(values) if values else 0.0
    if deviation == 0:
        message = f"{len(values)} values without any difference cannot be standardised: leave this feature out."
        raise NoSpreadError(message)
    mean = statistics.fmean(values)
    return [(value - mean) / deviation for value in values]
