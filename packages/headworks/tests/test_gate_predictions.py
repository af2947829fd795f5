"""Files of predictions are read in every format, and refused with the reason."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from headworks._metrics import columns
from headworks._metrics.condition import parse_condition
from headworks._metrics.content import row_hashes
from headworks._metrics.file import read_predictions
from headworks._metrics.pair import pair
from headworks._metrics.predictions import Predictions
from headworks.errors import CannotDecideError, ConfigurationError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

ROWS: dict[str, list[Any]] = {
    "id": ["c", "a", "b"],
    "label": [0, 1, 1],
    "prediction": [0, 1, 0],
    "probabilities": [[0.75, 0.25], [0.125, 0.875], [0.5, 0.5]],
    "stroke": ["thin", "thick", "thin"],
    "height": [0.5, 0.25, 1.0],
    "is_new": [True, False, False],
}


def written(folder: Path, name: str, **columns: list[Any] | pa.Array | None) -> str:
    """Return the path of a file with those rows, some columns changed and some left out."""
    rows = {key: value for key, value in (ROWS | columns).items() if value is not None}
    path = folder / name
    if name.endswith(".parquet"):
        parquet.write_table(pa.table(rows), path)
    elif name.endswith(".jsonl"):
        lines = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
        path.write_text("\n".join(map(json.dumps, lines)))
    else:
        table = [list(rows), *zip(*rows.values(), strict=True)]
        path.write_text("\n".join(",".join(map(str, row)) for row in table))
    return str(path)


def test_every_format_says_the_same(tmp_path: Path) -> None:
    """Parquet, CSV and JSON lines give equal predictions with an equal digest, whatever the order of the rows."""
    each = {
        "probabilities": None,
        "probabilities.0": [it[0] for it in ROWS["probabilities"]],
        "probabilities.1": [it[1] for it in ROWS["probabilities"]],
    }
    found = [read_predictions(written(tmp_path, name)) for name in ("x.parquet", "x.jsonl")]
    found.append(read_predictions(written(tmp_path, "x.csv", is_new=["true", "false", "false"], **each)))
    for it in found:
        assert it.ids.tolist() == ["a", "b", "c"]
        assert it.labels.tolist() == ["1", "1", "0"]
        assert it.classes == ("0", "1")
        assert it.predicted.tolist() == [["1", "0", "0"]]
        assert it.confidence is not None
        assert it.confidence.tolist() == [[0.875, 0.5, 0.75]]
        assert {name: values.tolist() for name, values in it.slices.items()} == {
            "stroke": ["thick", "thin", "thin"],
            "is_new": ["false", "false", "true"],
        }
        assert it.digest == found[0].digest
        assert it.rows_digest == found[0].rows_digest
        assert it.is_same(found[0])


def test_probabilities_of_other_classes_are_other_predictions(tmp_path: Path) -> None:
    """The same numbers under other names differ, also where the likeliest class is the same; their order does not."""
    numbers = {"b": [0.125, 0.125, 0.25], "c": [0.25, 0.25, 0.125]}
    first = {"probabilities.a": [0.625, 0.625, 0.625], "probabilities": None, "label": list("aaa")}
    named = first | {"prediction": list("aaa")}
    orders = [("b", "c", "b", "c"), ("c", "b", "c", "b"), ("b", "c", "c", "b")]
    found = []
    for first_name, second_name, first_of, second_of in orders:
        each = {f"probabilities.{first_name}": numbers[first_of], f"probabilities.{second_name}": numbers[second_of]}
        found.append(read_predictions(written(tmp_path, "x.parquet", **named, **each)))
    assert [it.classes for it in found] == [("a", "b", "c")] * 3
    assert found[0].is_same(found[1])
    assert found[0].digest == found[1].digest
    assert not found[0].is_same(found[2])
    wider = {"probabilities": [[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]], "label": [0, 1, 1], "prediction": [0, 1, 1]}
    mine = read_predictions(written(tmp_path, "y.parquet", **wider))
    theirs = Predictions(**vars(mine) | {"classes": ("0", "2")})
    assert not mine.is_same(theirs)
    assert mine.digest != theirs.digest


def test_labels_alone_are_enough(tmp_path: Path) -> None:
    """Without probabilities the classes are those that occur, numbers in their order, also as floats or categories."""
    labels = pa.array(["cat", "10", "9"]).dictionary_encode()
    read = read_predictions(written(tmp_path, "x.parquet", probabilities=None, label=labels, prediction=[9.0, 10, 9]))
    assert read.classes == ("9", "10", "cat")
    assert read.probabilities is read.confidence is read.errors is None
    assert read.predicted.tolist() == [["10", "9", "9"]]


def test_texts_of_a_csv_file_stay_texts(tmp_path: Path) -> None:
    """An id with leading zeros is not the number."""
    read = read_predictions(written(tmp_path, "x.csv", id=["007", "7", "8"], probabilities=None))
    assert read.ids.tolist() == ["007", "7", "8"]


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.csv"])
def test_whole_numbers_that_were_written_with_a_point_are_the_same_classes(tmp_path: Path, name: str) -> None:
    """Labels 1.0 beside predictions 1 are right, and not all wrong; a class that is no whole number is refused."""
    labels: list[Any]
    for labels in ([0.0, 1.0, 1.0], ["0.0", "1.0", "1"], ["0", "1.", "1.00"]):
        read = read_predictions(written(tmp_path, name, label=labels, probabilities=None))
        assert read.labels.tolist() == ["1", "1", "0"]
        assert read.predicted.tolist() == [["1", "0", "0"]]
    each = {"probabilities": None, "probabilities.0.0": [0.75, 0.125, 0.5], "probabilities.1": [0.25, 0.875, 0.5]}
    assert read_predictions(written(tmp_path, name, **each)).classes == ("0", "1")
    with pytest.raises(ConfigurationError, match=r"the label '1\.5' is a decimal number, and no class"):
        read_predictions(written(tmp_path, name, label=["1.0", "1.5", "0"], probabilities=None))
    for number in (".5", "-5.25", "-.5"):
        with pytest.raises(ConfigurationError, match=f"the label '{re.escape(number)}' is a decimal number"):
            read_predictions(written(tmp_path, name, label=["1.0", number, "0"], probabilities=None))


def test_punctuation_is_a_class(tmp_path: Path) -> None:
    """As of a model that tags words: a point without a digit is no number."""
    marks = [".", "-.", ","]
    read = read_predictions(written(tmp_path, "x.parquet", label=marks, prediction=marks, probabilities=None))
    assert sorted(read.labels.tolist()) == sorted(marks)


def test_a_slice_may_have_no_value(tmp_path: Path) -> None:
    """Rows without one are a group of their own, in every format."""
    for name in ("x.parquet", "x.csv"):
        none = "" if name == "x.csv" else None
        columns = {"age": [7, none, 8], "stroke": ["thin", none, "thick"], "probabilities": None}
        slices = read_predictions(written(tmp_path, name, **columns)).slices
        assert slices["age"].tolist() == ["", "8", "7"]
        assert slices["stroke"].tolist() == ["", "thick", "thin"]


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.csv"])
def test_a_row_may_have_no_prediction(tmp_path: Path, name: str) -> None:
    """In every format, as pandas writes it too; other columns of such a row do not count."""
    none, is_csv = "" if name == "x.csv" else None, name == "x.csv"
    each = {"probabilities": None, "score": [0.5, none, 0.75], "is_new": None}
    for said in ([0, none, 0], ["0", "", "0"], [0.0, none if is_csv else float("nan"), 0.0]):
        read = read_predictions(written(tmp_path, name, prediction=said, **each))
        assert read.predicted.tolist() == [["", "0", "0"]]
        assert read.classes == ("0", "1")
        assert read.missing.tolist() == [True, False, False]
        assert read.present().ids.tolist() == ["b", "c"]
        assert read.confidence is not None
        assert np.isnan(read.confidence).tolist() == [[True, False, False]]
        assert read.digest == read_predictions(written(tmp_path, name, prediction=said, **each)).digest
    if not is_csv:
        read = read_predictions(
            written(tmp_path, name, prediction=[0, None, 0], probabilities=[[1, 0], None, [0.5, 0.5]])
        )
        assert read.probabilities is not None
        assert np.isnan(read.probabilities).tolist() == [[[True, True], [False, False], [False, False]]]
    wide = {"probabilities.0": [1, none, 0.5], "probabilities.1": [0, none, 0.5], "probabilities": None}
    read = read_predictions(written(tmp_path, name, prediction=[0, none, 0], is_new=None, **wide))
    assert read.missing.tolist() == [True, False, False]
    errors = read_predictions(written(tmp_path, name, error=[0.5, none, 2], is_new=None, probabilities=None))
    assert errors.missing.tolist() == [True, False, False]


def test_a_row_that_one_seed_did_not_predict_is_missing(tmp_path: Path) -> None:
    """It is a mistake of that seed."""
    rows = SEEDS | {"prediction": [0, 1, 0, 0, None, 1], "probabilities": None}
    read = read_predictions(written(tmp_path, "x.parquet", **rows))
    assert read.predicted.tolist() == [["1", "0", "0"], ["", "1", "0"]]
    assert read.missing.tolist() == [True, False, False]


def test_a_score_is_the_confidence(tmp_path: Path) -> None:
    """So that calibration can be judged where there are no probabilities of all classes."""
    read = read_predictions(written(tmp_path, "x.parquet", probabilities=None, score=[0.5, 0.75, 1]))
    assert read.confidence is not None
    assert read.confidence.tolist() == [[0.75, 1, 0.5]]


def test_a_regression_has_an_error(tmp_path: Path) -> None:
    """It needs no label."""
    without = {"label": None, "prediction": None, "probabilities": None}
    read = read_predictions(written(tmp_path, "x.parquet", error=[0.5, -1, 2], **without))
    assert read.errors is not None
    assert read.errors.tolist() == [[-1, 2, 0.5]]
    assert read.classes == ()
    assert read.take(np.array([1])).errors == [[2]]


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    """The table says which; a group column is no slice."""
    path = written(tmp_path, "x.parquet", id=None, row=["a", "b", "c"], patient=["x", "x", "y"])
    read = read_predictions(path, columns={"id": "row"}, group="patient")
    assert read.ids.tolist() == ["a", "b", "c"]
    assert read.groups is not None
    assert read.groups.tolist() == ["x", "x", "y"]
    assert "patient" not in read.slices
    path = written(tmp_path, "x.parquet", row=["d", "e", "f"])
    assert read_predictions(path, columns={"id": "row"}).ids.tolist() == ["d", "e", "f"]
    with pytest.raises(ConfigurationError, match="there is no column 'id'"):
        read_predictions(path, columns={"id": "row"}, group="id")


def test_each_seed_is_a_model(tmp_path: Path) -> None:
    """Rows of several seeds are the same rows, predicted anew."""
    twice = {name: values * 2 for name, values in ROWS.items()}
    twice["prediction"] = [0, 1, 0, 1, 1, 1]
    read = read_predictions(written(tmp_path, "x.parquet", **twice, seed=[0, 0, 0, 1, 1, 1], fold=[0] * 6))
    assert read.seeds == ("0", "1")
    assert read.predicted.tolist() == [["1", "0", "0"], ["1", "1", "1"]]
    assert read.slices.keys() == {"stroke", "is_new"}


SEEDS = {name: values * 2 for name, values in ROWS.items()} | {"seed": [0, 0, 0, 1, 1, 1]}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"prediction": None, "predicton": [0, 1, 0]}, "there is no column 'prediction'. Did you mean 'predicton'?"),
        ({name: [] for name in ROWS}, "there are no rows"),
        ({"id": ["a", "b", "a"]}, "the id 'a' is there twice"),
        ({"id": ["a", None, "b"]}, "the column 'id' has no value in row 2"),
        ({"label": [0, 1, 2]}, "the label '2' is none of the classes that have a probability. There are: 0, 1."),
        ({"prediction": [0, 1, 7]}, "the prediction '7' is none of the classes"),
        ({"label": [0, 0.5, 1]}, "the column 'label' has numbers that are not whole"),
        (
            {"probabilities": [[0.5, 0.5], [0.5, 0.4], [1, 0]]},
            "the probabilities of 'a' are no shares of 1: their sum is 0.9",
        ),
        ({"probabilities": [[0.5, 0.5], [1.5, -0.5], [1, 0]]}, "are no shares of 1: one is -0.5"),
        ({"probabilities": [[0.5, 0.5], [float("nan"), 1], [1, 0]]}, "a probability of 'a' is no number"),
        ({"probabilities": [[0.5, 0.5], [1.0], [1, 0]]}, "the lists in the column 'probabilities' have different"),
        ({"probabilities": [[], [], []]}, "the lists in the column 'probabilities' have different lengths, or none"),
        ({"probabilities": [0.5, 0.5, 0.5]}, "it has to have lists of numbers"),
        ({"probabilities": None, "score": [0.5, float("nan"), 1]}, "the score of 'a' is nan, which is no number"),
        ({"probabilities": None, "score": [0.5, 1.5, 1]}, "the score of 'a' is 1.5, which is not from 0 to 1"),
        ({"probabilities": None, "score": [0.5, None, 1]}, "the score of 'a' is nan, which is no number"),
        ({"probabilities": None, "prediction": [None] * 3}, "no row has a prediction"),
        (
            {"probabilities": None, "score": ["x", "y", "z"]},
            "the column 'score' is of type string; it has to be of type double",
        ),
        ({"error": [1, -1e308, 2]}, "the error of 'a' is -1e+308, beyond 1e+30"),
        ({"error": [1, float("inf"), 2]}, "the error of 'a' is inf, which is no number"),
        ({"error": [None, None, float("nan")]}, "no row has an error"),
        ({"error": [[1.0], [2.0], [3.0]]}, "the column 'error' is of type list<element: double>; it has to have numb"),
        ({"error": [1, 2, 3], "label": [0.5, None, 1]}, "the column 'label' has no value in row 2"),
        ({"id": ["a", "", "b"]}, "the column 'id' has no value in row 2"),
        ({"label": ["0", "1", ""]}, "the column 'label' has no value in row 3"),
        (
            {"probabilities": None, "label": ["cat", "dog", "cat"], "prediction": [3, 5, 3]},
            "no prediction is the label of any row (labels as 'cat', predictions as '3'); write both in the same words",
        ),
        ({"label": pa.array(["0", "", "1"], pa.large_string())}, "the column 'label' has no value in row 2"),
        ({"label": pa.array(["0", "", "1"]).dictionary_encode()}, "the column 'label' has no value in row 2"),
        ({"label": [["0"], ["1"], ["1"]]}, "the column 'label' is of type list<element: string>"),
        ({"weight": [1, 2, 3]}, "the column 'weight' is not used, since every row counts once"),
        ({"sample_weight": [1.0, 0.5, 1.0]}, "the column 'sample_weight' is not used"),
        ({"prediction": [1, 0, 0], "probabilities": [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]]}, "in no row the"),
        ({"probabilities": None, "probabilities.": [1.0] * 3, "probabilities.1": [0.0] * 3}, "or one of none: prob"),
        ({"probabilities": None, "probabilities.1": [1.0] * 3, "probabilities.1.0": [0.0] * 3}, "are of one class"),
        ({"caf\u00e9": [1, 2, 3], "cafe\u0301": [1, 2, 3]}, "the column 'caf\u00e9' is there twice"),
        ({"id": ["\u00e9", "e\u0301", "b"]}, "the id '\u00e9' is there twice"),
        (SEEDS | {"id": ["a", "b", "c", "a", "b", "d"]}, "not every seed has the same ids"),
        (SEEDS | {"label": [0, 1, 1, 1, 1, 1]}, "an id has another label for another seed"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(tmp_path: Path, columns: dict[str, Any], words: str) -> None:
    """With the file's name and the reason."""
    path = written(tmp_path, "x.parquet", **columns)
    with pytest.raises(ConfigurationError) as caught:
        read_predictions(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def test_what_is_no_file_of_predictions_is_refused(tmp_path: Path) -> None:
    """A missing file, another ending, something else inside, a repeated or an unknown column."""
    with pytest.raises(UsageError, match="There is no file"):
        read_predictions(str(tmp_path / "x.parquet"))
    with pytest.raises(UsageError, match="no ending that tells its format"):
        read_predictions(str(tmp_path / "x.txt"))
    (tmp_path / "x.parquet").write_text("hello")
    with pytest.raises(ConfigurationError, match="cannot be read as parquet"):
        read_predictions(str(tmp_path / "x.parquet"))
    (tmp_path / "x.csv").write_text("id,id,label,prediction\na,a,1,1\n")
    with pytest.raises(ConfigurationError, match="the column 'id' is there twice"):
        read_predictions(str(tmp_path / "x.csv"))
    with pytest.raises(ConfigurationError, match="the column 'probabilities' is of type list"):
        read_predictions(written(tmp_path, "y.parquet"), group="probabilities")
    with pytest.raises(ConfigurationError, match=r"no column 'pateint'\. Did you mean 'patient'"):
        read_predictions(written(tmp_path, "y.parquet", patient=["a", "b", "c"]), group="pateint")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """Texts that are none in a column or in its name, and null lines, at which PyArrow would end the process."""
    whole = pa.array(["no", "no", "no"])
    sizes, texts = whole.buffers()[1:]
    file = tmp_path / "x.parquet"
    damaged = pa.Array.from_buffers(
        pa.string(), 3, [None, sizes, pa.py_buffer(texts.to_pybytes().replace(b"n", b"\xff"))]
    )
    for column in (damaged, damaged.dictionary_encode()):
        with pytest.raises(ConfigurationError, match=r"cannot be read as parquet: .*UTF8.*\. Write it anew\."):
            read_predictions(written(tmp_path, file.name, stroke=column))
    written(tmp_path, file.name)
    file.write_bytes(file.read_bytes().replace(b"stroke", b"\xfftroke"))
    with pytest.raises(ConfigurationError, match="cannot be read as parquet: 'utf-8' codec"):
        read_predictions(str(file))
    lines = tmp_path / "x.jsonl"
    lines.write_text('{"id": "a", "label": 1, "prediction": 1}\n null\n')
    with pytest.raises(ConfigurationError, match="line 2 is null"):
        read_predictions(str(lines))


def test_rows_are_paired_by_their_ids(tmp_path: Path) -> None:
    """What only the candidate has is counted and left out; what only the base has is there without a prediction."""
    mine = read_predictions(written(tmp_path, "x.parquet"))
    theirs = read_predictions(written(tmp_path, "y.parquet", id=["c", "a", "z"], label=[0, 1, 0]))
    both = pair(mine, theirs, least=0.5)
    assert both.candidate.ids.tolist() == both.base.ids.tolist() == ["a", "c", "z"]
    assert both.candidate.predicted.tolist() == [["1", "0", ""]]
    assert both.candidate.missing.tolist() == [False, False, True]
    assert (both.only_candidate, both.lost, both.is_level) == (1, ("z",), False)
    assert [it.ids.tolist() for it in both.both()] == [["a", "c"]] * 2
    assert both.whole.ids.tolist() == ["a", "b", "c", "z"]
    with pytest.raises(CannotDecideError, match=r"share 2 of 3 rows, which is less than min-shared = 0\.9"):
        pair(mine, theirs, least=0.9)


def test_models_that_were_not_asked_the_same_are_not_compared(tmp_path: Path) -> None:
    """Other labels, or another kind of model."""
    mine = read_predictions(written(tmp_path, "x.parquet"))
    other = read_predictions(written(tmp_path, "y.parquet", label=[1, 1, 0]))
    with pytest.raises(CannotDecideError, match="different labels for 2 rows: b, c"):
        pair(mine, other, least=0.5)
    ids = [f"{it}" for it in range(5)]
    many = {"id": ids, "prediction": ids, **dict.fromkeys(("probabilities", "stroke", "height", "is_new"))}
    sides = [read_predictions(written(tmp_path, "z.jsonl", label=labels, **many)) for labels in ([0] * 5, [1] * 5)]
    with pytest.raises(CannotDecideError, match="different labels for 5 rows: 0, 1, 2 and 2 more"):
        pair(*sides, least=0.5)
    regression = read_predictions(written(tmp_path, "z.parquet", error=[1, 2, 3], label=[0.5, 1, 2]))
    assert regression.labels.tolist() == ["1.0", "2.0", "0.5"]
    with pytest.raises(CannotDecideError, match="Only one of"):
        pair(mine, regression, least=0.5)
    without = read_predictions(written(tmp_path, "w.parquet", error=[1, 2, 3], label=None))
    assert pair(without, without, least=0.5).is_level
    assert pair(regression, without, least=0.5).is_level
    assert pair(without, regression, least=0.5).is_level
    with pytest.raises(CannotDecideError, match="Only one of"):
        pair(regression, mine, least=0.5)


# Letters with marks, which Unicode knows in two forms, and others.
NAMES = st.text("aé\u00e5ñ\u1e69\ud55cz 7", min_size=1, max_size=5)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=2, max_size=4, unique_by=lambda it: unicodedata.normalize("NFC", it)))
def test_a_letter_and_its_mark_are_the_letter_with_the_mark(tmp_path: Path, names: list[str]) -> None:
    """In ids, classes, slices and their columns, and in conditions: one system writes them so, and another so."""
    sides, named = [], []
    for form in ("NFC", "NFD"):
        formed, column = [unicodedata.normalize(form, it) for it in names], unicodedata.normalize(form, "s\u00e9")
        rows = {"id": formed, "label": formed, "prediction": [formed[0]] * len(names), column: formed}
        path = written(tmp_path, "x.parquet", **dict.fromkeys(ROWS.keys() - rows.keys()), **rows)
        named.append(parse_condition(f'slice["{column}"].accuracy >= 0.5').subject.column)
        sides.append(read_predictions(path, slices=named[-1:]))
    assert named[0] == named[1]
    assert sides[0].is_same(sides[1])
    assert sides[0].rows_digest == sides[1].rows_digest
    assert {it: values.tolist() for it, values in sides[0].slices.items()} == {
        it: values.tolist() for it, values in sides[1].slices.items()
    }


