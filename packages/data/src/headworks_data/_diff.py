"""The comparison of two datasets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from headworks_data._changes import row_changes, schema_changes
from headworks_data._dataset import SPLITS
from headworks_data._diff_limits import judge
from headworks_data._drift import label_drift, pixel_drift
from headworks_data._files import load
from headworks_data._near_changes import near_changes
from headworks_data._nearest import NearDuplicates

if TYPE_CHECKING:
    import os

    from headworks_data._changes import RowChanges, SchemaChange
    from headworks_data._contract import Contract
    from headworks_data._dataset import Dataset
    from headworks_data._drift import LabelDrift, PixelDrift
    from headworks_data._near_changes import NearChanges
    from headworks_data._violation import Violation

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two datasets.

    Attributes:
        digest: SHA-256 over all its rows and classes.
        source: Name of its source.
        salt: Salt of its splits; another one explains that rows moved.
        rows: Number of rows in each split.
    """

    digest: str
    source: str
    salt: str
    rows: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class DatasetDiff:
    """Differences between two datasets.

    Attributes:
        base: The dataset before.
        new: The dataset now.
        schema: Differences in classes and columns.
        rows: Rows added, removed, relabelled, moved and resliced.
        labels: For each split its labels on both sides, and their drift.
        pixels: The drift of each property of the images of each split; empty for a split without rows.
        near_duplicates: Near-duplicates across splits.
        limits: The limits that were judged; without any, the comparison informs only.
        accepted: Whether the contract accepts this very change, whatever it breaks.
        violations: All broken limits.
    """

    base: Side
    new: Side
    schema: tuple[SchemaChange, ...]
    rows: RowChanges
    labels: dict[str, LabelDrift]
    pixels: dict[str, dict[str, PixelDrift]]
    near_duplicates: NearChanges
    limits: dict[str, float]
    accepted: bool
    violations: tuple[Violation, ...]

    @property
    def passed(self) -> bool:
        """Whether no limit is broken, or the contract accepts this very change."""
        return self.accepted or not self.violations

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison in the form of `diff.schema.json`."""
        return {"format": FORMAT, "passed": self.passed, **asdict(self)}


def diff(base: str | os.PathLike[str], new: str | os.PathLike[str], contract: Contract | None = None) -> DatasetDiff:
    """Compare two datasets.

    Args:
        base: The folder of the dataset before.
        new: The folder of the dataset now.
        contract: Limits for near-duplicates and differences; without it nothing is judged.

    Raises:
        DatasetMissingError: There is no dataset in a folder, or a file of it is gone.
        DatasetInvalidError: A file cannot be read, or dataset.json disagrees with its rows.
        SettingsError: The contract accepts a dataset without a word on the one before.
    """
    one, other = load(base), load(new)
    settings = (contract and contract.near_duplicates) or NearDuplicates()
    compared = DatasetDiff(
        base=_side(one),
        new=_side(other),
        schema=tuple(schema_changes(one, other)),
        rows=row_changes(one, other),
        labels={name: label_drift(one, other, name) for name in SPLITS},
        pixels={name: pixel_drift(one, other, name) for name in SPLITS},
        near_duplicates=near_changes(one, other, settings),
        limits=contract.diff.stated() if contract else {},
        accepted=bool(contract and contract.diff.is_accepted(one.digest, other.digest)),
        violations=(),
    )
    return replace(compared, violations=tuple(judge(compared, contract.diff))) if contract else compared


def _side(dataset: Dataset) -> Side:
    rows = {name: len(split) for name, split in dataset.splits.items()}
    return Side(digest=dataset.digest, source=dataset.source, salt=dataset.salt, rows=rows)
