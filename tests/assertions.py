"""Finds tests that expect nothing: they are green whatever the code does.

Call `python tests/assertions.py` in the root; it names every one, and exits with 1 if there are any, or with 2 if a
file cannot be read. A test expects something if it asserts an expression that can be false, or waits for an error or a
warning, or calls a function that does so, of its own file or of a conftest.py above it.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"

_FOLDERS: Final = ("packages/*/tests", "tests", "docker/tests")
_EXPECTING: Final = {"RaisesGroup", "deprecated_call", "fail", "raises", "warns"}  # of pytest


class AssertionsError(Exception):
    """The tests cannot be read; the message says why."""


def silent_tests(root: Path) -> list[str]:
    """Return the tests of a repository that expect nothing, each as `file:line: name`.

    Raises:
        AssertionsError: There is no test, or a file cannot be parsed.
    """
    places = [place for folder in _FOLDERS for place in sorted(root.glob(folder))]
    files = {file: place for place in places for file in sorted(place.rglob("test_*.py"))}
    tests = {file: [function for function in _functions(file) if function.name.startswith("test_")] for file in files}
    if not any(tests.values()):
        message = f"{root} has no test in {', '.join(_FOLDERS)}; call this in the root of the repository."
        raise AssertionsError(message)
    helpers = {file: _helpers(file, place) for file, place in files.items()}
    return [
        f"{file.relative_to(root).as_posix()}:{test.lineno}: {test.name}"
        for file in files
        for test in tests[file]
        if not _expects(test) and not helpers[file] & _called(test)
    ]


def _helpers(file: Path, place: Path) -> set[str]:
    """Return the names of functions that tests of a file may call and that expect something directly or not."""
    shared = [folder / "conftest.py" for folder in file.parents if folder.is_relative_to(place)]
    functions = [function for one in (file, *shared) if one.is_file() for function in _functions(one)]
    helpers = {function.name for function in functions if _expects(function)}
    called = [(function.name, _called(function)) for function in functions]
    while callers := {name for name, names in called if helpers & names} - helpers:
        helpers |= callers
    return helpers


@cache
def _functions(file: Path) -> list[Function]:
    """Return all functions and methods of a file."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        message = f"{file}:{error.lineno or 1}: {error.msg}; mend that first, since its tests cannot be read."
        raise AssertionsError(message) from error
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _expects(function: Function) -> bool:
    """Whether a function itself asserts an expression that can be false, or waits for an error or a warning."""
    if any(not _is_always_true(node.test) for node in ast.walk(function) if isinstance(node, ast.Assert)):
        return True
    return any(_is_expecting(call) for call in _calls(function))


def _is_always_true(test: ast.expr) -> bool:
    """Whether an expression has the same truth whatever the code does."""
    match test:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return any(not isinstance(part, ast.Starred) for part in parts)
        case ast.JoinedStr(values=parts):
            return any(isinstance(part, ast.Constant) for part in parts)
        case _:
            return not any(isinstance(node, ast.Name) for node in ast.walk(test))


def _is_expecting(called: ast.expr) -> bool:
    """Whether a called function is one of pytest, unittest or the like that fails a test."""
    match called:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="pytest"), attr=name) if name in _EXPECTING:
            return True
        case ast.Attribute(value=ast.Name(id="self"), attr="fail"):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return bool(re.match("assert[_A-Z]", name))
        case _:
            return False


def _calls(function: Function) -> Iterable[ast.expr]:
    """Return the expressions that a function calls."""
    return (node.func for node in ast.walk(function) if isinstance(node, ast.Call))


def _called(function: Function) -> set[str]:
    """Return the names of the functions that a function calls, and of the methods of its own class."""
    names = set()
    for call in _calls(function):
        match call:
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name):
                names.add(name)
            case _:
                pass
    return names


def main() -> int:
    """Print the tests that expect nothing, in the repository that is the working folder."""
    try:
        silent = silent_tests(Path.cwd())
    except AssertionsError as error:
        sys.stderr.write(f"assertions: {error}\n")
        return 2
    sys.stdout.write("".join(f"{test} asserts nothing\n" for test in silent) or "Every test asserts something.\n")
    return 1 if silent else 0


if __name__ == "__main__":
    raise SystemExit(main())
