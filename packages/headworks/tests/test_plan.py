"""A plan says what has to run, what need not, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from headworks._digest.digest import Digester
from headworks._machine.nox import Nox
from headworks._plan.difference import difference
from headworks._plan.plan import plan
from headworks._store.verdict import Verdict
from headworks.errors import UsageError

if TYPE_CHECKING:
    from conftest import Monorepo

    from headworks._machine.nox import ListedSession
    from headworks._plan.plan import Plan


def planned(repo: Monorepo, *sessions: str, base: str | None = None) -> Plan:
    """Return the plan of a repository, with the store that its test knows."""
    return plan(repo.root, store=repo.store, sessions=sessions, base=base)


def passed(repo: Monorepo, *sessions: str, outputs: str = "0") -> None:
    """Let sessions pass as they are now, each after those that it needs."""
    while waiting := [
        it for it in planned(repo, *sessions).sessions if it.digest and it.state != "cached" and it.session.cache
    ]:
        for it in waiting:
            assert it.digest
            repo.store.all[it.digest] = Verdict(
                session=it.session.name,
                digest=it.digest,
                passed=True,
                finished="2026-11-24T00:00:00Z",
                seconds=2.0,
                commit="",
                platform="linux",
                outputs=dict.fromkeys(it.outputs, outputs),
                components=planned(repo).digester.digest(it.session, {"data": {"artifacts/data": outputs}}).components,
            )


def states(repo: Monorepo, *sessions: str) -> dict[str, set[str]]:
    """Return the names of the sessions in each state, the tests of a package by its name."""
    found: dict[str, set[str]] = {}
    for it in planned(repo, *sessions).sessions:
        found.setdefault(it.state, set()).add(it.session.name.partition("(")[2].rstrip(")") or it.session.name)
    return found


def reasons(repo: Monorepo, base: str | None = None) -> dict[str, tuple[str, ...]]:
    """Return the reasons of all sessions that are not cached."""
    return {it.session.name: it.reasons for it in planned(repo, base=base).sessions if it.reasons}


def test_nothing_has_passed_at_first(monorepo: Monorepo) -> None:
    """Everything runs, and what reads the outputs of others waits for these."""
    assert states(monorepo) == {"run": {"base", "app", "solo", "lint", "data"}, "waiting": {"model"}}
    found = reasons(monorepo)
    assert found["model"] == ("waits for data",)
    assert "has not passed yet as it is, though nothing differs from" in found["lint"][0]
    assert "main" in found["lint"][0]


def test_a_variable_that_differs_since_a_session_passed_is_named(
    monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the tree tells why it runs."""
    passed(monorepo)
    monkeypatch.setenv("UV_INDEX", "https://example.org")
    (reason,) = reasons(monorepo)["lint"]
    assert reason.endswith("; since it passed last: env: UV_INDEX is new")
    passed(monorepo)
    monkeypatch.setenv("UV_INDEX", "https://example.com")
    (reason,) = reasons(monorepo)["lint"]
    assert reason.endswith("; since it passed last: env: UV_INDEX changed")


