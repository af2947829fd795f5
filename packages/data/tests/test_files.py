"""Datasets as folders: what is written is read back, and nothing else passes for a dataset."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from headworks_data import SPLITS, Dataset, Split, content_ids, load, replace_files, write
from headworks_data import _files as files
from headworks_data.errors import DatasetInvalidError, DatasetMissingError

if TYPE_CHECKING:
    from collections.abc import Callable

STORED = Path(__file__).parent / "stored"


def same(one: Split, other: Split) -> bool:
    """Return whether two splits hold the same rows in the same order."""
    pairs = [(one.ids, other.ids), (one.images, other.images), (one.labels, other.labels)]
    pairs += [(values, other.slices[name]) for name, values in one.slices.items()]
    return all(np.array_equal(left, right) for left, right in pairs)


def edit_summary(folder: Path, **change: Any) -> None:  # noqa: ANN401 - any JSON
    """Change values of dataset.json."""
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_what_is_written_is_read_back(tmp_path: Path, small: Dataset) -> None:
    """Rows come back in the order of their ids, with all that belongs to them."""
    write(tmp_path / "a", small)
    loaded = load(tmp_path / "a")
    assert (loaded.classes, loaded.image_shape, loaded.source, loaded.salt) == (
        ("cat", "dog"),
        (4, 3, 1),
        "folder:pets",
        "s",
    )
    assert loaded.digest == small.digest
    for name in SPLITS:
        split, order = small.splits[name], np.argsort(small.splits[name].ids)
        slices = {key: values[order] for key, values in split.slices.items()}
        expected = Split(ids=split.ids[order], images=split.images[order], labels=split.labels[order], slices=slices)
        assert same(loaded.splits[name], expected)
        assert loaded.splits[name].labels.dtype == np.int64
        assert loaded.splits[name].images.dtype == np.uint8


def test_a_dataset_over_several_row_groups_is_read_back(
    tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large datasets are written in parts."""
    monkeypatch.setattr(files, "GROUP_BYTES", 30)
    write(tmp_path / "a", small)
    assert pq.ParquetFile(tmp_path / "a" / "train.parquet").num_row_groups == 4
    assert load(tmp_path / "a").digest == small.digest


def test_an_empty_split_is_read_back(tmp_path: Path, small: Dataset) -> None:
    """A tiny dataset may leave a split without rows; whether that is enough is the contract's matter."""
    none = np.zeros((0, 4, 3, 1), np.uint8)
    empty = Split(
        ids=content_ids(none), images=none, labels=np.zeros(0, np.int64), slices={"class": np.array([], np.str_)}
    )
    write(tmp_path / "a", dataclasses.replace(small, splits={**small.splits, "test": empty}, digest=""))
    assert load(tmp_path / "a").splits["test"].images.shape == (0, 4, 3, 1)


def test_the_files_have_the_published_form(tmp_path: Path, small: Dataset) -> None:
    """Other packages and other languages read the Parquet files and dataset.json without this package."""
    write(tmp_path / "a", small)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(files.FILES)
    schema = pq.read_schema(tmp_path / "a" / "test.parquet")
    assert schema.names == ["id", "image", "label", "class"]
    assert schema.types == [pa.string(), pa.fixed_shape_tensor(pa.uint8(), (4, 3, 1)), pa.int64(), pa.string()]
    means = {name: [float(split.images.mean())] for name, split in small.splits.items()}
    assert json.loads((tmp_path / "a" / "dataset.json").read_text()) == {
        "format": 2,
        "source": "folder:pets",
        "salt": "s",
        "digest": small.digest,
        "classes": ["cat", "dog"],
        "image_shape": [4, 3, 1],
        "slices": ["class"],
        "splits": {
            "train": {"rows": 8, "labels": {"0": 4, "1": 4}, "pixel_means": means["train"]},
            "validation": {"rows": 4, "labels": {"0": 2, "1": 2}, "pixel_means": means["validation"]},
            "test": {"rows": 4, "labels": {"0": 2, "1": 2}, "pixel_means": means["test"]},
        },
        "schema": {"id": "string", "image": "fixed_shape_tensor<uint8>[4, 3, 1]", "label": "int64", "class": "string"},
    }


def test_a_dataset_that_another_pyarrow_wrote_is_read(small: Dataset) -> None:
    """Files are exchanged between machines with any two of the versions that the package allows.

    `stored` was written with `headworks_data.write` and pyarrow 26.0.1. Version 19.0.0, which the package therefore
    does not allow, cannot read it: https://github.com/apache/arrow/issues/45283
    """
    assert load(STORED).digest == small.digest


def test_the_same_dataset_gives_the_same_bytes(tmp_path: Path, small: Dataset) -> None:
    """Neither time nor place nor the order in memory gets into the files."""
    write(tmp_path / "a", small)
    write(tmp_path / "elsewhere" / "b", load(tmp_path / "a"))
    for name in files.FILES:
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "elsewhere" / "b" / name).read_bytes()
        assert str(tmp_path).encode() not in content


