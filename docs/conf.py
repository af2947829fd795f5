"""The site of these pages, built with Sphinx by `nox -s docs`.

Two directives write the reference from the packages as they are installed: `{commands} FOLDER` runs every command of a
package with `--help`, and `{api} FOLDER` takes the docstrings of its public names.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from types import ModuleType

    from docutils.nodes import Node
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
RAISES = re.compile(r"^:raises (\w+):")
COMMAND = re.compile(r"^ {2,4}([a-z][a-z-]*)(?: {2,}\S|$)", re.MULTILINE)

project = "Headworks"
author = "The Headworks developers"
project_copyright = f"2026, {author}"
release = (ROOT / "VERSION").read_text(encoding="utf-8").strip()

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.doctest", "sphinx.ext.napoleon"]
doctest_global_setup = "import os, tempfile; os.chdir(tempfile.mkdtemp())"  # examples write files
exclude_patterns = ["_*"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
default_role = "code"  # docstrings set code in single backticks, as Markdown does
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_attr_annotations = False  # the signature has the types already

html_theme = "furo"
html_title = f"{project} {release}"
html_show_sourcelink = False


class Commands(SphinxDirective):
    """The help of each command of a package."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Return a heading and the help for each command and each command below it."""
        folder = ROOT / "packages" / self.arguments[0]
        sections = [text for words in programs(folder) for text in helps(words)]
        return self.parse_text_to_nodes("\n".join(sections), allow_section_headings=True)


class Api(SphinxDirective):
    """The public names of a package, as its docstrings describe them."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Return an entry for each name in `__all__`, then the tree of the errors and each of them."""
        module = importlib.import_module(import_name(ROOT / "packages" / self.arguments[0]))
        errors = importlib.import_module(f"{module.__name__}.errors")
        lines = [entry(module, it) for it in module.__all__ if it != "errors"]
        lines.append(f"### Errors\n\n```text\n{inspect.getdoc(errors)}\n```\n")
        lines += [entry(errors, it) for it in errors.__all__]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def import_name(folder: Path) -> str:
    """Return the import name of a package."""
    return next(path.parent.name for path in folder.glob("src/*/__init__.py"))


def programs(folder: Path) -> list[list[str]]:
    """Return the commands that a package installs, or else the modules of it that Python can run, as words."""
    metadata = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    if scripts := metadata["project"].get("scripts"):
        return [[name] for name in scripts]
    runnable = sorted(path.parent.relative_to(folder / "src") for path in folder.glob("src/**/__main__.py"))
    return [["python", "-m", ".".join(path.parts)] for path in runnable]


def helps(words: list[str]) -> list[str]:
    """Return a heading and the help of a command, then of those below it.

    Raises:
        CalledProcessError: The command did not exit with 0.
    """
    # Run by this environment's interpreter, and as wide as the page.
    program = [sys.executable, *words[1:]] if words[0] == "python" else [str(Path(sys.executable).parent / words[0])]
    command = program + (words[1:] if words[0] != "python" else [])
    environ = os.environ | {"COLUMNS": "90", "NO_COLOR": "1"}
    text = subprocess.run([*command, "--help"], env=environ, capture_output=True, check=True, text=True).stdout
    below = COMMAND.findall(re.split(r"^(?:commands:|  [A-Z]+)$", text, maxsplit=1, flags=re.MULTILINE)[-1])
    listed = below if re.search(r"^usage: .* [A-Z]+ \.\.\.$", text, flags=re.MULTILINE) else []
    own = f"### `{' '.join(words)}`\n\n````text\n{text}````\n"
    return [own, *(section for name in listed for section in helps([*words, name]))]


def entry(module: ModuleType, name: str) -> str:
    """Return the directive that documents a public name of a module."""
    value = getattr(module, name)
    kind = "class" if inspect.isclass(value) else "function" if inspect.isroutine(value) else "data"
    kind = "exception" if kind == "class" and issubclass(value, Exception) else kind
    options = {"class": "   :members:\n", "exception": "   :show-inheritance:\n"}.get(kind, "")
    return f"```{{eval-rst}}\n.. auto{kind}:: {module.__name__}.{name}\n{options}```\n"


def name_errors(_app: Sphinx, _kind: str, name: str, _value: object, _options: object, lines: list[str]) -> None:
    """Give the errors that a docstring names their full names, since two packages may have an error of one name."""
    module = f"{name.partition('.')[0]}.errors"
    known = importlib.import_module(module).__all__
    lines[:] = [RAISES.sub(lambda it: f":raises ~{module}.{it[1]}:" if it[1] in known else it[0], it) for it in lines]


def setup(app: Sphinx) -> None:
    """Add the directives."""
    app.add_directive("commands", Commands)
    app.add_directive("api", Api)
    app.connect("autodoc-process-docstring", name_errors, priority=900)  # after napoleon
