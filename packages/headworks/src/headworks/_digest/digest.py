"""The digest of a session: one hash over everything that its verdict can depend on, with a name for each part."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Self, cast

from headworks._digest.content import Content
from headworks._digest.packages import Packages
from headworks._digest.parent_files import ParentFiles
from headworks._digest.scope import Scope
from headworks._hashes import digest, digest_texts
from headworks._machine.machine import UNSET, Machine
from headworks._project.project import Project
from headworks._project.session import Session
from headworks._quick.memory import Memory
from headworks._tree.git import Repository
from headworks._tree.snapshot import CommitSnapshot, WorkTreeSnapshot

if TYPE_CHECKING:
    from headworks._tree.snapshot import Snapshot

    Outputs = Mapping[str, Mapping[str, str]]

_FORM = "4"  # changes whenever digests have to, because something counts that did not before
_SHORT = 16  # hexadecimal digits of a component; they are for comparing, verdicts are found by the whole digest
_TREE = "tree"


class Digest:
    """A digest.

    Attributes:
        value: SHA-256 in hexadecimal.
    """

    def __init__(self, value: str, name: Callable[[], dict[str, str]]) -> None:
        """Take the value, and a function that returns its parts by name."""
        self.value = value
        self._name = name

    @cached_property
    def components(self) -> Mapping[str, str]:
        """A short hash for each part, by a name for people."""
        return self._name()


class Components:
    """The parts of digests of one tree: a few hashes to compute them fast, and the same by name for people."""

    def __init__(self, project: Project, machine: Machine) -> None:
        """Take the tree and the machine."""
        self._machine = machine
        self._prefix = project.prefix
        self._content = Content(project.listing, project.reader)
        parent_files = ParentFiles(project, self._content)
        self.scope = Scope(project, self._content, Packages(project, self._content, parent_files), parent_files)
        self._variables = cache(lambda declared: repr(machine.variables(declared)))

    def core(self, session: Session, facts: Iterable[str] | None = None) -> str:
        """Return a hash over everything that a session's verdict can depend on, except outputs of other sessions.

        Args:
            session: The session.
            facts: The Python, the platform and the nox of another machine; those of this one by default.
        """
        return digest_texts([self.tree(session), *self._facts(session, facts)])

    def _facts(self, session: Session, facts: Iterable[str] | None = None) -> list[str]:
        """Return the facts about a machine that a session's verdict can depend on, with the variables of this one."""
        own = (self._machine.python(session.python), self._machine.platform, self._machine.nox.version)
        return [*(own if facts is None else facts), self._variables(session.env)]

    def observed(self, session: Session) -> str:
        """Return a hash over everything that a session's verdict can depend on, except what it was seen to read."""
        parts = [f"{name}={value}" for name, value in self.scope.observed(session).items()]
        return digest_texts([_FORM, self._identity(session), repr(session.env), *self._facts(session), *parts])

    def promise(self, session: Session) -> str:
        """Return a hash over what a session's row promises, and over the code that has to keep it."""
        row = (session.packages, session.inputs, session.groups, session.tools, session.env, session.ignore)
        parts = self.scope.code(session)
        return digest_texts([self._identity(session), repr((*row, session.needs)), repr(sorted(parts.items()))])

    def tree(self, session: Session) -> str:
        """Return a hash over the part of the core that comes from the tree, and not from this machine."""
        return digest_texts([_FORM, self._identity(session), repr(session.env), *self.scope.hashes(session)])

    def named(self, session: Session, needs: Mapping[str, str], *, observed: bool = False) -> dict[str, str]:
        """Return the parts by name, with the needs of the session, short enough to be kept with every verdict."""
        found = {
            "session": digest_texts([self._identity(session)])[:_SHORT],
            "python": self._machine.python(session.python),
            "platform": self._machine.platform,
            "nox": self._machine.nox.version,
        }
        # Records are for everybody to read, so they do not even hold the hash of a declared variable, which may be a
        # password. The others hold none, see `headworks._machine.environ`.
        variables = self._machine.variables(session.env)
        hidden = {name: "set" for name in session.env if variables[name] != UNSET}
        found |= {f"env: {name}": value[:_SHORT] for name, value in (variables | hidden).items()}
        named = self.scope.observed(session) if observed else self.scope.named(session)
        found |= {name: value[:_SHORT] for name, value in named.items()}
        return found | {name: value[:_SHORT] for name, value in needs.items()}

    def _identity(self, session: Session) -> str:
        """Return the identity of a session, its outputs, and whether it is required to run a test."""
        # What passed while nothing was required of it has not passed what is required now.
        required = ("required",) if session.required else ()
        # Two projects of one repository may have sessions of the same name that depend on the same files: all of them.
        place = (self._prefix, session.name, session.python)
        return repr((*place, sorted(session.parameters.items()), session.outputs, *required))