def test_a_wrong_id_is_not_written(tmp_path: Path, small: Dataset) -> None:
    """An id that is not its image's content would break every promise about splits."""
    wrong = dataclasses.replace(small.splits["test"], ids=small.splits["train"].ids[:4])
    with pytest.raises(DatasetInvalidError, match="4 ids of test are not the content"):
        write(tmp_path / "a", dataclasses.replace(small, splits={**small.splits, "test": wrong}, digest=""))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", files.FILES)
def test_a_missing_file_is_named(tmp_path: Path, small: Dataset, name: str) -> None:
    """Every file of a dataset is needed."""
    write(tmp_path / "a", small)
    (tmp_path / "a" / name).unlink()
    with pytest.raises(DatasetMissingError, match=rf"{name}.* is missing.*build"):
        load(tmp_path / "a")


def test_each_replaced_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    """They are replaced in order, and a failure leaves no part of a file."""
    replace_files(tmp_path / "out", {"a": b"1", "b": b"2"})
    (tmp_path / "out" / "other").touch()
    (tmp_path / "out" / "c").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_files(tmp_path / "out", {"a": b"3", "c": b"4", "b": b"5"})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b", "c", "other"]
    assert [(tmp_path / "out" / name).read_bytes() for name in "ab"] == [b"3", b"2"]


@pytest.mark.parametrize("name", files.FILES)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 100_000, b"PAR1" + bytes(100) + b"PAR1"])
def test_a_broken_file_is_named(tmp_path: Path, small: Dataset, name: str, content: bytes) -> None:
    """Whatever the bytes are, the error is ours and says which file to make again."""
    write(tmp_path / "a", small)
    (tmp_path / "a" / name).write_bytes(content)
    with pytest.raises(DatasetInvalidError, match=rf"{name}.*build"):
        load(tmp_path / "a")


def test_a_file_in_place_of_the_folder_is_no_dataset(tmp_path: Path) -> None:
    """The path of a file is a plain mistake, not a crash."""
    (tmp_path / "a").touch()
    with pytest.raises(DatasetMissingError, match="there is no dataset in"):
        load(tmp_path / "a")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 1}, "'format' must be 2, not 1"),
        ({"source": None}, "'source' must be a string"),
        ({"classes": "cat"}, "'classes' must be a list"),
        ({"classes": [1]}, "'classes' must be a list"),
        ({"image_shape": [10**30, 3, 1]}, r"\[H, W, C\]"),
        ({"image_shape": [4, 3]}, r"\[H, W, C\]"),
        ({"image_shape": [4, 3, True]}, "'image_shape' must be a list"),
        ({"image_shape": [4, 3, -1]}, r"\[H, W, C\]"),
        ({"splits": ["train"]}, "'splits' must name each split"),
        ({"splits": {"train": {}}}, "'splits' must name each split"),
        ({"splits": dict.fromkeys(SPLITS)}, "changed after it was built: dataset.json does not agree .* in splits"),
        ({"extra": 1}, "does not agree with the rows in extra"),
        ({"image_shape": [3, 4, 1]}, "the columns of .*train.parquet are not those of dataset.json"),
        ({"slices": []}, "the columns of .*train.parquet are not those of dataset.json"),
        ({"classes": ["cat", "dog", "owl"]}, "changed after it was built: the rows have digest"),
        ({"digest": "0" * 64}, "changed after it was built: the rows have digest"),
        ({"classes": ["cat"]}, "changed after it was built: train has a label outside"),
    ],
)
def test_a_changed_summary_is_refused(tmp_path: Path, small: Dataset, change: dict[str, Any], message: str) -> None:
    """dataset.json must say what the rows say."""
    write(tmp_path / "a", small)
    edit_summary(tmp_path / "a", **change)
    with pytest.raises(DatasetInvalidError, match=message):
        load(tmp_path / "a")


def test_a_summary_that_is_no_table_is_refused(tmp_path: Path, small: Dataset) -> None:
    """JSON of another kind is not taken for a summary."""
    write(tmp_path / "a", small)
    (tmp_path / "a" / "dataset.json").write_text("[]")
    with pytest.raises(DatasetInvalidError, match="it must hold a table"):
        load(tmp_path / "a")


def brighten(table: pa.Table) -> pa.Table:
    """Change the pixels and keep the ids."""
    storage = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(4 * 12, np.uint8)), 12)
    return table.set_column(
        1, table.schema.field(1), pa.ExtensionArray.from_storage(table.schema.field(1).type, storage)
    )


def forget_a_label(table: pa.Table) -> pa.Table:
    """Leave a label out."""
    return table.set_column(2, "label", pa.array([None, 0, 0, 1], pa.int64()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (brighten, "4 ids of test are not the content of their image"),
        (forget_a_label, "test.parquet are not those of dataset.json, or have missing values"),
        (lambda table: table.slice(0, 3), "the rows have digest"),
        (lambda table: table.drop_columns(["class"]), "test.parquet are not those"),
    ],
)
def test_changed_rows_are_refused(
    tmp_path: Path, small: Dataset, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    """A Parquet file that was edited after the build never passes for the dataset."""
    write(tmp_path / "a", small)
    path = tmp_path / "a" / "test.parquet"
    pq.write_table(change(files.read_table(path)), path)
    with pytest.raises(DatasetInvalidError, match=message):
        load(tmp_path / "a")
