"""What a package needs from the repository is found wherever it lies, and counts for whoever needs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from headworks._digest.digest import Digester
from headworks._plan.reasons import Reasons
from headworks._project.metadata import read_metadata
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Monorepo, Scratch


def project(name: str, *dependencies: str, more: str = "") -> str:
    """Return a pyproject.toml."""
    return f'[project]\nname = "{name}"\ndependencies = {list(dependencies)}\n{more}'


MEMBERS = '[tool.uv.workspace]\nmembers = ["packages/*", "vendor/*"]\n'


def changed(monorepo: Monorepo, *files: str) -> set[str]:
    """Return the sessions whose digests change with files, the tests of a package by its name."""
    found = []
    for content in ("old", "new"):
        monorepo.scratch.write(dict.fromkeys(files, content))
        digester = Digester.for_worktree(monorepo.root)
        outputs = {it.name: dict.fromkeys(it.outputs, "0") for it in digester.sessions()}
        found.append({it.name: digester.digest(it, outputs) for it in digester.sessions()})
    before, after = found
    names = {name for name in before if before[name].value != after[name].value}
    assert names == {name for name in before if before[name].components != after[name].components}
    return {name.partition("(")[2].rstrip(")") or name for name in names}


FORMS = {
    "a source of uv": ("core", '[tool.uv.sources]\ncore = { path = "../../libs/core", editable = true }\n'),
    "sources by marker": ("core", '[tool.uv.sources]\ncore = [{ index = "x" }, { path = "../../libs/core" }]\n'),
    "a requirement with an address": ("core @ file:../../libs/core", ""),
    "an address of hatch": ("core@{root:uri}/../../libs/core", ""),
    "an address of PDM": ("core @ file:///${PROJECT_ROOT}/../../libs/core#egg=core", ""),
    "a dependency of Poetry": ("", '[tool.poetry.dependencies]\ncore = { path = "../../libs/core" }\n'),
    "a setting of any tool": ("", '[tool.other]\nuses = "-e ../../libs/core"\n'),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_path_dependency_is_a_package_in_every_form(scratch: Scratch, form: str) -> None:
    """Wherever it lies, with what it needs by paths of its own."""
    dependency, more = FORMS[form]
    more = more.replace('"-e ', '"')
    core = project("core", "deep", more='[tool.uv.sources]\ndeep = { path = "../../other/deep" }\n')
    files = {"libs/core/pyproject.toml": core, "other/deep/pyproject.toml": project("deep")}
    scratch.commit(files | {"packages/a/pyproject.toml": project("a", *filter(None, [dependency]), more=more)})
    found = scratch.workspace()
    assert found.packages["packages/a"].own == ("libs/core",)
    assert found.packages["packages/a"].outside == ()
    assert found.closure(["packages/a"], ()) == ["libs/core", "other/deep"]


LOCK = """
version = 1

[manifest]
members = ["a", "root"]

[[package]]
name = "root"
source = { virtual = "." }

[package.dev-dependencies]
test = [{ name = "kit" }]

[[package]]
name = "a"
source = { editable = "packages/a" }
dependencies = [{ name = "core" }]

[[package]]
name = "core"
source = { directory = "libs/core" }
dependencies = [{ name = "archive" }]

[[package]]
name = "kit"
source = { editable = "tools/kit" }

