"""What people say in [tool.headworks] is understood, or refused with its place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._project.project import Pyproject
from headworks._project.table import Row, read_table
from headworks._quick.memory import Memory
from headworks._tree.git import Repository
from headworks._tree.snapshot import WorkTreeSnapshot
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from conftest import Scratch

ROOT = """
[project]
name = "x"
[dependency-groups]
test = ["pytest", {include-group = "base"}]
base = ["coverage"]
lint = ["ruff"]
odd = "x"
self = [{include-group = "self"}]
[tool.pytest]
addopts = []
[tool.headworks]
ignore = ["docs/**", "./README.md"]
env = ["CI"]
[tool.headworks.sessions]
tests = { packages = ["{package}"], outputs = ["artifacts/tests/{package}/"] }
lint = {}
links = { cache = false, required = true, wheel = 1 }
"""


def pyproject(scratch: Scratch) -> Pyproject:
    """Read the root of the work tree."""
    repository = Repository(str(scratch.root))
    return Pyproject(WorkTreeSnapshot(repository), Memory(repository.git_folder() + "/headworks"))


def test_rows_say_what_a_session_depends_on(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not said is not set, paths are in their normal form, and all is remembered until the file changes."""
    scratch.commit({"pyproject.toml": ROOT.replace(", wheel = 1", "")})
    first = pyproject(scratch).table
    monkeypatch.setattr("headworks._project.toml.parse", None)
    table = pyproject(scratch).table
    assert table == first
    assert table.rows["tests"] == Row(packages=("{package}",), outputs=("artifacts/tests/{package}",))
    assert table.rows["lint"] == Row()
    assert (table.rows["links"].cache, table.rows["links"].required) == (False, True)
    assert (table.ignore, table.env, table.wheel_excludes) == (("docs/**", "README.md"), ("CI",), ("tests",))


def test_without_a_table_nothing_is_said(scratch: Scratch) -> None:
    """Neither without pyproject.toml."""
    assert pyproject(scratch).table.rows == {}
    assert pyproject(scratch).tables == {}
    scratch.write({"pyproject.toml": "[tool.pytest]\n"})
    assert pyproject(scratch).table.rows == {}
    assert set(pyproject(scratch).tables) == {"[tool.pytest]"}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("addopts = []", "addopts = ['-x']", {"[tool.pytest]"}),
        ("addopts = []", "# quiet\naddopts = [  ]", set()),
        ('name = "x"', 'name = "y"', {"[project]"}),
        ('"coverage"', '"coverage>1"', {"test", "base"}),
        ('"ruff"', '"ruff>1"', {"lint"}),
        ("lint = {}", "lint = { cache = false }", set()),
    ],
)
def test_a_change_concerns_its_table_or_group(scratch: Scratch, old: str, new: str, changed: set[str]) -> None:
    """Groups change with those that they include; rows of sessions are no setting of a tool."""
    scratch.write({"pyproject.toml": ROOT.replace(", wheel = 1", "")})
    before = pyproject(scratch).tables | pyproject(scratch).groups
    scratch.write({"pyproject.toml": ROOT.replace(", wheel = 1", "").replace(old, new)})
    after = pyproject(scratch).tables | pyproject(scratch).groups
    assert {name for name in before if before[name] != after[name]} == changed


