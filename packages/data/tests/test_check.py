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
from headworks_data import (
    SPLITS,
    BuildSettings,
    Contract,
    Dataset,
    NearDuplicates,
    Shares,
    Split,
    assign,
    check,
    content_ids,
    errors,
    load,
    read_settings,
    write,
)
from headworks_data._cli import main

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


def load_rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a split's file."""
    found: list[dict[str, Any]] = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return found


def rules(folder: Path, contract: Contract = SMALL) -> set[tuple[str, str]]:
    """Return rule and place of every violation."""
    return {(it.rule, it.where) for it in check(folder, contract)}


def test_the_committed_dataset_keeps_its_contract(digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command passes for the digits."""
    assert main(["check", str(digits), "--contract", str(PACKAGE / "contract.toml")]) == 0
    assert "keeps" in capsys.readouterr().out


def test_two_builds_in_two_processes_are_byte_identical(digits: Path, tmp_path: Path) -> None:
    """Neither place nor process gets into the files."""
    command = [sys.executable, "-m", "headworks_data", "build", "elsewhere", "--config", str(PACKAGE / "dataset.toml")]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "test rows of 10 classes from digits" in done.stdout
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
        ({"classes": ("dog", "cat")}, {("classes", "dataset.json"), *(("slice", name) for name in SPLITS)}),
        ({"mean_range": ((120.0, 135.0),)}, {("mean", "validation")}),
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


def test_near_duplicates_across_splits_are_reported(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy with one pixel changed is another image by its id, and still one that the model has seen."""
    dataset = load(digits)
    train, test = dataset.splits["train"], dataset.splits["test"]
    copies = test.images[:3].copy()
    for row in range(3):
        # Another value in a corner gives another id, until one belongs to the training split.
        while not assign(content_ids(copies[row : row + 1]), salt=dataset.salt, shares=Shares())["train"].size:
            copies[row, 0, 0, 0] += 1
    joined = Split(
        ids=np.concatenate([train.ids, content_ids(copies)]),
        images=np.concatenate([train.images, copies]),
        labels=np.concatenate([train.labels, test.labels[:3]]),
        slices={key: np.concatenate([values, test.slices[key][:3]]) for key, values in train.slices.items()},
    )
    write(tmp_path / "a", dataclasses.replace(dataset, splits={**dataset.splits, "train": joined}, digest=""))
    assert main(["check", str(tmp_path / "a"), "--contract", str(PACKAGE / "contract.toml")]) == 1
    shown = capsys.readouterr().out
    assert "near-duplicate: train and test: 3 x rows have a near-duplicate in train by pixels, the closest" in shown
    assert "in 1 ways" in shown


def test_near_duplicates_are_not_looked_for_where_no_row_can_be_judged(tmp_path: Path, small: Dataset) -> None:
    """Files of another shape are the violation."""
    write(tmp_path / "a", small)
    contract = dataclasses.replace(SMALL, image_shape=(3, 4, 1), near_duplicates=NearDuplicates())
    assert rules(tmp_path / "a", contract) == {("shape", name) for name in SPLITS}


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
        ("clases = []", "there is no setting 'clases': did you mean 'classes'"),
        ("zzz = 1", "there is no setting 'zzz': known are classes"),
        ("classes = ['a', 1]\nimage_shape = [1, 1, 1]", "'classes\\[1\\]' must be a text, not 1"),
        ("classes = []\nimage_shape = [1, 1]", "'image_shape' must be"),
        (f"classes = []\nimage_shape = [{10**30}, 1, 1]", "'image_shape' must be"),
        ("classes = []\nimage_shape = [1, 1, 1]\nvalue_range = [9, 1]", "'value_range' must be"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmin_rows = 3", "'min_rows' must be a table, not 3"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmax_duplicates = 1.5", "'max_duplicates' must be a whole number"),
        ("classes = []\nimage_shape = [1, 1, 1]\nshares = {train = 2}", "shares must add up to 1, not 2.0"),
        (
            "classes = []\nimage_shape = [1, 1, 1]\nmin_rows = {tests = 1}",
            "there is no setting 'min_rows.tests': did you mean",
        ),
        ("classes = [", "cannot read"),
        (
            "classes = []\nimage_shape = [1, 1, 1]\nnear_duplicates = {measure = 'eye'}",
            "must be one of auto, pixels, hash",
        ),
        (
            "classes = []\nimage_shape = [1, 1, 1]\nnear_duplicates = {distance = 63}",
            "distance' must be at least 0 and",
        ),
        (
            "classes = []\nimage_shape = [1, 1, 1]\nnear_duplicates = {distance = '8'}",
            "must be a finite number, not '8'",
        ),
        ("classes = []\nimage_shape = [1, 1, 1]\nnear_duplicates = {max_rows = -1}", "max_rows' must be at least 0"),
        ("classes = []\nimage_shape = [1, 1, 1]\nnear_duplicates = 8", "'near_duplicates' must be a table"),
        ("classes = []\nimage_shape = [1, 1, 1]", "'classes' must give at least one name"),
        ("classes = ['a', 'a']\nimage_shape = [1, 1, 1]", "'classes' must give each name once"),
        ("classes = ['a']\nimage_shape = [1, 1, 1]\nslices = ['b', 'b']", "'slices' must give each name once"),
        ("classes = ['a']\nimage_shape = [1, 1, 1]\nslices = ['id']", "'slices' cannot name a column 'id'"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmax_duplicates = -1", "'max_duplicates' must be at least 0, not -1"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmin_rows = {test = -1}", "'min_rows.test' must be at least 0, not -1"),
        ("classes = []\nimage_shape = [1, 1, 1]\nshare_tolerance = -0.1", "must be at least 0 and below 1, not -0.1"),
        ("classes = []\nimage_shape = [1, 1, 3]\nmean_range = [[1, 2]]", "a range for each of 3 channels"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmean_range = [[2, 1]]", "'mean_range' must hold"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmean_range = [[1]]", "'mean_range' must hold"),
        ("classes = []\nimage_shape = [1, 1, 1]\nmean_range = [[0, nan]]", "mean_range.0..1.' must be a finite number"),
        *(
            (
                f"classes = []\nimage_shape = [1, 1, 1]\n{key} = {number}",
                f"'{key}' must be a finite number, not {shown}",
            )
            for key in ("share_tolerance", "shares.test")
            for number, shown in {
                "nan": "nan",
                "inf": "inf",
                "-inf": "-inf",
                "1e999": "inf",
                f"1{'0' * 400}": "1",
            }.items()
        ),
        ("image_shape = [1, 1, 1]", "'classes' must be given and is missing"),
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
    assert capsys.readouterr().err.startswith("headworks_data: ")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0])
