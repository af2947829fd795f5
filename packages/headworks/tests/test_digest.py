"""A digest changes with everything that its session's outcome can depend on, and with little else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from headworks._digest.digest import Digester
from headworks._machine.programs import Programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Monorepo

ALL = "base app solo lint data model"


def digests(repo: Monorepo, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Return the digests of all sessions, which are the same where they are remembered."""
    found = []
    for _ in range(2):
        digester = Digester.for_worktree(repo.root, {**os.environ, **(environ or {})})
        outputs = {it.name: dict.fromkeys(it.outputs, "0") for it in digester.sessions()}
        found.append({it.name: digester.digest(it, outputs).value for it in digester.sessions()})
        digester.remember()
    assert found[0] == found[1]
    return found[0]


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Return the sessions with another digest, the tests of a package by its name."""
    names = {name for name in before if before[name] != after.get(name)}
    return {name.partition("(")[2].rstrip(")") or name for name in names}


def hidden(repo: Monorepo, name: str) -> None:
    """Change a file that git is told to overlook."""
    repo.scratch.git("update-index", "--assume-unchanged", name)
    repo.scratch.write({name: "new"})


MUTATIONS: dict[str, tuple[str, Callable[[Monorepo], object]]] = {
    "source of a package": ("app model lint", lambda it: it.edit("packages/app/src/app/core.py", "app", "x")),
    "source of a needed package": (
        "base app data model lint",
        lambda it: it.edit("packages/base/src/base/core.py", "b", "x"),
    ),
    "test of a package": ("solo lint", lambda it: it.edit("packages/solo/tests/test_core.py", "solo", "x")),
    "test of a needed package": ("base data lint", lambda it: it.edit("packages/base/tests/test_core.py", "base", "x")),
    "new file": ("solo lint", lambda it: it.scratch.write({"packages/solo/tests/conftest.py": ""})),
    "new data file": ("base app data model lint", lambda it: it.scratch.write({"packages/base/src/base/x.csv": "1"})),
    "deleted file": ("solo lint", lambda it: (it.root / "packages/solo/src/solo/core.py").unlink()),
    "renamed file": (
        "base app data model lint",
        lambda it: it.scratch.git("mv", "packages/base/src/base/core.py", "packages/base/src/base/new.py"),
    ),
    "mode": ("app model lint", lambda it: (it.root / "packages/app/src/app/core.py").chmod(0o755)),
    "ignored file": ("", lambda it: it.scratch.write({"artifacts/x": "x", "packages/app/__pycache__/x.pyc": "x"})),
    "file that the table ignores": ("lint", lambda it: it.scratch.write({"README.md": "new"})),
    "pattern that the table ignores": ("lint", lambda it: it.scratch.write({"packages/app/README.md": "new"})),
    "file of no package": ("lint", lambda it: it.scratch.write({"docs/index.md": "new"})),
    "root conftest": (ALL, lambda it: it.scratch.write({"conftest.py": "import x"})),
    "new root file": (ALL, lambda it: it.scratch.write({"pytest.ini": ""})),
    "file beside the packages": (ALL, lambda it: it.scratch.write({"packages/conftest.py": ""})),
    "setting of a tool": (
        "base app solo data model lint",
        lambda it: it.edit("pyproject.toml", "addopts = []", "addopts = ['-x']"),
    ),
    "setting of another tool": ("base app solo model lint", lambda it: it.edit("pyproject.toml", "= 100", "= 120")),
    "comment in the root": ("lint", lambda it: it.edit("pyproject.toml", "[tool.ruff]", "# short\n[tool.ruff]")),
    "setting of uv": (ALL, lambda it: it.edit("pyproject.toml", '["packages/*"]', '["packages/*", "none"]')),
    "group": ("base app solo lint", lambda it: it.edit("pyproject.toml", '"pytest"]\nlint', '"pytest>8"]\nlint')),
    "other group": ("lint", lambda it: it.edit("pyproject.toml", '["ruff"]', '["ruff>0"]')),
    "locked dependency": ("app model lint", lambda it: it.scratch.write({"uv.lock": it.lock(torch="3")})),
    "locked dependency of a needed package": (
        "base app data model lint",
        lambda it: it.scratch.write({"uv.lock": it.lock(numpy="3")}),
    ),
    "locked tool of a group": ("base app solo lint", lambda it: it.scratch.write({"uv.lock": it.lock(pytest="10")})),
    "locked tool of another group": ("lint", lambda it: it.scratch.write({"uv.lock": it.lock(ruff="1")})),
    "name that a session reaches": ("base app solo lint", lambda it: it.edit("noxfile.py", '"-q"', '"-x"')),
    "function of a session": ("data lint", lambda it: it.edit("noxfile.py", '"-m", "base"', '"-m", "x"')),
    "setting of nox": (
        ALL,
        lambda it: it.edit("noxfile.py", "import nox\n", "import nox\nnox.options.verbose = True\n"),
    ),
    "file that the noxfile reads": (
        ALL,
        lambda it: it.edit("noxfile.py", "import nox\n", "import nox\nprint(open('docs/index.md').read())\n"),
    ),
    "new dependency": (
        "solo lint",
        lambda it: it.edit("packages/solo/pyproject.toml", "dependencies = []", "dependencies = ['base']"),
    ),
    "file that a package points at": (
        "base app data model lint",
        lambda it: it.edit("packages/base/pyproject.toml", "README.md", "../../docs/index.md"),
    ),
    "outputs of a session": ("data model lint", lambda it: it.edit("pyproject.toml", "artifacts/data", "artifacts/x")),
    "what is required of a session": (
        "lint",
        lambda it: it.edit("pyproject.toml", "lint = {}", "lint = { required = true }"),
    ),
    "table of another command": (
        "base app solo model lint",
        lambda it: it.edit(
            "pyproject.toml", "[tool.headworks]\n", "[tool.headworks.gate]\nbudget = 1\n[tool.headworks]\n"
        ),
    ),
    "how git checks files out": (ALL, lambda it: it.scratch.write({"docs/.gitattributes": "* text eol=crlf"})),
    "package that the lock lacks": (
        ALL,
        lambda it: it.scratch.write({"packages/new/pyproject.toml": "[project]\nname = 'new'\n"}),
    ),
    "hidden change": ("solo lint", lambda it: hidden(it, "packages/solo/src/solo/core.py")),
}


@pytest.mark.parametrize("kind", MUTATIONS)
def test_a_change_reaches_exactly_the_sessions_that_it_concerns(monorepo: Monorepo, kind: str) -> None:
    """Each kind of change has another digest for these sessions, and the same one for all others."""
    expected, mutate = MUTATIONS[kind]
    before = digests(monorepo)
    mutate(monorepo)
    assert changed(before, digests(monorepo)) == set(expected.split())


def test_what_lies_around_a_needed_package_counts(monorepo: Monorepo) -> None:
    """Wherever it is: what builds its wheel may read it."""
    pyproject = monorepo.root / "packages/solo/pyproject.toml"
    monorepo.scratch.write({"libraries/far/pyproject.toml": pyproject.read_text().replace("solo", "far")})
    monorepo.edit("pyproject.toml", 'members = ["packages/*"]', 'members = ["packages/*", "libraries/*"]')
    monorepo.edit("packages/base/pyproject.toml", '"numpy"', '"numpy", "far"')
    before = digests(monorepo)
    monorepo.scratch.write({"libraries/settings.toml": "new"})
    assert changed(before, digests(monorepo)) == {"base", "app", "data", "model", "lint"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SEED": "1"}, {"model"}),
        ({"UV_INDEX": "x"}, {"base", "app", "solo", "lint", "data", "model"}),
        ({"PYTEST_ADDOPTS": "-x", "TZ": "UTC", "HOME": "/elsewhere"}, set()),
    ],
)
def test_a_variable_counts_where_it_reaches_a_session(
    monorepo: Monorepo, variables: dict[str, str], expected: set[str]
) -> None:
    """Declared ones for their session, those that choose what is installed for all, others not at all."""
    assert changed(digests(monorepo), digests(monorepo, variables)) == expected


def test_a_python_counts_for_the_sessions_that_run_on_it(monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another patch release is another interpreter."""
    before = digests(monorepo)
    monkeypatch.setattr(
        Programs, "version", lambda _programs, path: f"new {path}" if "3.11" in path else f"version of {path}"
    )
    after = digests(monorepo)
    assert {name for name in before if before[name] != after[name]} == {it for it in before if "3.11" in it}


