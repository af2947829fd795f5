"""The rows that `headworks init` proposes by the noxfile alone, for an existing nox repository."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from headworks._project.table_text import Draft

if TYPE_CHECKING:
    from headworks._project.project import Project
    from headworks._project.session import Session

UNKNOWN_NEEDS = "give it the needs that its requires= stands for"
_NOTHING = "nothing in the noxfile says which files it reads; `headworks init --observe` writes what it is seen to read"


def by_function(sessions: Iterable[Session]) -> dict[str, list[Session]]:
    """Return the instances of each function, by its name."""
    functions: dict[str, list[Session]] = {}
    for session in sessions:
        functions.setdefault(session.function, []).append(session)
    return functions


def asks(program: str) -> str:
    """Return the remark on a session whose outcome a program decides that asks other machines."""
    return f"{program} asks other machines, whose answers change without a commit"


def drafts(sessions: list[Session], project: Project) -> list[Draft]:
    """Return a row for each function, as a comment where there is nothing to promise or somebody has to look first."""
    return [_draft(name, instances, sessions, project) for name, instances in by_function(sessions).items()]


def _draft(name: str, instances: list[Session], sessions: list[Session], project: Project) -> Draft:
    mentions = project.noxfile.mentions(name)
    settings: dict[str, tuple[str, ...] | bool] = {}
    values = [session.parameters.get("package", "") for session in instances]
    is_narrow = "" not in mentions.paths or mentions.is_moving
    if is_narrow and all(value and project.workspace.find(value, project.prefix) for value in values):
        settings["packages"] = ("{package}",)
        named = mentions.paths - {"pyproject.toml"}  # of which every digest has the parts that count
        paths = (it for it in named if project.listing.has(os.fsencode(project.prefix + it)))
        if inputs := tuple(sorted(it for it in paths if it and not set(it) & set("*?[{"))):
            settings["inputs"] = inputs
    needs = {need for session in instances for need in session.needs}
    if needs:
        settings["needs"] = tuple(dict.fromkeys(it.function for it in sessions if it.name in needs))
    if mentions.asking:
        settings["cache"] = False
    remarks = [asks(mentions.asking)] if mentions.asking else []
    is_unknown = any(session.has_unknown_needs for session in instances)
    is_planned = any(session.is_planned for session in instances)
    remarks += [UNKNOWN_NEEDS] if is_unknown else []
    remarks += [] if is_planned or is_unknown else ["a bare nox does not run it"]
    remarks += [] if settings or remarks else [_NOTHING]
    return Draft(
        name=name, settings=settings, remark="; ".join(remarks), is_row=bool(settings) and is_planned and not is_unknown
    )
