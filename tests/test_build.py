"""Builds: the same bytes everywhere, and whole whatever happens on the way."""

from __future__ import annotations

import logging
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from headgate_data import BuildSettings, Dataset, build, errors, load, write
from headgate_data import _progress as progress_module
from headgate_data.__main__ import main
from PIL import Image

SETTINGS = Path(__file__).parents[1] / "dataset.toml"
BUILD = [sys.executable, "-m", "headgate_data", "build"]


def test_a_build_can_be_loaded(tmp_path: Path, pets: Path) -> None:
    """What is returned is what was written, each row with its class by name."""
    dataset = build(tmp_path / "out", BuildSettings(source=f"folder:{pets}"))
    loaded = load(tmp_path / "out")
    assert loaded.digest == dataset.digest
    assert (loaded.classes, loaded.image_shape, loaded.source) == (("cat", "dog"), (3, 4, 1), "folder:pets")
    for split in loaded.splits.values():
        assert ((split.images[:, 0, 0, 0] >= 100) == (split.labels == 1)).all()
        assert split.slices["class"].tolist() == [loaded.classes[label] for label in split.labels]


def test_two_builds_in_two_processes_are_byte_identical(tmp_path: Path) -> None:
    """Neither place, time nor process gets into the files of the committed dataset."""
    for name in ("here", "there/deep"):
        (tmp_path / name).mkdir(parents=True)
        command = [*BUILD, "data", "--config", str(SETTINGS)]
        done = subprocess.run(command, cwd=tmp_path / name, check=True, capture_output=True, text=True)
        assert "1,060 train, 377 validation, 360 test rows of 10 classes from digits" in done.stdout
        assert done.stderr == ""
    found = sorted((tmp_path / "here" / "data").iterdir())
    assert len(found) == 4
    for path in found:
        content = path.read_bytes()
        assert content == (tmp_path / "there" / "deep" / "data" / path.name).read_bytes()
        assert str(tmp_path).encode() not in content


