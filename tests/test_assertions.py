"""A test that expects nothing is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from assertions import main, silent_tests

if TYPE_CHECKING:
    from pathlib import Path

HELPERS = "def check(it):\n    assert it\n\ndef call(it):\n    return it\n"


@pytest.mark.parametrize(
    ("body", "is_silent"),
    [
        ("call(1)", True),
        ("assert True", True),
        ("pass", True),
        ("assert call(1)", False),
        ("check(1)", False),
        ("with pytest.raises(ValueError): call(1)", False),
    ],
)
def test_a_test_that_expects_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], body: str, *, is_silent: bool
) -> None:
    """Whether it has no assertion, or one that cannot fail; what a helper asserts counts."""
    (tmp_path / "packages/a/tests").mkdir(parents=True)
    (tmp_path / "packages/a/tests/conftest.py").write_text(HELPERS)
    (tmp_path / "packages/a/tests/test_a.py").write_text(f"def test_it():\n    {body}\n")
    assert silent_tests(tmp_path) == ["packages/a/tests/test_a.py:1: test_it"] * is_silent
    monkeypatch.chdir(tmp_path)
    assert main() == is_silent
    assert ("test_it asserts nothing" in capsys.readouterr().out) == is_silent
