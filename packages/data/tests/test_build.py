"""From a source to a dataset: splits by content, readers, bad input, and builds that are stopped."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from headworks_data import (
    SPLITS,
    BuildSettings,
    Dataset,
    Rows,
    Shares,
    assign,
    build,
    content_ids,
    errors,
    load,
    read_source,
    split_rows,
    write,
)
from headworks_data import _progress as progress_module
from headworks_data import _source as source_module
from headworks_data import _staging as staging
from headworks_data._cli import main
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

IDS = st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), unique=True, max_size=30)


def places(ids: list[str], salt: str) -> dict[str, str]:
    """Return the split of each id."""
    assigned = assign(np.array(ids, dtype=np.str_), salt=salt, shares=Shares())
    return {ids[row]: name for name, rows in assigned.items() for row in rows}


@given(IDS, IDS, st.text(max_size=5))
def test_adding_or_removing_rows_moves_no_other_row(some: list[str], more: list[str], salt: str) -> None:
    """The split of a row is a function of its content and the salt."""
    both = places(list(dict.fromkeys(some + more)), salt)
    assert places(some, salt).items() <= both.items()
    assert len(both) == len(set(some + more))


def test_another_salt_gives_other_splits() -> None:
    """The salt is part of the rank."""
    ids = [f"{number:064x}" for number in range(50)]
    assert places(ids, "a") != places(ids, "b")


@pytest.mark.parametrize("shares", [{"train": 0.0}, {"train": 0.9}, {"test": -0.2, "train": 1.0}])
def test_impossible_shares_are_refused(shares: dict[str, float]) -> None:
    """Shares are positive and add up to 1."""
    with pytest.raises(errors.SettingsError, match=r"add up to 1|above 0"):
        Shares(**shares)


def picture(path: Path, value: int, *, mode: str = "L", size: tuple[int, int] = (4, 3)) -> None:
    """Write a small image of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Return a folder of two classes with 30 grey images each, and what desktops leave there."""
    root = tmp_path / "pets"
    for number in range(30):
        picture(root / "cat" / f"{number}.png", number)
        picture(root / "dog" / f"{number}.png", 100 + number)
    (root / ".DS_Store").touch()
    (root / "cat" / ".hidden").touch()
    (root / "notes.txt").touch()
    return root


def test_a_folder_of_images_becomes_a_dataset(tmp_path: Path, pets: Path) -> None:
    """Classes are the folders' names, images keep rows, columns and channels."""
    dataset = build(tmp_path / "out", BuildSettings(source=f"folder:{pets}"))
    assert (dataset.classes, dataset.image_shape) == (("cat", "dog"), (3, 4, 1))
    assert sum(len(split) for split in dataset.splits.values()) == 60
    for split in load(tmp_path / "out").splits.values():
        assert ((split.images[:, 0, 0, 0] >= 100) == (split.labels == 1)).all()
        assert split.slices["class"].tolist() == [dataset.classes[label] for label in split.labels]


def test_a_mixture_of_grey_and_colour_is_refused_unless_the_source_says_what_to_make_of_it(pets: Path) -> None:
    """The first image that differs is named, with both sources that take a mixture."""
    picture(pets / "dog" / "colour.png", 0, mode="RGB")
    named = r"0\.png is grey and .*colour\.png is in colour: convert .* folder-grey:PATH or folder-rgb:PATH"
    with pytest.raises(errors.SourceError, match=named):
        read_source(f"folder:{pets}")
    assert read_source(f"folder-rgb:{pets}").images.shape == (61, 3, 4, 3)
    assert read_source(f"folder-grey:{pets}").images.shape == (61, 3, 4, 1)


