"""The digest of a session: one hash over everything that its verdict can depend on, with a name for each part."""

from __future__ import annotations

import os

from headgate._git import Repository
from headgate._sha256 import digest_texts
from headgate._snapshot import CommitSnapshot, WorkTreeSnapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from headgate._components import Components
    from headgate._machine import Machine
    from headgate._memory import Memory
    from headgate._sessions import Session
    from headgate._snapshot import Snapshot

    Outputs = Mapping[str, Mapping[str, str]]

__all__ = ["Digest", "Digester"]


class Digest:
    """A digest.

    Attributes:
        value: SHA-256 in hexadecimal.
    """

    __slots__ = ("_components", "_parts", "value")

    def __init__(self, value: str, parts: Components, session: Session, outputs: Outputs) -> None:
        """Take the value, and what its parts can be found with."""
        self.value = value
        self._parts = parts, session, outputs
        self._components: dict[str, str] = {}

    @property
    def components(self) -> Mapping[str, str]:
        """A short hash for each part, by a name for people."""
        if not self._components:
            parts, session, outputs = self._parts
            self._components = parts.of(session, outputs)
        return self._components


class Digester:
    """Computes the digests of sessions from one tree.

    Attributes:
        project: what the tree says.
        machine: what this machine adds.
        catalog: the sessions of the work tree, by name.
    """

    def __init__(self, snapshot: Snapshot, machine: Machine, memory: Memory, catalog: dict[str, Session]) -> None:
        """Read a tree; the catalog is filled when the sessions are asked for.

        Raises:
            HeadgateError: the tree cannot be read, or says something that cannot be right.
        """
        from headgate._components import Components
        from headgate._project import Project

        self.machine = machine
        self.memory = memory
        self.project = Project(snapshot, memory)
        self.catalog = catalog
        self.parts = Components(self.project, machine, catalog)

    @classmethod
    def for_worktree(cls, root: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> Self:
        """Read the work tree as it is now, in an environment, by default that of this process."""
        environ = os.environ if environ is None else environ
        repository = Repository(os.fspath(root), environ)
        snapshot = WorkTreeSnapshot(repository, meanwhile=_prepare)
        from headgate._machine import Machine
        from headgate._memory import Memory

        memory = Memory(os.path.join(repository.git_folder(), "headgate"))
        return cls(snapshot, Machine(repository.root, environ, memory), memory, {})

    def for_commit(self, commit: str) -> Digester:
        """Return what computes the digests that a commit's tree would have on this machine."""
        snapshot = CommitSnapshot(self.project.snapshot.repository, commit)
        return type(self)(snapshot, self.machine, self.memory, self.catalog)

    def again(self) -> Digester:
        """Return what computes digests from the work tree as it is now, on the same machine."""
        snapshot = WorkTreeSnapshot(self.project.snapshot.repository)
        return type(self)(snapshot, self.machine, self.memory, self.catalog)

    def sessions(self) -> list[Session]:
        """Return all sessions of the tree, which has to be the work tree."""
        if not self.catalog:
            self.catalog.update((session.name, session) for session in self.project.sessions(self.machine))
        return list(self.catalog.values())

    def digest(self, session: Session, outputs: Outputs) -> Digest:
        """Return the digest of a session.

        Args:
            session: the session.
            outputs: for each session that it needs, by name, the digest of the content of each output path.

        Raises:
            KeyError: the outputs of a needed session are missing.
        """
        parts = self.parts.hashes(session, outputs)
        return Digest(digest_texts(parts), self.parts, session, outputs)


def _prepare() -> None:
    """Import what comes next, which takes about as long as git takes to look at a small repository."""
    from headgate import _components, _machine, _memory, _project

    del _components, _machine, _memory, _project
