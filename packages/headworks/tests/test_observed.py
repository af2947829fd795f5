"""Rows are made of what sessions were seen to read and to write."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from headworks._digest.digest import Digester
from headworks._observe.reads import Reads
from headworks._plan.covering import Tree, covering, parametrised
from headworks._plan.observed import drafts
from headworks._plan.promise import Findings
from headworks._project.table_text import Draft

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from conftest import Monorepo, Scratch


HEAD = """
[dependency-groups]
test = ["pytest"]

[tool.uv.workspace]
members = ["packages/*"]

[tool.headworks]
ignore = ["README.md", "packages/*/README.md"]

"""
SESSION = '@nox.session(venv_backend="none")\n'


def finding(scratch: Scratch, *opened: str, ignored: Iterable[str] = (), **reads: Any) -> Findings:  # noqa: ANN401  # those of `Reads`
    """Return what a session was seen to read; paths are relative to the top."""
    top = str(scratch.root)
    fields: dict[str, Any] = {
        name: {posixpath.join(top, it) for it in value} if name in {"listed", "own", "by_others"} else value
        for name, value in reads.items()
    }
    found = Reads(opened={f"{top}/{it}" for it in opened}, **fields)
    return Findings(read=(), undeclared=(), ignored=tuple(ignored), unread=(), reads=found)


def made(scratch: Scratch, findings: dict[str, Findings], *functions: str) -> dict[str, Draft]:
    """Return the rows, by name."""
    digester = Digester.for_worktree(scratch.root)
    wanted = functions or {it.function for it in digester.sessions() if it.name in findings}
    return {it.name: it for it in drafts(digester, findings, wanted)}


@pytest.fixture
def bare(monorepo: Monorepo) -> Monorepo:
    """Return a monorepo without rows."""
    monorepo.scratch.commit({"pyproject.toml": HEAD})
    return monorepo


def reads_of_tests(monorepo: Monorepo, name: str, *others: str) -> dict[str, Findings]:
    """Return what the sessions of `tests` read, each of its own package and more."""
    values = ("base", "app", "solo")
    return {
        f"tests-{python}({it})": finding(
            monorepo.scratch,
            *(f"packages/{it}/src/{it}/{name}", *(other.format(it) for other in others)),
            listed=[f"packages/{it}/src/{it}", "packages/app/src"] if it == "app" else [f"packages/{it}"],
        )
        for python in ("3.11", "3.13")
        for it in values
    }


def test_a_parameter_that_means_the_package_is_named(bare: Monorepo) -> None:
    """Also where each reads of another one what all read of it; paths with its value are one."""
    assert made(bare.scratch, reads_of_tests(bare, "core.py"))["tests"].settings == {
        "packages": ("{package}",),
        "groups": (),
        "tools": (),
    }
    files = {f"data/{it}.json": "" for it in ("base", "app", "solo")} | {f"data/{it}.md": "" for it in "abcdefgh"}
    bare.scratch.commit(files)
    found = made(bare.scratch, reads_of_tests(bare, "core.py", "data/{}.json", "packages/solo/src/solo/core.py"))
    assert found["tests"].settings["packages"] == ("{package}", "solo")
    assert found["tests"].settings["inputs"] == ("data/{package}.json",)
    findings = reads_of_tests(bare, "core.py", "packages/app/pyproject.toml", "packages/solo/pyproject.toml")
    findings["tests-3.13(base)"].reads.opened.add(f"{bare.root}/data/a.md")
    row = made(bare.scratch, findings)["tests"]
    assert row.settings["packages"] == ("{package}",)
    assert row.settings["inputs"] == ("data/a.md", "packages/app/pyproject.toml", "packages/solo/pyproject.toml")


def test_packages_that_others_need_are_not_named(bare: Monorepo) -> None:
    """What `app` needs comes with it; metadata alone is no package but a file."""
    read = finding(
        bare.scratch,
        *("packages/app/src/app/core.py", "packages/base/src/base/core.py", "packages/solo/pyproject.toml"),
        listed=["packages/base", "packages/base/tests"],  # as a build of it does
    )
    assert made(bare.scratch, {"lint": read})["lint"].settings == {
        "packages": ("app",),
        "inputs": ("packages/solo/pyproject.toml",),
        "groups": (),
        "tools": (),
    }


def test_a_session_of_the_root_alone_names_no_file(bare: Monorepo) -> None:
    """Files in the root count for every session, those that are ignored aside."""
    row = made(bare.scratch, {"lint": finding(bare.scratch, "conftest.py", "docs", listed=["docs"])})["lint"]
    assert (row.settings["inputs"], row.remark, row.is_row) == (("docs/**",), "", True)
    row = made(bare.scratch, {"lint": finding(bare.scratch, "conftest.py")})["lint"]
    assert row.settings["packages"] == ()


def test_ignored_patterns_that_name_what_was_read_are_left_out(bare: Monorepo) -> None:
    """Those of the table for sessions with packages, and those of an old row."""
    read = finding(bare.scratch, "packages/solo/src/solo/core.py", "README.md")
    assert made(bare.scratch, {"lint": read})["lint"].settings["ignore"] == ("packages/*/README.md",)
    rows = (
        "[tool.headworks.sessions]\nlint = { ignore = ['README.md', 'docs/**'], required = true, groups = ['test'] }\n"
    )
    bare.scratch.commit({"pyproject.toml": HEAD + rows})
    row = made(bare.scratch, {"lint": read})["lint"]
    assert row.settings["ignore"] == ("docs/**",)
    assert (row.settings["required"], row.settings["groups"], "tools" in row.settings) == (True, ("test",), False)


def test_nearly_all_files_are_all_files(bare: Monorepo) -> None:
    """A row says so by naming none."""
    every = bare.scratch.git("ls-files").split("\n")
    assert made(bare.scratch, {"lint": finding(bare.scratch, *every)})["lint"] == Draft(name="lint", settings={})


def test_the_lock_counts_as_a_whole_where_no_package_says_what_of_it_counts(bare: Monorepo) -> None:
    """And whoever reads it may take any group of it."""
    row = made(bare.scratch, {"lint": finding(bare.scratch, "docs/index.md", "uv.lock")})["lint"]
    assert row.settings == {"inputs": ("docs/index.md", "uv.lock")}
    row = made(bare.scratch, {"lint": finding(bare.scratch, "packages/solo/src/solo/core.py", "uv.lock")})["lint"]
    assert row.settings == {"packages": ("solo",)}


@pytest.mark.parametrize(
    ("call", "groups"),
    [
        ("session.install('--group', 'test')", ("test",)),
        ("session.install('--group=test', f'packages/{session.name}')", ("test",)),
        ("session.install('ruff')", ()),
        ("session.install('--group', NAME)", None),
        ("session.install(f'--group={NAME}')", None),
        ("session.install(f'{NAME}')", ()),
        ("session.install('--group', 'unknown')", None),
        ("session.install(*nox.project.load_toml('pyproject.toml')['dependency-groups']['test'])", None),
    ],
)
def test_groups_are_told_by_the_code(bare: Monorepo, call: str, groups: tuple[str, ...] | None) -> None:
    """Where nobody but uv reads the root's pyproject.toml."""
    bare.edit("noxfile.py", "session.run(*CHECKS)", call)
    row = made(bare.scratch, {"lint": finding(bare.scratch, "docs/index.md")})["lint"]
    assert row.settings.get("groups") == groups
    read = finding(bare.scratch, "docs/index.md", by_others=["pyproject.toml"])
    assert "groups" not in made(bare.scratch, {"lint": read})["lint"].settings


