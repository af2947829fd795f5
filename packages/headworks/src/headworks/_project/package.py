"""The needs of packages: from their metadata and from the lock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._project.metadata import Metadata, normalised

if TYPE_CHECKING:
    from headworks._project.lock import Lock


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package of the repository; folders are relative to the top of the repository.

    Attributes:
        folder: Its folder, or the archive that it is.
        name: Its distribution's normalised name, or its folder's where that is not known.
        runtime: The folders of the packages that its wheel needs: through dependencies, extras and build.
        own: The folders of all packages that it needs, those for its tests and tools included.
        outside: The paths beyond its folder that its pyproject.toml names.
        unmet: The names that it needs from its uv workspace, which has no such member.
        is_member: Whether it is a member of the project's uv workspace.
        wheel: What its wheel is built from beside modules: patterns of names in its folder; None for anything there.
    """

    folder: str
    name: str
    runtime: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    is_member: bool = False
    wheel: tuple[str, ...] | None = None


class Graph:
    """The needs between packages; one whose metadata is None may need any other, and any other may need it."""

    def __init__(
        self,
        known: Mapping[str, Metadata | None],
        workspaces: Mapping[str, Metadata],
        members: Collection[str],
        lock: Lock,
    ) -> None:
        """Index the packages by name.

        Args:
            known: The metadata of all packages by folder.
            workspaces: The metadata in the folders of the workspaces that they lie in.
            members: The folders of the members of the project's uv workspace.
            lock: The lock, whose needs are added.
        """
        self._known = known
        self._workspaces = workspaces
        self._members = members
        self._lock = lock
        self._by_name: dict[str, list[str]] = {}
        for folder, it in known.items():
            if it is not None and it.name is not None:
                self._by_name.setdefault(it.name, []).append(folder)
        self._unnamed = {folder for folder, it in known.items() if it is None or it.name is None}

    def packages(self) -> Iterator[Package]:
        """Yield all packages."""
        for folder, it in self._known.items():
            runtime = self._needed(folder, it, it.runtime if it else ()) | {*self._lock.members("runtime", folder)}
            own = self._needed(folder, it, it.own if it else ()) | {*self._lock.members("own", folder)} | runtime
            name = it.name if it else None
            yield Package(
                folder=folder,
                name=normalised(folder.rpartition("/")[2]) if name is None else name,
                runtime=tuple(sorted(runtime - {folder})),
                own=tuple(sorted(own - {folder})),
                outside=tuple(path for path in it.outside if path not in self._known) if it else (),
                unmet=tuple(self._unmet(folder, it)) if it else (),
                is_member=folder in self._members,
                wheel=it.wheel if it else None,
            )

    def groups(self, folder: str, metadata: Metadata) -> dict[str, tuple[str, ...]]:
        """Return the folders that each dependency group of a folder's pyproject.toml needs."""
        found = {name: self._named(folder, metadata, needs) for name, needs in metadata.groups.items()}
        return {name: tuple(sorted(folders)) for name, folders in found.items()}

    def _needed(self, folder: str, metadata: Metadata | None, names: Iterable[str]) -> set[str]:
        if metadata is None:
            return {*self._known}
        found = {path for path in metadata.outside if path in self._known}
        if not metadata.is_static:
            return found.union(self._known, *metadata.places.values())
        return found | self._named(folder, metadata, names)

    def _named(self, folder: str, metadata: Metadata, names: Iterable[str]) -> set[str]:
        """Return the folders that names mean, with the places that metadata give for them."""
        above = self._workspace(folder)
        found = set(self._unnamed)
        for name in names:
            places = metadata.places.get(name) or (above.places.get(name, ()) if above else ())
            found.update(self._by_name.get(name, ()), places)
        return found

    def _unmet(self, folder: str, metadata: Metadata) -> list[str]:
        above = self._workspace(folder)
        said = metadata.members | (above.members - metadata.places.keys() if above else set())
        names = {*metadata.runtime, *metadata.own} & said
        return [] if self._unnamed else sorted(names - self._by_name.keys())

    def _workspace(self, folder: str) -> Metadata | None:
        """Return what the root of a package's workspace says."""
        return next((self._workspaces[it] for it in enclosing(folder) if it in self._workspaces), None)


def enclosing(folder: str) -> Iterator[str]:
    """Yield a folder and all folders that it lies in, the top included."""
    yield folder
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder
