"""GitHub's own parser of workflows and expressions, from npm packages of its language server, in a Node process."""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROGRAM: Final = Path(__file__).with_suffix(".mjs")


class WorkflowSyntaxError(ValueError):
    """GitHub would refuse a workflow or an expression."""


@functools.cache
def _started() -> subprocess.Popen[str]:
    """Return the process, which ends with this one."""
    command = ["node", str(_PROGRAM)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", bufsize=1
    )
    atexit.register(process.communicate)
    return process


def _ask(**request: object) -> Any:  # noqa: ANN401 - whatever YAML has
    """Return the answer to a request."""
    process = _started()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{json.dumps(request)}\n")
    line = process.stdout.readline()
    if not line:
        message = f"node {_PROGRAM.name} has ended: `npm ci` in {_PROGRAM.parent} installs the packages that it needs"
        raise RuntimeError(message)
    reply = json.loads(line)
    if "error" in reply:
        raise WorkflowSyntaxError(reply["error"])
    return reply["value"]


@functools.cache
def _parsed(text: str) -> str:
    """Return a workflow as JSON."""
    return json.dumps(_ask(workflow=text))


def parsed(text: str) -> dict[str, Any]:
    """Return a workflow as GitHub reads it: each expression is one text, each `if` asks for the success before it.

    Raises:
        WorkflowSyntaxError: GitHub would not run it.
    """
    content: dict[str, Any] = json.loads(_parsed(text))
    return content


def filled(value: object, contexts: Mapping[str, Any], *, as_text: bool = False, **status: bool) -> Any:  # noqa: ANN401
    """Return a part of a parsed workflow with the value of each expression in its place.

    Args:
        value: The part.
        contexts: The values of the names in it.
        as_text: Whether all values become texts, as those of variables, of inputs of actions and of outputs do.
        status: The answers of functions such as `failure()`, where they are allowed.

    Raises:
        WorkflowSyntaxError: An expression cannot be read.
    """
    return _ask(value=value, contexts=contexts, as_text=as_text, status=status)


def holds(condition: str, contexts: Mapping[str, Any], **status: bool) -> bool:
    """Whether a parsed `if` allows a job or a step to run."""
    inner = condition.removeprefix("${{").removesuffix("}}")
    return bool(filled(f"${{{{ !!({inner}) }}}}", contexts, **status))
