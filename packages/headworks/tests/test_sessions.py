"""Sessions are what nox lists, with what the table and the noxfile say about each."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._digest.digest import Digester
from headworks._machine.nox import Nox, _read
from headworks._project.needs import in_order
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Monorepo, Scratch

    from headworks._project.session import Session


def sessions(root: Path) -> dict[str, Session]:
    """Return the sessions of a project by name."""
    return {it.name: it for it in Digester.for_worktree(root).sessions()}


REAL = """
import nox

nox.options.sessions = ["lint"]
print("a noxfile may print")


@nox.session(python=["3.12", "3.13"], tags=["slow"])
@nox.parametrize("package", [nox.param("x", id="an id"), "b"])
@nox.parametrize("level", [1])
def tests(session, package, level):
    pass


@nox.session(name="lint", python=False)
def checks(session):
    pass


@nox.session(default=False, allow_parallel=False, requires=["tests-3.12", "lint"])
def release(session):
    pass
"""


def test_sessions_are_asked_of_nox_itself(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, Pythons, parameters, tags, and which of them a bare nox runs; once, until something changes."""
    scratch.commit({"noxfile.py": REAL})
    listed = sessions(scratch.root)
    assert {name: (one.function, one.python, dict(one.parameters), one.tags) for name, one in listed.items()} == {
        "tests-3.12(level=1, an id)": ("tests", "3.12", {"package": "x", "level": "1"}, ("slow",)),
        "tests-3.12(level=1, package='b')": ("tests", "3.12", {"package": "b", "level": "1"}, ("slow",)),
        "tests-3.13(level=1, an id)": ("tests", "3.13", {"package": "x", "level": "1"}, ("slow",)),
        "tests-3.13(level=1, package='b')": ("tests", "3.13", {"package": "b", "level": "1"}, ("slow",)),
        "lint": ("lint", "", {}, ()),
        "release": ("release", "", {}, ()),
    }
    assert [session.name for session in listed.values() if session.is_planned] == ["lint"]
    assert [session.name for session in listed.values() if session.is_exclusive] == ["release"]
    assert listed["release"].needs == ("tests-3.12(level=1, an id)", "tests-3.12(level=1, package='b')", "lint")
    monkeypatch.setattr(Nox, "list_sessions", None)
    assert sessions(scratch.root) == listed


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_nox_is_asked_each_time_where_the_noxfile_reads_what_git_does_not_list(scratch: Scratch) -> None:
    """Which sessions there are may depend on an ignored file, or on one behind a link."""
    read = 'import nox\n\nfor it in open("{}").read().split():\n    nox.session(lambda session: None, name=it)\n'
    for place, ignored in {"data/names": "", "names": "names\n"}.items():
        scratch.commit({"noxfile.py": read.format(place), ".gitignore": ignored, "real/names": "a", "names": "a"})
        if not ignored:
            (scratch.root / "data").symlink_to("real")
        assert set(sessions(scratch.root)) == {"a"}
        scratch.write({"real/names": "a b", "names": "a b"})
        assert set(sessions(scratch.root)) == {"a", "b"}


def test_what_nox_has_to_say_is_passed_on(scratch: Scratch) -> None:
    """A broken noxfile is nox's to explain."""
    scratch.commit({"noxfile.py": "import nox\nnox.options.sessions = ['none']\n@nox.session\ndef a(session): pass\n"})
    with pytest.raises(ConfigurationError, match=r"(?s)nox cannot list the sessions of .*Sessions not found: none"):
        sessions(scratch.root)


