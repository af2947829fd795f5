"""A repository that leaves the engine to its makers takes it from the index, and passes everything as before."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import nox.project

if TYPE_CHECKING:
    import pytest
    from conftest import Scratch

ROOT = Path(__file__).parents[2]
ENGINE = "headworks"
OPTION = ["--engine-from-release"]


def test_a_repository_without_the_engine_passes(
    scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file names the removed folder, the lock has the release, and sessions that need the engine install that."""
    scratch.run("uv", "build", "--quiet", "--wheel", f"--out-dir={tmp_path}", f"packages/{ENGINE}")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))  # in place of the index
    scratch.nox("adopt", posargs=OPTION)
    assert scratch.run("git", "rev-list", "--count", "HEAD").stdout.strip() == "2"
    assert not (scratch.root / "packages" / ENGINE).exists()
    assert not scratch.run("git", "grep", "-l", f"packages/{ENGINE}", "--", ":!CHANGELOG.md", check=False).stdout
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    locked = {it["name"]: it for it in tomllib.loads((scratch.root / "uv.lock").read_text(encoding="utf-8"))["package"]}
    assert (locked[ENGINE]["version"], *locked[ENGINE]["source"]) == (version, "registry")
    assert "selenium" not in locked
    listed = json.loads(scratch.run(sys.executable, "-m", "nox", "-l", "--json", "-k", "True").stdout)
    rows = nox.project.load_toml(scratch.root / "pyproject.toml")["tool"][ENGINE]["sessions"]
    assert {*rows} <= {it["name"] for it in listed}
    assert not {"soundness", "kills"} & {*rows, *(it["name"] for it in listed)}
    assert not scratch.run("git", "grep", "-lE", "nox -s (soundness|kills)", "--", "*.md", check=False).stdout
    scratch.run("uv", "lock", "--check")
    scratch.passes_the_hooks()
    scratch.passes("imports", "review", "typecheck(data)")
    planned = scratch.nox(ENGINE, posargs=["plan", "gate", "--format", "json"]).output
    assert '"gate"' in planned
    scratch.run("git", "commit", "--quiet", "--allow-empty", "--message=Go on")
    assert "comes from a release already" in scratch.nox("adopt", check=False, posargs=OPTION).output


def test_an_engine_that_is_not_released_is_not_taken_out(scratch: Scratch) -> None:
    """The message says that uv finds none, and no commit is made."""
    (scratch.root / "VERSION").write_text("9999.0\n", encoding="utf-8")
    scratch.run("git", "commit", "--quiet", "--all", "--message=Be of the future")
    result = scratch.nox("adopt", check=False, posargs=OPTION)
    assert result.red == {"adopt"}
    assert "so that nothing has changed" in result.output
    assert "No solution found when resolving dependencies" in result.output
    assert ENGINE in result.output.partition("No solution found")[2]
    assert scratch.run("git", "rev-list", "--count", "HEAD").stdout.strip() == "2"
