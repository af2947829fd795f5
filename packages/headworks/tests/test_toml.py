"""Bad TOML is refused in one sentence, whatever it is."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._project.toml import MAX_SIZE, parse, strings, table
from headworks.errors import ConfigurationError


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a = ", "is not valid TOML: Invalid value"),
        (b"\xff", "is not valid TOML: 'utf-8' codec"),
        (b"a = " + b"[" * 100_000, "is not valid TOML: it is nested too deeply"),
        (b"#" * (MAX_SIZE + 1), "has 67,108,865 bytes; more than 67,108,864 are refused"),
    ],
)
def test_bad_toml_is_refused(content: bytes, reason: str) -> None:
    """The message names the file."""
    with pytest.raises(ConfigurationError, match=f"pyproject.toml {reason}"):
        parse(content, "pyproject.toml")


@given(st.binary(max_size=200) | st.text(alphabet="[]{}=\"a.1-:\n #'", max_size=60).map(str.encode))
def test_any_content_is_parsed_or_refused(content: bytes) -> None:
    """Nothing but our own error comes out, and what is parsed can be searched."""
    with contextlib.suppress(ConfigurationError):
        data = parse(content, "pyproject.toml")
        assert all(isinstance(it, str) for it in strings(data))


def test_tables_are_looked_up_by_path() -> None:
    """What is missing, or no table, is an empty one."""
    data = parse(b"[a.b]\nc = 1\n", "x")
    assert table(data, "a", "b") == {"c": 1}
    assert table(data, "a", "x", "y") == table(data, "a", "b", "c") == {}


def test_strings_are_found_at_any_depth() -> None:
    """Keys count too, since some tools put names there."""
    data = parse(b'[a]\nb = ["x", {c = "y"}, 1]\n', "x")
    assert sorted(strings(data)) == ["a", "b", "c", "x", "y"]
