"""What to do about an error of the system: the advice fits the error."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from headworks_data import BuildSettings, Dataset, advice, errors, load, read_settings, write
from headworks_data import _files as files
from headworks_data import _staging as staging

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space within the quota"),
        (errno.EFBIG, "raise the limit"),
        (errno.EACCES, "change the permissions"),
        (errno.EPERM, "change the permissions"),
        (errno.EROFS, "can be written to"),
        (errno.ENOENT, "correct the name"),
        (errno.ENOTDIR, "a file stands where a folder must be"),
        (errno.EISDIR, "a folder stands where a file must be"),
        (errno.ENAMETOOLONG, "a shorter name"),
        (errno.EIO, "choose another place"),
    ],
)
def test_the_advice_about_a_dataset_that_cannot_be_written_fits(
    tmp_path: Path, small: Dataset, number: int, remedy: str
) -> None:
    """Nobody is sent to free space where the name is too long; an earlier dataset is whole."""
    write(tmp_path / "out", small)
    with pytest.raises(errors.WriteError) as raised, staging.staged(tmp_path / "out", files.FILES):
        raise OSError(number, os.strerror(number))
    shown = str(raised.value)
    assert f"{os.strerror(number)}: " in shown
    assert remedy in shown
    assert ("free space" in shown) == (number in {errno.ENOSPC, errno.EDQUOT})
    assert load(tmp_path / "out").digest == small.digest


def test_real_places_that_cannot_be_written_are_told_apart(tmp_path: Path, small: Dataset) -> None:
    """A name that is too long, and a file in the way."""
    (tmp_path / "file").touch()
    for place, remedy in {"x" * 300: "choose a shorter name", "file/below": "a file stands where"}.items():
        with pytest.raises(errors.WriteError, match=remedy):
            write(tmp_path / place, small)


def test_other_errors_have_the_advice_of_whoever_asks() -> None:
    """An error of a library may have no number."""
    assert advice(OSError("odd"), "call for help") == "call for help"
    assert advice(ValueError("odd"), "call for help") == "call for help"
    assert advice(OSError(errno.ENOSPC, "full"), "call for help").startswith("free space")


@pytest.mark.parametrize("name", ["dataset.json", "train.parquet"])
def test_a_dataset_that_may_not_be_read_needs_no_other_build(
    tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Permissions are not mended by building again."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    write(tmp_path / "out", small)
    module = {"dataset.json": "pathlib.Path.read_bytes", "train.parquet": "pyarrow.parquet.ParquetFile"}[name]
    monkeypatch.setattr(module, refuse)
    with pytest.raises(errors.DatasetInvalidError, match=f"{name}.*Permission denied; change the permissions"):
        load(tmp_path / "out")


def test_a_settings_file_of_windows_is_read(tmp_path: Path) -> None:
    """The mark that editors put in front of UTF-8 is no part of it."""
    (tmp_path / "dataset.toml").write_bytes(b'\xef\xbb\xbfsalt = "s"\r\n')
    assert read_settings(tmp_path / "dataset.toml", BuildSettings).salt == "s"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('salt = "s"'.encode("utf-16"), "it is not UTF-8, as TOML must be: save it as UTF-8"),
        (b'salt = "caf\xe9"', "it is not UTF-8"),
        (None, "No such file or directory: correct the name"),
    ],
)
def test_a_settings_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, message: str) -> None:
    """The message names the file and what to do."""
    if content is not None:
        (tmp_path / "dataset.toml").write_bytes(content)
    with pytest.raises(errors.SettingsError, match=f"cannot read .*dataset.toml: {message}"):
        read_settings(tmp_path / "dataset.toml", BuildSettings)


def test_a_folder_in_place_of_a_settings_file_is_named(tmp_path: Path) -> None:
    """A folder is no file."""
    with pytest.raises(errors.SettingsError, match="Is a directory: a folder stands where a file must be"):
        read_settings(tmp_path, BuildSettings)
