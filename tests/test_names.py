"""Names of packages that are not the repository's own are found."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from names import main, strangers

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = '[project]\nname = "{name}"\nscripts.{name} = "x"\noptional-dependencies.gate = []\n'
SETTINGS = """
[tool.uv.sources]
works = { workspace = true }
works-data = { workspace = true }
[tool.works]
"""
FILES = {
    "pyproject.toml": SETTINGS,
    "uv.lock": '[[package]]\nname = "nox"\n[[package]]\nname = "works"\n',
    "packages/works/pyproject.toml": PROJECT.format(name="works"),
    "packages/works/src/works/__init__.py": "",
    "packages/data/pyproject.toml": PROJECT.format(name="works-data"),
    "packages/data/src/works_data/__init__.py": "",
    "CHANGELOG.md": "It was once `pip install other`.\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository of two packages, each of whose names is its own."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("`pip install works`, as a tool", ""),
        ("pip install --python bench 'works[gate]>=1' Nox dist/*.whl && works plan", ""),
        ("`uvx works-data`, `uv add works_data`", ""),
        ("`pip install`", ""),
        ("pip install nox other && other plan", "`pip install nox other `: other is neither"),
        ("uv tool install work.", "work is neither"),
        ("`uv add 'other[gate]'`", "other is neither"),
        ("`pip install 'works[gate,onnx]'`", "works has no extra onnx"),
    ],
)
@pytest.mark.parametrize("file", ["docs/a.md", "packages/works/src/works/a.py"])
def test_install_commands_name_packages_that_are_ours_or_locked(
    file: str,
    line: str,
    part: str,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With an existing extra, in pages and in messages."""
    (repository / file).parent.mkdir(exist_ok=True)
    (repository / file).write_text(f"# Text\n{line}\n")
    monkeypatch.chdir(repository)
    assert main() == bool(part)
    output = capsys.readouterr().out
    assert part in output
    assert output.startswith(f"{file}:2: " if part else "Every name")


@pytest.mark.parametrize(
    ("file", "old", "new", "part"),
    [
        ("packages/data/pyproject.toml", '"works-data"', '"other-data"', "other_data fits other-data"),
        ("packages/data/pyproject.toml", '"works-data"', '"works-date"', "does not end as its folder does"),
        ("packages/works/pyproject.toml", "scripts.works", "scripts.other", "its command is other; works fits"),
        ("pyproject.toml", "works-data =", "other-data =", "[tool.uv.sources] and the packages differ in other-data"),
        ("pyproject.toml", "[tool.works]", "[tool.other]", "neither a package nor the group `engine` fits a table"),
    ],
)
def test_a_name_that_was_changed_in_one_place_only_is_found(
    file: str, old: str, new: str, part: str, repository: Path
) -> None:
    """Packages, modules, commands and tables agree."""
    text = (repository / file).read_text()
    assert old in text
    (repository / file).write_text(text.replace(old, new))
    assert part in "\n".join(strangers(repository))


def test_packages_have_one_prefix(repository: Path) -> None:
    """Except the engine, whose name is that of its folder."""
    (repository / "packages/model/src/other_model").mkdir(parents=True)
    (repository / "packages/model/pyproject.toml").write_text(PROJECT.format(name="other-model"))
    assert "packages: their names begin with other, works; they have to have one prefix" in strangers(repository)
