"""Which part of uv.lock each package and each dependency group can reach; what cannot be told reaches all of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from headworks._project.toml import parse
from headworks._quick.sha256 import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot

__all__ = ["Lock"]

_FILE = "uv.lock"


class Lock:
    """The lock of a project, which may have none.

    Attributes:
        whole: a hash of all of it, empty where there is none.
    """

    def __init__(self, snapshot: Snapshot, memory: Memory) -> None:
        """Find the lock, and remember or read what its parts are.

        Raises:
            ConfigurationError: it is no TOML.
        """
        self._snapshot = snapshot
        self._memory = memory
        self._path = os.fsencode(snapshot.repository.prefix + _FILE)
        entry = snapshot.listing.get(self._path)
        self.whole = digest(self._path, *entry) if entry else ""
        self._parts: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {}
        self._details: dict[str, Any] = {}
        if entry:
            self._parts = memory.get("lock", self.whole) or self._read()[0]

    def groups(self) -> list[str]:
        """Return the names of the dependency groups of the project's root."""
        return sorted(self._parts.get("groups", {}))

    def lacking(self, folders: Iterable[str]) -> list[str]:
        """Return those of the workspace's packages that the lock lacks, for whose sake uv refuses all work with it."""
        return sorted(set(folders) - self._parts.get("runtime", {}).keys()) if self.whole else []

    def reach(self, kind: str, name: str) -> tuple[str, tuple[str, ...]]:
        """Return a hash over the packages that something reaches, and the folders of members that it reaches.

        Args:
            kind: `runtime` for what comes with a package's wheel, `own` for that and its dependency groups, both with
                the package's folder as the name; `groups` for a dependency group of the root.
            name: the folder or the group.
        """
        return self._parts.get(kind, {}).get(name) or (self.whole, ())

    def entries(self, kind: str, name: str) -> dict[str, str]:
        """Return the locked packages that something reaches: name with version, and a hash of what the lock says."""
        if not self.whole:
            return {}
        self._details = self._details or self._memory.get("lock-details", self.whole) or self._read()[1]
        labels = self._details["labels"]
        reached = self._details["reached"].get(kind, {}).get(name, range(len(labels)))
        return {"in general": self._details["general"]} | dict(labels[number] for number in reached)

    def _read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read the lock, and return its parts and their details."""
        from headworks._project.lock_uv import LockReader

        reader = LockReader(
            parse(self._snapshot.read([self._path])[self._path], _FILE), self._snapshot.repository.prefix
        )
        parts: dict[str, Any] = {}
        reached: dict[str, Any] = {}
        for kind, name, numbers, members in reader.parts() if reader.is_known else ():
            labels = sorted(" ".join(reader.labels[number]) for number in numbers)
            hashed = digest("\n".join([reader.general, *labels]).encode())
            parts.setdefault(kind, {})[name] = hashed, tuple(sorted(members))
            reached.setdefault(kind, {})[name] = tuple(sorted(numbers))
        details = {"labels": reader.labels, "reached": reached, "general": reader.general}
        self._memory.put("lock", self.whole, parts)
        self._memory.put("lock-details", self.whole, details)
        return parts, details
