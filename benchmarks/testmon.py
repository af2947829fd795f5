"""Compares what pytest-testmon skips inside a package with what fails there, one planted fault after another.

The tests of a package run once with pytest-testmon, in a clone, so that it knows what each of them runs. Then faults
are planted, each alone: a drawn function raises at once, and each data file among the tests holds other bytes. For each
fault pytest-testmon says which tests it would run, and a run of all of them without it says which fail. A failing test
that it would not run was missed. Headworks runs all tests of the package after each of these changes.

    python benchmarks/testmon.py data --functions 8

in an environment with everything that the tests of the package need, and pytest-testmon. It prints a Markdown table.
"""

# ruff: noqa: INP001, S603, S607  # a script that starts git, and the pytest of its environment

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A test with its file, and without its parameters, which may hold blanks.
TEST = re.compile(r"^(?:FAILED |ERROR )?(\S+?\.py::[\w:]+)", re.MULTILINE)


def pytest(clone: Path, package: str, *options: str) -> str:
    """Run the tests of a package in a clone, and return what pytest prints."""
    source = str(clone / "packages" / package / "src")
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", *options, f"packages/{package}/tests"]
    environment = os.environ | {"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=clone, env=environment, check=False, capture_output=True, text=True)
    if done.returncode not in {0, 1, 2, 5}:
        sys.exit(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def functions(folder: Path) -> list[tuple[Path, int, str]]:
    """Return each function of the modules in a folder: its file, the line before which it begins, and its name."""
    found = []
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and body[0].lineno > node.lineno:
                    found.append((file, body[0].lineno - 1, node.name))
    return found


def broken(file: Path, line: int) -> bytes:
    """Return a module in which a function raises before its statement at a line, counted from 0."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
    return "".join([*lines[:line], f'{indent}raise AssertionError("planted")\n', *lines[line:]]).encode()


def test_files(tests: set[str]) -> set[str]:
    """Return the files of tests."""
    return {it.partition("::")[0] for it in tests}


def main() -> None:
    """Plant the faults and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("package", help="a folder of packages/, as in `data`")
    parser.add_argument("--functions", type=int, default=8, help="how many functions to break")
    parser.add_argument("--seed", type=int, default=1)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        package = clone / "packages" / settings.package
        everything = set(TEST.findall(pytest(clone, settings.package, "--collect-only")))
        pytest(clone, settings.package, "--testmon")
        chance = random.Random(settings.seed)  # noqa: S311  # chance picks functions
        drawn = chance.sample(functions(package / "src"), settings.functions)
        faults = [(file, broken(file, line), f"`{file.stem}.{name}`") for file, line, name in drawn]
        data = sorted(it for it in (package / "tests").rglob("*") if it.is_file() and it.suffix != ".py")
        faults += [(file, b"planted", f"`{file.name}`") for file in data if "__pycache__" not in file.parts]
        count = len(test_files(everything))
        sys.stdout.write(
            f"pytest-testmon {version('pytest-testmon')}; {len(everything)} test functions in {count} files\n\n"
        )
        sys.stdout.write("| fault in | it runs | files that it skips | fail | missed |\n")
        sys.stdout.write("| --- | ---: | ---: | ---: | ---: |\n")
        for file, content, name in faults:
            before = file.read_bytes()
            file.write_bytes(content)
            chosen = pytest(clone, settings.package, "--testmon", "--testmon-nocollect", "--collect-only")
            selected = set(TEST.findall(chosen))
            failing = set(TEST.findall(pytest(clone, settings.package)))
            file.write_bytes(before)
            skipped = count - len(test_files(selected))
            missed = len(failing - selected)
            sys.stdout.write(f"| {name} | {len(selected)} | {skipped} of {count} | {len(failing)} | {missed} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
