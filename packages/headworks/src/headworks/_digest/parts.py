"""What a session's digest is made of: a few hashes to compute it fast, and the same by name for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._digest.content import Content
from headworks._digest.packages import Packages
from headworks._digest.parent_files import ParentFiles
from headworks._digest.scope import Scope
from headworks._hashes import digest_texts
from headworks._machine.machine import UNSET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headworks._machine.machine import Machine
    from headworks._project.project import Project
    from headworks._project.session import Session

__all__ = ["Components"]

_FORM = "3"  # changes whenever digests have to, because something counts that did not before
_SHORT = 16  # hexadecimal digits of a component; they are for comparing, the digest itself is what is relied upon


class Components:
    """The parts of digests of one tree."""

    def __init__(self, project: Project, machine: Machine) -> None:
        """Take the tree and the machine."""
        self._machine = machine
        self._prefix = project.prefix
        self._content = Content(project.listing, project.reader)
        parent_files = ParentFiles(project, self._content)
        self.scope = Scope(project, self._content, Packages(project, self._content, parent_files), parent_files)
        self._variables: dict[tuple[str, ...], str] = {}

    def core(self, session: Session) -> str:
        """Return a hash over everything that a session's verdict can depend on, but what other sessions leave."""
        if session.env not in self._variables:
            self._variables[session.env] = repr(self._machine.variables(session.env))
        machine = [self._machine.python(session.python), self._machine.platform, self._machine.nox.version]
        return digest_texts([self.tree(session), *machine, self._variables[session.env]])

    def tree(self, session: Session) -> str:
        """Return a hash over the part of the core that comes from the tree, and not from this machine."""
        return digest_texts([_FORM, self._identity(session), repr(session.env), *self.scope.hashes(session)])

    def named(self, session: Session, needs: Mapping[str, str]) -> dict[str, str]:
        """Return the same by name, with what the session needs, short enough to be kept with every verdict."""
        found = {
            "session": digest_texts([self._identity(session)])[:_SHORT],
            "python": self._machine.python(session.python),
            "platform": self._machine.platform,
            "nox": self._machine.nox.version,
        }
        # Records are for everybody to read, so they do not even hold the hash of a variable, which may be a password.
        variables = self._machine.variables(session.env)
        found |= {f"env: {name}": value if value == UNSET else "set" for name, value in variables.items()}
        found |= {name: value[:_SHORT] for name, value in self.scope.named(session).items()}
        return found | {name: value[:_SHORT] for name, value in needs.items()}

    def _identity(self, session: Session) -> str:
        """Return what tells a session from all others, what it leaves behind, and whether it may skip all."""
        # What passed while nothing was required of it has not passed what is required now.
        required = ("required",) if session.required else ()
        # Two projects of one repository may have sessions of the same name that depend on the same files: all of them.
        place = (self._prefix, session.name, session.python)
        return repr((*place, sorted(session.parameters.items()), session.outputs, *required))
