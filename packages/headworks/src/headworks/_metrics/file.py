"""Files of predictions: Parquet, CSV or JSON lines, one row for each prediction.

Columns: `id`; for a classification `label` and `prediction`, optionally `probabilities` (a list, one for each class
0 to K - 1) or one `probabilities.CLASS` for each class, and `score`, the confidence in the prediction; for a regression
`error`. `seed` names the training that a row is of, and `fold` what it was left out of. Any other column of short
texts, whole numbers or truths is a slice; where it has no value, that is one of its own. A row may have no prediction,
or no error. Only the columns that are needed are read: of 130 kB of Parquet, a text that repeats may be 7 GB in memory.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, json, parquet, types

from headworks._metrics.columns import Columns, check_size, is_list, is_number, is_slice, is_text
from headworks._metrics.condition import class_name, one_form
from headworks._metrics.predictions import Predictions
from headworks._nearest import suggestion
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMATS = (".parquet", ".csv", ".jsonl", ".ndjson")
_KNOWN = ("id", "label", "prediction", "probabilities", "score", "error", "seed", "fold")
_EACH = "probabilities."
_TEXTS = ("id", "label", "prediction", "seed", "fold")  # in a CSV file, whose 007 is not 7
_WEIGHTS = ("weight", "sample_weight")
_SLACK = 1e-3  # by which rounded probabilities may miss 1


def read_predictions(
    path: str,
    *,
    columns: Mapping[str, str] | None = None,
    group: str = "",
    slices: Collection[str] | None = None,
    source: str = "",
) -> Predictions:
    """Return the predictions in a file.

    Args:
        path: The file; its ending tells the format.
        columns: The file's own names of columns, by the names above.
        group: The column whose equal values say that rows are not independent; empty for none.
        slices: The slice columns that are needed; None for all.
        source: A name of the file for people; its path unless given.

    Raises:
        UsageError: There is no such file, or it has another ending.
        ConfigurationError: Its content cannot be right, or takes too much memory.
    """
    names, group = {known: one_form(name) for known, name in (columns or {}).items()}, one_form(group)
    content = _Content(path, [names.get(it, it) for it in _TEXTS] + ([group] if group else []))
    own = {name: known for known, name in names.items()}
    # A column whose name the table gives to another one is not read.
    formed = {raw: one_form(raw) for raw in content.schema.names}
    formed = {raw: name for raw, name in formed.items() if name not in names or name in own}
    for name in (it for it in [*own, group] if it and it not in formed.values()):
        message = f"{path}: there is no column {name!r}.{suggestion(name, formed.values())}"
        raise ConfigurationError(message)
    known = {raw: own.get(name, name) for raw, name in formed.items()}
    group = own.get(group, group)
    kinds = {known[raw]: content.schema.field(raw).type for raw in known}
    needed = _needed(path, kinds, group, slices)
    table = content.read([raw for raw in known if known[raw] in needed])
    table = table.rename_columns([known[raw] for raw in table.column_names])
    return _predictions(Columns(source or path, table, list(kinds)), group)


def read_texts(path: str, name: str) -> NDArray[np.str_]:
    """Return the column `id` or `label` of a file in one of the same formats.

    Raises:
        UsageError: There is no such file, or it has another ending.
        ConfigurationError: It has no such column, or a row without a value in it.
    """
    content = _Content(path, ["id", "label"])
    file = Columns(path, content.read([it for it in content.schema.names if it == name]), content.schema.names)
    file.require([name], [])
    return file.texts(name)


def _needed(path: str, kinds: Mapping[str, pa.DataType], group: str, slices: Collection[str] | None) -> set[str]:
    """Return the columns that are needed, by the types of all; refuse what would be read and mean something else."""
    for name, kind in kinds.items():
        wrong = ""
        if name in _WEIGHTS and is_number(kind):
            wrong = "is not used, since every row counts once. Leave it out, or give it another name if it is a slice"
        elif name == "probabilities" and not (types.is_null(kind) or (is_list(kind) and is_number(kind.value_type))):
            wrong = f"has {kind}; it has to have lists of numbers"
        elif (name != "probabilities" or name == group) and _is_known(name, group) and types.is_nested(kind):
            wrong = f"is of type {kind}; it has to have {'numbers' if name in {'score', 'error'} else 'texts'}"
        if wrong:
            message = f"{path}: the column {name!r} {wrong}."
            raise ConfigurationError(message)
    others = {name for name, kind in kinds.items() if is_slice(kind)}
    # A slice that is not there is named with those that are.
    wanted = others if slices is None or not others.issuperset(slices) else set(slices)
    return {name for name in kinds if name != "fold" and _is_known(name, group)} | wanted


def _is_known(name: str, group: str) -> bool:
    """Tell whether a column has a meaning of its own."""
    return name in (*_KNOWN, group) or name.startswith(_EACH)


class _Content:
    """The content of a file: its schema, and as many of its columns as are asked for.

    Attributes:
        schema: the names and types of all columns.
    """

    def __init__(self, path: str, texts: list[str]) -> None:
        """Open a file; some columns of a CSV file are texts, even if they look like numbers."""
        self._path = path
        self._ending = os.path.splitext(path)[1].lower()
        self._table: pa.Table | None = None
        if self._ending not in _FORMATS:
            message = f"{path} has no ending that tells its format: {', '.join(_FORMATS)}."
            raise UsageError(message)
        with self._reading():
            if self._ending == ".parquet":
                self.schema = parquet.read_schema(path)
            else:
                check_size(path, os.path.getsize(path))
                options = csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string()))
                if self._ending == ".csv":
                    self._table = csv.read_csv(path, convert_options=options)
                else:
                    self._refuse_nulls()
                    self._table = json.read_json(path)
                self.schema = self._table.schema
        names = [one_form(name) for name in self.schema.names]
        if repeated := [name for name in names if names.count(name) > 1]:
            message = f"{path}: the column {repeated[0]!r} is there twice."
            raise ConfigurationError(message)

    def read(self, names: list[str]) -> pa.Table:
        """Return some columns; texts of Parquet that repeat are kept once, as they are in the file.

        Raises:
            ConfigurationError: They cannot be read, or take too much memory.
        """
        if self._table is not None:
            return self._table.select(names)
        with self._reading():
            file = parquet.ParquetFile(
                self._path, read_dictionary=[it for it in names if is_text(self.schema.field(it).type)]
            )
            size = 0
            for number in range(file.metadata.num_row_groups):
                row_group = file.metadata.row_group(number)
                for place in range(row_group.num_columns):
                    chunk = row_group.column(place)
                    if any(f"{chunk.path_in_schema}.".startswith(f"{name}.") for name in names):
                        width = max(file.schema.column(place).length, np.dtype(float).itemsize)
                        size += chunk.num_values * width + chunk.total_uncompressed_size
            check_size(self._path, size)
            table = file.read(columns=names).select(names)
            table.validate(full=True)  # of a damaged file, texts may be none
            return table

    def _refuse_nulls(self) -> None:
        """Refuse a JSON line that is null, at which PyArrow 26.0.1 ends the process."""
        with open(self._path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.lstrip().startswith(b"null"):
                    message = f"{self._path}: line {number} is null. Write an object with a prediction in each line."
                    raise ConfigurationError(message)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Say why the file cannot be read."""
        try:
            yield
        except FileNotFoundError:
            message = f"There is no file {self._path}. Run the session that writes it, or name another."
            raise UsageError(message) from None
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            message = f"{self._path} cannot be read as {self._ending.lstrip('.')}: {reason}. Write it anew."
            raise ConfigurationError(message) from None


