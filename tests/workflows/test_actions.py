"""The actions of this repository are put in the place of the steps that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from github_actions import as_text, inlined
from github_parser import filled, holds, parsed

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW = """
on: push
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - uses: $/outer
        with:
          name: it's ${{ github.run_id }}
      - run: last
"""
OUTER = """
inputs:
  name: {required: true}
  depth: {default: "0"}
runs:
  using: composite
  steps:
    - uses: $/inner
      with:
        text: ${{ inputs.name }}
        depth: ${{ inputs.depth }}
    - run: outer
      shell: bash
      if: inputs.depth == '0' && inputs.name != ''
"""
INNER = """
inputs:
  text: {default: ""}
  depth: {default: "1"}
runs:
  using: composite
  steps:
    - uses: an/action@v1
      with:
        depth: ${{ inputs.depth }}
        title: say ${{ inputs.text }}
        kept: true
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with two actions, of which one uses the other."""
    for name, text in (("outer", OUTER), ("inner", INNER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "action.yml").write_text(text, encoding="utf-8")
    return tmp_path


def test_an_action_gives_its_steps_what_it_is_given(root: Path) -> None:
    """Also through another action, and in conditions."""
    first, second, third = parsed(as_text(inlined(WORKFLOW, root)))["jobs"]["a"]["steps"]
    contexts = {"github": {"run_id": 7}}
    assert filled(first["with"], contexts, as_text=True) == {"depth": "0", "title": "say it's 7", "kept": "true"}
    assert second["run"] == "outer"
    assert holds(second["if"], contexts, success=True)
    assert third["run"] == "last"


@pytest.mark.parametrize("more", ["          other: x\n", "        if: always()\n"])
def test_what_cannot_be_put_in_its_place_is_an_error(more: str, root: Path) -> None:
    """A step with a condition would give it to each step of the action."""
    text = WORKFLOW.replace("      - run: last\n", more)
    with pytest.raises(ValueError, match="cannot be put in place"):
        inlined(text, root)
