"""Files in the folders above a package (conftest.py, setup.cfg, .gitattributes …) that configure its tools."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from headworks._project.package import enclosing

if TYPE_CHECKING:
    from headworks._digest.content import Content
    from headworks._project.project import Project

_ATTRIBUTES = b"/.gitattributes"  # decides with which line ends and through which filters a file is checked out


class ParentFiles:
    """Finds and hashes the files in the folders above packages.

    Attributes:
        shared: the files of the project's root that count by their parts instead.
    """

    def __init__(self, project: Project, content: Content) -> None:
        """Take the tree."""
        self._project = project
        self._content = content
        self.shared = {project.prefix + name for name in ("noxfile.py", "pyproject.toml", project.lock.file) if name}
        self._hashes: dict[tuple[frozenset[str], tuple[str, ...]], str] = {}
        self._near = cache(self._find)  # most packages lie in one folder
        self._files = cache(self._find_in)

    def hash(self, folders: Iterable[str], ignore: tuple[str, ...]) -> str:
        """Return a hash of the files above some packages."""
        places = frozenset(it.rpartition("/")[0] for it in folders)
        key = (places, ignore)
        if key not in self._hashes:
            spans = [self._project.listing.span(os.fsencode(it)) for it in self._near(places)]
            self._hashes[key] = self._content.hash(spans, ignore)
        return self._hashes[key]

    def files(self, folders: Iterable[str]) -> list[str]:
        """Return the files above some packages that do not count by their parts."""
        return self._near(frozenset(it.rpartition("/")[0] for it in folders))

    def _find(self, places: frozenset[str]) -> list[str]:
        """Return the files in some folders and in those above them, and those anywhere that git heeds."""
        all_places = {above for it in (self._project.prefix.rstrip("/"), *places) for above in enclosing(it)}
        others = self.shared | self._project.workspace.packages.keys()  # a package may be a link or a submodule
        found = {path for place in all_places for path in self._files(place) if path not in others}
        # By those anywhere, git decides how it checks out others.
        return sorted(found.union(map(os.fsdecode, self._project.listing.ending(_ATTRIBUTES))))

    def _find_in(self, folder: str) -> list[str]:
        """Return the files that lie in a folder itself."""
        depth = folder.count("/") + bool(folder)
        beginning = os.fsencode(f"{folder}/" if folder else "")
        lines = (line for line in self._project.listing.raw.split(b"\0") if line.count(b"/") == depth)
        paths = (line.partition(b"\t")[2] for line in lines)
        return [os.fsdecode(path) for path in paths if path and path.startswith(beginning)]