[[package]]
name = "archive"
source = { path = "wheels/archive.whl" }
dependencies = [{ name = "kit" }]
"""


@pytest.mark.parametrize("lock", [LOCK, ""])
def test_a_path_that_the_root_gives_to_a_dependency_of_a_member_leads_there(scratch: Scratch, lock: str) -> None:
    """With a lock and without one; archives count too, and groups of the root."""
    sources = 'core = { path = "libs/core" }\nkit = { path = "tools/kit" }\narchive = { path = "wheels/archive.whl" }\n'
    root = project("root", more=f'[dependency-groups]\ntest = ["kit"]\n{MEMBERS}[tool.uv.sources]\n{sources}')
    files = {"pyproject.toml": root, "packages/a/pyproject.toml": project("a", "core"), "wheels/archive.whl": "zip"}
    files |= {"libs/core/pyproject.toml": project("core", "archive"), "tools/kit/pyproject.toml": project("kit")}
    scratch.commit(files | {"uv.lock": lock} if lock else files)
    found = scratch.workspace()
    assert found.closure(["packages/a"], ()) == ["libs/core", *(["tools/kit"] if lock else []), "wheels/archive.whl"]
    assert found.grouped(["test"]) == found.closure([], ["test"]) == ["tools/kit"]
    assert [it for it, package in found.packages.items() if package.is_member] == ["packages/a"]


def test_a_path_dependency_may_be_in_a_workspace_of_its_own(scratch: Scratch) -> None:
    """Whose root says what its dependencies are."""
    other = '[tool.uv.workspace]\nmembers = ["x/*"]\n[tool.uv.sources]\nfar = { path = "../far" }\n'
    more = '[tool.uv.sources]\none = { path = "../../other/x/one" }\n'
    files = {"pyproject.toml": MEMBERS, "packages/a/pyproject.toml": project("a", "one", more=more)}
    files |= {"other/pyproject.toml": other, "other/x/one/pyproject.toml": project("one", "two", "far")}
    files |= {"other/x/two/pyproject.toml": project("two"), "far/pyproject.toml": project("far")}
    scratch.commit(files)
    assert scratch.workspace().closure(["packages/a"], ()) == ["far", "other/x/one", "other/x/two"]


def place(scratch: Scratch, kind: str, tmp_path: Path) -> None:
    """Put a package into vendor/lib of which git does not list the files."""
    files = {"pyproject.toml": project("lib", "deep"), "deep/pyproject.toml": project("deep"), "src/lib/x.py": "old"}
    if kind == "link":
        scratch.write({f"real/lib/{name}": content for name, content in files.items()})
        (scratch.root / "vendor").mkdir()
        (scratch.root / "vendor/lib").symlink_to("../real/lib")
        return
    inner, innermost = type(scratch)(tmp_path / "inner"), type(scratch)(tmp_path / "innermost")
    inner.commit({name: content for name, content in files.items() if not name.startswith("deep/")})
    innermost.commit({"pyproject.toml": files["deep/pyproject.toml"]})
    inner.git("submodule", "--quiet", "add", str(innermost.root), "deep")
    inner.commit()
    (scratch.root / "vendor").mkdir()
    if kind == "submodule":
        scratch.git("submodule", "--quiet", "add", str(inner.root), "vendor/lib")
        scratch.git("submodule", "--quiet", "update", "--init", "--recursive")
    else:
        inner.root.rename(scratch.root / "vendor/lib")


@pytest.mark.parametrize("kind", ["link", "submodule", "repository inside"])
def test_a_member_counts_where_git_does_not_list_its_files(monorepo: Monorepo, tmp_path: Path, kind: str) -> None:
    """Behind a link, in a submodule or in another repository; what it names there by a pattern is a member as well."""
    place(monorepo.scratch, kind, tmp_path)
    monorepo.edit("pyproject.toml", '["packages/*"]', '["packages/*", "vendor/*", "vendor/*/deep"]')
    monorepo.edit("packages/base/pyproject.toml", '"numpy"', '"numpy", "lib"')
    assert {*monorepo.scratch.workspace().packages} >= {"vendor/lib", "vendor/lib/deep"}
    assert changed(monorepo, "vendor/lib/src/lib/x.py") == {"base", "app", "data", "model", "lint"}
    monorepo.scratch.write({"vendor/lib/src/lib/x.py": "old"})
    commit = monorepo.scratch.commit()
    then = monorepo.scratch.workspace(at=commit)
    assert then.packages == monorepo.scratch.workspace().packages


def test_a_package_that_nobody_can_read_may_need_any_other_and_be_needed_by_any(
    scratch: Scratch, tmp_path: Path
) -> None:
    """One behind a link out of the repository, or in a submodule whose commit is not here."""
    scratch.commit({"pyproject.toml": MEMBERS, "packages/a/pyproject.toml": project("a")})
    (scratch.root / "vendor").mkdir()
    (scratch.root / "vendor/out").symlink_to(tmp_path)
    found = scratch.workspace().packages
    assert (found["packages/a"].own, found["vendor/out"].own) == (("vendor/out",), ("packages/a",))
    (scratch.root / "vendor/out").unlink()
    scratch.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/gone")
    scratch.git("commit", "--quiet", "--message=a submodule")
    more = '[tool.uv.sources]\nlib = { path = "../../vendor/gone/lib" }\n'
    commit = scratch.commit({"packages/a/pyproject.toml": project("a", "lib", more=more)})
    scratch.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/gone")
    scratch.git("commit", "--quiet", "--message=a submodule again")
    commit = scratch.git("rev-parse", "HEAD")
    then = scratch.workspace(at=commit).packages
    assert then["packages/a"].own == ("vendor/gone/lib",)


def test_links_to_packages_are_packages_without_a_workspace_too(scratch: Scratch) -> None:
    """But not those within a package, where tests have them as samples."""
    files = {"packages/a/pyproject.toml": project("a", "b"), "real/b/pyproject.toml": project("b")}
    scratch.commit(files)
    (scratch.root / "packages/b").symlink_to("../real/b")
    (scratch.root / "packages/a/sample").symlink_to("../../real/b")
    assert list(scratch.workspace().packages) == ["packages/a", "packages/b"]
    assert scratch.workspace().packages["packages/a"].own == ("packages/b",)


SETUP = "from setuptools import setup\n\nsetup({})\n"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("setup.cfg", "[metadata]\nname = A.b\n[options]\ninstall_requires =\n  c>1\n  D_e\n", ("a-b", ["c", "d-e"])),
        ("setup.cfg", "[options]\nsetup_requires = c; d\n", ("folder", ["c", "d"])),
        ("setup.cfg", "[metadata]\nname = a\n[options.extras_require]\nx = c\ny =\n  d\n", ("a", ["c", "d"])),
        ("setup.cfg", "[metadata]\nname = a\n[options]\ninstall_requires = file: needs.txt\n", ("a", None)),
        ("setup.cfg", "[flake8]\nmax-line-length = 100\n", None),
        ("setup.cfg", "no section = x\n", (None, None)),
        (
            "setup.py",
            SETUP.format("name='a', install_requires=['c>1'], extras_require={'d': ('e',)}"),
            ("a", ["c", "d", "e"]),
        ),
        ("setup.py", SETUP.format(""), ("folder", [])),
        ("setup.py", SETUP.format("name=NAME, install_requires=[]"), (None, [])),
        ("setup.py", SETUP.format("name='a', install_requires=read()"), ("a", None)),
        ("setup.py", SETUP.format("**more"), (None, None)),
        ("setup.py", "import setuptools\nsetuptools.setup(name='a')\n", ("a", [])),
        ("setup.py", "from setuptools import Command\n", (None, None)),
        ("setup.py", "import setuptools; <<<<<<<", (None, None)),
        ("setup.py", "def setup(app): pass\n", None),
    ],
)
def test_setup_files_are_metadata(
    name: str, content: str, expected: tuple[str | None, list[str] | None] | None
) -> None:
    """Names and needs where they are plain; None where only code knows them, and where there are none."""
    found = read_metadata("x/Folder", {name: content.encode()})
    if expected is None or found is None:
        assert found is None
        assert expected is None
        return
    assert found.name == expected[0]
    assert (sorted(found.runtime) if found.is_static else None) == expected[1]


def test_setup_files_beside_a_pyproject_say_what_that_does_not(scratch: Scratch) -> None:
    """One with a project table is believed; one with a build system only is not the whole."""
    build = '[build-system]\nrequires = ["setuptools"]\n'
    files = {"packages/a/pyproject.toml": build, "packages/a/setup.cfg": "[metadata]\nname = x\n"}
    files |= {"packages/b/pyproject.toml": project("b", "x"), "packages/b/setup.py": SETUP.format("name=NAME")}
    files |= {
        "packages/c/setup.py": SETUP.format("name='c', install_requires=read()"),
        "packages/c/t/setup.py": SETUP.format("name=NAME"),
    }
    scratch.commit(files)
    found = scratch.workspace().packages
    assert {it: package.name for it, package in found.items()} == {
        "packages/a": "x",
        "packages/b": "b",
        "packages/c": "c",
    }
    assert found["packages/a"].own == ()
    assert found["packages/b"].own == ("packages/a",)
    assert found["packages/c"].own == ("packages/a", "packages/b")


def test_a_row_may_name_any_folder(monorepo: Monorepo) -> None:
    """With its metadata, where there are any; one that only a parameter names may need any other then."""
    monorepo.edit("pyproject.toml", '{ packages = ["base"]', '{ packages = ["scripts", "deep/er/tool"]')
    monorepo.edit("pyproject.toml", '["{package}"]', '["checks/{package}"]')
    files = {"scripts/x.sh": "1", "deep/er/tool/setup.cfg": "[metadata]\nname=t\n[options]\ninstall_requires=solo\n"}
    files |= {f"checks/{name}/x.py": "1" for name in ("app", "base", "solo")}
    monorepo.scratch.write(files | {"checks/app/setup.cfg": "[metadata]\nname = checks\n"})
    assert changed(monorepo, "scripts/x.sh", "checks/base/x.py") == {"base", "data", "lint"}
    assert changed(monorepo, "packages/solo/src/solo/core.py") == {"app", "data", "lint"}


def test_what_groups_of_the_root_need_counts_for_the_sessions_with_these_groups(monorepo: Monorepo) -> None:
    """As a wheel, from the repository itself."""
    monorepo.edit("pyproject.toml", 'lint = ["ruff"]', 'lint = ["ruff", "solo"]')
    assert changed(monorepo, "packages/solo/src/solo/core.py") == {"solo", "lint"}
    monorepo.edit(
        "pyproject.toml",
        'test = ["pytest"]',
        'test = ["pytest", { include-group = "lint" }, { include-group = "lint" }]',
    )
    assert changed(monorepo, "packages/solo/src/solo/core.py") == {"base", "app", "solo", "lint"}
    assert changed(monorepo, "packages/solo/tests/test_core.py") == {"solo", "lint"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('x = { path = "../../libs/x" }', "packages/app needs what lies in libs/x, where git lists no file"),
        ('x = { path = "../../../x" }', "packages/app needs what lies in ../x, where git lists no file"),
        ("x = { workspace = true }", "packages/app needs x from its uv workspace, which has no such member"),
    ],
)
def test_a_local_dependency_that_is_not_there_is_an_error(monorepo: Monorepo, more: str, message: str) -> None:
    """For the sessions that need it, every time, with the way to mend it; others go on."""
    monorepo.edit("packages/app/pyproject.toml", '"base"', '"base", "x"')
    text = (monorepo.root / "packages/app/pyproject.toml").read_text()
    monorepo.scratch.write({"packages/app/pyproject.toml": f"{text}[tool.uv.sources]\n{more}\n"})
    for _ in range(2):
        with pytest.raises(ConfigurationError) as error:
            Digester.for_worktree(monorepo.root).sessions()
        assert f"[tool.headworks.sessions] tests: {message}. Put it there" in str(error.value)
    monorepo.edit("pyproject.toml", 'tests = { packages = ["{package}"], groups = ["test"] }', "tests = {}")
    monorepo.edit("pyproject.toml", 'packages = ["app"]', 'packages = ["solo"]')
    assert Digester.for_worktree(monorepo.root).sessions()


def test_what_the_lock_has_from_nowhere_is_an_error(monorepo: Monorepo) -> None:
    """Once the lock says so, whatever was remembered before."""
    assert Digester.for_worktree(monorepo.root).sessions()
    lock = monorepo.lock().replace('{ name = "torch" }', '{ name = "torch" }, { name = "x" }')
    monorepo.scratch.write({"uv.lock": lock + '\n[[package]]\nname = "x"\nsource = { directory = "libs/x" }\n'})
    with pytest.raises(ConfigurationError, match="packages/app needs what lies in libs/x, where git lists no file"):
        Digester.for_worktree(monorepo.root).sessions()


def test_a_change_behind_a_link_is_a_reason(monorepo: Monorepo, tmp_path: Path) -> None:
    """The link stands for what lies behind it."""
    place(monorepo.scratch, "link", tmp_path)
    monorepo.edit("pyproject.toml", '["packages/*"]', '["packages/*", "vendor/*"]')
    monorepo.edit("packages/base/pyproject.toml", '"numpy"', '"numpy", "lib"')
    commit = monorepo.scratch.commit()
    monorepo.scratch.write({"real/lib/src/lib/x.py": "new"})
    now = Digester.for_worktree(monorepo.root, dict(os.environ))
    data = {it.name: it for it in now.sessions()}["data"]
    assert Reasons(now, now.for_commit(commit)).of(data, {}) == ("vendor/lib changed, reached through lib",)


HATCH = 'requires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
ALWAYS, EVERYTHING = {"LICENSE.md", "src/x.md"}, {"README.md", "CHANGES.rst", "docs/x.py", "LICENSE.md", "src/x.md"}
BUILDS = {
    "": EVERYTHING,
    'requires = ["uv_build>=1"]\nbuild-backend = "uv_build"\n': ALWAYS,
    HATCH + '[tool.hatch.build]\nexclude = ["*.md"]\n': ALWAYS,
    HATCH + '[tool.hatch.build]\ninclude = ["*.rst", "docs/x"]\n': {*ALWAYS, "CHANGES.rst", "docs/x.py"},
    HATCH + "[tool.hatch.build.hooks.custom]\n": EVERYTHING,
    HATCH.replace('"]', '", "hatch-vcs"]'): EVERYTHING,
    'requires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[tool.setuptools.packages.find]\n': {
        *(*ALWAYS, "docs/x.py")
    },
    'requires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n[tool.flit.x]\ny = "."\n': EVERYTHING,
}


@pytest.mark.parametrize("build", BUILDS)
def test_a_needed_package_counts_by_what_its_wheel_is_built_from(monorepo: Monorepo, build: str) -> None:
    """Docs and pages only where its metadata name them, or where its backend may read anything."""
    monorepo.edit("pyproject.toml", 'ignore = ["README.md", "packages/*/README.md"]', "ignore = []")
    monorepo.edit("packages/base/pyproject.toml", 'readme = "README.md"\n', "")
    text = (monorepo.root / "packages/base/pyproject.toml").read_text()
    monorepo.scratch.write({"packages/base/pyproject.toml": f"{text}[build-system]\n{build}" if build else text})
    names = ["README.md", "CHANGES.rst", "docs/x.py", "LICENSE.md", "src/x.md"]
    monorepo.scratch.write({f"packages/base/{name}": "old" for name in names})
    found = {name: changed(monorepo, f"packages/base/{name}") for name in names}
    assert all({"base", "data", "lint"} <= sessions for sessions in found.values())
    assert {name for name, sessions in found.items() if "app" in sessions} == BUILDS[build]


def test_a_page_that_metadata_name_counts_for_whoever_needs_the_package(monorepo: Monorepo) -> None:
    """A README is the description of the wheel."""
    monorepo.edit("pyproject.toml", 'ignore = ["README.md", "packages/*/README.md"]', "ignore = []")
    text = (monorepo.root / "packages/base/pyproject.toml").read_text()
    build = '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n'
    monorepo.scratch.write({"packages/base/pyproject.toml": text + build, "packages/base/CHANGELOG.md": "old"})
    assert "app" in changed(monorepo, "packages/base/README.md")
    assert "app" not in changed(monorepo, "packages/base/CHANGELOG.md")