@pytest.mark.parametrize(
    ("reads", "remark"),
    [
        ({"unseen": "why"}, "all files, since it may have read more than was seen: why"),
        ({"index": True}, "all files, since it asked git which files there are"),
    ],
)
def test_a_session_of_which_too_little_is_known_depends_on_all_files(
    bare: Monorepo, reads: dict[str, Any], remark: str
) -> None:
    """The comment says why."""
    row = made(bare.scratch, {"lint": finding(bare.scratch, "docs/index.md", **reads)})["lint"]
    assert (row.settings, row.remark, row.is_row) == ({}, remark, True)


def test_files_elsewhere_are_named(bare: Monorepo) -> None:
    """No verdict covers them; folders say too little."""
    read = finding(bare.scratch, "docs/index.md", outside={"/srv/1", "/srv/2", "/srv/3", "/srv/4", "/"})
    remark = (
        "it also reads /srv/1, /srv/2, /srv/3 and 1 more, which no verdict covers: say cache = false if that changes"
    )
    assert made(bare.scratch, {"lint": read})["lint"].remark == remark


def test_what_always_runs_says_why(bare: Monorepo) -> None:
    """By the history, by its code, or by its old row."""
    row = made(bare.scratch, {"lint": finding(bare.scratch, history={".git/HEAD"}, outside={"/srv/1"})})["lint"]
    assert (row.settings, row.is_row) == ({"cache": False}, True)
    assert row.remark == "it reads git's history through .git/HEAD, which no verdict covers"
    bare.scratch.write({"pyproject.toml": f"{HEAD}[tool.headworks.sessions]\nlint = {{ cache = false }}\n"})
    row = made(bare.scratch, {"lint": finding(bare.scratch, "docs/index.md")})["lint"]
    assert (row.settings["cache"], row.remark, row.is_row) == (False, "", True)
    row = made(bare.scratch, {"lint": finding(bare.scratch, network=True)})["lint"]
    assert row.remark == "it reached another machine, whose answers change without a commit"
    bare.edit("noxfile.py", "session.run(*CHECKS)", "session.run('pip-audit')")
    row = made(bare.scratch, {"lint": finding(bare.scratch)})["lint"]
    assert row.remark == "pip-audit asks other machines, whose answers change without a commit"