class Digester:
    """Computes the digests of sessions from one tree.

    Nothing of the tree is read before it is asked for. All sessions with the cores of their digests are functions of
    the tree and of the machine, and are remembered as a whole: where neither changed since a plan found them, the next
    one reads no file of the tree, however large that is.

    Attributes:
        snapshot: the tree.
        machine: what this machine adds.
        catalog: the sessions of the work tree, by name.
        memory: what is remembered on this machine.
    """

    def __init__(self, snapshot: Snapshot, machine: Machine, memory: Memory, catalog: dict[str, Session]) -> None:
        """Take a tree; the catalog is filled when the sessions are asked for."""
        self.snapshot = snapshot
        self.machine = machine
        self.catalog = catalog
        self.memory = memory
        self._key = ""
        self._cores: dict[str, str] = {}
        self._trees: dict[str, str] = {}
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
        # Facts follow from contents, which work trees share; those about the files of one are remembered beside it.
        memory = Memory(os.path.join(repository.shared_folder(), "headworks"))
        return cls(snapshot, Machine(repository.root, environ, memory), memory, {})

    def for_commit(self, commit: str) -> Digester:
        """Return a digester for a commit's tree on this machine."""
        snapshot = CommitSnapshot(self.snapshot.repository, commit, cast("WorkTreeSnapshot", self.snapshot))
        return type(self)(snapshot, self.machine, self.memory, self.catalog)

    def again(self) -> Digester:
        """Return a digester for the work tree's current state."""
        snapshot = WorkTreeSnapshot(self.snapshot.repository)
        return type(self)(snapshot, self.machine, self.memory, self.catalog)

    @cached_property
    def project(self) -> Project:
        """The project that the files of the tree describe.

        Raises:
            HeadworksError: it cannot be read, or says something that cannot be right.
        """
        return Project(self.snapshot, self.memory)

    @cached_property
    def parts(self) -> Components:
        """The parts of the tree's digests."""
        return Components(self.project, self.machine)

    @cached_property
    def _portable(self) -> Components:
        """The parts without what differs between machines outside git."""
        snapshot = self.snapshot.portable()
        return self.parts if snapshot is self.snapshot else Components(Project(snapshot, self.memory), self.machine)

    def sessions(self) -> list[Session]:
        """Return all sessions of the tree, which has to be the work tree."""
        if not self.catalog:
            environ = repr(sorted(self.machine.environment(()).items()))
            prefix = os.fsencode(self.snapshot.repository.prefix)
            self._key = digest(prefix, environ.encode(), self.snapshot.listing.raw)
            sessions, self._cores = self._recalled() or (self.project.sessions(self.machine), {})
            self.catalog.update((session.name, session) for session in sessions)
        return list(self.catalog.values())

    def remember(self) -> None:
        """Remember the sessions and the cores of their digests, so that the same tree need not be read again."""
        if self._key and self._is_new and self.project.is_repeatable:
            sessions = self.catalog.values()
            pythons = sorted({session.python for session in sessions})
            loaded_with = self.project.pyproject.table.env
            names = sorted({*loaded_with, *(name for session in sessions for name in session.env)})
            facts, rows = self._facts(pythons, names), [vars(session) for session in sessions]
            self.memory.put(_TREE, self._key, ((pythons, names), facts, rows, self._cores))

    def _recalled(self) -> tuple[list[Session], dict[str, str]] | None:
        """Return the sessions and the cores by their names, or None where they are unknown or may be others.

        Which facts about the machine count is known only with the sessions, so these stand beside them, and are
        compared before anything is believed.
        """
        remembered = self.memory.get(_TREE, self._key)
        if remembered is None:
            return None
        (pythons, variables), facts, rows, cores = remembered
        return ([Session(**row) for row in rows], cores) if facts == self._facts(pythons, variables) else None

    def _facts(self, pythons: list[str], variables: list[str]) -> list[str]:
        """Return the facts about the machine that sessions and cores depend on."""
        machine, nox = self.machine, self.machine.nox
        found = [machine.platform, nox.path, nox.version, nox.python, *map(machine.python, pythons)]
        return [*found, *(f"{name}={value}" for name, value in machine.variables(variables).items())]

    def digest(self, session: Session, outputs: Outputs) -> Digest:
        """Return the digest of a session.

        Args:
            session: the session.
            outputs: for each session that it needs, by name, the digest of the content of each output path.

        Raises:
            KeyError: the outputs of a needed session are missing.
        """
        needs = self._needs(session, outputs)
        return Digest(_with_needs(self._core(session), needs), lambda: self.parts.named(session, needs))

    def digest_there(self, session: Session, recorded: Mapping[str, str]) -> str:
        """Return the digest of a session without needs on another machine whose variables are the same.

        Args:
            session: the session.
            recorded: the parts of a digest that was computed there.
        """
        return self.parts.core(session, [recorded.get(name, "") for name in ("python", "platform", "nox")])

    def observed_core(self, session: Session, outputs: Outputs) -> Digest:
        """Return the digest of all that a session's verdict can depend on, except what it was seen to read.

        The arguments are those of `digest`.
        """
        needs = self._needs(session, outputs)
        value = _with_needs(self._core(session, "observed"), needs)
        return Digest(value, lambda: self.parts.named(session, needs, observed=True))

    def promise(self, session: Session) -> str:
        """Return a digest of what a session's row promises, and of the code that has to keep it."""
        return self._core(session, "promise")

    def files(self, session: Session) -> set[str]:
        """Return the files that the digest of a session covers, relative to the top of the repository."""
        project, scope = self.project, self.parts.scope
        code = project.noxfile.code(session.function)
        slices = [it for spans in scope.kept(session).values() for it in spans]
        slices += [it for text in code.content for it in project.reader.slices(text)]
        paths = {os.fsdecode(path) for start, end in slices for _, _, path in project.listing.records(start, end)}
        return paths | scope.shared

    def tree_digest(self, session: Session) -> str:
        """Return the part of a session's digest, and of those that it needs, that is the same on every machine.

        It takes no outputs, which may differ between machines, and nothing that lies outside git.
        """
        if session.name not in self._trees:
            needs = [f"{name}: {self.tree_digest(self.catalog[name])}" for name in session.needs]
            self._trees[session.name] = digest_texts([self._portable.tree(session), *needs])
        return self._trees[session.name]

    def _core(self, session: Session, kind: str = "core") -> str:
        """Return the core of a session's digest: a hash over all of it except outputs of other sessions.

        Args:
            session: The session.
            kind: `core`; `observed` for that without files; `promise` for what its row promises, and to what code.
        """
        if not self._key or self.catalog.get(session.name) is not session:
            return self._computed(session, kind)
        key = f"{kind} {session.name}"
        if key not in self._cores:
            self._cores[key] = self._computed(session, kind)
            self._is_new = True
        return self._cores[key]

    def _computed(self, session: Session, kind: str) -> str:
        compute = {"core": self.parts.core, "observed": self.parts.observed, "promise": self.parts.promise}
        return compute[kind](session)

    def _needs(self, session: Session, outputs: Outputs) -> dict[str, str]:
        """Return the outputs of the sessions that one needs, or their digests where they declare none."""
        found: dict[str, str] = {}
        for name in session.needs:
            needed = self.catalog[name]
            if not needed.outputs:
                found[f"needs {name}"] = self.digest(needed, outputs).value
            else:
                found |= {f"needs {name}: {path}": value for path, value in outputs[name].items()}
        return found


def _with_needs(core: str, needs: Mapping[str, str]) -> str:
    """Return a digest over a core and needs; the core itself where there are none."""
    return digest_texts([core, *(f"{name}: {it}" for name, it in needs.items())]) if needs else core
