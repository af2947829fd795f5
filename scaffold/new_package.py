"""Make a package from the templates beside this program: `nox -s new-package -- features`.

A failure or an interruption leaves the repository unchanged.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import tomlkit
from ownership import PRIVATE
from repository import RefusedError, call, check_free, check_word, prefix_of, project_names

TEMPLATES = Path(__file__).parent
SHARED = [Path("pyproject.toml"), Path("uv.lock")]
CLASSIFIERS = re.compile(r"^classifiers = \[.*?\]\n", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Make the package and return 0, or print the reason for refusing and return 2."""
    parser = argparse.ArgumentParser(prog="nox -s new-package --", description=__doc__.partition("\n")[0])
    parser.add_argument("name", help="the package's folder; its name is that with the prefix of the others")
    name = parser.parse_args().name
    try:
        project = make(name)
    except (RefusedError, OSError) as error:
        print(f"new-package: {error}", file=sys.stderr)
        return 2
    tests = f"tests-{sys.version_info.major}.{sys.version_info.minor}({name})"
    print(f'packages/{name} holds the package {project}. To prove it: nox -s "{tests}" "typecheck({name})" lint')
    return 0


def make(name: str) -> str:
    """Make a package in the folder packages/NAME, and return the name of its distribution.

    Raises:
        RefusedError: The name is invalid or taken, or a program failed.
        OSError: A file could not be written.
    """
    check_word(name, "the name of a package")
    names = project_names()
    project = f"{prefix_of(names)}-{name}"
    folder, page = Path("packages", name), Path("docs/reference", f"{name}.md")
    for path in (folder, page):
        if path.exists():
            message = f"{path} is there already: choose another name, or remove it first."
            raise RefusedError(message)
    check_free([project])
    before = {path: path.read_bytes() for path in SHARED}
    try:
        write(folder, page, name, project)
        rewritten = with_package(before[SHARED[0]].decode(), project, names.get("data", ""))
        SHARED[0].write_text(rewritten, encoding="utf-8")
        call("ruff", "check", "--quiet", "--fix", str(folder))  # the order of sorted names depends on the names
        call("ruff", "format", "--quiet", str(folder))
        call("uv", "lock", "--quiet")
    except BaseException:
        take_back(folder, page, before)
        raise
    return project


def write(folder: Path, page: Path, name: str, project: str) -> None:
    """Write the templates, with the package's names in place of the example's."""
    template = TEMPLATES / "package"
    for source in sorted(file for file in template.rglob("*") if file.is_file() and "__pycache__" not in file.parts):
        file = folder / filled(source.relative_to(template).as_posix(), name, project)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(filled(source.read_text(encoding="utf-8"), name, project), encoding="utf-8")
    shutil.copyfile("LICENSE", folder / "LICENSE")
    own = folder / "pyproject.toml"
    # The same Pythons as the other packages, one of which may be excluded from releases.
    other = next(file for file in sorted(Path("packages").glob("*/pyproject.toml")) if file != own)
    common = CLASSIFIERS.findall(other.read_text(encoding="utf-8").replace(PRIVATE, ""))
    own.write_text(CLASSIFIERS.sub(lambda _: common[0], own.read_text(encoding="utf-8")), encoding="utf-8")
    page.write_text(filled((TEMPLATES / "reference.md").read_text(encoding="utf-8"), name, project), encoding="utf-8")


def filled(text: str, name: str, project: str) -> str:
    """Return a template's text with the names of a package."""
    title = "".join(word.capitalize() for word in name.split("-"))
    names = {
        "example-features": project,
        "example_features": project.replace("-", "_"),
        "FeaturesError": f"{title}Error",
        "FOLDER": name,
    }
    return re.sub("|".join(names), lambda match: names[match[0]], text)


def with_package(text: str, project: str, sibling: str) -> str:
    """Return the root's pyproject.toml with a new package, as a source for others and in the contracts for imports.

    Args:
        text: The file.
        project: The name of the new package.
        sibling: The name of the package whose contracts the new one joins.
    """
    root: Any = tomlkit.parse(text)
    root["tool"]["uv"]["sources"][project] = tomlkit.value("{ workspace = true }")
    linter = root["tool"]["importlinter"]
    contracts = [contract for contract in linter["contracts"] if contract["type"] == "forbidden"]
    lists = [contract[key] for contract in contracts for key in ("source_modules", "forbidden_modules")]
    for modules in (linter["root_packages"], *(names for names in lists if sibling.replace("-", "_") in names)):
        modules.append(project.replace("-", "_"))
    return tomlkit.dumps(root)


def take_back(folder: Path, page: Path, before: dict[Path, bytes]) -> None:
    """Restore the repository as it was before."""
    shutil.rmtree(folder, ignore_errors=True)
    page.unlink(missing_ok=True)
    for path, content in before.items():
        path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