def test_where_images_lie_does_not_matter(tmp_path: Path, pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder gives the same files under an absolute path, a relative one and in another place."""
    build(tmp_path / "a", BuildSettings(source=f"folder:{pets}"))
    (tmp_path / "moved").mkdir()
    pets.rename(tmp_path / "moved" / "pets")
    monkeypatch.chdir(tmp_path / "moved")
    build(tmp_path / "b", BuildSettings(source="folder:pets"))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_options_override_the_file(tmp_path: Path, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Source and salt can be given for one build."""
    options = ["--source", f"folder:{pets}", "--salt", "other"]
    assert main(["build", str(tmp_path / "out"), "--config", str(SETTINGS), *options]) == 0
    assert "rows of 2 classes from folder:pets" in capsys.readouterr().out
    assert (load(tmp_path / "out").source, load(tmp_path / "out").salt) == ("folder:pets", "other")


def test_a_source_that_gives_no_name_of_its_own_is_named_as_registered(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows the colon may be a path of this machine and stays out of the files."""
    monkeypatch.syspath_prepend(site)
    assert build(tmp_path / "out", BuildSettings(source=f"few:{tmp_path}")).source == "few"


def test_the_same_image_twice_is_kept_and_told_by_its_files(
    tmp_path: Path, pets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the build knows the files; it names five images and counts the rest."""
    for number in range(7):
        Image.open(pets / "cat" / f"{number}.png").save(pets / "dog" / f"copy{number}.png")
    with caplog.at_level(logging.WARNING):
        dataset = build(tmp_path / "out", BuildSettings(source=f"folder:{pets}"))
    assert sum(len(split) for split in dataset.splits.values()) == 67
    assert caplog.messages[0] == f"the same image: {pets}/cat/0.png, {pets}/dog/copy0.png"
    assert len(caplog.messages) == 6
    assert caplog.messages[5] == "and 2 more images that occur several times"


def test_a_few_images_that_occur_twice_are_all_named(
    tmp_path: Path, pets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no rest to count then."""
    Image.open(pets / "cat" / "1.png").save(pets / "cat" / "copy.png")
    build(tmp_path / "out", BuildSettings(source=f"folder:{pets}"))
    assert caplog.messages == [f"the same image: {pets}/cat/1.png, {pets}/cat/copy.png"]


def test_a_place_that_cannot_be_written_is_known_before_anything_is_read(tmp_path: Path) -> None:
    """A long read is not for nothing: the source here would not even be found."""
    (tmp_path / "file").touch()
    with pytest.raises(errors.WriteError, match="it is a file"):
        build(tmp_path / "file", BuildSettings(source="nowhere"))


def test_a_wrong_source_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No folder is made for a dataset that there is not."""
    assert main(["build", str(tmp_path / "out"), "--source", "digit"]) == 2
    assert "did you mean 'digits'?" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def start_slow(folder: Path, site: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a build of a source that takes its time, and return when it has begun to read."""
    command = [*BUILD, str(folder), "--source", f"slow:{seconds}"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    return process


def test_a_killed_build_leaves_the_earlier_dataset_whole(tmp_path: Path, site: Path, small: Dataset) -> None:
    """SIGKILL in the middle: the earlier dataset is untouched, and the next build removes what is left over."""
    out = tmp_path / "place" / "out"
    write(out, small)
    with start_slow(out, site, 60) as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert load(out).digest == small.digest
    assert len(list(out.parent.iterdir())) == 2
    write(out, small)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_build_killed_while_it_writes_leaves_one_whole_dataset(tmp_path: Path, site: Path, small: Dataset) -> None:
    """Wherever the signal hits, there is the earlier dataset or the new one."""
    out = tmp_path / "place" / "out"
    write(out, small)
    first = small.digest
    with start_slow(out, site, 0) as process:
        pass
    new = load(out).digest
    assert new != first
    moments = random.Random(7)
    for _ in range(6):
        write(out, small)
        with start_slow(out, site, 0) as process:
            time.sleep(moments.uniform(0, 0.03))
            process.kill()
        assert load(out).digest in {first, new}
    write(out, small)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_interrupted_build_says_so_and_tidies_up(tmp_path: Path, site: Path, small: Dataset) -> None:
    """Ctrl-C is no crash: one line, exit 130 as shells have it, and the earlier dataset."""
    out = tmp_path / "place" / "out"
    write(out, small)
    command = [*BUILD, str(out), "--source", "slow:60"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "headgate_data: interrupted; an earlier dataset is unchanged\n"
    assert process.returncode == 130
    assert load(out).digest == small.digest
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_builds_at_the_same_time_do_not_mix(tmp_path: Path, site: Path, small: Dataset) -> None:
    """Each writes a folder of its own; the last to finish stays, and every reader sees a whole dataset."""
    out = tmp_path / "place" / "out"
    write(out, small)
    processes = [start_slow(out, site, 0.2) for _ in range(3)]
    seen = {load(out).digest}
    for process in processes:
        assert process.communicate()[0].startswith(str(out))
        assert process.returncode == 0
        seen.add(load(out).digest)
    assert len(seen) == 2
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_full_disk_is_one_clear_error(tmp_path: Path, small: Dataset) -> None:
    """A limit on the size of files stands for the disk; the earlier dataset stays."""
    write(tmp_path / "out", small)
    # The limit would hit the file in which coverage is measured, too.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    done = subprocess.run(
        [*BUILD, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"headgate_data: cannot write {tmp_path / 'out'}: File too large: "
        "free space there or choose another folder; an earlier dataset is unchanged\n"
    )
    assert load(tmp_path / "out").digest == small.digest
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_dataset_larger_than_memory_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dataset is held in memory, which can be too small for it."""

    def fail(_: str) -> None:
        raise MemoryError

    monkeypatch.setattr("headgate_data._build.read_source", fail)
    assert main(["build", str(tmp_path / "out")]) == 2
    assert (
        capsys.readouterr().err == "headgate_data: there is not enough memory: use a machine with more, or less data\n"
    )


@pytest.mark.parametrize(
    ("terminal", "shown"),
    [
        (True, "\r\x1b[Kreading: 0 of 3\r\x1b[Kreading: 1 of 3\r\x1b[Kreading: 2 of 3\r\x1b[K"),
        (False, "reading: 0 of 3\nreading: 1 of 3\nreading: 2 of 3\n"),
    ],
)
def test_long_loops_say_how_far_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool, shown: str
) -> None:
    """In place on a terminal, where the line is gone in the end; line by line elsewhere."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert list(progress_module.progress("abc", "reading")) == ["a", "b", "c"]
    assert capsys.readouterr().err == shown


@pytest.mark.parametrize("terminal", [True, False])
def test_short_loops_say_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool
) -> None:
    """What is over at once needs no line."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert list(progress_module.progress("abc", "reading")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
