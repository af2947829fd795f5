"""Packages and their needs are read from pyproject.toml files alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._project.metadata import read_metadata
from headworks._project.project import _read
from headworks._tree.patterns import matcher
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conftest import Scratch


def project(name: str, *dependencies: str, **more: str) -> str:
    """Return a pyproject.toml."""
    lines = ["[project]", f'name = "{name}"', f"dependencies = {list(dependencies)}"]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in more.items())]) + "\n"


def needs(scratch: Scratch, kind: str) -> Mapping[str, tuple[str, ...]]:
    """Return what every package needs."""
    return {folder: getattr(it, kind) for folder, it in scratch.workspace().packages.items()}


def test_members_are_those_of_the_uv_workspace(scratch: Scratch) -> None:
    """Globs, exclusions, and the root itself where it is a package."""
    root = '[project]\nname = "all"\n[tool.uv.workspace]\nmembers = ["libs/*", "one"]\nexclude = ["libs/old"]\n'
    names = ["libs/a", "libs/old", "libs/a/tests/sample", "one", "two"]
    scratch.commit({"pyproject.toml": root} | {f"{name}/pyproject.toml": project(name[-1]) for name in names})
    assert list(scratch.workspace().packages) == ["libs/a", "one", ""]


@pytest.mark.parametrize("pattern", ["./libs/*", "libs/*/", "libs//*", "./x/../libs/*"])
def test_members_may_be_written_as_uv_takes_them(scratch: Scratch, pattern: str) -> None:
    """A dot before or a slash behind means the same folders, among the members as among the exclusions."""
    root = f'[tool.uv.workspace]\nmembers = ["{pattern}"]\nexclude = ["{pattern.replace("*", "old")}"]\n'
    names = ["libs/a", "libs/old", "two"]
    scratch.commit({"pyproject.toml": root} | {f"{name}/pyproject.toml": project(name[-1]) for name in names})
    assert list(scratch.workspace().packages) == ["libs/a"]


def test_without_a_uv_workspace_packages_are_below_their_folder(scratch: Scratch) -> None:
    """Any pyproject.toml below `packages` is one."""
    names = ["packages/a", "packages/group/b", "other/c"]
    scratch.commit({f"{name}/pyproject.toml": project(name[-1]) for name in names})
    assert list(scratch.workspace().packages) == ["packages/a", "packages/group/b"]


def test_without_such_a_folder_packages_are_near_the_root(scratch: Scratch) -> None:
    """One or two folders deep, as in most repositories; deeper ones are samples and templates."""
    names = ["a", "libs/b", "tests/data/sample"]
    scratch.commit({f"{name}/pyproject.toml": project(name[-1]) for name in names} | {"pyproject.toml": ""})
    assert list(scratch.workspace().packages) == ["a", "libs/b"]


def test_packages_of_a_project_below_the_top(scratch: Scratch) -> None:
    """Only the project's own count, and their folders are relative to the top."""
    files = {
        "python/noxfile.py": "",
        "python/packages/a/pyproject.toml": project("a"),
        "b/pyproject.toml": project("b"),
    }
    scratch.commit(files)
    members = scratch.workspace(below="python")
    assert list(members.packages) == ["python/packages/a"]
    assert members.find("a", "python/") == members.find("packages/a", "python/") == ["python/packages/a"]


def test_needs_come_through_every_kind_of_dependency(scratch: Scratch) -> None:
    """A wheel brings dependencies, extras and what builds it; groups and tools are for the package's own sessions."""
    more = """
[project.optional-dependencies]
more = ["Lib.Extra[x]>=1; python_version > '3'"]
[build-system]
requires = ["lib-build @ file:../lib-build"]
[dependency-groups]
test = ["lib_test", {include-group = "other"}]
[tool.hatch.envs.docs]
dependencies = ["lib-tool~=2", "Lib text that only starts like one"]
[tool.uv.sources]
lib-source = {workspace = true}
"""
    kinds = ["base", "extra", "build", "test", "tool", "source", "none"]
    files = {f"packages/{kind}/pyproject.toml": project(f"lib-{kind}") for kind in kinds}
    scratch.commit(files | {"packages/a/pyproject.toml": project("a", "LIB_BASE>1", "a[more]") + more})
    assert needs(scratch, "runtime")["packages/a"] == tuple(f"packages/{it}" for it in ("base", "build", "extra"))
    assert needs(scratch, "own")["packages/a"] == tuple(f"packages/{it}" for it in sorted(kinds) if it != "none")
    assert scratch.workspace().packages["packages/a"].outside == ("packages/lib-build",)


