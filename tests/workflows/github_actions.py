"""Puts the steps of this repository's own actions in place of the steps that use them, as GitHub runs them."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
_OWN: Final = "$/"
_EXPRESSION: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_INPUT: Final = re.compile(r"\binputs\.([\w-]+)")


def inlined(text: str, root: Path = ROOT) -> dict[str, Any]:
    """Return a workflow without steps that use actions of the repository.

    Args:
        text: The workflow.
        root: The repository.
    """
    workflow = {"on" if key is True else key: value for key, value in _loaded(text).items()}  # as YAML reads that word
    jobs = {
        name: job | {"steps": list(_steps(job["steps"], root))} if "steps" in job else job
        for name, job in workflow["jobs"].items()
    }
    return workflow | {"jobs": jobs}


@functools.cache  # nearly all planted faults leave most files as they are, and nothing changes what was read
def _loaded(text: str) -> dict[Any, Any]:
    """Return the content of a file."""
    content: dict[Any, Any] = yaml.safe_load(text)
    return content


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks: where they stand in quotes, the parser takes these for text."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def as_text(workflow: Mapping[str, Any]) -> str:
    """Return a workflow as YAML."""
    return yaml.dump(workflow, Dumper=_Dumper, sort_keys=False)


def _steps(steps: Iterable[Mapping[str, Any]], root: Path) -> Iterator[Mapping[str, Any]]:
    """Yield steps, and those of an action in place of the one that uses it."""
    for step in steps:
        if not str(step.get("uses", "")).startswith(_OWN):
            yield step
            continue
        action = _loaded((root / step["uses"].removeprefix(_OWN) / "action.yml").read_text(encoding="utf-8"))
        inputs = {name: str(declared.get("default", "")) for name, declared in action["inputs"].items()}
        given = {key: str(value) for key, value in step.get("with", {}).items()}
        if step.keys() - {"uses", "with"} or given.keys() - inputs:
            message = f"This cannot be put in place of {step}"
            raise ValueError(message)
        for own in _steps(action["runs"]["steps"], root):
            yield {key: _filled(value, inputs | given, is_condition=key == "if") for key, value in own.items()}


def _filled(part: Any, given: Mapping[str, str], *, is_condition: bool = False) -> Any:  # noqa: ANN401 - whatever YAML has
    """Return a part of a step with what is given to its action in place of the names of inputs."""
    if isinstance(part, dict):
        return {key: _filled(value, given) for key, value in part.items()}
    if not isinstance(part, str):
        return part
    if is_condition:
        return _INPUT.sub(lambda found: _expression(given[found[1]]), part)
    return _EXPRESSION.sub(lambda it: _replaced(it, given), part)


def _replaced(expression: re.Match[str], given: Mapping[str, str]) -> str:
    """Return an expression with what is given in place of the names of inputs; one that is such a name goes away."""
    if name := _INPUT.fullmatch(expression[1].strip()):
        return given[name[1]]
    return _INPUT.sub(lambda found: _expression(given[found[1]]), expression[0])


def _expression(text: str) -> str:
    """Return the expression whose value is a text with expressions in it."""
    parts = _EXPRESSION.split(text)
    if len(parts) == 1:
        return _quoted(text)
    form = "".join(part if number % 2 == 0 else f"{{{number // 2}}}" for number, part in enumerate(parts))
    return f"format({', '.join([_quoted(form), *(part.strip() for part in parts[1::2])])})"


def _quoted(text: str) -> str:
    """Return a text as expressions write it."""
    return "'" + text.replace("'", "''") + "'"
