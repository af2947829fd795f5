"""The repository keeps the promises that its documents make."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nox.project

if TYPE_CHECKING:
    from conftest import Scratch

ROOT = Path(__file__).parents[1]
PACKAGES = sorted((ROOT / "packages").glob("*/pyproject.toml"))


def sessions(scratch: Scratch) -> list[dict[str, Any]]:
    """List all sessions of a repository as CI does."""
    command = [sys.executable, "-m", "nox", "-l", "--json", "-k", "True"]
    listed: list[dict[str, Any]] = json.loads(scratch.run(*command).stdout)
    return listed


def test_every_package_carries_the_licence() -> None:
    """The sdists and wheels hold the same licence as the repository."""
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert {(path.parent / "LICENSE").read_text(encoding="utf-8") for path in PACKAGES} == {licence}


def test_all_packages_support_the_same_pythons() -> None:
    """The noxfile reads the versions from one package and uses them for all."""
    supported = {tuple(nox.project.python_versions(nox.project.load_toml(path))) for path in PACKAGES}
    assert supported == {("3.11", "3.12", "3.13", "3.14")}


def test_every_session_says_in_one_line_what_it_does(scratch: Scratch) -> None:
    """`nox -l` reads like a table of contents."""
    for session in sessions(scratch):
        assert re.fullmatch(r"[A-Z][^\n]{10,110}\.", session["description"]), session["session"]


def test_every_session_that_runs_by_default_has_a_row_in_the_order_of_the_noxfile() -> None:
    """CI runs what is planned, and so would never run a session without a row."""
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    defined = re.findall(r"^@nox\.session(\(.*\))?\n(?:@.*\n)*def (\w+)", noxfile, flags=re.MULTILINE)
    names = {function.replace("_", "-"): options for options, function in defined}
    rows = list(nox.project.load_toml(ROOT / "pyproject.toml")["tool"]["headworks"]["sessions"])
    assert [name for name in names if name in rows] == rows
    assert [name for name, options in names.items() if "default=False" not in options and name not in rows] == []


def test_every_line_left_out_of_coverage_gives_its_reason() -> None:
    """No file is omitted as a whole, and `no cover` is followed by words."""
    pragmas = [
        line.strip()
        for path in (ROOT / "packages").glob("*/src/**/*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "pragma: no cover" in line or "pragma: no branch" in line
    ]
    assert [line for line in pragmas if not re.search(r"pragma: no (cover|branch) *\W+ *\w+ \w+", line)] == []
    settings = nox.project.load_toml(ROOT / "pyproject.toml")["tool"]["coverage"]
    assert settings["report"]["fail_under"] == 100
    assert not {"omit", "include"} & (set(settings["run"]) | set(settings["report"]))
