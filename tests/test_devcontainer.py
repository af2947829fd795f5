"""The container to work in has the Python of the images, and the hooks in each clone."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import MakeScratch

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".devcontainer"
SETTINGS: dict[str, Any] = json.loads((FOLDER / "devcontainer.json").read_text(encoding="utf-8"))
DOCKERFILE = (FOLDER / SETTINGS["build"]["dockerfile"]).read_text(encoding="utf-8")
# The keys of the specification (containers.dev) that are used here: an editor ignores one that it does not know.
KEYS = {"name", "build", "remoteUser", "postCreateCommand"}


def test_an_editor_knows_every_setting() -> None:
    """The user that it works as is one that the image makes."""
    assert SETTINGS.keys() <= KEYS
    assert SETTINGS["build"].keys() == {"dockerfile"}
    assert re.search(rf"\buseradd .*\b{SETTINGS['remoteUser']}$", DOCKERFILE, re.MULTILINE)


def test_the_container_has_the_python_of_the_images() -> None:
    """Which is the first of .python-version as well."""
    bases = re.findall(r"^FROM (python:\S+)", DOCKERFILE, re.MULTILINE)
    images = [file.read_text(encoding="utf-8") for file in (ROOT / "docker").glob("*.Dockerfile")]
    assert {base for text in images for base in re.findall(r"^FROM (python:\S+)", text, re.MULTILINE)} == set(bases)
    version = (ROOT / ".python-version").read_text(encoding="utf-8").split()[0]
    assert bases[0].startswith(f"python:{version}-")


def test_a_new_container_installs_the_hooks(make_scratch: MakeScratch) -> None:
    """By the command that an editor runs once it has made one."""
    scratch = make_scratch()
    scratch.run(*shlex.split(SETTINGS["postCreateCommand"]))
    assert "pre-commit" in (scratch.root / ".git/hooks/pre-commit").read_text(encoding="utf-8")
