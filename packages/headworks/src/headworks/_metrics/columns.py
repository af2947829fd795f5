"""The columns of a table of predictions as arrays, each checked for its type and values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pyarrow as pa
from pyarrow import compute, types

from headworks._metrics.condition import LARGEST
from headworks._nearest import suggestion
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Columns:
    """The columns of one file.

    Attributes:
        path: the file, for messages.
        names: the names of all columns.
    """

    def __init__(self, path: str, table: pa.Table) -> None:
        """Take the table.

        Raises:
            ConfigurationError: It has no rows.
        """
        self.path = path
        self.names: list[str] = table.column_names
        self._table = table
        self._texts: dict[str, NDArray[np.str_]] = {}
        if not table.num_rows:
            self.refuse("there are no rows, and nothing can be said about none")

    def refuse(self, reason: str) -> NoReturn:
        """Raise an error about the file."""
        message = f"{self.path}: {reason}."
        raise ConfigurationError(message.replace("?.", "?").replace("..", "."))

    def refuse_where(self, is_wrong: NDArray[np.bool_], reason: Callable[[int], str]) -> None:
        """Raise an error about the first row that is wrong, (rows,), if there is one."""
        if is_wrong.any():
            self.refuse(reason(int(is_wrong.argmax())))

    def require(self, whole: Sequence[str], gaps: Sequence[str]) -> None:
        """Refuse a file that lacks a column, or a value in one of texts that has to be whole."""
        for name in (*whole, *gaps):
            if name not in self.names:
                self.refuse(f"there is no column {name!r}.{suggestion(name, self.names)}")
        for name in whole:
            if types.is_string(self._table[name].type):
                self._refuse_missing(name, self.texts(name) == "")

    def is_missing(self, name: str) -> NDArray[np.bool_]:
        """Return which rows have no value, or one that is no number, (rows,)."""
        column = self._table[name].combine_chunks()
        is_missing: NDArray[np.bool_] = compute.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False)
        return is_missing

    def id(self, row: int) -> str:
        """Return the id of a row, for messages."""
        return repr(str(self.texts("id")[row]))

    def texts(self, name: str, *, missing: str | None = None) -> NDArray[np.str_]:
        """Return a column as texts; a whole number is written without a point.

        Args:
            name: The column.
            missing: A text in place of missing values; without it, the file is refused for one.
        """
        if name not in self._texts:
            column = self._table[name].combine_chunks()
            if types.is_floating(column.type) and missing is not None:
                column = compute.if_else(compute.is_nan(column), None, column)
            if missing is None:
                self._refuse_missing(name, column.is_null().to_numpy(zero_copy_only=False))
            if types.is_floating(column.type):
                try:
                    column = column.cast(pa.int64())
                except pa.ArrowInvalid:
                    self.refuse(f"the column {name!r} has numbers that are not whole; it has to have texts")
            if types.is_dictionary(column.type):
                column = column.dictionary_decode()
            texts = self._cast(name, column, pa.string())
            self._texts[name] = np.array((texts if missing is None else texts.fill_null(missing)).to_pylist(), np.str_)
        return self._texts[name]

    def numbers(
        self, name: str, *, missing: NDArray[np.bool_] | None = None, is_share: bool = False
    ) -> NDArray[np.float64]:
        """Return a column as finite numbers, whose squares are finite too.

        Args:
            name: The column.
            missing: The rows that may have none, and are NaN, (rows,).
            is_share: Whether they have to be from 0 to 1.
        """
        column = self._table[name].combine_chunks()
        if missing is None:
            self._refuse_missing(name, column.is_null().to_numpy(zero_copy_only=False))
        values: NDArray[np.float64] = self._cast(name, column, pa.float64()).to_numpy(zero_copy_only=False)
        nothing = np.zeros(len(values), bool) if missing is None else missing
        values = np.where(nothing, np.nan, values)

        def wrong(what: str) -> Callable[[int], str]:
            return lambda row: f"the {name} of {self.id(row)} is {values[row]:g}, {what}"

        self.refuse_where(~np.isfinite(values) & ~nothing, wrong("which is no number"))
        self.refuse_where(np.abs(values) > LARGEST, wrong(f"beyond {LARGEST:g}"))
        if is_share:
            self.refuse_where((values < 0) | (values > 1), wrong("which is not from 0 to 1"))
        return values

    def lists(self, name: str, missing: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return a column of lists of one length, (rows, length); NaN in the rows that may have none, (rows,)."""
        column = self._table[name].combine_chunks()
        if not any(check(column.type) for check in (types.is_list, types.is_large_list, types.is_fixed_size_list)):
            self.refuse(f"the column {name!r} has {column.type}; it has to have lists of numbers")
        column = column.filter(pa.array(~missing))
        lengths = set(compute.list_value_length(column).to_pylist())
        if len(lengths) > 1 or not lengths - {None, 0}:
            self.refuse(f"the lists in the column {name!r} have different lengths, or none")
        flat = self._cast(name, column.flatten(), pa.float64()).to_numpy(zero_copy_only=False)
        values = np.full((len(missing), len(flat) // len(column)), np.nan)
        values[~missing] = flat.reshape(len(column), -1)
        return values

    def slices(self, others: Iterable[str], prefix: str) -> list[str]:
        """Return the columns that group rows: all others of texts, whole numbers or truths."""
        known = set(others)
        return [
            name
            for name in self.names
            if name not in known and not name.startswith(prefix) and _is_slice(self._table[name].type)
        ]

    def _cast(self, name: str, column: pa.Array, kind: pa.DataType) -> pa.Array:
        """Return a column in another type."""
        try:
            return column.cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            self.refuse(f"the column {name!r} is of type {column.type}; it has to be of type {kind}")

    def _refuse_missing(self, name: str, is_missing: NDArray[np.bool_]) -> None:
        """Refuse a column that lacks values."""
        self.refuse_where(is_missing, lambda row: f"the column {name!r} has no value in row {row + 1}")


def _is_slice(kind: pa.DataType) -> bool:
    """Tell whether values of a type can name a group of rows."""
    kind = kind.value_type if types.is_dictionary(kind) else kind
    checks = (types.is_string, types.is_large_string, types.is_integer, types.is_boolean)
    return any(check(kind) for check in checks)