PICTURES = st.lists(st.tuples(st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA"]), st.integers(0, 1)), max_size=4)


@settings(max_examples=40)
@given(PICTURES, PICTURES, st.sampled_from(["folder", "folder-grey", "folder-rgb"]))
def test_adding_images_of_any_kind_changes_no_other_row(
    some: list[tuple[str, int]], more: list[tuple[str, int]], source: str
) -> None:
    """An added image is refused, or it leaves the id of every other row, and so its split, as it was."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, name in enumerate(("cat", "dog")):
            picture(root / name / "first.png", 200 + number)
        for number, (mode, label) in enumerate(some):
            picture(root / ("cat", "dog")[label] / f"{number}.png", number, mode=mode)
        try:
            before = content_ids(read_source(f"{source}:{root}").images)
        except errors.SourceError:
            assert source == "folder"
            return
        for number, (mode, label) in enumerate(more):
            picture(root / ("cat", "dog")[label] / f"more{number}.png", number, mode=mode)
        try:
            after = content_ids(read_source(f"{source}:{root}").images)
        except errors.SourceError:
            assert source == "folder"
            return
    assert Counter(before.tolist()) <= Counter(after.tolist())
    assert len(after) == len(before) + len(more)


def test_the_same_images_are_the_same_dataset_wherever_they_lie(tmp_path: Path, pets: Path) -> None:
    """The path of a folder is not in what is written."""
    shutil.copytree(pets, tmp_path / "moved" / "animals")
    build(tmp_path / "a", BuildSettings(source=f"folder:{pets}"))
    build(tmp_path / "b", BuildSettings(source=f"folder:{tmp_path / 'moved' / 'animals'}"))
    assert load(tmp_path / "a").source == "folder"
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_an_image_that_occurs_twice_lands_in_one_split(pets: Path) -> None:
    """Copies cannot leak between splits."""
    picture(pets / "dog" / "copy.png", 0)
    dataset = split_rows(read_source(f"folder:{pets}"), BuildSettings(source="folder"))
    twice = content_ids(np.zeros((1, 3, 4, 1), np.uint8))[0]
    assert sorted(int((split.ids == twice).sum()) for split in dataset.splits.values()) == [0, 0, 2]


def spoil(root: Path, fault: str) -> str:
    """Put a fault into a folder of images and return what the message must name."""
    if fault == "unreadable":
        (root / "cat" / "0.png").write_bytes(b"no image")
    elif fault == "truncated":
        whole = (root / "cat" / "0.png").read_bytes()
        (root / "cat" / "0.png").write_bytes(whole[: len(whole) // 2])
    elif fault == "sizes":
        picture(root / "dog" / "0.png", 1, size=(5, 3))
        return "5 x 3 pixels: bring all images to one size"
    elif fault == "deep":
        picture(root / "cat" / "0.png", 1, mode="I;16")
        return "more than 8 bits"
    elif fault == "empty class":
        (root / "owl").mkdir()
        return "owl holds no file"
    elif fault == "one class":
        for path in [*(root / "dog").iterdir(), root / "dog"]:
            path.unlink() if path.is_file() else path.rmdir()
        return "at least 2 classes, and has 1 (cat)"
    return "0.png"


@pytest.mark.parametrize("fault", ["unreadable", "truncated", "sizes", "deep", "empty class", "one class"])
def test_bad_images_are_named_and_the_earlier_dataset_stays(
    tmp_path: Path, pets: Path, small: Dataset, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    """One clear error with file and remedy, exit 2, and nothing else has changed."""
    write(tmp_path / "out", small)
    named = spoil(pets, fault)
    assert main(["build", str(tmp_path / "out"), "--source", f"folder:{pets}"]) == 2
    shown = capsys.readouterr().err
    assert named in shown
    assert len(shown.splitlines()) == 1
    assert load(tmp_path / "out").digest == small.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pets"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digit", "there is no source 'digit': did you mean 'digits'"),
        ("zzz", f"known are {', '.join(sorted(source_module.BUILT_IN))}"),
        ("digits:3", "takes no argument"),
        ("folder:", "there is no folder ''"),
        ("folder:/nowhere/at/all", "there is no folder '/nowhere/at/all'"),
    ],
)
def test_a_wrong_source_is_named(tmp_path: Path, source: str, message: str) -> None:
    """The message says which sources there are, or the nearest."""
    with pytest.raises(errors.SourceError, match=message):
        build(tmp_path / "out", BuildSettings(source=source))
    assert not (tmp_path / "out").exists()


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    """An empty folder is not an empty dataset."""
    with pytest.raises(errors.SourceError, match="holds no folder"):
        read_source(f"folder:{tmp_path}")


def test_a_source_of_another_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points add sources; the names of this package stay its own."""
    point = EntryPoint(name="again", value="headworks_data._digits:read", group=source_module.ENTRY_POINTS)
    monkeypatch.setattr(source_module, "entry_points", lambda group: [point] if group == point.group else [])
    assert len(read_source("again").images) == 1797
    with pytest.raises(errors.SourceError, match="takes no argument"):
        read_source("again:3")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:read", "the source 'mine' fails: ModuleNotFoundError: No module named 'no_such_module'"),
        ("os:stat", "the source 'mine' fails: FileNotFoundError: .*: see the package that adds it"),
        ("os:fspath", "the source 'mine' gives a str, and must give headworks_data.Rows"),
    ],
)
def test_a_source_of_another_package_that_fails_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    """Whatever it raises, and nothing is written."""
    point = EntryPoint(name="mine", value=value, group=source_module.ENTRY_POINTS)
    monkeypatch.setattr(source_module, "entry_points", lambda **_: [point])
    with pytest.raises(errors.SourceError, match=message):
        build(tmp_path / "out", BuildSettings(source=f"mine:{tmp_path}/none"))
    assert not list(tmp_path.iterdir())


