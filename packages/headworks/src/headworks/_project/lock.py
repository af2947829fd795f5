"""The lock of a project: which locked packages each package and each dependency group can reach.

A lock of another tool is one module with a `LockReader` and one row of `_READERS`; the engine asks only `Lock`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from headworks._hashes import digest
from headworks._project.lock_uv import UvLock

if TYPE_CHECKING:
    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot


class LockReader(Protocol):
    """A parsed lock.

    Attributes:
        table: The table of pyproject.toml that decides what its tool installs.
        labels: For every locked package its name with its version, and a hash of its entry.
        general: A hash of the rest of the lock, such as the Pythons that it is for.
    """

    table: ClassVar[str]
    labels: list[tuple[str, str]]
    general: str

    def __init__(self, content: bytes, prefix: str) -> None:
        """Parse a lock, which is in a folder given relative to the top of the repository.

        Raises:
            ConfigurationError: It cannot be parsed.
        """

    def reaches(self) -> Iterator[tuple[str, str, set[int], set[str]]]:
        """Yield a kind, a name, the positions of the packages reached, and the folders of the members reached.

        The kinds are those of `Lock.hash`; a start that is left out reaches the whole lock.
        """


_READERS: Final[dict[str, type[LockReader]]] = {"uv.lock": UvLock}  # the first that a project has is its lock
LOCK_FILES: Final = tuple(_READERS)
INSTALLER_TABLES: Final = frozenset(reader.table for reader in _READERS.values())


class Lock:
    """The lock of a project, which may have none.

    Attributes:
        file: Its name; empty where there is none.
        whole: A hash of the file; empty where there is none.
    """

    def __init__(self, snapshot: Snapshot, memory: Memory) -> None:
        """Find the lock, and remember or read its parts.

        Raises:
            ConfigurationError: It cannot be parsed.
        """
        self._snapshot = snapshot
        self._memory = memory
        self._prefix = snapshot.repository.prefix
        locks = {name: entry for name in _READERS if (entry := snapshot.listing.get(self._path(name)))}
        self.file = next(iter(locks), "")
        self.whole = digest(self._path(self.file), *locks[self.file]) if locks else ""
        self._parts: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {}
        self._details: dict[str, Any] = {}
        if self.file:
            self._parts = memory.get("lock", self.whole) or self._read()[0]

    def lacking(self, folders: Iterable[str]) -> dict[str, str]:
        """Return a part of a digest for each workspace package that the lock lacks: uv then refuses all work."""
        missing = sorted(set(folders) - self._parts.get("runtime", {}).keys()) if self.file else []
        return {f"{self.file} lacks {folder}": "" for folder in missing}

    def folders(self) -> list[str]:
        """Return the folders and archives of the repository that it has as packages."""
        return list(self._parts.get("runtime", {}))

    def hash(self, kind: str, name: str) -> str:
        """Return a hash over the locked packages that can be reached.

        Args:
            kind: `runtime` for the needs of a package's wheel, `own` for these and its dependency groups, both with the
                package's folder as the name; `groups` for a dependency group of the root.
            name: The folder or the group; one that the lock does not have reaches the whole lock.
        """
        return self._parts.get(kind, {}).get(name, (self.whole, ()))[0]

    def members(self, kind: str, name: str) -> tuple[str, ...]:
        """Return the folders of the workspace's packages that can be reached; see `hash`."""
        return self._parts.get(kind, {}).get(name, ("", ()))[1]

    def entries(self, kind: str, name: str) -> dict[str, str]:
        """Return a part of a digest for each locked package that can be reached, by lock, name and version."""
        if not self.file:
            return {}
        self._details = self._details or self._memory.get("lock-details", self.whole) or self._read()[1]
        labels = self._details["labels"]
        reached = self._details["reached"].get(kind, {}).get(name, range(len(labels)))
        locked = {f"{self.file}: {label}": value for label, value in (labels[number] for number in reached)}
        return {f"{self.file} in general": self._details["general"]} | locked

    def _path(self, name: str) -> bytes:
        return os.fsencode(self._prefix + name)

    def _read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read the lock, and return its parts and their details."""
        path = self._path(self.file)
        reader = _READERS[self.file](self._snapshot.read([path])[path], self._prefix)
        parts: dict[str, Any] = {}
        reached: dict[str, Any] = {}
        for kind, name, numbers, members in reader.reaches():
            labels = sorted(" ".join(reader.labels[number]) for number in numbers)
            hashed = digest("\n".join([reader.general, *labels]).encode())
            parts.setdefault(kind, {})[name] = hashed, tuple(sorted(members))
            reached.setdefault(kind, {})[name] = tuple(sorted(numbers))
        details = {"labels": reader.labels, "reached": reached, "general": reader.general}
        self._memory.put("lock", self.whole, parts)
        self._memory.put("lock-details", self.whole, details)
        return parts, details