def test_an_error_of_the_file_is_shown(scratch: Scratch) -> None:
    """As the command would."""
    scratch.write({"pyproject.toml": ROOT})
    with pytest.raises(ConfigurationError, match=r"\[tool.headworks.sessions\] links: there is no key 'wheel'"):
        pyproject(scratch)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (1, "[tool.headworks] is not a table but 1."),
        ({"session": {}}, "[tool.headworks]: there is no key 'session'. Did you mean 'sessions'?"),
        ({"sessions": []}, "[tool.headworks.sessions] is not a table; write one row for each session, as in:"),
        (
            {"sessions": {"a": 1}},
            "[tool.headworks.sessions] a is not a table; write a = {} where there is nothing to say.",
        ),
        ({"sessions": {"a": {"pakages": []}}}, "a: there is no key 'pakages'. Did you mean 'packages'?"),
        (
            {"sessions": {"a": {"needs": "b"}}},
            "a: needs is 'b'; it has to be a list of texts, as in needs = [ \"...\" ].",
        ),
        ({"sessions": {"a": {"needs": [""]}}}, "a: needs is ['']; it has to be a list of texts"),
        ({"sessions": {"a": {"cache": 0}}}, "a: cache is 0; it has to be true or false."),
        ({"sessions": {"a": {"inputs": ["../x"]}}}, "a: inputs has '../x', which leads out of the project's folder."),
        ({"sessions": {"a": {"outputs": ["b/../../x"]}}}, "a: outputs has 'b/../../x', which leads out"),
        ({"sessions": {"a": {"outputs": ["out/*.txt"]}}}, "a: outputs has 'out/*.txt', a pattern"),
        (
            {"sessions": {"a": {"outputs": ["out/../."]}}},
            "a: outputs has '.', which holds more than this session writes",
        ),
        ({"sessions": {"a": {"outputs": [".GIT/x"]}}}, "a: outputs has '.GIT/x', which holds more than"),
        ({"sessions": {"a": {"outputs": ["/x"]}}}, "a: outputs has '/x', which leads out"),
        ({"sessions": {"a": {"outputs": ["C:\\x"]}}}, "a: outputs has 'C:\\\\x', which leads out"),
        ({"ignore": 1}, "[tool.headworks]: ignore is 1; it has to be a list of texts"),
        ({"zzzzzz": 1}, "[tool.headworks]: there is no key 'zzzzzz'. There are: env, gate, ignore, images, max-age, "),
        ({"run": {"jobs": 2}}, "[tool.headworks]: there is no key 'run'. There are: "),
        ({"store": {}}, "[tool.headworks]: there is no key 'store'. "),
        ({"audit": {}}, "[tool.headworks]: there is no key 'audit'. "),
        ({"max-age": 0}, "max-age is 0; it has to be a whole number of days, 1 or more, as in max-age = 7."),
        ({"max-age": True}, "max-age is True; it has to be a whole number of days"),
        ({"gate": 1}, "[tool.headworks.gate] is not a table but 1."),
        ({"gate": {"buget": 1}}, "[tool.headworks.gate]: there is no key 'buget'. Did you mean 'budget'?"),
        (
            {"gate": {"conditions": [{"condition": "accuracy >= 0.9", "nam": "x"}]}},
            "[tool.headworks.gate] conditions: there is no key 'nam'. Did you mean 'name'?",
        ),
        ({"report": {"datset": "x"}}, "[tool.headworks.report]: there is no key 'datset'. Did you mean 'dataset'?"),
    ],
)
def test_what_cannot_be_right_is_refused(data: object, message: str) -> None:
    """The message has the place, what is wrong, and what could be meant."""
    with pytest.raises(ConfigurationError) as error:
        read_table(data)
    assert str(error.value).startswith(("pyproject.toml: [tool.headworks", "[tool.headworks."))
    assert message in str(error.value)


VALUES = st.recursive(st.none() | st.booleans() | st.just("a"), lambda it: st.lists(it, max_size=2), max_leaves=4)
ROWS = st.dictionaries(st.sampled_from(["packages", "needs", "outputs", "cache", "other"]), VALUES, max_size=3)


@given(st.dictionaries(st.sampled_from(["sessions", "ignore", "env"]), VALUES | st.dictionaries(st.just("a"), ROWS)))
def test_any_table_is_understood_or_refused(data: dict[str, Any]) -> None:
    """Nothing but our own error comes out."""
    with contextlib.suppress(ConfigurationError):
        assert read_table(data).rows.keys() <= {"a"}
