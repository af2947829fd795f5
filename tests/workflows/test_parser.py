"""Workflows and expressions are read by GitHub's own parser."""

from __future__ import annotations

from typing import Any

import pytest
from github_parser import WorkflowSyntaxError, filled, holds, parsed

CONTEXTS: dict[str, Any] = {
    "github": {"ref": "refs/heads/main", "run_id": 7},
    "needs": {"a": {"result": "success"}, "b": {"result": "skipped"}},
}
WORKFLOW = """
on: push
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - if: github.ref == 'REFS/heads/main'
        run: echo ${{ github.ref }}/${{ github.run_id }}
      - if: ${{ !cancelled() }}
        run: "true"
"""


def test_a_workflow_is_read_with_all_that_github_adds() -> None:
    """A condition without a status function asks for success; a text with expressions is one expression."""
    job = parsed(WORKFLOW)["jobs"]["a"]
    first, second = job["steps"]
    assert job["if"] == "${{ success() }}"
    assert second["if"] == "${{ !cancelled() }}"
    assert filled(first["run"], CONTEXTS) == "echo refs/heads/main/7"
    assert holds(first["if"], CONTEXTS, success=True)
    assert not holds(first["if"], CONTEXTS, success=False)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("steps", "step", "Unexpected value 'step'"),
        ("github.ref ==", "runner.os &&& ==", "Unexpected symbol"),
        ("github.ref ==", "unknown.ref ==", "Unrecognized named-value: 'unknown'"),
        ("!cancelled()", "!cancelled(", "Unexpected end of expression"),
        ("    steps", "    needs: [b]\n    steps", "must contain at least one job with no dependencies"),
    ],
)
def test_what_github_refuses_is_an_error(old: str, new: str, part: str) -> None:
    """With GitHub's own words."""
    with pytest.raises(WorkflowSyntaxError, match=part):
        parsed(WORKFLOW.replace(old, new))


def test_values_keep_their_types_unless_they_become_texts() -> None:
    """As variables, inputs of actions, and outputs do."""
    part = {
        "a": ["${{ github.run_id }}", 1, None, "x"],
        "b": "${{ github.ref == 'x' }}",
        "c": "${{ github.nothing.more }}",
        "d": "${{ join(needs.*.result, ' ') }}",
    }
    assert filled(part, CONTEXTS) == {"a": [7, 1, None, "x"], "b": False, "c": None, "d": "success skipped"}
    assert filled(part, CONTEXTS, as_text=True) == {
        "a": ["7", "1", "", "x"],
        "b": "false",
        "c": "",
        "d": "success skipped",
    }


@pytest.mark.parametrize("text", ["1 1", "a ~ b", "unknown()", "(1", "secrets.TOKEN"])
def test_an_expression_that_cannot_be_read_is_an_error(text: str) -> None:
    """So that no condition holds by mistake."""
    with pytest.raises(WorkflowSyntaxError):
        filled(f"${{{{ {text} }}}}", CONTEXTS)