def test_a_verdict_of_another_system_covers_what_has_not_changed(
    monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is held against the digest that the machines there would compute, as the last verdict describes them."""
    listed = Nox.list_sessions

    def tagged(nox: Nox, root: str, environ: dict[str, str]) -> list[ListedSession]:
        return [replace(it, tags=("macos", "windows")) for it in listed(nox, root, environ)]

    monkeypatch.setattr(Nox, "list_sessions", tagged)
    digester = Digester.for_worktree(monorepo.root)
    lint = {it.name: it for it in digester.sessions()}["lint"]
    parts = {"python": "cpython 3.13.9", "platform": "darwin arm64", "nox": "2026"}

    def covered() -> dict[str, tuple[str, ...]]:
        return {it.session.name: it.covered_on for it in planned(monorepo).sessions if it.covered_on}

    assert covered() == {}
    passed(monorepo, "lint")
    assert covered() == {}
    (here,) = monorepo.store.all.values()
    there = digester.digest_there(lint, parts)
    monorepo.store.all[there] = replace(here, digest=there, platform="darwin-arm64", components=parts)
    assert there != here.digest
    assert covered() == {"lint": ("macos",)}
    monorepo.scratch.write({"docs/more.md": "more"})
    assert covered() == {}


def test_what_passed_is_cached_until_something_changes(monorepo: Monorepo) -> None:
    """With the verdict that covers it, and how long it took; nothing is compared where nothing runs."""
    passed(monorepo)
    found = planned(monorepo)
    assert states(monorepo) == {"cached": {"base", "app", "solo", "lint", "data", "model"}}
    assert found.base is None
    assert {it.seconds for it in found.sessions} == {2.0}
    assert all(it.verdict and it.verdict.digest == it.digest and not it.reasons for it in found.sessions)
    monorepo.edit("packages/solo/src/solo/core.py", "solo", "x")
    assert states(monorepo) == {"cached": {"base", "app", "data", "model"}, "run": {"solo", "lint"}}
    assert [it.session.name for it in planned(monorepo).of("run")] == ["tests-3.11(solo)", "tests-3.13(solo)", "lint"]


def test_needs_come_first(monorepo: Monorepo) -> None:
    """Whatever the order in which nox lists them."""
    monorepo.edit(
        "noxfile.py", "@nox.session(requires=", "@nox.session\ndef late(session): pass\n\n\n@nox.session(requires="
    )
    monorepo.edit("pyproject.toml", "lint = {}", 'lint = { needs = ["late"] }\nlate = {}')
    needs = {it.session.name: it.needs for it in planned(monorepo).sessions}
    assert needs["lint"] == ("late",)
    names = [*needs]
    assert names.index("late") < names.index("lint") < names.index("data")


def test_the_same_outputs_leave_what_follows_cached(monorepo: Monorepo) -> None:
    """A stage that must run may give what it gave before; until then, what reads it waits."""
    passed(monorepo)
    monorepo.edit("packages/base/tests/test_core.py", "base", "x")
    assert states(monorepo) == {"cached": {"app", "solo"}, "run": {"base", "data", "lint"}, "waiting": {"model"}}
    passed(monorepo, "data")
    assert states(monorepo)["cached"] == {"app", "solo", "data", "model"}
    monorepo.edit("packages/base/tests/test_core.py", "x", "y")
    passed(monorepo, "data", outputs="1")
    assert states(monorepo)["run"] == {"base", "lint", "model"}


def test_a_verdict_without_the_declared_outputs_covers_nothing(monorepo: Monorepo) -> None:
    """What others read could not be restored from it."""
    passed(monorepo)
    for digest, verdict in monorepo.store.all.items():
        monorepo.store.all[digest] = Verdict(**{**verdict.__dict__, "outputs": {}})
    assert states(monorepo) == {"cached": {"app", "base", "solo", "lint"}, "run": {"data"}, "waiting": {"model"}}


def test_sessions_are_asked_for_by_name(monorepo: Monorepo) -> None:
    """An instance, a function, a function on one Python; with them comes what they need."""
    assert {it.session.name for it in planned(monorepo, "model").sessions} == {"data", "model"}
    assert len(planned(monorepo, "tests").sessions) == 6
    assert len(planned(monorepo, "tests-3.13", "lint").sessions) == 4
    assert len(planned(monorepo, "tests-3.13(app)", "tests-3.13").sessions) == 3
    with pytest.raises(UsageError, match=r"There is no session 'tets'. Did you mean 'tests'"):
        planned(monorepo, "tets")
    with pytest.raises(UsageError, match=r"There is no session 'lint-'. Did you mean 'lint'"):
        planned(monorepo, "lint-")


def test_a_session_that_is_never_cached_always_runs(monorepo: Monorepo) -> None:
    """And says why; what needs it waits."""
    monorepo.edit("pyproject.toml", 'tools = ["pytest"]', "cache = false")
    passed(monorepo)
    assert states(monorepo) == {"cached": {"base", "app", "solo", "lint"}, "run": {"data"}, "waiting": {"model"}}
    assert reasons(monorepo)["data"] == ("always runs: the table says cache = false",)
    monorepo.edit("pyproject.toml", 'env = ["SEED"]', "cache = false")
    assert states(monorepo)["run"] == {"lint", "data", "model"}


def test_what_nobody_can_restore_runs_again(monorepo: Monorepo) -> None:
    """A session without a row may leave anything behind, so that it runs before what requires it."""
    row = 'data = { packages = ["base"], outputs = ["artifacts/data"], tools = ["pytest"], groups = [] }\n'
    monorepo.edit("pyproject.toml", row, "")
    passed(monorepo)
    assert states(monorepo) == {"cached": {"base", "app", "solo", "lint", "data", "model"}}
    monorepo.edit("packages/app/src/app/core.py", "app", "x")
    passed(monorepo, "data")
    assert states(monorepo) == {"cached": {"base", "solo"}, "run": {"app", "lint", "data", "model"}}
    assert reasons(monorepo)["data"] == ("model needs what it leaves behind, and no row says what that is",)


def test_a_change_is_named(monorepo: Monorepo) -> None:
    """The file, and through which package it is reached."""
    passed(monorepo)
    monorepo.edit("packages/base/src/base/core.py", "base", "x")
    (monorepo.root / "packages/base/src/base/__init__.py").unlink()
    monorepo.scratch.write({f"packages/base/src/base/n{number}.py": "" for number in range(4)})
    found = reasons(monorepo)
    assert found["tests-3.11(base)"] == (
        "packages/base/src/base/__init__.py is gone",
        "packages/base/src/base/core.py changed",
        "packages/base/src/base/n0.py is new",
        "and 3 more files like these",
    )
    assert found["tests-3.11(app)"][1] == "packages/base/src/base/core.py changed, reached through base"
    assert found["lint"] == found["tests-3.11(base)"]
    assert "tests-3.11(solo)" not in found


@pytest.mark.parametrize(
    ("name", "old", "new", "session", "reason"),
    [
        (
            "uv.lock",
            'torch"\nversion = "2.9"',
            'torch"\nversion = "3.0"',
            "tests-3.11(app)",
            "uv.lock: torch 2.9 → 3.0, reached through app",
        ),
        (
            "uv.lock",
            'numpy"\nversion = "2.0"',
            'numpy"\nversion = "3"',
            "tests-3.11(app)",
            "uv.lock: numpy 2.0 → 3, reached through base",
        ),
        (
            "uv.lock",
            'pytest"\nversion = "9.0"',
            'pytest"\nversion = "10"',
            "tests-3.11(app)",
            "uv.lock: pytest 9.0 → 10, reached through the group test",
        ),
        ("noxfile.py", '"-q"', '"-x"', "tests-3.11(app)", "noxfile.py: FLAGS changed"),
        ("noxfile.py", "def data(", "def data(", "", ""),
        ("pyproject.toml", "addopts = []", "addopts = [1]", "data", "root: pyproject.toml [tool.pytest] changed"),
        (
            "pyproject.toml",
            "lint = {}",
            "lint = { required = true }",
            "lint",
            "pyproject.toml: [tool.headworks.sessions] lint changed",
        ),
        ("conftest.py", "", "import x", "data", "conftest.py changed"),
        ("packages/app/pyproject.toml", "README.md", "../../docs/index.md", "model", "waits for data"),
    ],
)
def test_the_part_that_changed_is_named(
    monorepo: Monorepo, name: str, old: str, new: str, session: str, reason: str
) -> None:
    """Locked versions, names of the noxfile, tables, root files."""
    passed(monorepo)
    monorepo.edit(name, old, new)
    found = reasons(monorepo)
    assert reason in found.get(session, ()) if session and not reason.startswith("waits") else True
    assert found or not session


def test_files_that_a_package_points_at_and_inputs_are_named(monorepo: Monorepo) -> None:
    """By their own names."""
    monorepo.edit("packages/solo/pyproject.toml", "README.md", "../../docs/index.md")
    monorepo.edit("pyproject.toml", 'tools = ["pytest"]', 'inputs = ["docs/*.txt", "docs/more"]')
    monorepo.scratch.commit({"docs/a.txt": "", "docs/more/b": ""})
    passed(monorepo)
    monorepo.scratch.write({"docs/index.md": "new", "docs/a.txt": "new", "docs/more/b": "new"})
    found = reasons(monorepo)
    assert found["tests-3.13(solo)"] == ("docs/index.md changed",)
    assert found["data"] == ("docs/a.txt changed", "docs/more/b changed")


def test_outputs_that_differ_are_a_reason(monorepo: Monorepo) -> None:
    """A session may have to run for no other."""
    passed(monorepo)
    monorepo.scratch.git("checkout", "--quiet", "-b", "side")
    monorepo.scratch.commit({"packages/base/tests/test_core.py": "new"})
    passed(monorepo, "data", outputs="1")
    assert reasons(monorepo)["model"] == ("reads what data gave",)


def test_a_new_session_is_called_new(monorepo: Monorepo) -> None:
    """Rather than all of its parts."""
    passed(monorepo)
    monorepo.edit(
        "noxfile.py", "@nox.session\ndef lint", "@nox.session\ndef fresh(session): pass\n\n\n@nox.session\ndef lint"
    )
    assert reasons(monorepo)["fresh"][0] == "noxfile.py: fresh is new"


def test_what_only_the_digest_knows_is_explained_by_its_parts(monorepo: Monorepo) -> None:
    """A file left out of the base by a sparse rule of naming, such as a name listed by the noxfile."""
    monorepo.edit("noxfile.py", "import nox\n", "import nox, os\nNAMES = os.listdir('docs')\nprint(NAMES)\n")
    monorepo.scratch.commit()
    passed(monorepo)
    monorepo.scratch.write({"docs/new.md": ""})
    assert reasons(monorepo)["data"] == ("noxfile.py lists: docs/* changed",)


def test_what_no_file_tells_is_explained_by_the_parts_of_the_digest(monorepo: Monorepo) -> None:
    """Such as a setting of Headworks itself, which says which files of a package count for others."""
    passed(monorepo)
    monorepo.edit("pyproject.toml", "[tool.headworks]\n", "[tool.headworks]\nwheel-excludes = ['docs']\n")
    assert reasons(monorepo)["tests-3.13(app)"] == ("package base: tests is new",)


def test_a_locked_package_is_named_once(monorepo: Monorepo) -> None:
    """However many ways lead to it."""
    lock = monorepo.lock().replace('{ name = "torch" }', '{ name = "torch" }, { name = "numpy" }')
    monorepo.scratch.commit({"uv.lock": lock})
    passed(monorepo)
    monorepo.scratch.write({"uv.lock": lock.replace('numpy"\nversion = "2.0"', 'numpy"\nversion = "3.0"')})
    assert reasons(monorepo)["tests-3.13(app)"] == ("uv.lock: numpy 2.0 → 3.0, reached through app",)


def test_differences_are_told_in_words() -> None:
    """What is new, gone or other; versions side by side; the texts among the parts as they are."""
    old = {"python": "cpython 3.12", "env: A": "1", "files: x": "1", "uv.lock: a 1": "1", "uv.lock: b 1": "1"}
    new = {"python": "cpython 3.13", "env: A": "2", "files: y": "1", "uv.lock: a 2": "1", "uv.lock: a 3": "1"}
    assert difference(old | {"uv.lock: d 1": "1"}, new | {"uv.lock: c 1": "1", "uv.lock: d 1": "2"}) == [
        "env: A changed",
        "files: x is gone",
        "files: y is new",
        "python: cpython 3.12 → cpython 3.13",
        "uv.lock: a 1 → 2, 3",
        "uv.lock: b 1 is gone",
        "uv.lock: c 1 is new",
        "uv.lock: d 1 is the same version from another file",
    ]
    assert difference(old, old) == []


def test_another_base_gives_other_reasons(monorepo: Monorepo) -> None:
    """It never decides what runs."""
    first = monorepo.scratch.git("rev-parse", "HEAD")
    monorepo.scratch.commit({"packages/solo/src/solo/core.py": "new"})
    passed(monorepo, "lint")
    assert reasons(monorepo, base="HEAD")["tests-3.11(solo)"][0].startswith("has not passed yet as it is")
    assert reasons(monorepo, base=first)["tests-3.11(solo)"] == ("packages/solo/src/solo/core.py changed",)
    found = planned(monorepo, "lint", base=first)
    assert found.base is not None
    assert found.base.commit == first


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"pyproject.toml": "[tool.headworks.run]\njobs = 2\n"}, "there is no key 'run'"),
        ({"pyproject.toml": "[tool"}, "pyproject.toml is not valid TOML"),
        ({"uv.lock": "["}, "uv.lock is not valid TOML"),
    ],
)
def test_a_base_that_cannot_be_read_stops_nothing(monorepo: Monorepo, files: dict[str, str], message: str) -> None:
    """Else nobody could mend it by a change."""
    good = {name: (monorepo.root / name).read_text() for name in files}
    monorepo.scratch.commit(files)
    monorepo.scratch.git("checkout", "--quiet", "-b", "side")
    monorepo.scratch.commit(good)
    for base in (None, "main"):
        found = planned(monorepo, base=base)
        assert found.lost.startswith("Nothing says why sessions run: the base ")
        assert message in found.lost
        assert found.base is None
        assert {it.reasons for it in found.of("run")} == {("has not passed yet as it is",)}
    passed(monorepo)
    assert (planned(monorepo).lost, planned(monorepo).of("run")) == ("", [])


def test_a_base_of_which_git_lacks_something_stops_nothing(monorepo: Monorepo) -> None:
    """As a disk or a partial clone may lose it."""
    monorepo.scratch.commit({"noxfile.py": (monorepo.root / "noxfile.py").read_text() + "# of the base\n"})
    blob = monorepo.scratch.git("rev-parse", "HEAD:noxfile.py")
    monorepo.scratch.git("checkout", "--quiet", "-b", "side")
    monorepo.edit("noxfile.py", "# of the base", "# of the side")
    (monorepo.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    assert f"git lacks the object {blob}. Look with `git fsck`" in planned(monorepo).lost
    monorepo.scratch.write({".git/refs/heads/main": "1" * 40 + "\n"})
    assert "the base 111111111111, main, which shares no history cannot be read" in planned(monorepo).lost


def test_before_the_first_commit_everything_is_new(monorepo: Monorepo) -> None:
    """There is nothing to compare with."""
    monorepo.scratch.git("update-ref", "-d", "HEAD")
    assert reasons(monorepo)["lint"] == ("new: there is only an empty repository to compare with",)


def test_the_store_of_this_machine_is_the_default(monorepo: Monorepo) -> None:
    """Which the environment names; an empty one knows nothing."""
    assert {it.state for it in plan(monorepo.root).sessions} == {"run", "waiting"}


def test_a_plan_names_few_of_many_sessions_that_it_waits_for(monorepo: Monorepo) -> None:
    """The list of the plan itself has them all."""
    monorepo.edit("pyproject.toml", "lint = {}", 'lint = { needs = ["tests"] }')
    assert reasons(monorepo)["lint"] == ("waits for tests-3.11(base), tests-3.11(app), tests-3.11(solo) and 3 more",)
