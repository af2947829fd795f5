"""The rows of a split, in the one order that all results are made in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headworks_data import Split


def in_stored_order(split: Split) -> Split:
    """Return a split with its rows in the order in which a dataset stores them: by id, then label, then slices.

    The digest of a dataset says nothing of the order of its rows: neither weights nor intervals may depend on it.
    """
    order = split.order()
    columns = {name: getattr(split, name)[order] for name in ("ids", "images", "labels")}
    return dataclasses.replace(split, **columns, slices={name: values[order] for name, values in split.slices.items()})