def test_poetry_names_its_dependencies_by_key(scratch: Scratch) -> None:
    """Both its name and its dependencies are in the tool's own table."""
    poetry = '[tool.poetry]\nname = "A"\n[tool.poetry.dependencies]\nb = {path = "../b"}\n'
    group = '[tool.poetry.group.test.dependencies]\nc = "*"\n'
    files = {f"packages/{name}/pyproject.toml": project(name) for name in "bc"}
    scratch.commit(files | {"packages/x/pyproject.toml": poetry + group})
    assert scratch.workspace().packages["packages/x"].name == "a"
    assert needs(scratch, "runtime")["packages/x"] == ("packages/b",)
    assert needs(scratch, "own")["packages/x"] == ("packages/b", "packages/c")


@pytest.mark.parametrize("content", ["", '[project]\nname = "x"\ndynamic = ["version", "dependencies"]\n'])
def test_a_package_that_does_not_say_what_it_needs_needs_all(scratch: Scratch, content: str) -> None:
    """A setup.py, or a file named in a tool's settings, could ask for any of them."""
    files = {f"packages/{name}/pyproject.toml": project(name) for name in "ab"}
    scratch.commit(files | {"packages/x/pyproject.toml": content})
    assert needs(scratch, "runtime")["packages/x"] == ("packages/a", "packages/b")


def test_what_a_pyproject_points_at_outside_its_package(scratch: Scratch) -> None:
    """Paths that lead out are inputs; those that stay inside, or leave the repository, are not."""
    tools = """
[tool.a]
version = "../../VERSION"
inside = "src/../README.md"
up = "../.."
hidden = "../../.github/x"
away = "../../../elsewhere"
prefixed = "{root:uri}/../../docs/*.md"
"""
    scratch.commit({"packages/a/pyproject.toml": project("a", "x..y") + tools})
    assert scratch.workspace().packages["packages/a"].outside == ("", ".github/x", "VERSION", "docs/*.md")


def test_packages_are_found_by_folder_and_by_name(scratch: Scratch) -> None:
    """Whatever people write in a table or pass to a session; equal last parts are ambiguous and mean all."""
    files = {"packages/a/pyproject.toml": project("Lib.A"), "packages/x/b/pyproject.toml": project("b1")}
    scratch.commit(files | {"packages/y/b/pyproject.toml": project("b2")})
    members = scratch.workspace()
    assert [members.find(name, "") for name in ("a", "lib_a", "./packages/a/")] == [["packages/a"]] * 3
    assert members.find("b", "") == ["packages/x/b", "packages/y/b"]
    assert members.find("c", "") == []
    assert members.names() == ["a", "packages/x/b", "packages/y/b"]


