"""The digest of a session: one hash over everything that its verdict can depend on, with a name for each part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from headworks._digest.parts import Components
from headworks._digest.tree_memory import TreeMemory
from headworks._hashes import digest_texts
from headworks._machine.machine import Machine
from headworks._project.project import Project
from headworks._quick.memory import Memory
from headworks._tree.git import Repository
from headworks._tree.snapshot import CommitSnapshot, WorkTreeSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headworks._project.session import Session
    from headworks._tree.snapshot import Snapshot

    Outputs = Mapping[str, Mapping[str, str]]

__all__ = ["Digest", "Digester"]


class Digest:
    """A digest.

    Attributes:
        value: SHA-256 in hexadecimal.
    """

    __slots__ = ("_components", "_name", "value")

    def __init__(self, value: str, name: Callable[[], dict[str, str]]) -> None:
        """Take the value, and what names its parts."""
        self.value = value
        self._name = name
        self._components: dict[str, str] = {}

    @property
    def components(self) -> Mapping[str, str]:
        """A short hash for each part, by a name for people."""
        if not self._components:
            self._components = self._name()
        return self._components


class Digester:
    """Computes the digests of sessions from one tree.

    Nothing of the tree is read before it is asked for: where a whole tree is remembered, nothing of it is read at all.

    Attributes:
        snapshot: the tree.
        machine: what this machine adds.
        catalog: the sessions of the work tree, by name.
    """

    def __init__(self, snapshot: Snapshot, machine: Machine, memory: Memory, catalog: dict[str, Session]) -> None:
        """Take a tree; the catalog is filled when the sessions are asked for."""
        self.snapshot = snapshot
        self.machine = machine
        self.catalog = catalog
        self._memory = memory
        self._project: Project | None = None
        self._parts: Components | None = None
        self._tree: TreeMemory | None = None
        self._cores: dict[str, str] = {}
        self._trees: dict[str, str] = {}
        self._portable: Components | None = None
        self._is_new = False

    @classmethod
    def for_worktree(cls, root: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> Self:
        """Read the work tree as it is now.

        Args:
            root: a folder of the project.
            environ: the environment that decides, by default that of this process.
        """
        environ = os.environ if environ is None else environ
        repository = Repository(os.fspath(root), environ)
        snapshot = WorkTreeSnapshot(repository)
        memory = Memory(os.path.join(repository.git_folder(), "headworks"))
        return cls(snapshot, Machine(repository.root, environ, memory), memory, {})

    def for_commit(self, commit: str) -> Digester:
        """Return what computes the digests that a commit's tree would have on this machine."""
        snapshot = CommitSnapshot(self.snapshot.repository, commit)
        return type(self)(snapshot, self.machine, self._memory, self.catalog)

    def again(self) -> Digester:
        """Return what computes digests from the work tree as it is now, on the same machine."""
        snapshot = WorkTreeSnapshot(self.snapshot.repository)
        return type(self)(snapshot, self.machine, self._memory, self.catalog)

    @property
    def project(self) -> Project:
        """What the tree says.

        Raises:
            HeadworksError: it cannot be read, or says something that cannot be right.
        """
        if self._project is None:
            self._project = Project(self.snapshot, self._memory)
        return self._project

    @property
    def parts(self) -> Components:
        """What digests of the tree are made of."""
        if self._parts is None:
            self._parts = Components(self.project, self.machine)
        return self._parts

    def sessions(self) -> list[Session]:
        """Return all sessions of the tree, which has to be the work tree."""
        if not self.catalog:
            self._tree = TreeMemory(self.snapshot, self.machine, self._memory)
            sessions, self._cores = self._tree.recall() or (self.project.sessions(self.machine), {})
            self.catalog.update((session.name, session) for session in sessions)
        return list(self.catalog.values())

    def remember(self) -> None:
        """Remember the sessions and the cores of their digests, so that the same tree need not be read again."""
        if self._tree is not None and self._is_new and self.project.is_repeatable:
            self._tree.keep(self.catalog.values(), self.project.pyproject.table.env, self._cores)

    def digest(self, session: Session, outputs: Outputs) -> Digest:
        """Return the digest of a session.

        Args:
            session: the session.
            outputs: for each session that it needs, by name, the digest of the content of each output path.

        Raises:
            KeyError: the outputs of a needed session are missing.
        """
        needs, value = self._needs(session, outputs), self._core(session)
        if needs:
            value = digest_texts([value, *(f"{name}: {it}" for name, it in needs.items())])
        return Digest(value, lambda: self.parts.named(session, needs))

    def tree_digest(self, session: Session) -> str:
        """Return the part of a session's digest, and of those that it needs, that is the same on every machine.

        It takes no outputs, which may differ between machines, and nothing that lies outside git.
        """
        if session.name not in self._trees:
            if self._portable is None:
                snapshot = self.snapshot.portable()
                is_same = snapshot is self.snapshot
                self._portable = self.parts if is_same else Components(Project(snapshot, self._memory), self.machine)
            needs = [f"{name}: {self.tree_digest(self.catalog[name])}" for name in session.needs]
            self._trees[session.name] = digest_texts([self._portable.tree(session), *needs])
        return self._trees[session.name]

    def _core(self, session: Session) -> str:
        """Return the core of a session's digest: a hash over all of it but what comes from other sessions."""
        if self._tree is None or self.catalog.get(session.name) is not session:
            return self.parts.core(session)
        if session.name not in self._cores:
            self._cores[session.name] = self.parts.core(session)
            self._is_new = True
        return self._cores[session.name]

    def _needs(self, session: Session, outputs: Outputs) -> dict[str, str]:
        """Return what comes from the sessions that one needs: their outputs, or where there are none, their digests."""
        found: dict[str, str] = {}
        for name in session.needs:
            needed = self.catalog[name]
            if needed.outputs:
                found |= {f"needs {name}: {path}": value for path, value in outputs[name].items()}
            else:
                found[f"needs {name}"] = self.digest(needed, outputs).value
        return found
