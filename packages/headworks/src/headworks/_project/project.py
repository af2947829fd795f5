"""A tree with everything that its files say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from headworks._hashes import digest, digest_texts
from headworks._noxfile.module import Noxfile
from headworks._project.lock import Lock
from headworks._project.metadata import resolved
from headworks._project.reads import TreeReader
from headworks._project.session import Session
from headworks._project.sessions import check_packages, read_sessions
from headworks._project.table import OTHERS, Row, Table, read_table
from headworks._project.toml import parse, table
from headworks._project.workspace import find_workspace
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._machine.machine import Machine
    from headworks._machine.nox import ListedSession
    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot


class Pyproject:
    """The root's pyproject.toml; empty where there is none.

    Attributes:
        key: Changes with the file.
        table: The table [tool.headworks].
        tables: A hash for each table that configures anything else, by its name in brackets.
        groups: A hash for each dependency group.
    """

    def __init__(self, snapshot: Snapshot, memory: Memory) -> None:
        """Read the file, or remember it.

        Raises:
            ConfigurationError: It is not TOML, or a key or value of [tool.headworks] cannot be right.
        """
        path = os.fsencode(snapshot.repository.prefix + "pyproject.toml")
        entry = snapshot.listing.get(path)
        self.key = digest(*entry) if entry else ""
        remembered = memory.get("pyproject", self.key)
        if remembered is None:
            remembered = _read(snapshot.read([path]).get(path, b""))
            memory.put("pyproject", self.key, remembered)
        rows, rest, self.tables, self.groups = remembered
        self.table = Table(rows={name: Row(**row) for name, row in rows.items()}, **rest)


def _read(content: bytes) -> tuple[Any, ...]:
    """Return the contents of the file in a form that can be remembered."""
    data = parse(content, "pyproject.toml")
    own = table(data, "tool").get("headworks", {})
    sessions = read_table(own)
    groups = data.pop("dependency-groups", {})
    tools = data.pop("tool", {})
    tables = {f"[{name}]": value for name, value in data.items()}
    tables |= {f"[tool.{name}]": value for name, value in table(tools).items() if name != "headworks"}
    # The rows of sessions are in the digests of these already.
    tables |= {f"[tool.headworks.{name}]": value for name, value in own.items() if name in OTHERS}
    return (
        {name: vars(row) for name, row in sessions.rows.items()},
        {name: value for name, value in vars(sessions).items() if name != "rows"},
        {name: digest(repr(value).encode()) for name, value in tables.items()},
        {name: digest(repr(sorted(resolved(table(groups), name).items(), key=str)).encode()) for name in table(groups)},
    )


class Project:
    """A tree of a repository, with everything that its files say about packages and sessions.

    Attributes:
        snapshot: The tree.
        lock: The lock.
        noxfile: The noxfile.
        pyproject: The root's pyproject.toml.
        workspace: The packages.
        reader: Finds the files of a path in the noxfile, or of a pattern in the table.
    """

    def __init__(self, snapshot: Snapshot, memory: Memory) -> None:
        """Read a tree, or remember it.

        Raises:
            UsageError: There is no noxfile.
            ConfigurationError: A file cannot be parsed, or a key or value in it cannot be right.
        """
        self.snapshot = snapshot
        self.listing = snapshot.listing
        self.prefix = snapshot.repository.prefix
        self._memory = memory
        self._is_stale = False
        self.lock = Lock(snapshot, memory)
        self.noxfile = Noxfile(snapshot, memory, {"pyproject.toml", self.lock.file})
        self.pyproject = Pyproject(snapshot, memory)
        named = {name for row in self.pyproject.table.rows.values() for name in row.packages or () if "{" not in name}
        self.workspace = find_workspace(snapshot, memory, self.lock, sorted(named))
        self.reader = TreeReader(self.listing, self.prefix)

    @property
    def is_repeatable(self) -> bool:
        """Whether its sessions come from this tree alone, not from the clock, other files or a later tree."""
        return not self._is_stale and self._is_known()

    def groups(self, session: Session) -> tuple[str, ...]:
        """Return the root's dependency groups that count for a session."""
        groups = self.pyproject.groups if session.groups is None else session.groups
        return tuple(sorted(groups))

    def _listed(self, machine: Machine) -> list[ListedSession]:
        """Return the list of nox; an error about an environment variable that a session lacks names the variable."""
        environ = machine.environment(self.pyproject.table.env)
        try:
            return machine.nox.list_sessions(self.snapshot.repository.root, environ)
        except ConfigurationError as error:
            missing = [name for name in machine.environ.keys() - environ if f"KeyError: {name!r}" in str(error)]
            if not missing:
                raise
            message = (
                f"noxfile.py asks for the environment variable {missing[0]}, which is set here, but reaches noxfile and"
                f' sessions only where the table says so: add env = [ "{missing[0]}" ] below [tool.headworks] in'
                " pyproject.toml."
            )
            raise ConfigurationError(message) from None

    def _is_known(self) -> bool:
        """Whether every file that the noxfile reads while it is loaded is of this tree.

        A file that git does not list, such as an ignored one or one behind a link or in a submodule, may change unseen.
        """
        reads = self.noxfile.on_load()
        return not (reads.unstable or reads.unseen) and all(map(self.reader.slices, (*reads.content, *reads.names)))

    def sessions(self, machine: Machine) -> list[Session]:
        """Return all sessions; nox is asked only where something changed that its answer depends on.

        Raises:
            ConfigurationError: Nox or the table has an error.
        """
        nox, reads = machine.nox, self.noxfile.on_load()
        parts = [self.noxfile.key, self.pyproject.key, self.workspace.key, nox.path, nox.version, nox.python]
        parts += [self.reader.content(reads.content), self.reader.names(reads.names), self.prefix]
        parts += [f"{name}={value}" for name, value in sorted(machine.environment(self.pyproject.table.env).items())]
        key = digest_texts(parts)
        remembered = self._memory.get("sessions", key) if self._is_known() else None
        if remembered is not None:
            return check_packages([Session(**fields) for fields in remembered], self)
        sessions = check_packages(read_sessions(self._listed(machine), self), self)
        self._is_stale = not self.snapshot.is_current()  # nox reads the files as they are when it reads them
        if not self._is_stale:
            self._memory.put("sessions", key, [vars(session) for session in sessions])
        return sessions