def test_what_was_read_is_remembered_until_a_file_changes(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time nothing is parsed; a change makes it parse again."""
    scratch.commit({"packages/a/pyproject.toml": project("a"), "packages/b/pyproject.toml": project("b")})
    before = scratch.workspace()
    with monkeypatch.context() as patch:
        patch.setattr("headworks._project.workspace.read_metadata", None)
        assert scratch.workspace().packages == before.packages
    scratch.write({"packages/a/pyproject.toml": project("a", "b")})
    assert scratch.workspace().key != before.key
    assert needs(scratch, "runtime")["packages/a"] == ("packages/b",)


def test_a_commit_has_the_packages_it_had(scratch: Scratch) -> None:
    """Its files are read from git."""
    commit = scratch.commit({"packages/a/pyproject.toml": project("a")})
    scratch.commit({"packages/a/pyproject.toml": project("renamed")})
    members = scratch.workspace(at=commit)
    assert members.packages["packages/a"].name == "a"


KEYS = ["project", "name", "dependencies", "optional-dependencies", "dynamic", "build-system", "requires", "tool"]
KEYS += ["dependency-groups", "include-group", "uv", "workspace", "members", "exclude", "poetry", "headworks", "pytest"]
TEXTS = ["", "a", "a>=1", "../x", "packages/*", "[", "[!", "[z-a]", "**", "..", "{root:uri}/..", "a/../..", "a:b", "*"]
VALUES = st.recursive(
    st.sampled_from([1, True, *TEXTS]),
    lambda it: st.lists(it, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, ""]), it, max_size=5),
    max_leaves=20,
)
TABLES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6)


@given(TABLES)
def test_any_pyproject_is_read_or_refused(data: dict[str, Any]) -> None:
    """Values of the wrong kind are as good as none, unless they are in our own table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headworks._project.metadata.parse", lambda _content, _place: dict(data))
        metadata = read_metadata("packages/one", {"pyproject.toml": b""})
        assert metadata is not None
        assert all(
            fits("x") in {True, False} for patterns in metadata.workspace or () for fits in map(matcher, patterns)
        )
        patch.setattr("headworks._project.project.parse", lambda _content, _place: dict(data))
        with contextlib.suppress(ConfigurationError):
            _, _, tables, groups = _read(b"")
            assert all(len(it) == 64 for it in (*tables.values(), *groups.values()))  # hexadecimal digits of SHA-256


def test_a_broken_member_of_the_uv_workspace_is_named(scratch: Scratch) -> None:
    """The message has the file and what is wrong; uv itself could do nothing with it."""
    root = '[tool.uv.workspace]\nmembers = ["packages/*"]\n'
    scratch.commit({"pyproject.toml": root, "packages/a/pyproject.toml": "[project\n"})
    with pytest.raises(ConfigurationError, match=r"packages/a/pyproject.toml is not valid TOML: .*line 1"):
        scratch.workspace()


@pytest.mark.parametrize("content", ["[project\n", "\xff = 1\n", "[" * 100_000])
def test_a_broken_pyproject_within_a_package_is_a_fixture(scratch: Scratch, content: str) -> None:
    """It belongs to the package whose tests read it, and stops nothing."""
    files = {"packages/a/pyproject.toml": project("a"), "packages/b/pyproject.toml": project("b", "a")}
    scratch.commit(files)
    fixture = scratch.root / "packages/a/tests/broken/pyproject.toml"
    fixture.parent.mkdir(parents=True)
    fixture.write_bytes(content.encode("latin-1"))
    assert needs(scratch, "own") == {"packages/a": (), "packages/b": ("packages/a",)}


@pytest.mark.parametrize("target", ["nowhere", "pyproject.toml", "..", "/dev"])
def test_a_pyproject_that_is_a_link_to_no_file_is_no_package(scratch: Scratch, target: str) -> None:
    """Dangling links, links in a circle and links to folders lie in fixtures of tests; they stop nothing either."""
    scratch.commit({"packages/a/pyproject.toml": project("a"), "packages/b/pyproject.toml": project("b")})
    fixture = scratch.root / "packages/a/tests/pyproject.toml"
    fixture.parent.mkdir()
    fixture.symlink_to(target)
    assert list(scratch.workspace().packages) == ["packages/a", "packages/b"]
    commit = scratch.commit({})
    members = scratch.workspace(at=commit)
    assert list(members.packages) == ["packages/a", "packages/b"]


def test_a_broken_pyproject_that_may_be_a_package_needs_all_and_is_needed_by_all(scratch: Scratch) -> None:
    """Its name and its needs are unknown until it is mended, so that no change to it or to others is overlooked."""
    files = {f"packages/{name}/pyproject.toml": project(name) for name in "ab"}
    scratch.commit(files | {"packages/x/pyproject.toml": "name = <<<<<<< HEAD\n"})
    assert needs(scratch, "runtime") == {
        "packages/a": ("packages/x",),
        "packages/b": ("packages/x",),
        "packages/x": ("packages/a", "packages/b"),
    }
    assert scratch.workspace().find("x", "") == ["packages/x"]
