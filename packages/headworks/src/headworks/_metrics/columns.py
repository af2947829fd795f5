"""The columns of a table of predictions as arrays, each checked for its type and values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pyarrow as pa
from pyarrow import compute, types

from headworks._metrics.condition import LARGEST, class_name, one_form
from headworks._nearest import suggestion
from headworks._quantities import size_text
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BYTES = 2**31  # of memory, for all columns that are read or for the texts of one
_LONGEST = 250  # letters of a value of a slice: what is longer is a text, and no group
_CLASSES = ("label", "prediction")
_DECIMAL = re.compile(r"-?(?:[0-9]+\.[0-9]*|\.[0-9]+)")


class Columns:
    """The columns of one file.

    Attributes:
        path: the file, for messages.
        names: the names of all columns.
    """

    def __init__(self, path: str, table: pa.Table, names: list[str]) -> None:
        """Take the table, which need not have all columns.

        Raises:
            ConfigurationError: It has no rows.
        """
        self.path = path
        self.names = names
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
            values, places = self._distinct(name)
            if missing is None:
                self._refuse_missing(name, np.array([it is None for it in values])[places])
            texts = [missing or "" if it is None else self._formed(name, it) for it in values]
            check_size(self.path, max(map(len, texts)) * len(places) * np.dtype("U1").itemsize)
            self._texts[name] = np.array(texts, np.str_)[places]
        return self._texts[name]

    def _distinct(self, name: str) -> tuple[list[str | None], NDArray[np.intp]]:
        """Return the different texts in a column, None last, and the place of each row's among them, (rows,)."""
        column = self._table[name]
        if types.is_floating(column.type):
            column = compute.if_else(compute.is_nan(column), None, column)
            try:
                column = column.cast(pa.int64())
            except pa.ArrowInvalid:
                self.refuse(f"the column {name!r} has numbers that are not whole; it has to have texts")
        encoded = column if types.is_dictionary(column.type) else column.dictionary_encode()
        column = encoded.unify_dictionaries().combine_chunks()
        values = [*self._cast(name, column.dictionary, pa.string()).to_pylist(), None]
        return values, column.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)

    def _formed(self, name: str, text: str) -> str:
        """Return a text in its one form, a class without a decimal point."""
        text = one_form(text)
        if name not in _CLASSES:
            return text
        if _DECIMAL.fullmatch(text) and class_name(text) == text:
            self.refuse(f"the {name} {text!r} is a decimal number, and no class; write a name, or an `error` column")
        return class_name(text)

    def numbers(
        self, name: str, *, missing: NDArray[np.bool_] | None = None, is_share: bool = False
    ) -> NDArray[np.float64]:
        """Return a column as finite numbers, whose squares are finite too.

        Args:
            name: The column.
            missing: The rows that may have none, and are NaN, (rows,).
            is_share: Whether they have to be from 0 to 1.
        """
        column = self._table[name].unify_dictionaries().combine_chunks()
        if types.is_dictionary(column.type):  # texts, which may be numbers
            column = self._cast(name, column.dictionary, pa.float64()).take(column.indices)
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
        if types.is_null(column.type):
            self.refuse(f"the column {name!r} has no value")
        column = column.filter(pa.array(~missing))
        lengths = set(compute.list_value_length(column).to_pylist())
        if len(lengths) > 1 or not lengths - {None, 0}:
            self.refuse(f"the lists in the column {name!r} have different lengths, or none")
        flat = self._cast(name, column.flatten(), pa.float64()).to_numpy(zero_copy_only=False)
        values = np.full((len(missing), len(flat) // len(column)), np.nan)
        values[~missing] = flat.reshape(len(column), -1)
        return values

    def slices(self, others: Iterable[str], prefix: str) -> list[str]:
        """Return the columns that group rows: all others of short texts, whole numbers or truths."""
        known = set(others)
        return [
            name
            for name in self._table.column_names
            if name not in known and not name.startswith(prefix) and self._is_slice(name)
        ]

    def _is_slice(self, name: str) -> bool:
        """Tell whether the values of a column can name groups of rows."""
        return is_slice(self._table[name].type) and max(len(it or "") for it in self._distinct(name)[0]) <= _LONGEST

    def _cast(self, name: str, column: pa.Array, kind: pa.DataType) -> pa.Array:
        """Return a column in another type."""
        try:
            return column.cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            self.refuse(f"the column {name!r} is of type {column.type}; it has to be of type {kind}")

    def _refuse_missing(self, name: str, is_missing: NDArray[np.bool_]) -> None:
        """Refuse a column that lacks values."""
        self.refuse_where(is_missing, lambda row: f"the column {name!r} has no value in row {row + 1}")


def check_size(path: str, size: int) -> None:
    """Refuse a file whose columns take too many bytes of memory.

    Raises:
        ConfigurationError: They do.
    """
    if size > MOST_BYTES:
        message = (
            f"{path} takes {size_text(size)} in memory, and at most {size_text(MOST_BYTES)} are read. Shorten its"
            " texts, or leave out columns and rows that nothing needs."
        )
        raise ConfigurationError(message)


def is_text(kind: pa.DataType) -> bool:
    """Tell whether values of a type are texts, or bytes that may be."""
    return any(
        check(kind) for check in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    )


def is_number(kind: pa.DataType) -> bool:
    """Tell whether values of a type are numbers, or would be if there were any."""
    return any(check(kind) for check in (types.is_integer, types.is_floating, types.is_decimal, types.is_null))


def is_list(kind: pa.DataType) -> bool:
    """Tell whether values of a type are lists."""
    return any(check(kind) for check in (types.is_list, types.is_large_list, types.is_fixed_size_list))


def is_slice(kind: pa.DataType) -> bool:
    """Tell whether values of a type can name groups of rows."""
    kind = kind.value_type if types.is_dictionary(kind) else kind
    checks = (types.is_string, types.is_large_string, types.is_integer, types.is_boolean)
    return any(check(kind) for check in checks)