def test_a_variable_that_the_noxfile_asks_for_in_vain_is_named(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is set where Headworks runs, so that plain nox works; the message says what lets it through, and that does."""
    scratch.commit({"noxfile.py": f'import os\n\nMODE = os.environ["MODE"]\n{REAL}'})
    with pytest.raises(ConfigurationError, match=r"(?s)nox cannot list .*KeyError: 'MODE'"):
        sessions(scratch.root)
    monkeypatch.setenv("MODE", "x")
    with pytest.raises(ConfigurationError, match=r'asks for the environment variable MODE, .* add env = \[ "MODE" \]'):
        sessions(scratch.root)
    scratch.write({"pyproject.toml": '[tool.headworks]\nenv = ["MODE"]\n'})
    assert "lint" in sessions(scratch.root)


def test_a_missing_nox_is_named(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to get it."""
    scratch.commit({"noxfile.py": REAL})
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UsageError, match=r"There is no nox.*pip install nox"):
        Digester.for_worktree(scratch.root, {"PATH": "/nowhere"})


class Answered:
    """A process that has ended."""

    def __init__(self, content: bytes) -> None:
        """Take what it wrote."""
        self.content = content

    def output(self) -> tuple[int, bytes]:
        """Return its exit code and what it wrote."""
        return 0, self.content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"{}", "it is no list of sessions"),
        (b"[1]", "it is no list of sessions"),
        (b"[{}]", "'session'"),
        (b'[{"session": 1, "name": "", "python": null, "tags": [], "call_spec": {}}]', "a session is {"),
        (b"[" * 200_000, "ecursion"),
    ],
)
def test_an_answer_that_is_no_list_of_sessions_is_refused(content: bytes, reason: str) -> None:
    """Which a noxfile that prints at the wrong time can make of it."""
    with pytest.raises(ConfigurationError, match="something else than its sessions") as error:
        _read(Answered(content), "/project")  # type: ignore[arg-type]
    assert reason in str(error.value)