def test_a_contract_made_in_code_is_held_to_the_same(number: float) -> None:
    """NaN compares with nothing, so that a rule with it could never be broken."""
    with pytest.raises(errors.SettingsError, match="'share_tolerance' must be"):
        dataclasses.replace(SMALL, share_tolerance=number)
    with pytest.raises(errors.SettingsError, match=r"'mean_range.* must"):
        dataclasses.replace(SMALL, mean_range=((0.0, number),))
    with pytest.raises(errors.SettingsError, match="'train' must be"):
        Shares(train=number)


def test_digits_on_another_scale_are_reported(digits: Path, tmp_path: Path) -> None:
    """Values of 0 to 15 are within the range of a byte, and still not what the model is made for."""
    dataset = load(digits)
    splits = {}
    for name, split in dataset.splits.items():
        images = split.images // 17
        splits[name] = dataclasses.replace(split, images=images, ids=content_ids(images))
    write(tmp_path / "a", dataclasses.replace(dataset, splits=splits, digest=""))
    contract = read_settings(PACKAGE / "contract.toml", Contract)
    # Two rules that another scale breaks as well, since it changes ids and distances.
    contract = dataclasses.replace(contract, split_by_content=False, near_duplicates=None)
    assert rules(tmp_path / "a", contract) == {("mean", name) for name in SPLITS}


def test_a_channel_with_another_mean_is_reported(tmp_path: Path, small: Dataset) -> None:
    """Swapped channels keep the mean of all pixels."""
    splits = {}
    for name, split in small.splits.items():
        images = np.repeat(split.images, 3, axis=3) // np.array([1, 2, 4], np.uint8)
        splits[name] = dataclasses.replace(split, images=images, ids=content_ids(images))
    write(tmp_path / "a", dataclasses.replace(small, image_shape=(4, 3, 3), splits=splits, digest=""))
    wanted = dataclasses.replace(SMALL, image_shape=(4, 3, 3), mean_range=((110.0, 150.0), (25.0, 40.0), (55.0, 80.0)))
    found = check(tmp_path / "a", wanted)
    assert {(it.rule, it.where) for it in found} == {("mean", name) for name in SPLITS}
    assert sorted(it.what.split(" have ")[0] for it in found) == [
        f"the pixels of channel {number}" for number in (1, 1, 1, 2, 2, 2)
    ]


def test_a_slice_that_contradicts_the_label_is_reported(tmp_path: Path, small: Dataset) -> None:
    """Labels that were changed after the dataset was built are found by the column that repeats them."""
    write(tmp_path / "a", small)
    change_rows(tmp_path / "a", "test", lambda it: it.set_column(2, "label", pa.array([0, 0, 1, 1], pa.int64())))
    (found,) = check(tmp_path / "a", SMALL)
    split = load_rows(tmp_path / "a", "test")
    torn = [row["id"] for row in split if ("cat", "dog")[row["label"]] != row["class"]]
    assert (found.rule, found.where, found.count, list(found.rows)) == ("slice", "test", len(torn), torn)
    assert torn


def test_a_dataset_without_slices_is_judged(tmp_path: Path, small: Dataset) -> None:
    """No slice is needed, not even that of the class."""
    splits = {name: dataclasses.replace(split, slices={}) for name, split in small.splits.items()}
    write(tmp_path / "a", dataclasses.replace(small, splits=splits, digest=""))
    assert check(tmp_path / "a", dataclasses.replace(SMALL, slices=())) == []


def test_no_dataset_is_bad_input_and_not_a_broken_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 tells it from a contract that does not hold."""
    assert main(["check", str(tmp_path / "none"), "--contract", str(PACKAGE / "contract.toml")]) == 2
    assert "there is no dataset in" in capsys.readouterr().err


def test_integers_are_taken_for_shares() -> None:
    """The defaults of a build are what the committed settings say, but for the salt."""
    settings = read_settings(PACKAGE / "dataset.toml", BuildSettings)
    assert dataclasses.replace(settings, salt="headworks") == BuildSettings()
