"""A commit that breaks a rule is refused by the hook for that rule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from conftest import MakeScratch, Scratch

CONFIG = Path(__file__).parents[1] / ".pre-commit-config.yaml"
HOOKS = {
    hook["id"]: hook["name"]
    for repo in yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["repos"]
    for hook in repo["hooks"]
}

# A breach of each rule: the file to write and its content.
BREACHES = {
    "ruff-check": ("packages/data/src/headworks_data/breach.py", '"""Doc."""\n\nimport os\n'),
    "ruff-format": ("packages/data/src/headworks_data/breach.py", '"""Doc."""\n\nx = {  "a":1 }\n'),
    "mypy": ("packages/data/src/headworks_data/breach.py", '"""Doc."""\n\nCOUNT: int = "one"\n'),
    "uv-lock": ("packages/data/pyproject.toml", None),
    "trailing-whitespace": ("breach.txt", "a line that ends in a blank \n"),
    "end-of-file": ("breach.txt", "no newline at the end"),
    "check-yaml": ("breach.yaml", "a: [1, 2\n"),
    "check-toml": ("breach.toml", "a = [1, 2\n"),
    "check-json": ("breach.json", '{"a": 1,}\n'),
    "merge-conflict": ("breach.txt", "<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n"),
    "large-files": ("breach.bin", "0123456789abcdef" * 40_000),
    "private-key": ("breach.txt", "-----BEGIN " + "RSA PRIVATE KEY-----\n"),
    "artifacts": ("artifacts/proof/breach.tar", "a proof of what never ran"),
    "spelling": ("breach.txt", "rec" + "ieve the message\n"),
    "hadolint": ("docker/breach.Dockerfile", "FROM python:latest\nRUN cd /tmp\n"),
    "compose": ("docker/compose.yaml", "services: {serving: {image: x, prots: [80]}}\n"),
    "shellcheck": ("breach.sh", "#!/bin/sh\necho $1 | grep -r *\n"),
    "workflows": (".github/workflows/breach.yml", "name: Breach\non: push\njobs: {}\nunknown: 1\n"),
    "dependabot": (".github/dependabot.yml", "version: 3\n"),
    "zizmor": (
        ".github/workflows/breach.yml",
        "name: Breach\non: push\njobs: {one: {runs-on: ubuntu-latest, steps: [{uses: actions/checkout@main}]}}\n",
    ),
}


@pytest.fixture(scope="module")
def guarded(make_scratch: MakeScratch) -> Scratch:
    """Return a scratch copy in which the hooks are installed as a user installs them."""
    scratch = make_scratch()
    scratch.run("pre-commit", "install")
    return scratch


def commit(scratch: Scratch, path: str, content: str | None, *, skip: set[str]) -> tuple[int, str]:
    """Write a file and try to commit it, and restore the repository afterwards."""
    file = scratch.root / path
    if content is None:
        content = file.read_text(encoding="utf-8").replace("dependencies = [ ", 'dependencies = [ "attrs", ')
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    scratch.run("git", "add", "--all")
    scratch.run("git", "add", "--force", path)
    # The hooks use this session's environment unchanged.
    environ = {"UV_PROJECT_ENVIRONMENT": sys.prefix, "UV_NO_SYNC": "1", "SKIP": ",".join(sorted(skip))}
    done = scratch.run("git", "commit", "--message=Try", check=False, **environ)
    scratch.run("git", "reset", "--quiet", "--hard", "HEAD~1" if done.returncode == 0 else "HEAD")
    return done.returncode, done.stdout


def test_every_hook_has_a_breach_that_proves_it() -> None:
    """A hook that is added without a test here is noticed."""
    assert set(BREACHES) == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_commit_that_breaks_a_rule_is_refused(guarded: Scratch, hook: str) -> None:
    """Only the hook in question runs, and the commit is refused in its name."""
    path, content = BREACHES[hook]
    returncode, output = commit(guarded, path, content, skip=set(HOOKS) - {hook})
    assert returncode == 1, output
    refused = [line for line in output.splitlines() if line.endswith("Failed")]
    assert [line.split("...")[0] for line in refused] == [HOOKS[hook]], output


def test_a_stale_lock_is_answered_with_the_command_that_mends_it(guarded: Scratch) -> None:
    """The reader is told to run `uv lock`."""
    _, output = commit(guarded, *BREACHES["uv-lock"], skip=set(HOOKS) - {"uv-lock"})
    assert "run `uv lock`" in output


def test_types_are_checked_by_nox_only_where_an_environment_has_to_be_made(guarded: Scratch) -> None:
    """A current environment is used directly; one older than the lock or a package's dependencies is made again."""
    skip = set(HOOKS) - {"mypy"}
    assert commit(guarded, *BREACHES["mypy"], skip=skip)[0] == 1
    _, again = commit(guarded, *BREACHES["mypy"], skip=skip)
    assert "Incompatible types in assignment" in again
    assert "nox > " not in again
    (guarded.root / "uv.lock").touch()
    _, anew = commit(guarded, *BREACHES["mypy"], skip=skip)
    assert "nox > Session typecheck(data) failed" in anew
    assert "typecheck(headworks)" not in anew


def test_files_outside_packages_are_typed_too(guarded: Scratch) -> None:
    """A program of the workflows belongs to no package."""
    breach = (".github/programs/breach.py", BREACHES["mypy"][1])
    returncode, output = commit(guarded, *breach, skip=set(HOOKS) - {"mypy"})
    assert returncode == 1
    assert ".github/programs/breach.py:3: error: Incompatible types in assignment" in output


def test_a_clean_commit_passes_every_hook(guarded: Scratch) -> None:
    """The hooks refuse breaches only: a good module is committed."""
    returncode, output = commit(
        guarded, "packages/data/src/headworks_data/good.py", '"""A good module."""\n', skip=set()
    )
    assert returncode == 0, output
