"""A folder of images: what is read, what is named, and what cannot be the name of a class."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import numpy as np
import pytest
from headworks_data import Dataset, _folder, errors, load, read_source, write
from headworks_data._cli import main
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

LITTER = [".DS_Store", "._0.png", "Thumbs.db", "thumbs.db", "Desktop.ini", "ehthumbs.db", ".directory"]


def images(folder: Path, count: int = 3, start: int = 0) -> Path:
    """Fill a folder with small images, each of another grey."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        Image.new("L", (4, 3), number).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Return a folder of two classes with three images each."""
    images(tmp_path / "pets" / "cat")
    images(tmp_path / "pets" / "dog", start=100)
    return tmp_path / "pets"


def refusal(pets: Path) -> str:
    """Return the message that refuses a folder."""
    with pytest.raises(errors.SourceError) as raised:
        read_source(f"folder:{pets}")
    return str(raised.value)


def test_what_desktops_leave_is_passed_over_where_data_is_read_and_written(
    tmp_path: Path, pets: Path, small: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """One list holds for both sides, in whatever case the names are written."""
    write(tmp_path / "out", small)
    for folder in (pets, pets / "cat", tmp_path / "out"):
        for name in LITTER:
            (folder / name).write_bytes(b"\xd0\xcf\x11\xe0")
    images(pets / "__MACOSX")
    rows = read_source(f"folder:{pets}")
    assert (rows.classes, len(rows.images)) == (("cat", "dog"), 6)
    assert not capsys.readouterr().err
    write(tmp_path / "out", small)
    assert not (tmp_path / "out" / "Thumbs.db").exists()


def test_folders_inside_a_class_belong_to_it(pets: Path) -> None:
    """Batches are read, at any depth and through links."""
    images(pets / "cat" / "batch" / "deeper", start=10)
    images(pets.parent / "elsewhere", start=20)
    (pets / "dog" / "more").symlink_to(pets.parent / "elsewhere")
    rows = read_source(f"folder:{pets}")
    assert rows.images[rows.labels == 0, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert rows.images[rows.labels == 1, 0, 0, 0].tolist() == [100, 101, 102, 20, 21, 22]


def test_a_folder_inside_itself_is_refused(pets: Path) -> None:
    """A circle of links, of whatever length, ends with a message."""
    (pets / "cat" / "dogs").symlink_to(pets / "dog")
    (pets / "dog" / "cats").symlink_to(pets / "cat")
    assert "are the same folder: remove one of the links to it" in refusal(pets)


def test_links_that_fan_out_are_refused_and_not_followed_along_every_way(pets: Path) -> None:
    """With two links in each of 40 folders, one folder would be read 2 ** 40 times."""
    layers = [images(pets.parent / f"layer{number}", count=1) for number in range(40)]
    for one, other in zip([pets / "cat", *layers], layers, strict=False):
        for name in ("a", "b"):
            (one / name).symlink_to(other)
    assert f"{pets / 'cat' / 'b'} and {pets / 'cat' / 'a'} are the same folder" in refusal(pets)


def test_hidden_entries_and_files_of_no_class_are_named(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are passed over, and a line says so."""
    (pets / "labels.csv").touch()
    images(pets / "dog" / ".ipynb_checkpoints")
    (pets / "cat" / ".hidden.png").touch()
    assert len(read_source(f"folder:{pets}").images) == 6
    shown = capsys.readouterr().err
    assert "passed over 3 hidden entries and files of no class" in shown
    assert all(name in shown for name in ("labels.csv", ".ipynb_checkpoints", ".hidden.png"))
    assert "..." not in shown
    for number in range(5):
        (pets / f"{number}.txt").touch()
    read_source(f"folder:{pets}")
    assert capsys.readouterr().err.endswith(", ...\n")


@pytest.mark.parametrize("names", [("train", "test"), ("Train", "val"), ("training", "validation", "extra")])
@pytest.mark.parametrize("inside", ["", "cat"])
def test_folders_of_splits_are_no_classes(pets: Path, names: tuple[str, ...], inside: str) -> None:
    """A split that somebody else made would be lost, or its parts be taken for classes."""
    for number, name in enumerate(names):
        images(pets / inside / name / "owl", start=10 * number)
    assert "which are splits, not classes" in refusal(pets)


def test_one_class_may_be_called_like_a_split(pets: Path) -> None:
    """Trains are vehicles."""
    images(pets / "train", start=50)
    assert read_source(f"folder:{pets}").classes == ("cat", "dog", "train")


def test_what_is_no_image_in_a_class_is_named(pets: Path) -> None:
    """A link whose content was not fetched, a pipe, and a text each stop the build."""
    made: dict[str, Callable[[Path], object]] = {
        "owl": lambda path: path.symlink_to("gone"),
        "cat/z.png": lambda path: path.symlink_to("gone"),
        "dog/pipe": os.mkfifo,
        "dog/labels.txt": lambda path: path.write_text("cat"),
        "dog/empty.png": Path.touch,
    }
    for name, make in made.items():
        make(pets / name)
        assert str(pets / name) in refusal(pets)
        (pets / name).unlink()
    assert len(read_source(f"folder:{pets}").images) == 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"caf\xe9", "not UTF-8"),
        (b"a\nb", "control characters"),
        ("a\u2028b".encode(), "line ends"),
        (b" owl", "a blank"),
        (b"owl ", "a blank"),
    ],
)
def test_a_name_that_no_class_can_have_is_refused(
    pets: Path, capsys: pytest.CaptureFixture[str], name: bytes, message: str
) -> None:
    """The folder is named in one line, in letters that every terminal can show."""
    images(pets / os.fsdecode(name))
    assert main(["build", str(pets.parent / "out"), "--source", f"folder:{pets}"]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.splitlines()) == 1
    assert not (pets.parent / "out").exists()


@pytest.mark.parametrize(("folder", "code"), [("cat", 2), (".", 0)])
def test_what_a_file_is_called_is_shown_and_does_nothing(
    pets: Path, capsys: pytest.CaptureFixture[str], folder: str, code: int
) -> None:
    """A line is one line, of an error as of a file that is passed over, and no terminal takes it for a command."""
    (pets / folder / "a\n\x1b[2J\u202eb.png").touch()
    assert main(["build", str(pets.parent / "out"), "--source", f"folder:{pets}"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert r"a\n\x1b[2J\u202eb.png" in line


def test_an_interrupted_build_is_one_line(
    pets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code of a shell, and without a dataset."""
    monkeypatch.setattr(_folder, "read_picture", Mock(side_effect=KeyboardInterrupt))
    assert main(["build", str(pets.parent / "out"), "--source", f"folder:{pets}"]) == 130
    assert capsys.readouterr().err == "headworks_data: interrupted; an earlier dataset is unchanged\n"
    assert not (pets.parent / "out").exists()


def test_the_name_of_a_class_is_composed(pets: Path) -> None:
    """Apple takes names apart: the same folder there and here is the same class."""
    images(pets / unicodedata.normalize("NFD", "café"))
    assert read_source(f"folder:{pets}").classes == (unicodedata.normalize("NFC", "café"), "cat", "dog")


@pytest.mark.parametrize(("one", "other"), [("café", unicodedata.normalize("NFD", "café")), ("Owl", "owl")])
def test_names_that_are_one_elsewhere_are_refused(pets: Path, one: str, other: str) -> None:
    """Two such folders cannot lie beside each other on every system."""
    for name in (one, other):
        images(pets / name)
    if len(list(pets.iterdir())) < 4:
        pytest.skip("this file system takes the two for one")
    message = refusal(pets)
    assert "have one name on many systems" in message
    assert str(pets / one) in message
    assert str(pets / other) in message


def test_names_and_slices_that_are_no_text_are_refused(small: Dataset) -> None:
    """Whatever source gives them, they could not be written down."""
    no_text = "caf\udce9"
    with pytest.raises(errors.DatasetInvalidError, match="classes must be text"):
        dataclasses.replace(small, classes=("cat", no_text), digest="")
    split = small.splits["test"]
    with pytest.raises(errors.DatasetInvalidError, match="slice 'place' must hold text"):
        dataclasses.replace(split, slices={"place": np.array([no_text] * 4)})
    with pytest.raises(errors.DatasetInvalidError, match="a slice cannot be called"):
        dataclasses.replace(split, slices={no_text: split.slices["class"]})


def test_a_salt_that_is_no_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal may give any bytes."""
    assert main(["build", str(tmp_path / "out"), "--salt", "caf\udce9"]) == 2
    assert "'salt' must be text" in capsys.readouterr().err


@pytest.mark.parametrize("number", [13, 36, 40])
def test_a_folder_that_cannot_be_read_says_what_to_do(pets: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """What the system says is told, with advice that fits it."""

    def refuse(path: Path) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    remedy = {13: "change the permissions", 36: "choose a shorter name", 40: "mend the link"}[number]
    assert f"cannot read {pets}: {os.strerror(number)}: {remedy}" in refusal(pets)


def test_more_images_than_memory_holds_are_refused(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The array for all of them is asked for before they are read."""

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "empty", fail)
    assert "6 images of 4 x 3 pixels do not fit into memory" in refusal(pets)


def test_a_dataset_that_memory_does_not_hold_is_one_clear_line(
    tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it runs out, the command says so; an earlier dataset stays."""

    def fail(*_: object) -> None:
        raise MemoryError

    write(tmp_path / "out", small)
    monkeypatch.setattr("headworks_data._build.content_ids", fail)
    assert main(["build", str(tmp_path / "out")]) == 2
    assert "does not fit into memory" in capsys.readouterr().err
    assert load(tmp_path / "out").digest == small.digest