def test_a_project_below_the_top_names_no_file_beyond_it(scratch: Scratch) -> None:
    """Rows cannot name them; unknown needs are said."""
    noxfile = "import nox\n\nNEEDS = []\n\n@nox.session(venv_backend='none', requires=NEEDS)\ndef one(session): pass\n"
    scratch.commit({"sub/noxfile.py": noxfile, "sub/data/a": "", "sub/data/b": "", "sub/x/c": "", "other/x": ""})
    digester = Digester.for_worktree(scratch.root / "sub")
    [row] = drafts(digester, {"one": finding(scratch, "sub/data/a", listed=["other", "sub/x"])}, ["one"])
    assert (row.settings, row.is_row) == ({"inputs": ("data/a", "x/**")}, False)
    assert row.remark == "give it the needs that its requires= stands for"
    [row] = drafts(digester, {"one": finding(scratch, "other/x", "sub/data/a")}, ["one"])
    assert row.settings == {}
    assert row.remark.endswith("all files, since it reads other/x beyond the folder of this file")


def test_folders_that_the_noxfile_lists_while_it_is_loaded_do_not_count(scratch: Scratch) -> None:
    """Every session is seen to list them."""
    names = "NAMES = list(pathlib.Path('data').glob('*/x'))"
    noxfile = f"import pathlib\nimport nox\n\n{names}\n\n{SESSION}def one(session): pass\n"
    scratch.commit({"noxfile.py": noxfile, "data/a/x": "", "data/b/x": "", "data/c/d/x": "", "data/c/d/y": ""})
    read = finding(scratch, "data/a/x", listed=["data", "data/a", "data/c/d"])
    assert made(scratch, {"one": read})["one"].settings == {"inputs": ("data/a/x", "data/c/d/**")}


def test_a_value_stands_for_its_parameter_where_it_is_a_whole_word(bare: Monorepo) -> None:
    """One that is empty stands for nothing."""
    session = Digester.for_worktree(bare.root).sessions()[0]
    session = replace(session, python="3.11", parameters={"empty": "", "package": "a"})
    assert parametrised("a/bar/x-a_3.11.a", session) == "{package}/bar/x-{package}_{python}.{package}"


STAGES = f"""
import nox

{SESSION}@nox.parametrize("name", ["a", "b"])
def make(session, name): pass

{SESSION}def use(session): pass

{SESSION}def third(session): pass
"""


@pytest.fixture
def stages(scratch: Scratch) -> Scratch:
    """Return a repository with a stage of two sessions, and two other sessions."""
    scratch.commit({"noxfile.py": STAGES, ".gitignore": "out\n*.tmp\n", "x": ""})
    scratch.write({f"out/{it}": "" for it in ("a/one", "a/two", "b/one", "b/two", "a.txt", "b.txt", "c", "d[1]")})
    scratch.write({"x.tmp": ""})
    return scratch


@pytest.mark.parametrize(
    ("own", "read", "outputs"),
    [
        ({"a": ["out/a/one"], "b": ["out/b/one", "out/b/two"]}, "out/a/one", ("out/{name}",)),
        ({"a": ["out", "out/a/one"], "b": ["out/b/one"]}, "out/b/one", ("out/{name}",)),
        ({"a": ["out/a.txt"], "b": ["out/b.txt"]}, "out/a.txt", ("out/{name}.txt",)),
        # Not all of them write one, or all write the same
        ({"a": ["out/a.txt"], "b": []}, "out/a.txt", None),
        ({"a": ["out/c"], "b": ["out/c"]}, "out/c", None),
        # Nobody did, a third one did too, or no output can have that name
        ({"a": [], "b": []}, "out/c", None),
        ({"a": ["out/a.txt"], "b": ["out/b.txt"], "third": ["out/a.txt"]}, "out/a.txt", None),
        ({"third": ["out/d[1]"], "use": ["out/c"]}, "out/d[1]", None),
    ],
)
def test_outputs_are_what_one_session_wrote_and_another_read(
    stages: Scratch, own: dict[str, list[str]], read: str, outputs: tuple[str, ...] | None
) -> None:
    """With the parameters of sessions that write one each."""
    names = {"a": "make(name='a')", "b": "make(name='b')", "third": "third", "use": "use"}
    findings = {name: finding(stages, own=own.get(key, ())) for key, name in names.items()}
    findings["use"] = finding(stages, ignored=[read], own=own.get("use", ()))
    found = made(stages, findings, "use")
    assert found["use"].is_row == (outputs is not None)
    assert found["use"].settings.get("needs") == (None if outputs is None else ("make",))
    assert ("make" in found) == (outputs is not None)
    assert outputs is None or found["make"].settings["outputs"] == outputs


