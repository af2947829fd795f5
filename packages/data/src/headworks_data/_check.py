"""Hold a dataset against its contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headworks_data import _rules_dataset as dataset_rules
from headworks_data import _rules_split as split_rules
from headworks_data._dataset import SPLITS
from headworks_data._files import join, read_table
from headworks_data._summary import SUMMARY, read_summary
from headworks_data._violation import REBUILD, Violation
from headworks_data.errors import DatasetInvalidError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from headworks_data._contract import Contract
    from headworks_data._rules_split import Columns
    from headworks_data._summary import Summary


def check(folder: str | os.PathLike[str], contract: Contract) -> list[Violation]:
    """Hold a dataset against a contract.

    The rows are read as they are; dataset.json is not trusted, and must agree with them. Where the columns of a file
    differ from the contract, that is the violation, and its rows are not judged.

    Args:
        folder: The dataset.
        contract: The rules.

    Returns:
        All violations; none where the contract holds.

    Raises:
        DatasetMissingError: There is no dataset, or a file of it is gone.
        DatasetInvalidError: A file cannot be read.
    """
    folder = Path(folder)
    summary = read_summary(folder)
    violations: list[Violation] = []
    columns: dict[str, Columns] = {}
    for name in SPLITS:
        table = read_table(folder / f"{name}.parquet")
        if broken := list(split_rules.schema(name, table, contract)):
            violations += broken
        else:
            columns[name] = split_rules.read_columns(table, contract)
        del table  # as large as the split: it goes before the next one is read
    violations += _judge(columns, summary, contract)
    return violations or list(_disagreement(folder, summary, columns))


def _judge(columns: Mapping[str, Columns], summary: Summary, contract: Contract) -> Iterator[Violation]:
    for name, split in columns.items():
        yield from split_rules.rows(name, split, contract)
    yield from dataset_rules.shares(columns, contract)
    yield from dataset_rules.shared_content(columns)
    if contract.near_duplicates:
        yield from dataset_rules.near_duplicates(columns, contract.near_duplicates)
    yield from dataset_rules.conflicts(columns)
    if contract.split_by_content:
        yield from dataset_rules.moved(columns, summary.salt, contract)
    if summary.classes != contract.classes:
        what = f"the classes are {', '.join(summary.classes)} and must be {', '.join(contract.classes)}"
        yield Violation(rule="classes", where=SUMMARY, what=what, count=1, remedy=REBUILD)


def _disagreement(folder: Path, summary: Summary, columns: Mapping[str, Columns]) -> Iterator[Violation]:
    """Yield a violation where dataset.json disagrees with the rows; broken rules explain that already."""
    try:
        join(folder, summary, {name: split.as_split() for name, split in columns.items()})
    except DatasetInvalidError as error:
        yield Violation(rule="summary", where=SUMMARY, what=str(error), count=1, remedy="build the dataset again")