def test_an_answer_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than to fill the memory."""
    monkeypatch.setattr("headworks._machine.nox._MAX_ANSWER", 5)
    with pytest.raises(ConfigurationError, match="it has 6 bytes"):
        _read(Answered(b"[    ]"), "/project")  # type: ignore[arg-type]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just("a"), lambda it: st.lists(it, max_size=2), max_leaves=3
)
KEYS = st.sampled_from(["session", "name", "python", "tags", "call_spec", "other"])


@given(st.lists(st.dictionaries(KEYS, ANY, max_size=6) | ANY, max_size=3) | ANY)
def test_any_answer_is_understood_or_refused(content: object) -> None:
    """Nothing but our own error comes out."""
    with contextlib.suppress(ConfigurationError):
        answered = Answered(json.dumps(content).encode())
        listed = _read(answered, "/project")  # type: ignore[arg-type]
        assert all(len(it) == 5 for it in listed)


def test_the_table_is_filled_for_each_session(monorepo: Monorepo) -> None:
    """With its parameters and its Python, for everything in a row that can depend on them."""
    row = 'tests = { packages = ["{package}"], inputs = ["packages/{package}/src"], '
    row += 'outputs = ["out/{python}/{package}"], '
    row += 'ignore = ["packages/{package}/x"], env = ["A"], needs = ["lint"] }'
    monorepo.edit("pyproject.toml", 'tests = { packages = ["{package}"], groups = ["test"] }', row)
    monorepo.edit("pyproject.toml", "[tool.headworks]\n", "[tool.headworks]\nenv = ['B', 'A']\n")
    tests = sessions(monorepo.root)["tests-3.11(app)"]
    assert (tests.packages, tests.inputs) == (("packages/app",), ("packages/app/src",))
    assert (tests.outputs, tests.ignore) == (("out/3.11/app",), ("packages/app/x",))
    assert (tests.env, tests.needs, tests.cache) == (("B", "A"), ("lint",), True)
    assert sessions(monorepo.root)["lint"].ignore == ()


def test_without_a_row_a_session_depends_on_all_files(monorepo: Monorepo) -> None:
    """Also one with a parameter that a package is named by: nobody knows what else it reads."""
    monorepo.scratch.write({"pyproject.toml": '[tool.uv.workspace]\nmembers = ["packages/*"]\n'})
    listed = sessions(monorepo.root)
    assert {session.packages for session in listed.values()} == {None}
    assert listed["model"].needs == ("data",)
    assert not listed["lint"].is_declared


def test_a_row_may_name_files_only(monorepo: Monorepo) -> None:
    """The session then depends on these, and on no package."""
    monorepo.edit("pyproject.toml", "lint = {}", 'lint = { inputs = ["docs"] }')
    assert sessions(monorepo.root)["lint"].packages == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lint = {}", "lnt = {}", "lnt: nox knows no such session. Did you mean 'lint'?"),
        (
            '["{package}"]',
            '["{pakage}"]',
            "tests: '{pakage}' names 'pakage', which is not a parameter here. Did you mean 'package'?",
        ),
        (
            "lint = {}",
            'lint = { outputs = ["{python}"] }',
            "lint: '{python}' names 'python', which is not a parameter here.",
        ),
        ('packages = ["app"]', 'packages = ["ap"]', "model: there is no package 'ap'. Did you mean 'app'?"),
        ('needs = ["data"]', 'needs = ["dat"]', "model: needs 'dat', which nox does not know. Did you mean 'data'?"),
        (
            "lint = {}",
            'lint = { inputs = ["dcos/*"] }',
            "lint: inputs has 'dcos/*', which names no file that git knows.",
        ),
        (
            'groups = ["test"]',
            'groups = ["tests"]',
            "tests: groups has 'tests', which is not there. Did you mean 'test'?",
        ),
        (
            'tools = ["pytest"]',
            'tools = ["pytes"]',
            "data: tools has 'pytes', which is not there. Did you mean 'pytest'?",
        ),
        (
            "lint = {}",
            'lint = { outputs = ["artifacts/data/x"] }',
            "data and lint would write over each other's outputs",
        ),
        (
            'packages = ["{package}"], ',
            'packages = ["{package}"], outputs = ["x"], ',
            "tests-3.11(app) and tests-3.11(base) would write over each other's outputs x and x. Put a parameter",
        ),
        (
            'packages = ["base"]',
            'needs = ["model"]',
            "sessions need each other in a circle: data → model → data. Take one",
        ),
    ],
)
def test_what_the_table_names_has_to_be_there(monorepo: Monorepo, old: str, new: str, message: str) -> None:
    """Sessions, parameters, packages, needs, files, groups, tools; the message has the place and the nearest."""
    monorepo.edit("pyproject.toml", old, new)
    with pytest.raises(ConfigurationError) as error:
        sessions(monorepo.root)
    assert str(error.value).startswith("pyproject.toml: [tool.headworks.sessions]")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "session", "reason"),
    [
        (
            "import nox\n",
            "import nox, time\nNOW = time.time()\nprint(NOW)\n",
            "lint",
            "noxfile.py calls time.time in line 3 while it is loaded",
        ),
        ("import nox\n", "import nox\nprint(open('../x'))\n", "lint", "noxfile.py reads ../x while it is loaded"),
        ('requires=["data"]', "requires=NEEDS", "model", ""),
    ],
)
def test_what_cannot_be_told_is_not_cached(monorepo: Monorepo, old: str, new: str, session: str, reason: str) -> None:
    """What a noxfile does on loading."""
    monorepo.edit("noxfile.py", old, new)
    planned = sessions(monorepo.root)[session]
    assert reason in planned.uncached
    assert planned.cache == (not reason)


def test_what_only_who_watches_can_tell_is_cached_where_somebody_watches(monorepo: Monorepo) -> None:
    """A session without a row is watched; one with a row always runs, unless the row says the same."""
    monorepo.edit("noxfile.py", "import nox\n", "import nox, subprocess\nprint(subprocess.run('true'))\n")
    monorepo.edit(
        "noxfile.py", "@nox.session\ndef lint", "@nox.session\ndef fresh(session): pass\n\n\n@nox.session\ndef lint"
    )
    why = "noxfile.py calls subprocess.run in line 3 while it is loaded, which git does not track"
    assert {
        name: (sessions(monorepo.root)[name].uncached, sessions(monorepo.root)[name].unseen)
        for name in ("lint", "fresh")
    } == {
        "lint": (why, why),
        "fresh": ("", why),
    }
    monorepo.edit("pyproject.toml", "lint = {}", "lint = { observe = true }")
    assert sessions(monorepo.root)["lint"].cache


def test_what_nox_runs_before_a_session_may_be_unknown(monorepo: Monorepo) -> None:
    """Then nox is asked to run it with all that it needs, and nothing runs beside it."""
    monorepo.edit(
        "noxfile.py",
        "@nox.session\ndef lint",
        "@nox.session(requires=NEEDS)\ndef fresh(session): pass\n\n\n@nox.session\ndef lint",
    )
    fresh = sessions(monorepo.root)["fresh"]
    assert (fresh.has_unknown_needs, fresh.is_exclusive, fresh.cache) == (True, True, True)


def test_sessions_that_the_noxfile_does_not_name_count_as_a_whole(scratch: Scratch) -> None:
    """Each of them may be any, so that what one does counts for all."""
    one, two = (f"@nox.session(**SETTINGS)\ndef {name}(session): " for name in ("one", "two"))
    scratch.commit({"noxfile.py": f"import nox\n\nSETTINGS = {{}}\n{one}session.notify('two')\n\n\n{two}pass\n"})
    assert {name: it.notifies for name, it in sessions(scratch.root).items()} == {"one": True, "two": True}


def test_a_changed_session_is_seen_while_nox_remembers(monorepo: Monorepo) -> None:
    """Whatever the list depends on makes nox be asked again: the noxfile, the table, the packages, the environment."""
    assert "fresh" not in sessions(monorepo.root)
    monorepo.edit(
        "noxfile.py", "@nox.session\ndef lint", "@nox.session\ndef fresh(session): pass\n\n\n@nox.session\ndef lint"
    )
    assert "fresh" in sessions(monorepo.root)
    monorepo.edit("pyproject.toml", "lint = {}", 'lint = { needs = ["fresh"] }\nfresh = {}')
    assert sessions(monorepo.root)["lint"].needs == ("fresh",)


@given(st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7), max_size=3), min_size=8))
def test_needs_come_first_or_go_in_a_circle(needs: dict[int, set[int]]) -> None:
    """Every name once, after all that it needs; a circle is others exactly where there is one."""
    named = {str(name): sorted(map(str, needed)) for name, needed in needs.items()}
    reached = {name: set(needed) for name, needed in named.items()}
    for _ in named:
        reached = {name: others | {it for via in others for it in reached[via]} for name, others in reached.items()}
    if any(name in others for name, others in reached.items()):
        with pytest.raises(ConfigurationError, match="in a circle"):
            in_order(named)
    else:
        order = in_order(named)
        assert sorted(order) == sorted(named)
        assert all(order.index(need) < order.index(name) for name, needed in named.items() for need in needed)


def test_needs_reach_through_sessions_that_leave_nothing(monorepo: Monorepo) -> None:
    """The outputs of what these need may be read by others after them."""
    monorepo.edit("pyproject.toml", "lint = {}", 'lint = { needs = ["data"] }')
    monorepo.edit("pyproject.toml", 'groups = ["test"] }', 'groups = ["test"], needs = ["lint"] }')
    assert sessions(monorepo.root)["tests-3.13(solo)"].needs == ("lint", "data")


def test_a_long_chain_of_needs_is_no_problem() -> None:
    """However deep it is."""
    needs = {str(number): [str(number + 1)] if number < 5_000 else [] for number in range(5_001)}
    assert in_order(needs)[0] == "5000"
