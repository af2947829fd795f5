"""All sessions of a tree with the cores of their digests, remembered as a whole.

Both are functions of the tree and of the machine. Where neither changed since a plan found them, the next one reads no
file of the tree, however large that is. What of the machine counts is known only once the sessions are, so it stands
beside them, and is compared before anything is believed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._hashes import digest
from headworks._project.session import Session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from headworks._machine.machine import Machine
    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot

__all__ = ["TreeMemory"]

_KIND = "tree"


class TreeMemory:
    """What is remembered of one tree."""

    def __init__(self, snapshot: Snapshot, machine: Machine, memory: Memory) -> None:
        """Take the tree, and the machine that its sessions are to run on."""
        self._machine = machine
        self._memory = memory
        environ = repr(sorted(machine.environment(()).items()))
        self._key = digest(os.fsencode(snapshot.repository.prefix), environ.encode(), snapshot.listing.raw)

    def recall(self) -> tuple[list[Session], dict[str, str]] | None:
        """Return the sessions and the cores by their names, or None where they are unknown or may be others."""
        remembered = self._memory.get(_KIND, self._key)
        if remembered is None:
            return None
        (pythons, variables), facts, rows, cores = remembered
        if facts != self._facts(pythons, variables):
            return None
        return [Session(**row) for row in rows], cores

    def keep(self, sessions: Collection[Session], variables: Iterable[str], cores: dict[str, str]) -> None:
        """Remember what was found.

        Args:
            sessions: all sessions.
            variables: the environment variables that the noxfile was loaded with.
            cores: the cores that are known, by the names of their sessions.
        """
        rows = [vars(session) for session in sessions]
        pythons = sorted({session.python for session in sessions})
        names = sorted({*variables, *(name for session in sessions for name in session.env)})
        self._memory.put(_KIND, self._key, ((pythons, names), self._facts(pythons, names), rows, cores))

    def _facts(self, pythons: list[str], variables: list[str]) -> list[str]:
        """Return all that sessions and cores owe to the machine."""
        machine, nox = self._machine, self._machine.nox
        found = [machine.platform, nox.path, nox.version, nox.python, *map(machine.python, pythons)]
        return [*found, *(f"{name}={value}" for name, value in machine.variables(variables).items())]