def test_outputs_grow_to_the_widest_folder_of_a_session(stages: Scratch) -> None:
    """One in the root only where the file lies in it, as other sessions may write beside."""
    stages.write({"out/deep/er/one": "", "out/deep/two": ""})
    third = finding(stages, own=["out/deep/er/one", "out/deep/two"])
    use = finding(stages, ignored=["out/deep/er/one", "out/deep/two"])
    assert made(stages, {"use": use, "third": third})["third"].settings["outputs"] == ("out/deep",)
    third, use = finding(stages, own=["out/c"]), finding(stages, ignored=["out/c"])
    assert made(stages, {"use": use, "third": third})["third"].settings["outputs"] == ("out",)
    # The folder comes to be an output after a file in it was one.
    other = finding(stages, own=["out/deep/er/x"])
    assert made(stages, {"use": use, "third": third, "make(name='a')": other}, "use")["third"].settings == {
        "outputs": ("out/c",)
    }


def test_what_a_session_makes_where_git_sees_it_is_no_output(stages: Scratch) -> None:
    """Nor what another row declares already, nor what would make sessions need each other."""
    third, use = finding(stages, own=["y/z"]), finding(stages, ignored=["y/z"])
    stages.write({"y/z": "", ".git/info/exclude": "/y/z\n"})
    stages.commit({"y/known": ""})
    assert made(stages, {"use": use, "third": third})["third"].settings == {"packages": ()}
    findings = {
        "use": finding(stages, ignored=["out/a/one"], own=["out/b/one"]),
        "third": finding(stages, ignored=["out/b/one"], own=["out/a/one"]),
    }
    found = made(stages, findings)
    assert [found[it].is_row for it in ("use", "third")] == [True, True]
    assert (found["use"].settings["needs"], "needs" in found["third"].settings) == (("third",), False)
    stages.write({"pyproject.toml": "[tool.headworks.sessions]\nmake = { outputs = ['out/{name}'] }\n"})
    assert "needs" not in made(stages, findings)["use"].settings


def test_what_lies_beyond_the_project_is_no_output(scratch: Scratch) -> None:
    """An output lies below the folder of the noxfile."""
    scratch.commit({"sub/noxfile.py": STAGES, ".gitignore": "out\n", "x": ""})
    scratch.write({"out/c": ""})
    digester = Digester.for_worktree(scratch.root / "sub")
    findings = {"use": finding(scratch, ignored=["out/c"]), "third": finding(scratch, own=["out/c"])}
    assert [it.is_row for it in drafts(digester, findings, ["use", "third"])] == [False, True]


@pytest.mark.parametrize(
    ("read", "listed", "parted", "patterns"),
    [
        (["a/1"], [], [], ["a/1"]),
        (["a/1", "a/2"], [], [], ["a/**"]),
        (["a/1", "a/2"], [], ["a"], ["a/1", "a/2"]),
        (["a/1"], ["a"], [], ["a/**"]),
        ([], ["b", "z"], [], ["b/**"]),
        (["b/x/m", "b/y/m"], [], ["b"], ["b/*/m"]),
        (["b/x/m"], [], ["b"], ["b/x/m"]),
        (["c/*[?{\\é\n"], [], [], ["c/?????é?"]),
        ([f"d/{number}" for number in range(13)], [], [], ["d/**"]),
        ([f"d/{number}" for number in range(10, 23)], [], ["d"], [f"d/{number}" for number in range(10, 23)]),
    ],
)
def test_patterns_are_few_and_readable(
    read: Collection[str], listed: Collection[str], parted: Collection[str], patterns: list[str]
) -> None:
    """A folder where its names or most of its files were read, and files of a name in all folders beside each other."""
    known = ["a/1", "a/2", "a/3", "b/x/m", "b/y/m", "b/y/n", "b/z/n", "b/z/o", "c/*[?{\\é\n", "c/1", "c/2"]
    known += [f"d/{number}" for number in range(50)]
    assert covering(Tree(known=known, read=read, listed=listed, parted=["", *parted])) == patterns
