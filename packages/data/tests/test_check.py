"""The contract of the digits holds, and every rule of it can fail."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from headgate_data import (
    SPLITS,
    BuildSettings,
    Contract,
    Dataset,
    Split,
    check,
    content_ids,
    errors,
    load,
    read_settings,
    write,
)
from headgate_data.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = Path(__file__).parents[1]
SMALL = Contract(classes=("cat", "dog"), image_shape=(4, 3, 1), share_tolerance=0.2, split_by_content=False)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the committed dataset through the command line."""
    folder = tmp_path_factory.mktemp("digits") / "dataset"
    assert main(["build", str(folder), "--config", str(PACKAGE / "dataset.toml")]) == 0
    return folder


def change_rows(folder: Path, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Edit a split's file behind the back of dataset.json."""
    path = folder / f"{name}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def rules(folder: Path, contract: Contract = SMALL) -> set[tuple[str, str]]:
    """Return rule and place of every violation."""
    return {(it.rule, it.where) for it in check(folder, contract)}


def test_the_committed_dataset_keeps_its_contract(digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command passes for the digits."""
    assert main(["check", str(digits), "--contract", str(PACKAGE / "contract.toml")]) == 0
    assert "keeps" in capsys.readouterr().out


def test_two_builds_in_two_processes_are_byte_identical(digits: Path, tmp_path: Path) -> None:
    """Neither place nor process gets into the files."""
    command = [sys.executable, "-m", "headgate_data", "build", "elsewhere", "--config", str(PACKAGE / "dataset.toml")]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "1,060 train, 377 validation, 360 test rows of 10 classes from digits" in done.stdout
    for path in digits.iterdir():
        assert path.read_bytes() == (tmp_path / "elsewhere" / path.name).read_bytes()


def without_class(dataset: Dataset, names: tuple[str, ...], label: int) -> Dataset:
    """Remove all rows of a class from some splits."""
    splits = dict(dataset.splits)
    for name in names:
        split = splits[name]
        keep = split.labels != label
        slices = {key: values[keep] for key, values in split.slices.items()}
        splits[name] = Split(ids=split.ids[keep], images=split.images[keep], labels=split.labels[keep], slices=slices)
    return dataclasses.replace(dataset, splits=splits, digest="")


@pytest.mark.parametrize("names", [("test",), SPLITS])
def test_a_deleted_class_is_reported(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...]
) -> None:
    """Also where it vanished from every split, since the contract names the classes."""
    write(tmp_path / "a", without_class(load(digits), names, 3))
    assert main(["check", str(tmp_path / "a"), "--contract", str(PACKAGE / "contract.toml")]) == 1
    shown = capsys.readouterr().out
    for name in names:
        assert f"classes: {name}: 1 x classes have no row: 3" in shown


def test_test_rows_in_train_are_reported(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A leak is found by content, with five of the ids, also in machine form."""
    dataset = load(digits)
    train, test = dataset.splits["train"], dataset.splits["test"]
    joined = Split(
        ids=np.concatenate([train.ids, test.ids[:7]]),
        images=np.concatenate([train.images, test.images[:7]]),
        labels=np.concatenate([train.labels, test.labels[:7]]),
        slices={key: np.concatenate([values, test.slices[key][:7]]) for key, values in train.slices.items()},
    )
    write(tmp_path / "a", dataclasses.replace(dataset, splits={**dataset.splits, "train": joined}, digest=""))
    command = ["check", str(tmp_path / "a"), "--contract", str(PACKAGE / "contract.toml"), "--format", "json"]
    assert main(command) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["passed"] is False
    leak, moved = shown["violations"]
    assert (moved["rule"], moved["where"], moved["count"]) == ("moved", "train", 7)
    assert (leak["rule"], leak["where"], leak["count"]) == ("leak", "train and test", 7)
    assert leak["rows"] == sorted(test.ids[:7].tolist())[:5]


def test_rows_that_are_moved_from_test_to_train_are_reported(digits: Path, tmp_path: Path) -> None:
    """No row is in two splits, and still the model would be trained on what it is judged by later."""
    dataset = load(digits)
    train, test = dataset.splits["train"], dataset.splits["test"]
    names = ("ids", "images", "labels")
    joined = {name: np.concatenate([getattr(train, name), getattr(test, name)[:7]]) for name in names}
    slices = {key: np.concatenate([values, test.slices[key][:7]]) for key, values in train.slices.items()}
    rest = {name: getattr(test, name)[7:] for name in names}
    splits = {
        "train": Split(**joined, slices=slices),
        "validation": dataset.splits["validation"],
        "test": Split(**rest, slices={key: values[7:] for key, values in test.slices.items()}),
    }
    write(tmp_path / "a", dataclasses.replace(dataset, splits=splits, digest=""))
    (found,) = check(tmp_path / "a", read_settings(PACKAGE / "contract.toml", Contract))
    assert (found.rule, found.where, found.count) == ("moved", "train", 7)


def test_pixels_out_of_range_are_reported(tmp_path: Path, small: Dataset) -> None:
    """The declared range is a promise about every pixel."""
    write(tmp_path / "a", small)
    narrow = dataclasses.replace(SMALL, value_range=(0, 100))
    assert rules(tmp_path / "a", narrow) == {("range", name) for name in SPLITS}


def test_a_dataset_that_keeps_its_contract_has_no_violation(tmp_path: Path, small: Dataset) -> None:
    """The rules can hold."""
    write(tmp_path / "a", small)
    assert check(tmp_path / "a", SMALL) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"image_shape": (3, 4, 1)}, {("shape", name) for name in SPLITS}),
        ({"slices": ("class", "size")}, {("schema", name) for name in SPLITS}),
        ({"slices": ()}, {("schema", name) for name in SPLITS}),
        ({"classes": ("dog", "cat")}, {("classes", "dataset.json")}),
        ({"share_tolerance": 0.01}, {("share", name) for name in SPLITS}),
        (
            {"min_rows": read_settings(PACKAGE / "contract.toml", Contract).min_rows},
            {("rows", name) for name in SPLITS},
        ),
        (
            {"min_rows_per_class": read_settings(PACKAGE / "contract.toml", Contract).min_rows_per_class},
            {("rows-per-class", name) for name in SPLITS},
        ),
    ],
)
def test_each_rule_of_a_contract_can_fail(
    tmp_path: Path, small: Dataset, change: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    """A stricter or different contract reports exactly what it asks for."""
    write(tmp_path / "a", small)
    assert rules(tmp_path / "a", dataclasses.replace(SMALL, **change)) == expected


def test_a_row_that_occurs_twice_is_reported(tmp_path: Path, small: Dataset) -> None:
    """A copy within a split counts twice in every metric."""
    write(tmp_path / "a", small)
    change_rows(tmp_path / "a", "test", lambda it: pa.concat_tables([it, it.slice(0, 1)]))
    assert rules(tmp_path / "a") == {("duplicate", "test")}


def test_one_image_with_two_labels_is_reported(tmp_path: Path, small: Dataset) -> None:
    """One of the labels is wrong."""
    write(tmp_path / "a", small)
    flipped = pa.array([0, 0, 0, 0], pa.int64())
    change_rows(tmp_path / "a", "test", lambda it: pa.concat_tables([it, it.set_column(2, "label", flipped)]))
    assert ("conflict", "all") in rules(tmp_path / "a")


def test_wrong_labels_and_ids_are_reported_together(tmp_path: Path, small: Dataset) -> None:
    """All violations come in one report."""
    write(tmp_path / "a", small)
    labels, ids = pa.array([0, 1, 2, 5], pa.int64()), pa.array(["a", "b", "c", "d"])
    change_rows(tmp_path / "a", "test", lambda it: it.set_column(2, "label", labels).set_column(0, "id", ids))
    assert {("label", "test"), ("id", "test")} <= rules(tmp_path / "a")


def test_a_missing_value_and_a_wrong_type_are_reported(tmp_path: Path, small: Dataset) -> None:
    """Rows of a split whose columns are wrong are not judged any further."""
    write(tmp_path / "a", small)
    change_rows(tmp_path / "a", "test", lambda it: it.set_column(2, "label", pa.array([None, 0, 0, 1], pa.int64())))
    change_rows(tmp_path / "a", "train", lambda it: it.set_column(2, "label", pa.array(["0"] * 8)))
    assert rules(tmp_path / "a") == {("schema", "test"), ("dtype", "train")}


def test_a_summary_that_disagrees_with_the_rows_is_reported(tmp_path: Path, small: Dataset) -> None:
    """dataset.json is held against the rows."""
    write(tmp_path / "a", small)
    path = tmp_path / "a" / "dataset.json"
    path.write_text(path.read_text().replace(small.digest, "0" * 64))
    assert rules(tmp_path / "a") == {("summary", "dataset.json")}


def test_empty_splits_are_reported_and_not_divided_by(tmp_path: Path, small: Dataset) -> None:
    """A dataset without any row is judged, too."""
    none = np.zeros((0, 4, 3, 1), np.uint8)
    empty = Split(
        ids=content_ids(none), images=none, labels=np.zeros(0, np.int64), slices={"class": np.array([], "U1")}
    )
    write(tmp_path / "a", dataclasses.replace(small, splits=dict.fromkeys(SPLITS, empty), digest=""))
    assert rules(tmp_path / "a") == {(rule, name) for rule in ("rows", "classes") for name in SPLITS}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clases = []", "there is no 'clases': did you mean 'classes'"),
        ("zzz = 1", "there is no 'zzz': known are classes"),
        ("classes = ['a', 1]\nimage_shape = [1, 1, 1]", "'classes\\[1\\]' must be of type str, not 1"),
        ("classes = []\nimage_shape = [1, 1]", "'image_shape' must be"),
        ("classes = []\nimage_shape = [1, 1, 1]\nvalue_range = [9, 1]", "'value_range' must be"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmin_rows = 3", "'min_rows' must be a table, not 3"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmax_duplicates = 1.5", "'max_duplicates' must be of type int"),
        ("classes = []\nimage_shape = [1, 1, 1]\nshares = {train = 2}", "shares must be above 0 and add up to 1"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmin_rows = {tests = 1}", "there is no 'min_rows.tests': did you mean"),
        ("classes = [", "cannot read"),
        ("image_shape = [1, 1, 1]", "'classes' is missing"),
    ],
)
def test_a_wrong_contract_is_one_clear_error(
    tmp_path: Path, small: Dataset, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    """The file is named, with what is wrong in it, and the check does not pass."""
    write(tmp_path / "a", small)
    path = tmp_path / "contract.toml"
    path.write_text(text)
    with pytest.raises(errors.SettingsError, match=message):
        read_settings(path, Contract)
    assert main(["check", str(tmp_path / "a"), "--contract", str(path)]) == 2
    assert capsys.readouterr().err.startswith("headgate_data: ")


def test_no_dataset_is_bad_input_and_not_a_broken_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 tells it from a contract that does not hold."""
    assert main(["check", str(tmp_path / "none"), "--contract", str(PACKAGE / "contract.toml")]) == 2
    assert "there is no dataset in" in capsys.readouterr().err


def test_integers_are_taken_for_shares() -> None:
    """The defaults of a build are what the committed settings say, but for the salt."""
    settings = read_settings(PACKAGE / "dataset.toml", BuildSettings)
    assert dataclasses.replace(settings, salt="headgate") == BuildSettings()
