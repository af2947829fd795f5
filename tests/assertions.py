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
    places = [it for folder in _FOLDERS for it in sorted(root.glob(folder))]
    files = {file: place for place in places for file in sorted(place.rglob("test_*.py"))}
    tests = {file: [it for it in _functions(file) if it.name.startswith("test_")] for file in files}
    if not any(tests.values()):
        message = f"{root} has no test in {', '.join(_FOLDERS)}; call this in the root of the repository."
        raise AssertionsError(message)
    helpers = {file: _helpers(file, place) for file, place in files.items()}
    return [
        f"{file.relative_to(root).as_posix()}:{it.lineno}: {it.name}"
        for file in files
        for it in tests[file]
        if not _expects(it) and not helpers[file] & _called(it)
    ]


def _helpers(file: Path, place: Path) -> set[str]:
    """Return the names of functions that tests of a file may call and that expect something directly or not."""
    shared = [it / "conftest.py" for it in file.parents if it.is_relative_to(place)]
    functions = [it for one in (file, *shared) if one.is_file() for it in _functions(one)]
    helpers = {it.name for it in functions if _expects(it)}
    called = [(it.name, _called(it)) for it in functions]
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
    return [it for it in ast.walk(tree) if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)]


def _expects(function: Function) -> bool:
    """Whether a function itself asserts an expression that can be false, or waits for an error or a warning."""
    if any(not _is_always_true(it.test) for it in ast.walk(function) if isinstance(it, ast.Assert)):
        return True
    return any(_is_expecting(it) for it in _calls(function))


def _is_always_true(test: ast.expr) -> bool:
    """Whether an expression has the same truth whatever the code does."""
    match test:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return any(not isinstance(it, ast.Starred) for it in parts)
        case ast.JoinedStr(values=parts):
            return any(isinstance(it, ast.Constant) for it in parts)
        case _:
            return not any(isinstance(it, ast.Name) for it in ast.walk(test))


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
    return (it.func for it in ast.walk(function) if isinstance(it, ast.Call))


def _called(function: Function) -> set[str]:
    """Return the names of the functions that a function calls, and of the methods of its own class."""
    names = set()
    for it in _calls(function):
        match it:
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
    sys.stdout.write("".join(f"{it} asserts nothing\n" for it in silent) or "Every test asserts something.\n")
    return 1 if silent else 0


if __name__ == "__main__":
    raise SystemExit(main())
