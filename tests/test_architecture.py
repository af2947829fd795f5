"""The page about the engine's architecture matches the contract for its imports."""

from __future__ import annotations

import re
from pathlib import Path

import nox.project

ROOT = Path(__file__).parents[1]


def test_the_architecture_names_every_room_in_the_order_of_the_contract() -> None:
    """A room that is made, moved or removed is so in the document as well."""
    contracts = nox.project.load_toml(ROOT / "pyproject.toml")["tool"]["importlinter"]["contracts"]
    [layers] = [it["layers"] for it in contracts if it.get("containers") == ["headworks"]]
    folders = {path.parent.name for path in (ROOT / "packages/headworks/src/headworks").glob("_*/__init__.py")}
    rooms = [set(layer.split(" | ")) & folders for layer in layers]
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`_.*?) \|", page, flags=re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == list(filter(None, rooms))