def _predictions(file: Columns, group: str) -> Predictions:
    """Return checked predictions, each seed's in the order of the ids."""
    is_regression = "error" in file.names
    file.require(["id"] if is_regression else ["id", "label"], ["error" if is_regression else "prediction"])
    order, seeds = _order(file)
    first = order[0]
    labels = _labels(file, order)
    said: dict[str, Any] = {"predicted": np.empty((len(order), 0), np.str_)}
    if is_regression:
        missing = file.is_missing("error")
        if missing.all():
            file.refuse("no row has an error")
        said["errors"] = file.numbers("error", missing=missing)[order]
    else:
        said = _classification(file, order, labels)
    return Predictions(
        source=file.path,
        ids=file.texts("id")[first],
        labels=labels,
        slices={name: file.texts(name, missing="")[first] for name in file.slices([*_KNOWN, group], _EACH)},
        groups=file.texts(group)[first] if group else None,
        seeds=seeds,
        **said,
    )


def _classification(file: Columns, order: NDArray[np.intp], labels: NDArray[np.str_]) -> dict[str, Any]:
    said = file.texts("prediction", missing="")
    missing, predicted = said == "", said[order]
    probabilities, names = _probabilities(file, missing)
    classes = names or _sorted({*labels.tolist(), *predicted.reshape(-1).tolist()} - {""})
    _check_classes(file, classes)
    confidence = file.numbers("score", missing=missing, is_share=True)[order] if "score" in file.names else None
    if probabilities is not None:
        probabilities = probabilities[order]
        index = {name: number for number, name in enumerate(("", *classes), -1)}  # of a row without one, all are NaN
        chosen = np.array([index[it] for it in predicted.reshape(-1).tolist()]).reshape(order.shape)
        chances = np.take_along_axis(probabilities, chosen[..., None], axis=2)[..., 0]
        confidence = chances / probabilities.sum(axis=2)
        if (chances < probabilities.max(axis=2))[predicted != ""].all():
            file.refuse(
                "in no row the prediction is the class with the highest probability; let the probabilities be in the"
                " order of the classes"
            )
    return {"classes": classes, "predicted": predicted, "probabilities": probabilities, "confidence": confidence}