def test_outputs_count_for_the_sessions_that_read_them(monorepo: Monorepo) -> None:
    """Other outputs of a needed session make another digest; its own inputs do not, once it has run."""
    digester = Digester.for_worktree(monorepo.root)
    model = {it.name: it for it in digester.sessions()}["model"]
    digest = digester.digest(model, {"data": {"artifacts/data": "0"}})
    assert digest.value != digester.digest(model, {"data": {"artifacts/data": "1"}}).value
    assert digest.components["needs data: artifacts/data"] == "0"
    monorepo.edit("packages/base/tests/test_core.py", "base", "x")
    assert digester.again().digest(model, {"data": {"artifacts/data": "0"}}).value == digest.value
    with pytest.raises(KeyError, match="data"):
        digester.digest(model, {})


def test_outputs_count_for_a_watched_session_whether_they_lie_in_place_or_not(monorepo: Monorepo) -> None:
    """So that they are a part of its digest, and none of what it was seen to read."""
    digester = Digester.for_worktree(monorepo.root)
    model = {it.name: it for it in digester.sessions()}["model"]
    cores = [digester.observed_core(model, {"data": {"artifacts/data": it}}) for it in "01"]
    assert cores[0].value != cores[1].value
    assert "needs data: artifacts/data" in cores[0].components


