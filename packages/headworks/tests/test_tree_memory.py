"""The sessions and digests of a tree are remembered until anything that they are functions of is another."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from headworks._digest.digest import Digester
from headworks._machine.nox import Nox
from headworks._plan.plan import plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from conftest import Monorepo

OUTPUTS = {"data": {"artifacts/data": "0"}}


def digests(digester: Digester) -> Mapping[str, str]:
    """Return the digests of all sessions."""
    return {it.name: digester.digest(it, OUTPUTS).value for it in digester.sessions()}


@pytest.fixture
def known(monorepo: Monorepo) -> Mapping[str, str]:
    """Return the digests of a monorepo, which are remembered."""
    digester = Digester.for_worktree(monorepo.root)
    found = digests(digester)
    digester.remember()
    return found


def is_read(digester: Digester) -> bool:
    """Whether anything of the tree was read."""
    return "project" in vars(digester)


def test_a_tree_that_is_known_is_not_read(monorepo: Monorepo, known: Mapping[str, str]) -> None:
    """Nor after it was another one in between."""
    digester = Digester.for_worktree(monorepo.root)
    assert digests(digester) == known
    digester.remember()
    assert not is_read(digester)
    monorepo.edit("packages/app/src/app/core.py", "app", "x")
    plan(monorepo.root, store=monorepo.store)
    monorepo.edit("packages/app/src/app/core.py", "x", "app")
    digester = Digester.for_worktree(monorepo.root)
    assert digests(digester) == known
    assert not is_read(digester)


def test_a_linked_work_tree_knows_what_another_one_found(
    monorepo: Monorepo, known: Mapping[str, str], tmp_path: Path
) -> None:
    """A base of the gate is one: neither is nox asked again there, nor is a file read."""
    monorepo.scratch.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    digester = Digester.for_worktree(tmp_path / "linked")
    assert digests(digester) == known
    assert not is_read(digester)


@pytest.mark.parametrize("name", ["SEED", "UV_INDEX"])
def test_a_variable_that_counts_makes_it_unknown(
    monorepo: Monorepo, known: Mapping[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that a session declares, or one that chooses what is installed; what does not count changes nothing."""
    monkeypatch.setenv("TZ", "elsewhere")
    digester = Digester.for_worktree(monorepo.root)
    assert digests(digester) == known
    assert not is_read(digester)
    monkeypatch.setenv(name, "new")
    digester = Digester.for_worktree(monorepo.root)
    assert digests(digester) != known
    assert is_read(digester)


def test_a_variable_that_nox_sees_makes_it_unknown(
    monorepo: Monorepo, known: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A noxfile may list other sessions then; the digests do not change by it."""
    monkeypatch.setenv("USER", "somebody else")
    digester = Digester.for_worktree(monorepo.root)
    assert digests(digester) == known
    assert is_read(digester)


@pytest.mark.parametrize("what", ["platform", "python", "nox.version", "nox.python", "nox.path"])
def test_another_machine_makes_it_unknown(
    monorepo: Monorepo, known: Mapping[str, str], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform, every Python that a session asks for, the nox that lists the sessions, and what runs that."""
    digester = Digester.for_worktree(monorepo.root)
    owner: object = digester.machine.nox if what.startswith("nox") else digester.machine
    monkeypatch.setattr(owner, what.rpartition(".")[2], "new" if what != "python" else lambda _asked: "new")
    assert (digests(digester) == known) == (what == "nox.path")
    assert is_read(digester)


def test_a_noxfile_that_is_never_the_same_is_asked_each_time(monorepo: Monorepo) -> None:
    """What its code gets from elsewhere may be other sessions."""
    monorepo.edit("noxfile.py", "import nox\n", "import nox\nimport os\n\nos.system('true')\n")
    for _ in range(2):
        digester = Digester.for_worktree(monorepo.root)
        digests(digester)
        digester.remember()
        assert is_read(digester)


def test_what_nox_lists_while_files_change_is_not_remembered(
    monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be of another tree than the one that was looked at, even if that is back when nox has ended."""
    noxfile, listed = monorepo.root / "noxfile.py", Nox.list_sessions

    def list_another(nox: Nox, root: str, environ: Mapping[str, str]) -> list[Any]:
        source = noxfile.read_text()
        noxfile.write_text(f"{source}\n\n@nox.session\ndef another(session):\n    pass\n")
        found = listed(nox, root, environ)
        noxfile.write_text(source)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Nox, "list_sessions", list_another)
        digester = Digester.for_worktree(monorepo.root)
        assert "another" in digests(digester)
        digester.remember()
    digester = Digester.for_worktree(monorepo.root)
    assert "another" not in digests(digester)
    assert is_read(digester)
    assert digester.for_commit("HEAD").snapshot.is_current()


def test_what_one_plan_did_not_ask_for_the_next_one_adds(monorepo: Monorepo) -> None:
    """A plan of one session finds out about that one only."""
    read = []
    for names in (["lint"], ["lint"], [], ["model"]):
        digester = Digester.for_worktree(monorepo.root)
        for session in digester.sessions():
            if session.name in names or not names:
                digester.digest(session, OUTPUTS)
        digester.remember()
        read.append(is_read(digester))
    assert read == [True, False, True, False]


def test_sessions_of_another_tree_are_computed(monorepo: Monorepo, known: Mapping[str, str]) -> None:
    """What is remembered of a tree holds for the sessions of that tree alone."""
    before = Digester.for_worktree(monorepo.root)
    assert digests(before) == known
    monorepo.edit("pyproject.toml", 'packages = ["{package}"]', 'packages = ["solo"]')
    digests(now := Digester.for_worktree(monorepo.root))
    now.remember()
    now = Digester.for_worktree(monorepo.root)
    new = digests(now)
    assert not is_read(now)
    tests = "tests-3.13(app)"
    assert new[tests] != known[tests]
    for digester in (now, before.again()):
        assert digester.digest(before.catalog[tests], {}).value == known[tests]


def test_projects_of_one_repository_are_remembered_apart(monorepo: Monorepo) -> None:
    """Their files are the same, but not their folders."""
    for folder in ("one", "two"):
        for name in ("packages", "noxfile.py", "pyproject.toml", "uv.lock"):
            (shutil.copytree if name == "packages" else shutil.copy)(
                monorepo.root / name, monorepo.scratch.write({f"{folder}/x": folder}).root / folder / name
            )
    found = []
    for folder in ("one", "two", "one", "two"):
        digester = Digester.for_worktree(monorepo.root / folder)
        found.append(digests(digester))
        digester.remember()
        assert is_read(digester) == (len(found) <= 2)
    assert found[:2] == found[2:]
    assert not set(found[0].values()) & set(found[1].values())
