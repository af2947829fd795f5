"""Compares the files that a session read with those in its digest."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headworks._digest.digest import Digester
    from headworks._project.session import Session

__all__ = ["Findings", "compare", "declared_files"]

# A folder with one of these is a cache (https://bford.info/cachedir/) or an environment, made from what is declared.
_SIGNS = ("CACHEDIR.TAG", "pyvenv.cfg")
_CACHES = {".git", ".hypothesis", ".nox", "__pycache__"}  # those that have no such sign


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The findings of an audit; all paths are relative to the top of the repository.

    Attributes:
        read: Files of the repository that the session read.
        undeclared: Those of them that its digest does not cover, although git knows them.
        ignored: Those of them that it does not cover since git ignores them.
        unread: Files that its digest covers and that it did not read.
    """

    read: tuple[str, ...]
    undeclared: tuple[str, ...]
    ignored: tuple[str, ...]
    unread: tuple[str, ...]


def declared_files(digester: Digester, session: Session) -> set[str]:
    """Return the files that the digest of a session covers, relative to the top of the repository."""
    project, scope = digester.project, digester.parts.scope
    code = project.noxfile.code(session.function)
    slices = [it for spans in scope.kept(session).values() for it in spans]
    slices += [it for text in code.content for it in project.reader.slices(text)]
    paths = {os.fsdecode(path) for start, end in slices for _, _, path in project.listing.records(start, end)}
    imported = {name.partition(" imports ")[2] for name in code.parts if " imports " in name}
    return paths | imported | scope.shared


def compare(
    opened: Iterable[str], *, top: Path, known: set[str], declared: set[str], outputs: Iterable[Path], since: float
) -> Findings:
    """Compare what was opened with what is declared.

    Args:
        opened: The absolute paths of all files that were opened to read.
        top: The top of the repository.
        known: All files that git knows, relative to it.
        declared: Those that the session's digest covers.
        outputs: What the session, and those that it needs, leave behind; absolute paths.
        since: When the session started, in seconds since the epoch. What is younger and unknown to git is its own.
    """
    read: set[str] = set()
    ignored: set[str] = set()
    places = [it.resolve() for it in outputs]
    for text in opened:
        path = _source(Path(text))
        if not path.is_relative_to(top):
            continue
        name = path.relative_to(top).as_posix()
        if name in known:
            read.add(name)
        elif _is_hidden_input(path, top, places, since):
            ignored.add(name)
    return Findings(
        read=tuple(sorted(read | ignored)),
        undeclared=tuple(sorted(read - declared)),
        ignored=tuple(sorted(ignored)),
        unread=tuple(sorted(declared & known - read)),
    )


def _source(path: Path) -> Path:
    """Return the source of a compiled module, and any other path as it is."""
    if path.parent.name == "__pycache__" and path.suffix == ".pyc":
        return path.parent.parent / f"{path.name.partition('.')[0]}.py"
    return path


def _is_hidden_input(path: Path, top: Path, outputs: list[Path], since: float) -> bool:
    """Whether a file that git does not know was there before the session, and is neither an output nor in a cache."""
    try:
        found = path.stat()
    except OSError:
        return False
    is_older = stat.S_ISREG(found.st_mode) and found.st_ctime < since
    folders = [it for it in path.parents if it.is_relative_to(top) and it != top]
    is_cached = any(it.name in _CACHES or any((it / sign).exists() for sign in _SIGNS) for it in folders)
    return is_older and not is_cached and not any(path.is_relative_to(it) for it in outputs)