def _order(file: Columns) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return for each seed the places of its rows in the order of their ids, (S, N), and the seeds."""
    ids = file.texts("id")
    seeds = file.texts("seed") if "seed" in file.names else np.full(len(ids), "")
    places = [np.flatnonzero(seeds == seed) for seed in np.unique(seeds)]
    ordered = [place[np.argsort(ids[place], kind="stable")] for place in places]
    for place in ordered:
        twice = ids[place][1:][ids[place][1:] == ids[place][:-1]]
        if twice.size:
            file.refuse(f"the id {str(twice[0])!r} is there twice; every row needs an id of its own")
    if any(not np.array_equal(ids[place], ids[ordered[0]]) for place in ordered):
        file.refuse("not every seed has the same ids; let every training predict the same rows")
    return np.stack(ordered), tuple(np.unique(seeds).tolist())


def _labels(file: Columns, order: NDArray[np.intp]) -> NDArray[np.str_]:
    """Return the label of each row as a text, (N,); empty where there is none."""
    if "label" not in file.names:
        return np.empty(0, np.str_)
    labels = file.numbers("label").astype(np.str_) if "error" in file.names else file.texts("label")
    if (labels[order] != labels[order[0]]).any():
        file.refuse("an id has another label for another seed")
    ordered: NDArray[np.str_] = labels[order[0]]
    return ordered


def _probabilities(file: Columns, missing: NDArray[np.bool_]) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Return the probabilities of each row, (rows, K), or None, and the names of the classes.

    Those of rows without a prediction, (rows,), are NaN.
    """
    each = [name for name in file.names if name.startswith(_EACH)]
    if "probabilities" in file.names:
        values = file.lists("probabilities", missing)
        names = tuple(map(str, range(values.shape[1])))
    elif each:
        columns = {class_name(name[len(_EACH) :]): name for name in each}
        if len(columns) < len(each) or not all(columns):
            file.refuse(f"two columns of probabilities are of one class, or one of none: {', '.join(each)}")
        names = _sorted(set(columns))  # so that the order of the columns says nothing
        values = np.stack([file.numbers(columns[name], missing=missing) for name in names], axis=1)
    else:
        return None, ()
    is_wrong = ~np.isfinite(values).all(axis=1) & ~missing
    file.refuse_where(is_wrong, lambda row: f"a probability of {file.id(row)} is no number")
    wrong = "the probabilities of {} are no shares of 1: {}".format
    is_negative, is_off = (values < 0).any(axis=1), np.abs(values.sum(axis=1) - 1) > _SLACK
    file.refuse_where(is_negative, lambda row: wrong(file.id(row), f"one is {values[row].min():g}"))
    file.refuse_where(is_off, lambda row: wrong(file.id(row), f"their sum is {values[row].sum():g}"))
    return values, names


def _check_classes(file: Columns, classes: tuple[str, ...]) -> None:
    """Refuse classes without a probability, and labels that no prediction can be right about.

    Two files of names beside numbers would be level.
    """
    labels, predicted = (set(file.texts(column).tolist()) for column in ("label", "prediction"))
    for column, names in (("label", labels), ("prediction", predicted)):
        if unknown := sorted(names - {"", *classes}):
            known = suggestion(unknown[0], classes)
            file.refuse(f"the {column} {unknown[0]!r} is none of the classes that have a probability.{known}")
    if predicted == {""}:
        file.refuse("no row has a prediction")
    if not labels & predicted:
        seen = f"labels as {min(labels)!r}, predictions as {min(predicted)!r}"
        file.refuse(f"no prediction is the label of any row ({seen}); write both in the same words")


def _sorted(names: set[str]) -> tuple[str, ...]:
    """Return classes in order: as numbers where all are."""
    return tuple(sorted(names, key=lambda name: (not name.isdecimal(), len(name) if name.isdecimal() else 0, name)))
