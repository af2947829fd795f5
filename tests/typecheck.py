"""Checks types with mypy: of a whole package, for its session, or of what changed files belong to, for the hook.

In the environment of `nox -s "typecheck(data)"`, `python tests/typecheck.py data` checks everything that this session
covers. From anywhere, `python tests/typecheck.py --changed FILE...` runs mypy in the session's environment, which the
session makes if it is missing, or older than the files that it was made from.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple


class Check(NamedTuple):
    """The paths of one run of mypy: they import each other, and other paths may have modules of the same names."""

    package: str
    paths: tuple[str, ...]
    folders: tuple[str, ...]


PACKAGES: Final = sorted(file.parent.name for file in Path("packages").glob("*/pyproject.toml"))
# The package with which everything outside packages is checked: the engine, whose pages the tests read, if it is here.
ONCE: Final = "headworks" if "headworks" in PACKAGES else PACKAGES[0]
CHECKS: Final = [
    *(Check(name, (f"packages/{name}/src", f"packages/{name}/tests"), (f"packages/{name}",)) for name in PACKAGES),
    Check(ONCE, ("noxfile.py", "tests"), ("noxfile.py", "tests")),
    Check(ONCE, ("docker", "docs", ".github/programs"), ("docker", "docs", ".github/programs")),
    Check(ONCE, ("scaffold/new_package.py", "scaffold/adopt.py"), ("scaffold",)),
]
# The files that the environment of every package is made from; they hold the settings of mypy as well.
SHARED: Final = ("pyproject.toml", "uv.lock")
MADE: Final = "typecheck.made"  # in an environment, once everything is installed


def main(arguments: list[str]) -> int:
    """Check a package here, or changed files elsewhere."""
    match arguments:
        case ["--changed", *files]:
            return check_changed(files)
        case [package, *options] if package in PACKAGES:
            Path(sys.prefix, MADE).touch()
            return max(mypy(sys.executable, check, *options) for check in CHECKS if check.package == package)
        case _:
            sys.stderr.write(f"typecheck: name one of {', '.join(PACKAGES)}, or --changed and files\n")
            return 2


def check_changed(files: list[str]) -> int:
    """Check the parts that files belong to; if an environment is missing, run the session that makes it."""
    checks = [check for check in CHECKS if any(belongs(Path(name), check) for name in files)]
    missing = {check.package for check in checks if not is_made(check.package)}
    # The environment holds the other packages as of the time when it was made.
    sources = os.pathsep.join(f"packages/{name}/src" for name in PACKAGES)
    codes = [mypy(python(check.package), check, MYPYPATH=sources) for check in checks if check.package not in missing]
    if missing:
        sessions = [f"typecheck({name})" for name in sorted(missing)]
        codes.append(subprocess.run([sys.executable, "-m", "nox", "--session", *sessions], check=False).returncode)
    return max(codes, default=0)


def belongs(file: Path, check: Check) -> bool:
    """Whether a file is one of those that a check is about."""
    return file.as_posix() in SHARED or any(file.is_relative_to(folder) for folder in check.folders)


def environment(package: str) -> Path:
    """Return the folder of the environment of a package's session."""
    return Path(os.environ.get("NOX_ENVDIR") or ".nox", f"typecheck-{package}")


def python(package: str) -> str:
    """Return the interpreter of that environment, which lies elsewhere on Windows."""
    return str(environment(package) / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def is_made(package: str) -> bool:
    """Whether an environment is there, and nothing that it was made from is newer."""
    made = environment(package) / MADE
    sources = [*SHARED, *(f"packages/{name}/pyproject.toml" for name in PACKAGES)]
    return made.exists() and all(Path(path).stat().st_mtime_ns <= made.stat().st_mtime_ns for path in sources)


def mypy(interpreter: str, check: Check, *options: str, **environ: str) -> int:
    """Run the mypy of an environment."""
    command = [interpreter, "-m", "mypy", *check.paths, *options]
    return subprocess.run(command, check=False, env=os.environ | environ).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
