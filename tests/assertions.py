"""Finds tests that expect nothing: they are green whatever the code does.

Call `python tests/assertions.py` in the root; it names every one, and exits with 1 if there is any. A test expects
something if it asserts, or waits for an error or a warning, or calls a function of its file or of its conftest.py that
does.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"

_FOLDERS: Final = ("packages/*/tests", "tests", "docker/tests")
_EXPECTING: Final = {"raises", "warns", "fail"}  # of pytest


def silent_tests(root: Path) -> list[str]:
    """Return where the tests of a repository stand that expect nothing, each as `file:line: name`."""
    files = sorted({it for folder in _FOLDERS for place in root.glob(folder) for it in place.rglob("test_*.py")})
    return [f"{file.relative_to(root).as_posix()}:{it.lineno}: {it.name}" for file in files for it in _silent(file)]


def _silent(file: Path) -> Iterator[Function]:
    """Yield the tests of a file that expect nothing."""
    own = _functions(file)
    shared = file.with_name("conftest.py")
    helpers = {it.name for it in (*own, *(_functions(shared) if shared.is_file() else ())) if _expects(it)}
    for it in own:
        if it.name.startswith("test_") and not _expects(it) and not helpers & _called(it):
            yield it


def _functions(file: Path) -> list[Function]:
    """Return all functions and methods of a file."""
    tree = ast.parse(file.read_bytes(), str(file))
    return [it for it in ast.walk(tree) if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)]


def _expects(function: Function) -> bool:
    """Whether a function itself asserts something other than a constant, or waits for an error or a warning."""
    asserts = (it for it in ast.walk(function) if isinstance(it, ast.Assert))
    if any(not isinstance(it.test, ast.Constant) for it in asserts):
        return True
    return any(it in _EXPECTING or it.startswith("assert_") for it in _called(function))


def _called(function: Function) -> set[str]:
    """Return the names of the functions and methods that a function calls."""
    calls = (it.func for it in ast.walk(function) if isinstance(it, ast.Call))
    return {
        it.attr if isinstance(it, ast.Attribute) else it.id for it in calls if isinstance(it, ast.Attribute | ast.Name)
    }


def main() -> int:
    """Name the tests that expect nothing, in the repository that is the working folder."""
    found = silent_tests(Path.cwd())
    sys.stdout.write("".join(f"{it} asserts nothing\n" for it in found) or "Every test asserts something.\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