def bomb(folder: Path, **columns: object) -> str:
    """Return a Parquet file of 130 kB, one of whose columns has a text of 70,000 letters in each of 100,000 rows."""
    rows = 100_000
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), ["x" * 70_000])
    ids = pa.array(np.arange(rows))
    labels = pa.array(np.arange(rows) % 2)
    table = pa.table({"id": ids, "label": labels, "prediction": labels, "notes": text, **columns})
    parquet.write_table(table, folder / "bomb.parquet", store_schema=False, compression="zstd")
    return str(folder / "bomb.parquet")


def test_a_column_that_nothing_needs_is_not_read(tmp_path: Path) -> None:
    """7 GB of texts, which are one text in the file, take no memory, whether slices are named or not."""
    path = bomb(tmp_path)
    assert read_predictions(path, slices=[]).slices == read_predictions(path).slices == {}
    assert pa.default_memory_pool().max_memory() < 2**30


def test_a_column_that_takes_too_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is needed, by what its own index says, and texts by their longest one, before either is made."""
    path = bomb(tmp_path)
    with pytest.raises(
        ConfigurationError, match=r"bomb\.parquet takes 28\.0 GB in memory, and at most 2\.1 GB are read"
    ):
        read_predictions(path, group="notes")
    assert pa.default_memory_pool().max_memory() < 2**30
    monkeypatch.setattr(columns, "MOST_BYTES", 30)
    for name in ("x.parquet", "x.csv", "x.jsonl"):
        with pytest.raises(ConfigurationError, match=r"takes \d+ B in memory, and at most 30 B are read. Shorten"):
            read_predictions(written(tmp_path, name, probabilities=None, is_new=None))


ODD: list[Any] = [
    [1, None, 3],
    [0.5, float("nan"), 1e300],
    pa.array([1.5, 2, 3], pa.float16()),
    pa.array([2**63] * 3, pa.uint64()),
    [decimal.Decimal("1.0"), decimal.Decimal("0.5"), None],
    ["a", None, ""],
    ["\0", "\ud7ff", "1.0"],
    pa.array(["a", "b", "c"], pa.large_string()),
    pa.array(["a", None, "a"]).dictionary_encode(),
    pa.DictionaryArray.from_arrays(pa.array([0, 1, 1]), pa.array([1, 2])),
    [b"\xff", b"a", None],
    pa.array([b"abcd"] * 3, pa.binary(4)),
    [True, False, None],
    [None] * 3,
    [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 3,
    [dt.timedelta(1)] * 3,
    [[1.0], [0.5], [1]],
    [[0.5, 0.5], None, [0.5, 0.5]],
    [["a"], None, []],
    [[[1.0]]] * 3,
    pa.array([[1.0, 0]] * 3, pa.list_(pa.float64(), 2)),
    [{"a": 1}] * 3,
    pa.array([[(1, 2)]] * 3, pa.map_(pa.int64(), pa.int64())),
]


@pytest.mark.parametrize(
    "name", [*ROWS, "score", "error", "seed", "fold", "group", "weight", "probabilities.", "probabilities.0"]
)
def test_whatever_a_column_holds_is_read_or_refused(tmp_path: Path, name: str) -> None:
    """Each type that Parquet knows ends in predictions or in a message."""
    for values in ODD:
        path = written(tmp_path, "x.parquet", **{"probabilities": None, name: values})
        with contextlib.suppress(ConfigurationError):
            read = read_predictions(path, group="group" if name == "group" else "")
            assert read.ids.tolist() == sorted(read.ids.tolist())
            assert len(read.digest) == 64


def test_texts_that_are_numbers_are_read_as_such(tmp_path: Path) -> None:
    """Also where one is repeated, and the file keeps it once."""
    read = read_predictions(written(tmp_path, "x.parquet", probabilities=None, score=["0.5", "0.5", "0.75"]))
    assert read.confidence is not None
    assert read.confidence.tolist() == [[0.5, 0.75, 0.5]]


def test_only_the_slices_that_are_named_are_read(tmp_path: Path) -> None:
    """Where one of them is not there, all are, so that a message can name the nearest."""
    path = written(tmp_path, "x.parquet", weight=["light", "light", "heavy"])
    assert read_predictions(path, slices=["stroke"]).slices.keys() == {"stroke"}
    assert read_predictions(path, slices=["strke"]).slices.keys() == {"stroke", "weight", "is_new"}


def hashes(folder: Path, labels: list[str], stem: str = "r", **columns: object) -> list[str]:
    """Return the hashes of the rows of a dataset with some labels, and other columns."""
    ids = [f"{stem}{number}" for number in range(len(labels))]
    parquet.write_table(pa.table({"id": ids, **columns}), folder / "rows.parquet")
    lines = [f"{name},{label},a" for name, label in zip(ids, labels, strict=True)]
    (folder / "p.csv").write_text("\n".join(["id,label,prediction", *lines]))
    files = [str(folder / name) for name in ("rows.parquet", "rows.csv")]
    return list(row_hashes(read_predictions(str(folder / "p.csv")), files))


def images(*pixels: int, kind: pa.DataType) -> pa.Array:
    """Return images of two pixels."""
    return pa.array([[[it, 7]] for it in pixels], pa.list_(pa.list_(kind, 2), 1))


def test_rows_are_known_by_their_content(tmp_path: Path) -> None:
    """Another id, width of a number or column beside an image makes no other row; another label or pixel does."""
    labels = ["a", "b", "a"]
    known = hashes(tmp_path, labels, image=images(1, 2, 3, kind=pa.uint8()))
    assert len(set(known)) == 3
    assert known == hashes(tmp_path, labels, "s", image=images(1, 2, 3, kind=pa.int64()), light=["x", "y", "z"])
    pixels = images(1, 2, 3, kind=pa.uint8()).flatten()
    tensor = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), [2]), pixels)
    assert hashes(tmp_path, labels, image=tensor) == known
    assert {*hashes(tmp_path, ["a", "a", "a"], image=tensor)} & {*known} == {known[0], known[2]}
    assert {*hashes(tmp_path, labels, image=images(1, 2, 4, kind=pa.uint8()))} & {*known} == {*known[:2]}


def test_rows_of_texts_and_numbers_are_known_by_all_columns(tmp_path: Path) -> None:
    """Also where some are empty; beside bytes, no other column counts; without any column, the id does."""
    labels, size = ["a", "b", "a"], [1, None, 3]
    known = hashes(tmp_path, labels, text=["one", "two", None], size=size)
    assert hashes(tmp_path, labels, "s", text=["one", "two", None], size=size) == known
    assert {*hashes(tmp_path, labels, text=["one", "two", ""], size=size)} & {*known} == {*known[:2]}
    data = [b"1", b"2", b"3"]
    assert hashes(tmp_path, labels, data=data, size=size) == hashes(tmp_path, labels, "s", data=data)
    assert not {*hashes(tmp_path, labels)} & {*hashes(tmp_path, labels, "s")}
    (tmp_path / "p.csv").write_text("id,error\nr0,1\n")
    errors = read_predictions(str(tmp_path / "p.csv"))
    assert len(list(row_hashes(errors, []))) == 1
    (tmp_path / "broken.parquet").write_text("none")
    with pytest.raises(ConfigurationError, match=r"broken\.parquet cannot be read: "):
        list(row_hashes(errors, [str(tmp_path / "broken.parquet")]))


def test_a_file_of_rows_without_ids_is_refused(tmp_path: Path) -> None:
    """By the names of the file and the column."""
    hashes(tmp_path, ["a"])
    parquet.write_table(pa.table({"name": ["r0"]}), tmp_path / "rows.parquet")
    with pytest.raises(ConfigurationError, match=r"rows\.parquet has no column `id`"):
        list(row_hashes(read_predictions(str(tmp_path / "p.csv")), [str(tmp_path / "rows.parquet")]))