def test_rows_of_a_reader_are_looked_at() -> None:
    """A reader that gives something else than images is told so."""
    with pytest.raises(errors.SourceError, match="uint8"):
        Rows(images=np.zeros((1, 2, 2, 1)), labels=np.zeros(1, np.int64), classes=("a", "b"), slices={})  # type: ignore[arg-type]  # the mistake
    images = np.zeros((1, 2, 2, 1), np.uint8)
    with pytest.raises(errors.SourceError, match="labels must be an array of 1 integers"):
        Rows(images=images, labels=np.zeros(2, np.int64), classes=("a", "b"), slices={})
    with pytest.raises(errors.SourceError, match=r"the source has a label outside 0\.\.1"):
        Rows(images=images, labels=np.full(1, 2, np.int64), classes=("a", "b"), slices={})


def test_a_folder_that_cannot_be_replaced_is_refused_before_a_source_is_read(tmp_path: Path) -> None:
    """Reading may take hours."""
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(errors.WriteError, match=r"holds 'thesis\.txt'"):
        build(tmp_path, BuildSettings(source="nowhere"))


@pytest.mark.parametrize("terminal", [True, False])
def test_long_loops_say_how_far_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool
) -> None:
    """In place on a terminal, line by line elsewhere."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert list(progress_module.progress("abc", "reading")) == ["a", "b", "c"]
    shown = capsys.readouterr().err
    assert shown.startswith(f"reading: 0 of 3{chr(13) if terminal else chr(10)}")


def slow_build(pets: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that writes a dataset and stops in the middle, when it says so."""
    code = (
        "import sys, time\n"
        "from headworks_data import BuildSettings, _files, build\n"
        "def stop(*_):\n    print('writing', flush=True)\n    time.sleep(60)\n"
        "_files.write_summary = stop\n"
        f"build({str(folder)!r}, BuildSettings(source={f'folder:{pets}'!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    return process


@pytest.mark.usefixtures("measured")
def test_a_killed_build_leaves_the_earlier_dataset_whole(tmp_path: Path, pets: Path, small: Dataset) -> None:
    """What it left behind is removed by the next build."""
    parent = tmp_path / "parent"
    write(parent / "out", small)
    with slow_build(pets, parent / "out") as process:
        # A build beside it neither waits nor takes its folder away.
        write(parent / "out", small)
        assert len(list(parent.iterdir())) == 2
        process.send_signal(signal.SIGKILL)
    assert load(parent / "out").digest == small.digest
    assert len(list(parent.iterdir())) == 2
    write(parent / "out", small)
    assert [path.name for path in parent.iterdir()] == ["out"]


def test_a_dataset_that_was_moved_aside_is_put_back(tmp_path: Path, small: Dataset) -> None:
    """Where folders cannot be exchanged in one step, a kill between the two steps is mended."""
    write(tmp_path / "out", small)
    (tmp_path / "out").rename(tmp_path / ".out.0123456789abcdef.earlier")
    with pytest.raises(errors.DatasetInvalidError), staging.staged(tmp_path / "out", ("dataset.json",)):
        raise errors.DatasetInvalidError
    assert load(tmp_path / "out").digest == small.digest


def test_a_full_disk_is_one_clear_error(tmp_path: Path, pets: Path, small: Dataset) -> None:
    """A limit on the size of files stands for the disk; the earlier dataset stays."""
    write(tmp_path / "out", small)
    config = tmp_path / "dataset.toml"
    config.write_text(f'source = "folder:{pets}"\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "headworks_data", "build", str(tmp_path / "out"), "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)),
    )
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "an earlier dataset is unchanged" in done.stderr
    assert "Traceback" not in done.stderr
    assert load(tmp_path / "out").digest == small.digest


def test_what_is_no_dataset_is_never_replaced(tmp_path: Path, small: Dataset) -> None:
    """A mistyped folder costs nobody their files."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").touch()
    (tmp_path / "file").touch()
    for name, message in {"home": "it holds 'thesis.txt'", "file": "it is a file"}.items():
        with pytest.raises(errors.WriteError, match=message):
            write(tmp_path / name, small)
    assert (tmp_path / "home" / "thesis.txt").exists()
    with pytest.raises(errors.WriteError, match="cannot write"):
        write(tmp_path / "file" / "below", small)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_dataset_is_replaced(
    tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch, *, exchange: bool
) -> None:
    """With or without a file system that can exchange two folders."""
    if not exchange:
        monkeypatch.setattr(staging, "_exchange", lambda *_: False)
    write(tmp_path / "out", small)
    other = split_rows(read_source("digits"), BuildSettings())
    write(tmp_path / "out", other)
    assert load(tmp_path / "out").digest == other.digest
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208 - the names are all that matters


def test_a_folder_that_another_build_cleaned_away_is_made_again(
    tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that vanishes before it is locked is replaced by another one."""
    taken: list[Path] = []
    lock = staging._lock

    def take(path: Path, *, wait: bool) -> int | None:
        if wait and not taken:
            taken.append(path)
            path.rmdir()
        return lock(path, wait=wait)

    monkeypatch.setattr(staging, "_lock", take)
    write(tmp_path / "out", small)
    assert len(taken) == 1
    assert load(tmp_path / "out").digest == small.digest


def test_what_cannot_be_locked_is_left_alone(tmp_path: Path) -> None:
    """A folder that is gone has no lock."""
    assert staging._lock(tmp_path / "none", wait=False) is None


def test_two_builds_that_replace_one_folder_at_once_both_end(
    tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the earlier folder vanishes between two steps, the steps are taken again."""
    write(tmp_path / "out", small)
    steps = iter([False])
    rename = staging._rename
    monkeypatch.setattr(staging, "_exchange", lambda *_: False)
    monkeypatch.setattr(staging, "_rename", lambda stage, target: next(steps, None) is None and rename(stage, target))
    replace = staging._replace

    def vanish(stage: Path, target: Path) -> bool:
        target.rename(tmp_path / "gone")
        assert not replace(stage, target)
        return False

    monkeypatch.setattr(staging, "_replace", vanish)
    write(tmp_path / "out", small)
    assert load(tmp_path / "out").digest == small.digest


def test_an_earlier_dataset_comes_back_when_the_new_one_cannot_be_moved(
    tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two steps may fail."""
    write(tmp_path / "out", small)
    steps = iter([False])

    def refuse(*_: Path) -> bool:
        for step in steps:
            return step
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staging, "_exchange", lambda *_: False)
    monkeypatch.setattr(staging, "_rename", refuse)
    with pytest.raises(errors.WriteError, match="No space left"):
        write(tmp_path / "out", small)
    assert load(tmp_path / "out").digest == small.digest
    monkeypatch.undo()
    with pytest.raises(errors.WriteError, match="cannot write"), staging.staged(tmp_path / "new", ("dataset.json",)):
        raise PermissionError(13, "Permission denied")


def test_an_unexpected_error_of_a_rename_is_not_hidden(tmp_path: Path) -> None:
    """Only a folder that stands in the way is dealt with."""
    with pytest.raises(FileNotFoundError):
        staging._rename(tmp_path / "none", tmp_path / "out")


def test_every_split_of_the_digits_has_every_stroke() -> None:
    """The slices are large enough to be judged."""
    dataset = split_rows(read_source("digits"), BuildSettings())
    for name in SPLITS:
        strokes, counts = np.unique(dataset.splits[name].slices["stroke"], return_counts=True)
        assert strokes.tolist() == ["medium", "thick", "thin"]
        assert counts.min() >= 50
