"""Expressions of GitHub Actions, as far as the workflows of this repository use them.

Grammar and truth follow GitHub's page "Evaluate expressions in workflows and actions": no arithmetic; strings in single
quotes; `&&` and `||` return one of their operands; a missing value is null.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN: Final = re.compile(r"\s*('(?:[^']|'')*'|-?\d+(?:\.\d+)?|[A-Za-z_][\w-]*|&&|\|\||==|!=|[!().,*\[\]])")
_WHOLE: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_STATUS: Final = re.compile(r"\b(always|cancelled|failure|success)\s*\(")


class ExpressionError(ValueError):
    """Not an expression, or one that needs more than is implemented here."""


class _Parser:
    """Evaluates one expression while reading it."""

    def __init__(self, text: str, contexts: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> None:
        self._tokens = _tokens(text)
        self._contexts = contexts
        self._functions = functions

    def value(self) -> object:
        """Return the value of the whole expression."""
        result = self._either()
        if self._tokens:
            raise ExpressionError(self._tokens[0])
        return result

    def _next(self, *expected: str) -> str:
        """Take and return the next token if it is one of those expected, else an empty string."""
        if self._tokens and self._tokens[0] in expected:
            return self._tokens.pop(0)
        return ""

    def _either(self) -> object:
        result = self._both()
        while self._next("||"):
            other = self._both()
            result = result if is_true(result) else other
        return result

    def _both(self) -> object:
        result = self._compared()
        while self._next("&&"):
            other = self._compared()
            result = other if is_true(result) else result
        return result

    def _compared(self) -> object:
        result = self._negated()
        while operator := self._next("==", "!="):
            result = _are_equal(result, self._negated()) == (operator == "==")
        return result

    def _negated(self) -> object:
        return not is_true(self._negated()) if self._next("!") else self._reached()

    def _reached(self) -> object:
        """Return a value with all accesses after it applied: `.name`, `.*`, `[index]`."""
        result = self._simple()
        while mark := self._next(".", "["):
            if mark == "[":
                result = _member(result, self._either())
                self._expect("]")
            elif self._next("*"):
                result = [*(result.values() if isinstance(result, dict) else result)]  # type: ignore[misc]
                self._expect(".")
                name = self._tokens.pop(0)
                result = [_member(member, name) for member in result]
            else:
                result = _member(result, self._tokens.pop(0))
        return result

    def _simple(self) -> object:
        if self._next("("):
            result = self._either()
            self._expect(")")
            return result
        token = self._tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token[0].isdigit() or token[0] == "-":
            return float(token)
        if self._next("("):
            return self._called(token)
        return {"true": True, "false": False, "null": None}.get(token, self._contexts.get(token))

    def _called(self, name: str) -> object:
        arguments = []
        while not self._next(")"):
            arguments.append(self._either())
            self._next(",")
        if name not in self._functions:
            raise ExpressionError(name)
        return self._functions[name](*arguments)

    def _expect(self, token: str) -> None:
        if not self._next(token):
            raise ExpressionError(token)


def _tokens(text: str) -> list[str]:
    """Return the tokens of an expression."""
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ExpressionError(text[place:])
        tokens.append(match[1])
        place = match.end()
    return tokens


def is_true(value: object) -> bool:
    """Whether GitHub takes a value for true."""
    return value not in (None, False, 0, "")


def _are_equal(one: object, other: object) -> bool:
    """Whether two values are equal: strings without regard to case, values of different types as numbers."""
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    if type(one) is type(other) or isinstance(one, (dict, list)) or isinstance(other, (dict, list)):
        return one == other
    return _number(one) == _number(other)


def _number(value: object) -> float:
    """Return a value as a number, as GitHub does to compare values of different types."""
    try:
        return float(value or 0)  # type: ignore[arg-type]
    except ValueError:
        return float("nan")


def _member(value: object, key: object) -> object:
    """Return the member of a value under a key, or None."""
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, float) and key < len(value):
        return value[int(key)]
    return None


def _text(value: object) -> str:
    """Return a value as a string, as GitHub inserts it into a text."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "fromJSON": json.loads,
    "toJSON": lambda value: json.dumps(value, indent=2),
    "join": lambda values, mark=",": mark.join(map(_text, values)),
    "contains": lambda values, value: value in values,
    "startsWith": lambda text, start: str(text).lower().startswith(str(start).lower()),
}


def evaluate(text: str, contexts: Mapping[str, Any], status: Mapping[str, Callable[[], bool]] | None = None) -> object:
    """Return the value of an expression.

    Args:
        text: The expression, without `${{ }}`.
        contexts: The values of the names in it.
        status: The status functions such as `failure()`, where they are allowed.

    Raises:
        ExpressionError: It cannot be read.
    """
    return _Parser(text, contexts, _FUNCTIONS | dict(status or {})).value()


def filled(value: object, contexts: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever YAML has
    """Return a part of a workflow with every `${{ }}` replaced by its value."""
    if isinstance(value, dict):
        return {key: filled(item, contexts) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, contexts) for item in value]
    if not isinstance(value, str):
        return value
    if (whole := _WHOLE.fullmatch(value)) and value.count("${{") == 1:
        return evaluate(whole[1], contexts)
    return _WHOLE.sub(lambda match: _text(evaluate(match[1], contexts)), value)


def condition(text: object, contexts: Mapping[str, Any], status: Mapping[str, Callable[[], bool]]) -> bool:
    """Whether an `if` allows a job or a step to run; without a status function, only if nothing failed before."""
    inner = str(text).strip()
    if match := _WHOLE.fullmatch(inner):
        inner = match[1]
    if not _STATUS.search(inner):
        inner = f"success() && ({inner})"
    return is_true(evaluate(inner, contexts, status))
