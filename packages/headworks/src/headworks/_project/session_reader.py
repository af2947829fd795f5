"""Makes sessions of what nox lists, what the table says, and what the noxfile's code shows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from headworks._nearest import suggestion
from headworks._project.needs import PLACE, with_needs
from headworks._project.session import Session
from headworks._project.table import Row, project_path
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headworks._machine.nox import ListedSession
    from headworks._noxfile.module import Noxfile, SessionCode
    from headworks._project.pyproject import Pyproject
    from headworks._project.reads import TreeReader
    from headworks._project.workspace import Workspace

__all__ = ["read_sessions"]


def read_sessions(
    listed: list[ListedSession],
    pyproject: Pyproject,
    noxfile: Noxfile,
    workspace: Workspace,
    reader: TreeReader,
    prefix: str,
) -> list[Session]:
    """Return all sessions, in the order in which nox lists them.

    Raises:
        ConfigurationError: the table names something that is not there, or its needs go in a circle.
    """
    functions = dict.fromkeys(it.function for it in listed)
    for name in pyproject.table.rows.keys() - functions:
        message = f"{PLACE} {name}: nox knows no such session.{suggestion(name, functions)}"
        raise ConfigurationError(message)
    maker = _Maker(pyproject, noxfile, workspace, reader, prefix)
    sessions = [maker.session(it) for it in listed]
    _check_outputs(sessions)
    return with_needs(sessions)


class _Maker:
    """Makes a session of each that is listed; its needs are still as they were written."""

    def __init__(
        self, pyproject: Pyproject, noxfile: Noxfile, workspace: Workspace, reader: TreeReader, prefix: str
    ) -> None:
        """Take what everything is read from."""
        self._pyproject = pyproject
        self._workspace = workspace
        self._reader = reader
        self._prefix = prefix
        self._codes = {name: noxfile.code(name) for name in noxfile.sessions()}
        self._unknown = noxfile.code("")

    def session(self, listed: ListedSession) -> Session:
        """Return one session."""
        function, python, parameters = listed.function, listed.python, dict(listed.parameters)
        table, code = self._pyproject.table, self._codes.get(function, self._unknown)
        row = table.rows.get(function)
        said = row or Row()
        fill = _Filler(f"{PLACE} {function}", parameters, python)
        packages = self._packages(row, fill)
        ignore = said.ignore if said.ignore is not None else table.ignore if packages else ()
        requires = (text.replace("{py}", python).replace("{python}", python) for text in code.requires or ())
        return Session(
            name=listed.name,
            function=function,
            python=python,
            parameters=parameters,
            tags=listed.tags,
            packages=packages,
            inputs=self._inputs(said, fill),
            groups=self._known("groups", said.groups, self._pyproject.groups, fill),
            tools=self._known("tools", said.tools, self._tools(), fill),
            env=tuple(dict.fromkeys((*table.env, *(said.env or ())))),
            ignore=fill.paths("ignore", ignore),
            needs=tuple(dict.fromkeys((*fill.texts(said.needs or ()), *requires))),
            outputs=fill.paths("outputs", said.outputs or ()),
            uncached=self._uncached(code, row),
            required=said.required,
            has_unknown_needs=code.requires is None and row is None,
            is_declared=row is not None,
            is_planned=listed.is_default or (row is not None and code.is_default),
            is_exclusive=code.is_exclusive or code.notifies,  # nox then runs sessions that nobody knows beforehand
            notifies=code.notifies,
        )

    def _packages(self, row: Row | None, fill: _Filler) -> tuple[str, ...] | None:
        """Return the folders of the packages that a session depends on, or None where it depends on all files."""
        if row is None:
            name = fill.values.get("package")
            return tuple(self._workspace.find(name, self._prefix)) or None if name else None
        if row.packages is None:
            return None if row.inputs is None else ()
        found: list[str] = []
        for name in fill.texts(row.packages):
            folders = self._workspace.find(name, self._prefix)
            if not folders:
                message = f"{fill.place}: there is no package {name!r}.{suggestion(name, self._workspace.names())}"
                raise ConfigurationError(message)
            found += folders
        return tuple(dict.fromkeys(found))

    def _inputs(self, said: Row, fill: _Filler) -> tuple[str, ...] | None:
        """Return the patterns of further files, each of which has to name a file."""
        patterns = None if said.inputs is None else fill.paths("inputs", said.inputs)
        for pattern in patterns or ():
            if not self._reader.named(pattern):
                message = f"{fill.place}: inputs has {pattern!r}, which names no file that git knows."
                raise ConfigurationError(message)
        return patterns

    def _known(
        self, key: str, names: tuple[str, ...] | None, known: Iterable[str], fill: _Filler
    ) -> tuple[str, ...] | None:
        """Return names that have to be known ones, or None where nothing is said."""
        filled = None if names is None else fill.texts(names)
        for name in filled or ():
            if name not in known:
                message = f"{fill.place}: {key} has {name!r}, which is not there.{suggestion(name, known)}"
                raise ConfigurationError(message)
        return filled

    def _tools(self) -> set[str]:
        """Return the names of all tools that the root's pyproject.toml configures."""
        return {name[len("[tool.") : -1] for name in self._pyproject.tables if name.startswith("[tool.")}

    def _uncached(self, code: SessionCode, row: Row | None) -> str:
        """Return why a session always runs; empty where it does not."""
        outside = sorted(text for text in code.content if self._reader.is_outside(text))
        if row is not None and not row.cache:
            return "the table says cache = false"
        if code.unstable or outside:
            return f"noxfile.py {code.unstable or f'reads {outside[0]}'} while it is loaded, which git does not track"
        if code.requires is None and row is None:
            return "nox runs other sessions before it, and no row of [tool.headworks.sessions] says which"
        return ""


class _Filler:
    """Fills the parameters of a session into texts."""

    def __init__(self, place: str, parameters: dict[str, str], python: str) -> None:
        """Take the place to name in messages, and what there is to fill in."""
        self.place = place
        self.values = parameters | ({"python": python} if python else {})

    def texts(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Return some texts, filled."""
        return tuple(map(self._fill, texts))

    def paths(self, key: str, texts: Iterable[str]) -> tuple[str, ...]:
        """Return some paths, filled, that still have to lie in the project."""
        return tuple(project_path(self._fill(text), key, self.place) for text in texts)

    def _fill(self, text: str) -> str:
        """Return a text with the value of each parameter that it names in braces."""
        for name, value in self.values.items():
            text = text.replace(f"{{{name}}}", value)
        _, brace, rest = text.partition("{")
        if brace:
            name = rest.partition("}")[0]
            message = (
                f"{self.place}: {text!r} names {name!r}, which is no parameter here.{suggestion(name, self.values)}"
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
                f"{'/'.join(second)}. Put what tells them apart into the path, as in {{python}}."
            )
            raise ConfigurationError(message)