def test_a_needed_session_without_outputs_counts_with_all_it_depends_on(monorepo: Monorepo) -> None:
    """Nothing else stands for what it may have done."""
    monorepo.edit("pyproject.toml", 'packages = ["app"]', 'packages = ["solo"]')
    monorepo.edit("pyproject.toml", ', outputs = ["artifacts/data"]', "")
    before = digests(monorepo)
    monorepo.edit("packages/base/tests/test_core.py", "base", "x")
    assert changed(before, digests(monorepo)) == {"base", "lint", "data", "model"}


def trees(repo: Monorepo, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Return the parts of the digests of all sessions that are the same on every machine."""
    digester = Digester.for_worktree(repo.root, {**os.environ, **(environ or {})})
    return {it.name: digester.tree_digest(it) for it in digester.sessions()}


def test_what_a_machine_adds_is_no_part_of_the_tree(monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interpreters and variables are each machine's own; files count as they do in the digest."""
    before = trees(monorepo)
    monkeypatch.setattr(Programs, "version", lambda _programs, path: f"another version of {path}")
    assert trees(monorepo, {"SEED": "7", "UV_INDEX_URL": "https://example.org"}) == before
    monorepo.edit("packages/base/src/base/core.py", "base", "x")
    assert changed(before, trees(monorepo)) == {"base", "app", "data", "model", "lint"}


def test_what_a_session_needs_is_a_part_of_its_tree(monorepo: Monorepo) -> None:
    """Its outputs are not, which may differ between machines."""
    before = trees(monorepo)
    monorepo.edit("noxfile.py", '"-m", "base"', '"-m", "base.core"')
    assert changed(before, trees(monorepo)) == {"data", "model", "lint"}


def test_what_a_link_leads_to_outside_git_is_no_part_of_the_tree(monorepo: Monorepo, tmp_path: Path) -> None:
    """It is there on one machine, another or missing on the next; what git knows behind a link counts."""
    (tmp_path / "data").write_text("one")
    (monorepo.root / "packages/solo/data").symlink_to(tmp_path / "data")
    (monorepo.root / "packages/solo/index.md").symlink_to("../../docs/index.md")
    before, digests_before = trees(monorepo), digests(monorepo)
    (tmp_path / "data").write_text("another")
    assert trees(monorepo) == before
    assert changed(digests_before, digests(monorepo)) == {"solo", "lint"}
    monorepo.scratch.write({"docs/index.md": "new"})
    assert changed(before, trees(monorepo)) == {"solo", "lint"}


def test_a_digest_names_its_parts(monorepo: Monorepo) -> None:
    """As people know them: package and folder, locked version, name in the noxfile, table of pyproject.toml."""
    digester = Digester.for_worktree(monorepo.root, {**os.environ, "SEED": "1", "UV_INDEX": "x"})
    outputs = {"data": {"artifacts/data": "0"}}
    parts = {it.name: set(digester.digest(it, outputs).components) for it in digester.sessions()}
    always = {"session", "python", "platform", "nox", "env: UV_INDEX"}
    code = {f"noxfile.py: {it}" for it in ("model", "nox", "settings")}
    files = {f"package {name}: {it}" for name in ("app", "base") for it in ("pyproject.toml", "src")}
    files |= {"package app: tests", "files: .gitignore", "files: conftest.py"}
    root = {f"root: pyproject.toml [tool.{it}]" for it in ("pytest", "ruff", "uv")}
    locked = {"uv.lock in general", "uv.lock: numpy 2.0", "uv.lock: torch 2.9"}
    assert parts["model"] == always | code | files | root | locked | {"env: SEED", "needs data: artifacts/data"}
    assert {"uv.lock: pytest 9.0", "root: pyproject.toml [dependency-groups] test"} <= parts["tests-3.11(solo)"]
    assert {it for it in parts["lint"] if it.startswith("files")} == {
        f"files: {it}"
        for it in (
            ".gitignore",
            "README.md",
            "conftest.py",
            "docs",
            "noxfile.py",
            "packages",
            "pyproject.toml",
            "uv.lock",
        )
    }


def test_parts_change_when_and_only_when_the_digest_does(monorepo: Monorepo) -> None:
    """The names are for people, the value is relied on; both say the same."""
    outputs = {"data": {"artifacts/data": "0"}}

    def parts() -> dict[str, tuple[str, dict[str, str]]]:
        digester = Digester.for_worktree(monorepo.root)
        found = {it.name: digester.digest(it, outputs) for it in digester.sessions()}
        return {name: (it.value, dict(it.components)) for name, it in found.items()}

    for kind in (
        "source of a needed package",
        "locked tool of a group",
        "setting of another tool",
        "file that the table ignores",
    ):
        before = parts()
        MUTATIONS[kind][1](monorepo)
        after = parts()
        for name in before:
            assert (before[name][0] == after[name][0]) == (before[name][1] == after[name][1]), (kind, name)


def test_packages_that_need_each_other_in_a_circle_count_together(monorepo: Monorepo) -> None:
    """Python packages may do that, mostly through extras."""
    monorepo.edit("packages/base/pyproject.toml", '"numpy"', '"numpy", "solo"')
    monorepo.edit("packages/solo/pyproject.toml", "dependencies = []", 'dependencies = ["base"]')
    before = digests(monorepo)
    monorepo.edit("packages/solo/src/solo/core.py", "solo", "x")
    assert changed(before, digests(monorepo)) == {"base", "app", "solo", "data", "model", "lint"}


def test_a_commit_has_the_digests_of_its_tree(monorepo: Monorepo) -> None:
    """The same as a clean work tree of it, on the same machine."""
    first = digests(monorepo)
    commit = monorepo.scratch.git("rev-parse", "HEAD")
    monorepo.scratch.commit({"packages/base/src/base/core.py": "new", "uv.lock": monorepo.lock(torch="3")})
    digester = Digester.for_worktree(monorepo.root)
    outputs = {it.name: dict.fromkeys(it.outputs, "0") for it in digester.sessions()}
    then = digester.for_commit(commit)
    assert {it.name: then.digest(it, outputs).value for it in digester.sessions()} == first


def test_a_project_below_the_top_of_its_repository_is_no_different(monorepo: Monorepo) -> None:
    """Files around it count too, and a package may point at them."""
    (monorepo.root / "below").mkdir()
    for name in ("packages", "noxfile.py", "pyproject.toml", "uv.lock", "conftest.py"):
        monorepo.scratch.git("mv", name, "below")
    monorepo.edit("below/packages/solo/pyproject.toml", "README.md", "../../../VERSION")
    monorepo.edit("below/pyproject.toml", "README.md", "docs")
    monorepo.scratch.commit({"VERSION": "1", "other/x": "1", "below/docs/x": "1"})
    root, monorepo.root = monorepo.root, monorepo.root / "below"
    before = digests(monorepo)
    for name, expected in {
        "other/x": {"lint"},
        "below/docs/x": {"lint"},
        "VERSION": {"base", "app", "solo", "data", "model", "lint"},
        "below/packages/app/src/app/core.py": {"app", "model", "lint"},
    }.items():
        content = (root / name).read_text()
        (root / name).write_text("new")
        assert changed(before, digests(monorepo)) == expected, name
        (root / name).write_text(content)


def test_files_that_the_noxfile_names_in_part_count_where_they_fit(monorepo: Monorepo) -> None:
    """A name with a hole stands for all files that begin and end like it."""
    code = "import nox\nprint([open(f'docs/a-{name}.md') for name in 'xy'])\n"
    monorepo.edit("noxfile.py", "import nox\n", code)
    monorepo.scratch.commit({"docs/a-x.md": "", "docs/b.md": ""})
    before = digests(monorepo)
    monorepo.scratch.write({"docs/b.md": "new"})
    assert changed(before, digests(monorepo)) == {"lint"}
    monorepo.scratch.write({"docs/a-x.md": "new"})
    assert changed(before, digests(monorepo)) == {"base", "app", "solo", "data", "model", "lint"}


def test_what_is_ignored_may_overlap(monorepo: Monorepo) -> None:
    """A folder, a file in it, and a pattern that names both."""
    monorepo.edit(
        "pyproject.toml",
        '"README.md", ',
        '"packages/*/src", "packages/app/src/app/core.py", "docs/x/y", "packages/**", ',
    )
    before = digests(monorepo)
    monorepo.edit("packages/app/src/app/core.py", "app", "x")
    monorepo.edit("packages/base/src/base/core.py", "base", "x")
    assert changed(before, digests(monorepo)) == {"lint"}


def test_the_parts_of_a_digest_are_found_once(monorepo: Monorepo) -> None:
    """They are the same object each time."""
    digester = Digester.for_worktree(monorepo.root)
    digest = digester.digest(digester.sessions()[0], {})
    assert digest.components is digest.components
