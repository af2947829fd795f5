"""The table that `headworks init` writes for an existing nox repository."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from headworks._project.toml import parse, table
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from headworks._project.session import Session

__all__ = ["with_table"]

_HEAD = """\
[tool.headworks]
# Files that no session with `packages` depends on. Add the files that only people read.
ignore = [{ignore}]

# The dependencies of each session: `headworks plan` shows the sessions to run, `headworks explain SESSION` all parts.
#   packages = [ "..." ]  packages, with all that they need; "{{package}}" stands for a parameter; without it, all files
#   inputs   = [ "..." ]  patterns of further files
#   needs    = [ "..." ]  sessions that must pass before, whose outputs it reads
#   outputs  = [ "..." ]  files and folders that it writes for others; may have "{{python}}" in it
#   groups   = [ "..." ]  the dependency groups that it installs; without it, all of them
#   tools    = [ "..." ]  the [tool.*] tables that count for it; without it, all of them
#   env      = [ "..." ]  environment variables that it reads; no others reach it, but those every program needs
#   cache    = false      its outcome depends on time or the network
[tool.headworks.sessions]
"""
_PROSE = (
    "CHANGELOG",
    "CHANGES",
    "CODE_OF_CONDUCT",
    "CONTRIBUTING",
    "HISTORY",
    "LICENSE",
    "NOTICE",
    "README",
    "SECURITY",
)


def with_table(
    content: bytes, sessions: Iterable[Session], files: Iterable[str], is_package: Callable[[str], object]
) -> bytes:
    """Return a pyproject.toml with a table of its sessions added at the end.

    Args:
        content: The file, empty where there is none.
        sessions: All sessions.
        files: The names of the files beside it.
        is_package: Tells whether a name means a package.

    Raises:
        UsageError: There is such a table already, or none can be added at the end.
        ConfigurationError: The file is not TOML.
    """
    if "headworks" in table(parse(content, "pyproject.toml"), "tool"):
        message = "pyproject.toml has a table [tool.headworks] already; `headworks plan` shows what follows from it."
        raise UsageError(message)
    # Of names that are not printable, TOML may not be able to hold all.
    prose = sorted(name for name in files if name.isprintable() and name.partition(".")[0].upper().startswith(_PROSE))
    text = _HEAD.format(ignore=_listed(prose)) + "\n".join(_rows(list(sessions), is_package)) + "\n"
    separator = "" if not content else "\n" if content.endswith(b"\n") else "\n\n"
    newline = "\r\n" if b"\r\n" in content else "\n"
    changed = content + (separator + text).replace("\n", newline).encode()
    try:
        parse(changed, "pyproject.toml")
    except ConfigurationError:
        message = (
            f"No table can be added at the end of pyproject.toml, which has `tool = ...`. Put this into it:\n\n{text}"
        )
        raise UsageError(message) from None
    return changed


def _rows(sessions: list[Session], is_package: Callable[[str], object]) -> list[str]:
    """Return a line for each function, as a comment where somebody has to look at it first."""
    functions: dict[str, list[Session]] = {}
    for session in sessions:
        functions.setdefault(session.function, []).append(session)
    return [_row(name, instances, sessions, is_package) for name, instances in functions.items()]


def _row(name: str, instances: list[Session], sessions: list[Session], is_package: Callable[[str], object]) -> str:
    names = [session.parameters.get("package", "") for session in instances]
    settings = ['packages = ["{package}"]'] if all(name and is_package(name) for name in names) else []
    needs = {need for session in instances for need in session.needs}
    needed = dict.fromkeys(session.function for session in sessions if session.name in needs)
    settings += [f"needs = [{_listed(needed)}]"] if needed else []
    row = f"{_key(name)} = {{ {', '.join(settings)} }}" if settings else f"{_key(name)} = {{}}"
    if any(session.has_unknown_needs for session in instances):
        return f"# {row}  # give it the needs that its requires= stands for"
    return row if any(session.is_planned for session in instances) else f"# {row}  # a bare nox does not run it"


def _listed(texts: Iterable[str]) -> str:
    """Return the elements of an array of TOML."""
    return ", ".join(json.dumps(text, ensure_ascii=False) for text in texts)


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else _listed([name])
