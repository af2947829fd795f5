"""The patterns by which a row can name the files that a session read: few ones, as a person would write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headworks._project.session import Session

_MANY = 12  # patterns; with more, a folder of which less was read is named as a whole
_SHARES = (2, 4, 10)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files below a folder; all paths are relative to it.

    Attributes:
        known: Those that git lists.
        read: Those of them that a session read.
        listed: The folders whose names it read.
        parted: Folders that are named as a whole only where nearly all below them was read, as those above packages.
    """

    known: Collection[str]
    read: Collection[str]
    listed: Collection[str]
    parted: Collection[str]

    def below(self) -> Iterator[tuple[str, Tree]]:
        """Yield each folder in this one, with the files below it."""
        empty = replace(self, known=[], read=[], listed=[], parted=[])
        found: dict[str, dict[str, list[str]]] = {}
        for kind in vars(empty):
            for path in getattr(self, kind):
                name, slash, rest = path.partition("/")
                if slash or kind in {"listed", "parted"}:
                    found.setdefault(name, {it: [] for it in vars(empty)})[kind].append(rest)
        for name, paths in sorted(found.items()):
            if name and paths["known"] and (paths["read"] or paths["listed"]):
                yield name, Tree(**paths)


def covering(tree: Tree) -> list[str]:
    """Return few patterns that name all files that were read.

    A folder is named as a whole where its names were read, or most of its files; a file by itself elsewhere; and files
    of the same name in all folders beside each other by one pattern.
    """
    patterns: list[str] = []
    for share in _SHARES:
        patterns = list(dict.fromkeys(_patterns(tree, "", share)))
        if len(patterns) <= _MANY:
            break
    return patterns


def _patterns(tree: Tree, place: str, share: int) -> Iterator[str]:
    is_parted = "" in tree.parted
    is_most = share * len(tree.read) > len(tree.known) and len(tree.read) > 1
    if (is_most or "" in tree.listed) and not is_parted:
        yield f"{escaped(place)}**"
        return
    alike = set(_alike(tree)) if is_parted else set()
    left = [it for it in tree.read if it.partition("/")[2] not in alike]
    yield from (f"{escaped(place)}*/{escaped(it)}" for it in sorted(alike))
    yield from (escaped(place + it) for it in sorted(left) if "/" not in it)
    for name, inner in replace(tree, read=left).below():
        yield from _patterns(inner, f"{place}{name}/", share)


def _alike(tree: Tree) -> Iterator[str]:
    """Yield the paths that were read in every folder in this one that has them, if there are several."""
    known: dict[str, set[str]] = {}
    for path in tree.known:
        name, _, rest = path.partition("/")
        known.setdefault(rest, set()).add(name)
    read = set(tree.read)
    for rest in {path.partition("/")[2] for path in read} - {""}:
        if len(known[rest]) > 1 and all(f"{name}/{rest}" in read for name in known[rest]):
            yield rest


def escaped(path: str) -> str:
    """Return a pattern that names a path, in which a question mark stands for each letter that means something else."""
    return "".join("?" if it in "*?[{\\" or not it.isprintable() else it for it in path)


def parametrised(path: str, session: Session) -> str:
    """Return a path with the names of parameters in braces in place of their values, where these are whole words."""
    for name, value in session.values.items():
        if value:
            path = re.sub(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", f"{{{name}}}", path)
    return path


def common(texts: Sequence[tuple[Session, Collection[str]]]) -> list[str] | None:
    """Return the texts that mean those of every session once its parameters are filled in; None where none do."""
    first, *others = [{parametrised(text, session) for text in found} for session, found in texts]
    return sorted(first) if all(it == first for it in others) else None
