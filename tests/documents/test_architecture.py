"""The page about the engine's architecture matches the contract for its imports."""

from __future__ import annotations

import re
from pathlib import Path

import nox.project

ROOT = Path(__file__).parents[2]


ENGINE = ROOT / "packages/headworks/src/headworks"


def test_every_file_that_the_page_names_exists() -> None:
    """A module that is moved is so in the document as well."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w-]+/)*\w+\.(?:py|toml))`", page))
    folders = (ROOT, ENGINE, ROOT / "packages/serving/src/headworks_serving")
    assert len(named) > 8
    assert {name for name in named if not any((folder / name).is_file() for folder in folders)} == set()


def test_the_architecture_names_every_room_in_the_order_of_the_contract() -> None:
    """A room that is made, moved or removed is so in the document as well."""
    contracts = nox.project.load_toml(ROOT / "pyproject.toml")["tool"]["importlinter"]["contracts"]
    [layers] = [it["layers"] for it in contracts if it.get("containers") == ["headworks"]]
    folders = {path.parent.name for path in ENGINE.glob("_*/__init__.py")}
    rooms = [set(layer.split(" | ")) & folders for layer in layers]
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`_.*?) \|", page, flags=re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == list(filter(None, rooms))
