"""Everything that a tree says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._noxfile.module import Noxfile
from headworks._project.lock import Lock
from headworks._project.pyproject import Pyproject
from headworks._project.reads import TreeReader
from headworks._project.session import Session
from headworks._project.workspace import find_workspace
from headworks._quick.sha256 import digest_texts
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._machine.machine import Machine
    from headworks._machine.nox import ListedSession
    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot

__all__ = ["Project"]


class Project:
    """A tree of a repository with what its files say.

    Attributes:
        snapshot: the tree.
        pyproject: the root's pyproject.toml.
        workspace: the packages.
        lock: the lock.
        noxfile: the noxfile.
        reader: finds files by what code or tables say.
    """

    def __init__(self, snapshot: Snapshot, memory: Memory) -> None:
        """Read a tree, or remember what was read.

        Raises:
            UsageError: there is no noxfile.
            ConfigurationError: a file says something that cannot be right.
        """
        self.snapshot = snapshot
        self.listing = snapshot.listing
        self.prefix = snapshot.repository.prefix
        self._memory = memory
        self._is_stale = False
        self.lock = Lock(snapshot, memory)
        self.noxfile = Noxfile(snapshot, memory, {"pyproject.toml", self.lock.file})
        self.pyproject = Pyproject(snapshot, memory)
        self.workspace = find_workspace(snapshot, memory)
        self.reader = TreeReader(self.listing, self.prefix)

    @property
    def is_repeatable(self) -> bool:
        """Whether its sessions come from this tree alone: neither from the clock or others, nor from a later tree."""
        return not self._is_stale and self._is_known()

    def _listed(self, machine: Machine) -> list[ListedSession]:
        """Return what nox lists; where the noxfile asks for a variable that it did not get, the message says which."""
        environ = machine.environment(self.pyproject.table.env)
        try:
            return machine.nox.list_sessions(self.snapshot.repository.root, environ)
        except ConfigurationError as error:
            missing = [it for it in machine.environ.keys() - environ if f"KeyError: {it!r}" in str(error)]
            if not missing:
                raise
            message = (
                f"noxfile.py asks for the environment variable {missing[0]}, which is set here, but reaches noxfile and"
                f' sessions only where the table says so: add env = [ "{missing[0]}" ] below [tool.headworks] in'
                " pyproject.toml."
            )
            raise ConfigurationError(message) from None

    def _is_known(self) -> bool:
        """Whether all that the noxfile reads while it is loaded is of this tree.

        What git does not list, such as an ignored file or one behind a link or in a submodule, may change unseen.
        """
        reads = self.noxfile.on_load()
        return not reads.unstable and all(map(self.reader.slices, (*reads.content, *reads.names)))

    def sessions(self, machine: Machine) -> list[Session]:
        """Return all sessions, asking nox only where something changed that its answer was read from.

        Raises:
            ConfigurationError: nox or the table has an error.
        """
        pyproject, noxfile, workspace = self.pyproject, self.noxfile, self.workspace
        reads = noxfile.on_load()
        parts = [noxfile.key, pyproject.key, workspace.key, machine.nox.path, machine.nox.version, machine.nox.python]
        parts += [self.reader.content(reads.content), self.reader.names(reads.names), self.prefix]
        parts += [f"{name}={value}" for name, value in sorted(machine.environment(pyproject.table.env).items())]
        key = digest_texts(parts)
        remembered = self._memory.get("sessions", key) if self._is_known() else None
        if remembered is not None:
            return [Session(**packed) for packed in remembered]
        from headworks._project.session_reader import read_sessions

        listed = self._listed(machine)
        sessions = read_sessions(listed, pyproject, noxfile, workspace, self.reader, self.prefix)
        self._is_stale = not self.snapshot.is_current()  # nox reads the files as they are when it reads them
        if not self._is_stale:
            self._memory.put("sessions", key, [vars(session) for session in sessions])
        return sessions
