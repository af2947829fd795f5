"""Expressions have the values that GitHub documents."""

from __future__ import annotations

from typing import Any

import pytest
from github_expressions import ExpressionError, condition, evaluate, filled

CONTEXTS: dict[str, Any] = {
    "github": {"ref": "refs/heads/main", "run_id": 7.0},
    "needs": {"a": {"result": "success"}, "b": {"result": "skipped"}},
    "matrix": {"include": [{"name": "x"}]},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it''s'", "it's"),
        ("github.ref == 'REFS/heads/main'", True),
        ("github.ref != 'main' && 'yes' || 'no'", "yes"),
        ("github.nothing.deeper", None),
        ("!github.nothing", True),
        ("null == '' && 1 == true", True),
        ("'x' == 1", False),
        ("join(needs.*.result, ' ')", "success skipped"),
        ("fromJSON('{\"a\": [1]}').a[0]", 1),
        ("matrix.include[0].name", "x"),
        ("matrix.include[1].name", None),
        ("contains(fromJSON('[1, 2]'), 2)", True),
        ("startsWith(github.ref, 'refs/HEADS')", True),
        ("(1 == 2) || -1", -1.0),
    ],
)
def test_a_value(text: str, value: object) -> None:
    """Of comparisons, members and functions."""
    assert evaluate(text, CONTEXTS) == value


@pytest.mark.parametrize("text", ["1 1", "a ~ b", "unknown()", "(1"])
def test_an_expression_that_cannot_be_read_is_an_error(text: str) -> None:
    """So that no condition holds by mistake."""
    with pytest.raises((ExpressionError, IndexError)):
        evaluate(text, CONTEXTS)


def test_texts_are_filled() -> None:
    """An expression alone keeps its type; several are inserted as text."""
    content = {"a": ["${{ github.run_id }}", 1], "b": "${{ github.ref }}/${{ github.run_id }}/${{ true }}${{ null }}"}
    assert filled(content, CONTEXTS) == {"a": [7.0, 1], "b": "refs/heads/main/7/true"}


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [
        ("always()", True),
        ("${{ !cancelled() }}", True),
        ("failure()", True),
        ("github.ref != ''", False),
        ("success()", False),
        ("!success()", True),
    ],
)
def test_a_condition_without_a_status_asks_for_success(*, text: str, is_allowed: bool) -> None:
    """Here, after a failure."""
    status = {"always": True, "cancelled": False, "failure": True, "success": False}
    assert condition(text, CONTEXTS, {name: lambda it=it: it for name, it in status.items()}) == is_allowed  # type: ignore[misc]
