"""A new package, and packages with another prefix, pass every session at once."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nox.project
import pytest

if TYPE_CHECKING:
    from conftest import MakeScratch, Scratch

ROOT = Path(__file__).parents[1]
DATA: str = nox.project.load_toml(ROOT / "packages/data/pyproject.toml")["project"]["name"]
PREFIX = DATA.removesuffix("-data")
OTHER = "acme" if PREFIX != "acme" else "apex"
# The Python that coverage is measured on.
MEASURED = (ROOT / ".python-version").read_text(encoding="utf-8").split()[0]


@pytest.fixture(scope="module")
def kept(make_scratch: MakeScratch) -> Scratch:
    """Make a scratch copy that its tests must leave unchanged."""
    return make_scratch()


def planned(scratch: Scratch) -> dict[str, str]:
    """Return the state of every planned session by its name."""
    plan = scratch.run(sys.executable, "-m", "headworks", "plan", "--format", "json").stdout
    return {session["name"]: session["state"] for session in json.loads(plan)["sessions"]}


def test_a_new_package_passes_everything_at_once(scratch: Scratch) -> None:
    """It is linted, typed, tested with full branch coverage, built, planned, and its imports are checked."""
    scratch.nox("new-package", posargs=["features"])
    expected = [f"tests-{MEASURED}(features)", "typecheck(features)", "build(features)"]
    scratch.passes(*expected, "imports")
    measured = f"--data-file=artifacts/tests/features-{MEASURED}.coverage"
    scratch.run("coverage", "report", measured, "--fail-under=100")
    scratch.passes_the_hooks()
    assert {name: planned(scratch)[name] for name in expected} == dict.fromkeys(expected, "run")
    root = nox.project.load_toml(scratch.root / "pyproject.toml")["tool"]
    assert f"{PREFIX}-features" in root["uv"]["sources"]
    assert f"{PREFIX}_features" in root["importlinter"]["root_packages"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Features", "has to begin with a letter"),
        ("../features", "has to begin with a letter"),
        ("my_features", "single hyphens"),
        ("a" * 31, "at most 30"),
        ("data", "packages/data is there already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(kept: Scratch, name: str, why: str) -> None:
    """The message says why, and no file is left behind."""
    result = kept.nox("new-package", check=False, posargs=[name])
    assert result.red == {"new-package"}
    assert why in result.output
    assert "Traceback" not in result.output
    assert not kept.run("git", "status", "--porcelain").stdout


def test_a_package_that_cannot_be_locked_is_taken_back(scratch: Scratch) -> None:
    """If uv finds no matching versions, no file of the package is left."""
    scratch.replace("packages/data/pyproject.toml", '"numpy>=2.1"', '"numpy>=9999"')
    scratch.run("git", "commit", "--quiet", "--all", "--message=Ask for what there is not")
    result = scratch.nox("new-package", check=False, posargs=["features"])
    assert "`uv lock --quiet` failed, so that nothing has changed" in result.output
    assert not scratch.run("git", "status", "--porcelain").stdout
    assert not (scratch.root / "packages/features").exists()


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("Acme", "has to begin with a letter"),
        ("acme_", "single hyphens"),
        (PREFIX, "already"),
    ],
)
def test_a_prefix_that_cannot_be_is_refused(kept: Scratch, prefix: str, why: str) -> None:
    """The message says why, and no commit is made."""
    result = kept.nox("adopt", check=False, posargs=["--prefix", prefix])
    assert result.red == {"adopt"}
    assert why in result.output
    assert kept.run("git", "rev-list", "--count", "HEAD").stdout.strip() == "1"


def test_a_work_tree_with_changes_is_refused(scratch: Scratch) -> None:
    """The changes would be mixed with the renaming."""
    (scratch.root / "note.txt").write_text("mine\n", encoding="utf-8")
    result = scratch.nox("adopt", check=False, posargs=["--prefix", OTHER])
    assert result.red == {"adopt"}
    assert "?? note.txt" in result.output
    assert (scratch.root / f"packages/data/src/{PREFIX}_data").is_dir()


def test_another_prefix_is_one_commit_that_passes(scratch: Scratch) -> None:
    """No file has the former names, and every session installs, checks and plans the new ones."""
    scratch.nox("adopt", posargs=["--prefix", OTHER])
    assert scratch.run("git", "rev-list", "--count", "HEAD").stdout.strip() == "2"
    assert not scratch.run("git", "status", "--porcelain").stdout
    assert scratch.run("git", "worktree", "list").stdout.count("\n") == 1
    former = scratch.run("git", "grep", "-ohE", f"{PREFIX}[-_](data|model|serving|training)( [0-9])?", check=False)
    assert set(former.stdout.splitlines()) <= {f"{PREFIX}-data 1"}  # the beginning of digests of datasets
    assert (scratch.root / f"packages/data/src/{OTHER}_data/py.typed").is_file()
    owners = (scratch.root / ".github/CODEOWNERS").read_text(encoding="utf-8")
    assert set(re.findall(r"@([\w-]+)/", owners)) == {OTHER}
    texts = {it.parent.name: it.read_text() for it in scratch.root.glob("packages/*/pyproject.toml")}
    private = {name for name, text in texts.items() if "Private ::" in text}
    assert private == {"headworks"} & texts.keys(), "its name stays, and belongs to another repository"
    scratch.run(sys.executable, "tests/names.py")
    scratch.run("uv", "lock", "--check")
    scratch.passes_the_hooks()
    scratch.passes("imports", "typecheck(data)", f"tests-{MEASURED}(data)")
    assert planned(scratch)["dataset"] == "run"


def test_the_longest_prefix_fits(scratch: Scratch) -> None:
    """Ruff accepts lines that only longer names made too long."""
    scratch.nox("adopt", posargs=["--prefix", "a" * 30])
    assert scratch.run("git", "rev-list", "--count", "HEAD").stdout.strip() == "2"
    scratch.run("ruff", "check", ".")


@pytest.mark.parametrize(
    ("remote", "arguments", "why"),
    [
        ("", [], "say what to adopt: --prefix, --owner, --engine-from-release or several"),
        ("", ["--owner", "me"], "'me' is no owner: name a person, as in @me"),
        ("", ["--owner", "@acme/makers/all"], "is no owner"),
        ("", ["--owner", "@me"], "`origin` is no repository on a server"),
        ("/srv/git/vision.git", ["--owner", "@me"], "`origin` is no repository on a server"),
        ("file:///srv/git/vision.git", ["--owner", "@me"], "`origin` is no repository on a server"),
    ],
)
def test_an_owner_that_cannot_be_is_refused(kept: Scratch, remote: str, arguments: list[str], why: str) -> None:
    """The message says why, and no commit is made."""
    kept.run("git", "config", "remote.origin.url", remote)
    result = kept.nox("adopt", check=False, posargs=arguments)
    assert result.red == {"adopt"}
    assert why in result.output
    assert "Traceback" not in result.output
    assert kept.run("git", "rev-list", "--count", "HEAD").stdout.strip() == "1"


@pytest.mark.parametrize(
    ("owner", "remotes"),
    [
        ("@me", ["git@github.example:me/vision.git"]),
        (
            "@acme/makers",
            ["https://name:token@github.example/me/vision", "ssh://git@github.example:22/me/vision.git"],
        ),
    ],
)
def test_an_owner_is_one_commit_that_keeps_every_rule(scratch: Scratch, owner: str, remotes: list[str]) -> None:
    """A personal account has no merge queue, and nobody else to approve; each package says where its source is."""
    first, trees = scratch.run("git", "rev-parse", "HEAD").stdout.strip(), set()
    for remote in remotes:  # however it is written, the same address makes the same tree, which is then checked once
        scratch.run("git", "reset", "--quiet", "--hard", first)
        scratch.run("git", "config", "remote.origin.url", remote)
        scratch.nox("adopt", posargs=["--owner", owner])
        assert scratch.run("git", "rev-list", "--count", "HEAD").stdout.strip() == "2"
        trees.add(scratch.run("git", "rev-parse", "HEAD^{tree}").stdout)
    assert len(trees) == 1
    lines = (scratch.root / ".github/CODEOWNERS").read_text(encoding="utf-8").splitlines()
    assert {it.split(maxsplit=1)[1] for it in lines if not it.startswith("#")} == {owner}
    packages = [nox.project.load_toml(it)["project"] for it in scratch.root.glob("packages/*/pyproject.toml")]
    assert [it["urls"] for it in packages] == [{"Source": "https://github.example/me/vision"}] * len(packages)
    ruleset = json.loads((scratch.root / ".github/rulesets/main.json").read_text(encoding="utf-8"))
    rules = {it["type"]: it.get("parameters", {}) for it in ruleset["rules"]}
    assert ("merge_queue" in rules) == (owner != "@me")
    assert rules["pull_request"]["required_approving_review_count"] == int(owner != "@me")
    assert "required_status_checks" in rules
    scratch.run("npm", "--prefix=tests/workflows", "ci", "--silent")  # the parser that the rules need
    scratch.run(sys.executable, "tests/workflows/workflow_rules.py")
    scratch.passes_the_hooks()
    assert "there is nothing to commit" in scratch.nox("adopt", check=False, posargs=["--owner", owner]).output


def test_a_repository_that_moved_says_where_its_source_is_now(scratch: Scratch) -> None:
    """The address of an earlier adoption is replaced, by one commit, in every package."""
    scratch.name_source("https://github.example/me/vision")
    scratch.run("git", "commit", "--quiet", "--all", "--message=Belong to me")
    scratch.run("git", "remote", "add", "origin", "https://github.example/acme/sight.git")
    scratch.nox("adopt", posargs=["--owner", "@acme/makers"])
    packages = [nox.project.load_toml(it)["project"] for it in scratch.root.glob("packages/*/pyproject.toml")]
    assert [it["urls"] for it in packages] == [{"Source": "https://github.example/acme/sight"}] * len(packages)
    assert scratch.run("git", "status", "--porcelain").stdout == ""
