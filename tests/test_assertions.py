"""A test that expects nothing is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from assertions import main, silent_tests

if TYPE_CHECKING:
    from pathlib import Path

ABOVE = "def far(it):\n    assert it\n"
HELPERS = "def check(it):\n    assert it\n\ndef outer(it):\n    middle(it)\n\ndef middle(it):\n    check(it)\n"
OWN = "def call(it):\n    return it\n\n"


def write_test(root: Path, text: str) -> None:
    """Write a test file into a package, with helpers beside it and above."""
    folder = root / "packages/a/tests/deep"
    folder.mkdir(parents=True)
    (folder.parent / "conftest.py").write_text(ABOVE)
    (folder / "conftest.py").write_text(HELPERS)
    (folder / "test_a.py").write_text(text)


@pytest.mark.parametrize(
    ("body", "is_silent"),
    [
        ("call(1)", True),
        ("assert True", True),
        ("pass", True),
        ("assert (call(1), 'it is so')", True),
        ("assert [call(1)]", True),
        ("assert 1 == 1", True),
        ("assert 'it is so'", True),
        ("assert f'it is {call(1)}'", True),
        ("job.fail()", True),
        ("job.check(1)", True),
        ("assert call(1)", False),
        ("assert call(1) == 1", False),
        ("assert f'{call(1)}'", False),
        ("check(1)", False),
        ("outer(1)", False),
        ("far(1)", False),
        ("with pytest.raises(ValueError): call(1)", False),
        ("with pytest.deprecated_call(): call(1)", False),
        ("with pytest.RaisesGroup(ValueError): call(1)", False),
        ("with raises(ValueError): call(1)", False),
        ("pytest.fail()", False),
        ("self.fail()", False),
        ("self.assertEqual(call(1), 1)", False),
        ("with self.assertRaises(ValueError): call(1)", False),
        ("mock.assert_called()", False),
    ],
)
def test_a_test_that_expects_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], body: str, *, is_silent: bool
) -> None:
    """Whether it has no assertion, or one that cannot fail; assertions of helpers count."""
    write_test(tmp_path, f"{OWN}def test_it():\n    {body}\n")
    assert silent_tests(tmp_path) == ["packages/a/tests/deep/test_a.py:4: test_it"] * is_silent
    monkeypatch.chdir(tmp_path)
    assert main() == is_silent
    assert ("test_it asserts nothing" in capsys.readouterr().out) == is_silent


@pytest.mark.parametrize(
    ("text", "part"),
    [("def test_it(:\n", "test_a.py:1: invalid syntax"), (OWN, "has no test in packages/*/tests")],
)
def test_files_that_cannot_be_read_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, part: str
) -> None:
    """A file with wrong syntax is named in a line, and so is a folder without tests."""
    write_test(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    assert main() == 2
    assert part in capsys.readouterr().err
