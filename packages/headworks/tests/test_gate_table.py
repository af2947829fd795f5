"""The table of the gate is read as it is meant, and refused where it makes no sense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from headworks._project.gate_table import gate_settings, read_settings
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """
reliability = 0.95
budget = 8
adaptive = false
predict = { test = ["python", "predict.py", "{out}"] }
conditions = ["ece <= 0.1", { condition = "accuracy >= 0.9", on = "test", cannot-tell = "pass", name = "good" }]
predictions = { test = "artifacts/test.parquet" }
"""
TWO = {"predictions": {"test": "a.csv", "all": "b.csv"}}


def test_a_table_is_read(tmp_path: Path) -> None:
    """From a pyproject.toml or from a file of its own; what it does not say has a default."""
    (tmp_path / "pyproject.toml").write_text("[tool.headworks.gate]\n" + TABLE)
    (tmp_path / "gate.toml").write_text(TABLE)
    settings = read_settings(str(tmp_path / "pyproject.toml"))
    assert settings == read_settings(str(tmp_path / "gate.toml"))
    assert (settings.reliability, settings.budget, settings.adaptive, settings.min_shared) == (0.95, 8, False, 0.95)
    assert settings.error == pytest.approx(0.05)
    assert [(it.name, it.on, it.cannot_tell) for it in settings.conditions] == [
        ("ece <= 0.1", "", "cannot tell"),
        ("good", "test", "passes"),
    ]
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    default = read_settings(str(tmp_path / "pyproject.toml"))
    assert default == gate_settings({})
    assert [it.name for it in default.conditions] == [
        "accuracy >= base.accuracy - 0.03",
        "accuracy >= anchor.accuracy - 0.05",
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"reliabilty": 0.9}, "there is no key 'reliabilty'. Did you mean 'reliability'?"),
        ({"reliability": 0.5}, "reliability is 0.5; it has to be a number above 0.5 and below 1"),
        ({"min-shared": True}, "min-shared is True"),
        ({"tolerance": "x"}, "tolerance is 'x'"),
        ({"budget": 0}, "budget is 0; it has to be from 1 to 100,000"),
        ({"budget": True}, "budget is True; it has to be a whole number"),
        ({"resamples": 10}, "resamples is 10; it has to be from 2,000"),
        ({"log-loss-clip": 0}, "log-loss-clip is 0; it has to be a number above 0, and 1e+30 at most"),
        ({"error-bound": True}, "error-bound is True; it has to be a number above 0"),
        ({"classes": ["a", "a"]}, "classes is ['a', 'a']; it has to be a list of texts, each once"),
        ({"classes": ["1", "1.0"]}, "classes is ['1', '1.0']; it has to be a list of texts, each once"),
        ({"classes": [1]}, "classes is [1]; it has to be a list of texts, each once"),
        ({"releases": "v\0"}, "releases is 'v\\x00'; it has to be a pattern"),
        (
            {"predictions": {"x": "x.csv"}, "predict": {"x": ["a\0", "{out}"]}},
            "predict x is ['a\\x00', '{out}']; it has",
        ),
        ({"adaptive": 1}, "adaptive is 1; it has to be true or false"),
        ({"conditions": "x"}, "conditions is 'x'; it has to be a list of conditions"),
        ({"conditions": []}, "conditions are missing, or two have the same name"),
        ({"conditions": ["ece <= 0.5", "ece <= 0.5"]}, "two have the same name"),
        ({"conditions": [3]}, "conditions is 3; it has to be a text, or a table"),
        ({"conditions": [{"name": "x"}]}, "it has to be a text, or a table"),
        ({"conditions": [{"condition": "ece <= 0.5", "nam": "x"}]}, "there is no key 'nam'. Did you mean 'name'?"),
        ({"conditions": [{"condition": "ece <= 0.5", "on": "x"}]}, "there are no predictions 'x'"),
        ({"conditions": [{"condition": "ece <= 0.5", "cannot-tell": "x"}]}, "cannot-tell is 'x'"),
        ({"conditions": ["ece < 1"]}, "The condition is not understood"),
        ({"predictions": {"x": 1}}, "predictions is {'x': 1}; it has to be a table of texts"),
        ({"predictions": {"a/b": "x.csv"}}, "predictions is 'a/b'; it has to be named by letters, digits, `_`, `-`"),
        ({"predictions": {"": "x.csv"}}, "predictions is ''; it has to be named by letters"),
        ({"promote": {"x": []}}, "it has to be a table of lists"),
        ({"rows": {"x": "a.csv"}}, "it has to be a table of lists"),
        (TWO | {"rows": {"tset": ["a.csv"]}}, "there are no predictions 'tset'. Did you mean 'test'?"),
        ({"bootstrap": "main"}, "bootstrap is 'main'; it has to be the id of a commit, 7 to 64 hexadecimal digits"),
        ({"releases": ["v*"]}, "releases is ['v*']; it has to be a pattern of the names of tags"),
        ({"predict": ["a", "{out}"]}, "it has to be a table of files or commands"),
        ({"predict": {"x": ["{out}"]}}, "predict: there are no predictions 'x'"),
        (
            TWO | {"predict": {"all": ["a", 1]}},
            "predict all is ['a', 1]; it has to be a Parquet file, or a list",
        ),
        (TWO | {"predict": {"all": ["a"]}}, 'of which one has "{out}"'),
        (TWO | {"predict": {"all": []}}, "predict all is []"),
        (TWO | {"predict": {"tset": ["{out}"]}}, "there are no predictions 'tset'. Did you mean 'test'?"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(data: dict[str, Any], words: str) -> None:
    """With the place, and the name that may have been meant."""
    with pytest.raises(ConfigurationError) as caught:
        gate_settings(data)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "says nothing about the gate. Write [tool.headworks.gate] in it"),
        ("[tool.other]\nx = 1\n", "says nothing about the gate"),
        ("[tool.headworks]\nenv = []\n", "says nothing about the gate"),
        ("[tool.headworks.gates]\nbudget = 8\n", "[tool.headworks]: there is no key 'gates'. Did you mean 'gate'?"),
        ("[tool.headworks]\ngate = 1\n", "[tool.headworks.gate] is not a table but 1."),
        ("[gate]\nbudget = 8\n", "there is no key 'gate'"),
    ],
)
def test_a_file_that_was_named_says_something_about_the_gate(tmp_path: Path, text: str, words: str) -> None:
    """Else everything would be judged by defaults that nobody asked for; a misspelt table is named in any file."""
    path = tmp_path / "gate.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(str(path), is_named=True)
    assert words in str(caught.value)
    path.write_text("[tool.headworks.gate]\n")
    assert read_settings(str(path), is_named=True) == gate_settings({})
    project = tmp_path / "pyproject.toml"
    project.write_text("[tool.headworks.gates]\nbudget = 8\n")
    with pytest.raises(ConfigurationError, match="Did you mean 'gate'"):
        read_settings(str(project))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(UsageError, match=r"x\.toml cannot be read: .*--config"):
        read_settings(str(tmp_path / "x.toml"), is_named=True)
