"""Sessions, made of the list of nox, the table and the code of the noxfile."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from headworks._nearest import suggestion
from headworks._project.needs import PLACE, with_needs
from headworks._project.session import Session, filled, row_values
from headworks._project.table import Row, project_path
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._machine.nox import ListedSession
    from headworks._project.project import Project


def read_sessions(listed: list[ListedSession], project: Project) -> list[Session]:
    """Return all sessions, in the order in which nox lists them.

    Raises:
        ConfigurationError: The table names something unknown, or sessions need each other in a circle.
    """
    functions = dict.fromkeys(session.function for session in listed)
    for name in project.pyproject.table.rows.keys() - functions:
        message = f"{PLACE} {name}: nox knows no such session.{suggestion(name, functions)}"
        raise ConfigurationError(message)
    sessions = list(map(_Maker(project).session, listed))
    _check_outputs(sessions)
    return with_needs(sessions)


def check_packages(sessions: list[Session], project: Project) -> list[Session]:
    """Return the sessions, whose packages have to find all local packages that they need.

    Raises:
        ConfigurationError: A session depends on a package that needs one which git does not list.
    """
    seen = set()
    for session in sessions:
        key = (session.packages, session.groups)
        if session.packages is None or key in seen:
            continue
        seen.add(key)
        if unmet := project.workspace.unmet(session.packages, project.groups(session)):
            message = (
                f"{PLACE} {session.function}: {unmet}. Put it there, as `git submodule update --init` does, or mend the"
                " path in the package's metadata or in the lock."
            )
            raise ConfigurationError(message)
    return sessions


class _Maker:
    """Makes sessions whose needs are still as they were written."""

    def __init__(self, project: Project) -> None:
        """Take the project."""
        self._project = project
        tables = (name for name in project.pyproject.tables if name.startswith("[tool."))
        self._tools = {name.removeprefix("[tool.").removesuffix("]") for name in tables}

    def session(self, listed: ListedSession) -> Session:
        """Return a session."""
        function, python, parameters = listed.function, listed.python, dict(listed.parameters)
        table, code = self._project.pyproject.table, self._project.noxfile.code(function)
        row = table.rows.get(function)
        filled = row or Row()
        fill = _Filler(f"{PLACE} {function}", parameters, python)
        packages = self._packages(row, fill)
        ignore = filled.ignore if filled.ignore is not None else table.ignore if packages else ()
        has_unknown_needs = code.requires is None and row is None
        is_observed = row is None or row.observe is True
        outside = sorted(path for path in code.content if self._project.reader.is_outside(path))
        unseen = _untracked(code.unseen or (f"reads {outside[0]}" if outside else ""))
        always = "" if filled.cache else "the table says cache = false"
        requires = (text.replace("{py}", python).replace("{python}", python) for text in code.requires or ())
        return Session(
            name=listed.name,
            function=function,
            python=python,
            parameters=parameters,
            tags=listed.tags,
            packages=packages,
            inputs=self._inputs(filled, fill),
            groups=self._known("groups", filled.groups, self._project.pyproject.groups, fill),
            tools=self._known("tools", filled.tools, self._tools, fill),
            env=tuple(dict.fromkeys((*table.env, *(filled.env or ())))),
            ignore=fill.paths("ignore", ignore),
            needs=tuple(dict.fromkeys((*fill.texts(filled.needs or ()), *requires))),
            outputs=fill.paths("outputs", filled.outputs or ()),
            uncached=always or _untracked(code.unstable) or ("" if is_observed else unseen),
            unseen=unseen,
            runs_on=filled.runs_on or (),
            required=filled.required,
            has_unknown_needs=has_unknown_needs,
            is_declared=row is not None,
            is_observed=is_observed,
            is_watchable=filled.observe is not False,
            is_planned=listed.is_default or (row is not None and code.is_default),
            # The sessions that nox then runs are unknown before.
            is_exclusive=code.is_exclusive or code.notifies or has_unknown_needs,
            notifies=code.notifies,
        )

    def _packages(self, row: Row | None, fill: _Filler) -> tuple[str, ...] | None:
        """Return the folders of the packages that a session depends on, or None where it depends on all files."""
        workspace = self._project.workspace
        if row is None or row.packages is None:
            return None if row is None or row.inputs is None else ()
        packages: list[str] = []
        for name in fill.texts(row.packages):
            folders = workspace.find(name, self._project.prefix)
            if not folders:
                message = f"{fill.place}: there is no package {name!r}.{suggestion(name, workspace.names())}"
                raise ConfigurationError(message)
            packages += folders
        return tuple(dict.fromkeys(packages))

    def _inputs(self, row: Row, fill: _Filler) -> tuple[str, ...] | None:
        """Return the patterns of further files, each of which has to name a file."""
        patterns = None if row.inputs is None else fill.paths("inputs", row.inputs)
        for pattern in patterns or ():
            if not self._project.reader.named(pattern):
                message = f"{fill.place}: inputs has {pattern!r}, which names no file that git knows."
                raise ConfigurationError(message)
        return patterns

    def _known(
        self, key: str, names: tuple[str, ...] | None, known: Iterable[str], fill: _Filler
    ) -> tuple[str, ...] | None:
        """Return names that have to be known, or None where the row has no such key."""
        filled = None if names is None else fill.texts(names)
        for name in filled or ():
            if name not in known:
                message = f"{fill.place}: {key} has {name!r}, which is not there.{suggestion(name, known)}"
                raise ConfigurationError(message)
        return filled


def _untracked(what: str) -> str:
    """Return why nobody can tell what a session depends on, given what its code does; empty where it does nothing."""
    return f"noxfile.py {what} while it is loaded, which git does not track" if what else ""


class _Filler:
    """Fills the parameters of a session into texts."""

    def __init__(self, place: str, parameters: dict[str, str], python: str) -> None:
        """Take the place to name in messages, and the values to fill in."""
        self.place = place
        self.values = row_values(parameters, python)

    def texts(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Return texts with the values in place of the names in braces."""
        return tuple(map(self._fill, texts))

    def paths(self, key: str, texts: Iterable[str]) -> tuple[str, ...]:
        """Return the same of paths, which still have to lie in the project."""
        return tuple(project_path(self._fill(text), key, self.place) for text in texts)

    def _fill(self, text: str) -> str:
        text = filled(text, self.values)
        _, brace, rest = text.partition("{")
        if brace:
            name = rest.partition("}")[0]
            message = (
                f"{self.place}: {text!r} names {name!r}, which is not a parameter here.{suggestion(name, self.values)}"
            )
            raise ConfigurationError(message)
        return text


def _check_outputs(sessions: Iterable[Session]) -> None:
    """Refuse sessions that would write over each other's outputs."""
    owners = sorted((output.split("/"), session.name) for session in sessions for output in session.outputs)
    for (first, one), (second, other) in pairwise(owners):
        if second[: len(first)] == first:
            message = (
                f"{PLACE}: {one} and {other} would write over each other's outputs {'/'.join(first)} and "
                f"{'/'.join(second)}. Put a parameter that distinguishes them into the path, such as {{python}}."
            )
            raise ConfigurationError(message)
