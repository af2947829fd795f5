"""Files of predictions: Parquet, CSV or JSON lines, one row for each prediction.

Columns: `id`; for a classification `label` and `prediction`, optionally `probabilities` (a list, one for each class
0 to K - 1) or one `probabilities.CLASS` for each class, and `score`, the confidence in the prediction; for a regression
`error`. `seed` names the training that a row is of, and `fold` what it was left out of. Any other column of texts,
whole numbers or truths is a slice; where it has no value, that is one of its own. A row may have no prediction, or no
error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, csv, json, parquet

from headworks._metrics.columns import Columns
from headworks._metrics.predictions import Predictions
from headworks._nearest import suggestion
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMATS = (".parquet", ".csv", ".jsonl", ".ndjson")
_KNOWN = ("id", "label", "prediction", "probabilities", "score", "error", "seed", "fold")
_EACH = "probabilities."
_TEXTS = ("id", "label", "prediction", "seed", "fold")  # in a CSV file, whose 007 is not 7
_SLACK = 1e-3  # by which rounded probabilities may miss 1


def read_predictions(
    path: str, *, columns: Mapping[str, str] | None = None, group: str = "", source: str = ""
) -> Predictions:
    """Return the predictions in a file.

    Args:
        path: The file; its ending tells the format.
        columns: The file's own names of columns, by the names above.
        group: The column whose equal values say that rows are not independent; empty for none.
        source: A name of the file for people; its path unless given.

    Raises:
        UsageError: There is no such file, or it has another ending.
        ConfigurationError: Its content cannot be right.
    """
    names = dict(columns or {})
    table = _read(path, [names.get(it, it) for it in _TEXTS] + ([group] if group else []))
    if repeated := [name for name in set(table.column_names) if table.column_names.count(name) > 1]:
        message = f"{path}: the column {repeated[0]!r} is there twice."
        raise ConfigurationError(message)
    # A column whose name the table gives to another one is not read.
    table = table.drop_columns([it for it in names if it in table.column_names and it not in names.values()])
    for name in (it for it in [*names.values(), group] if it and it not in table.column_names):
        message = f"{path}: there is no column {name!r}.{suggestion(name, table.column_names)}"
        raise ConfigurationError(message)
    own = {name: known for known, name in names.items()}
    file = Columns(source or path, table.rename_columns([own.get(name, name) for name in table.column_names]))
    return _predictions(file, own.get(group, group))


def read_ids(path: str) -> NDArray[np.str_]:
    """Return the column `id` of a file in one of the same formats.

    Raises:
        UsageError: There is no such file, or it has another ending.
        ConfigurationError: It has no such column.
    """
    file = Columns(path, _read(path, ["id"]))
    file.require(["id"], [])
    return file.texts("id")


def _read(path: str, texts: list[str]) -> pa.Table:
    """Return the table in a file; some columns of a CSV file are texts, even if they look like numbers."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in _FORMATS:
        message = f"{path} has no ending that tells its format: {', '.join(_FORMATS)}."
        raise UsageError(message)
    try:
        if ending == ".parquet":
            return parquet.ParquetFile(path).read()
        if ending == ".csv":
            options = csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string()))
            return _without_points(csv.read_csv(path, convert_options=options), texts[1:3])
        return json.read_json(path)
    except FileNotFoundError:
        message = f"There is no file {path}. Run the session that writes it, or name another."
        raise UsageError(message) from None
    except (pa.ArrowException, OSError) as error:
        message = f"{path} cannot be read as {ending.lstrip('.')}: {str(error).splitlines()[0]}"
        raise ConfigurationError(message) from None


def _without_points(table: pa.Table, names: list[str]) -> pa.Table:
    """Return a table with 1.0 as 1 where all labels and predictions are whole numbers, as in every other format.

    A program that writes only one of the two columns as floats would otherwise have no row right, and be level with
    any other.
    """
    places = [table.column_names.index(name) for name in names if name in table.column_names]
    columns = [table.column(place) for place in places]
    if not all(compute.all(compute.match_substring_regex(it, r"^(-?[0-9]+(\.0*)?)?$")).as_py() for it in columns):
        return table
    for place, column in zip(places, columns, strict=True):
        whole = compute.replace_substring_regex(column, r"\.0*$", "")
        table = table.set_column(place, table.column_names[place], whole)
    return table


def _predictions(file: Columns, group: str) -> Predictions:
    """Return checked predictions, each seed's in the order of the ids."""
    is_regression = "error" in file.names
    file.require(["id"] if is_regression else ["id", "label"], ["error" if is_regression else "prediction"])
    order, seeds = _order(file)
    first = order[0]
    labels = _labels(file, order)
    said: dict[str, Any] = {"predicted": np.empty((len(order), 0), np.str_)}
    if is_regression:
        said["errors"] = file.numbers("error", missing=file.is_missing("error"))[order]
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
        confidence = np.take_along_axis(probabilities, chosen[..., None], axis=2)[..., 0]
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
        names = _sorted({name[len(_EACH) :] for name in each})  # so that the order of the columns says nothing
        values = np.stack([file.numbers(_EACH + name, missing=missing) for name in names], axis=1)
    else:
        return None, ()
    is_wrong = ~np.isfinite(values).all(axis=1) & ~missing
    file.refuse_where(is_wrong, lambda row: f"a probability of {file.id(row)} is no number")
    wrong = "the probabilities of {} are no shares of 1: {}".format
    is_negative, is_off = (values < 0).any(axis=1), np.abs(values.sum(axis=1) - 1) > _SLACK
    file.refuse_where(is_negative, lambda row: wrong(file.id(row), f"one is {values[row].min():g}"))
    file.refuse_where(is_off, lambda row: wrong(file.id(row), f"their sum is {values[row].sum():g}"))
    return values / values.sum(axis=1, keepdims=True), names


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
