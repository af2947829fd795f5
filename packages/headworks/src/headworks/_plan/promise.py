"""Compares the reads of a session with the promise of its row: the files that its digest covers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from headworks._observe.reads import Reads
from headworks._quantities import few
from headworks._tree.patterns import is_at

_SHOWN = 5  # names in a message


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The reads of a session beside its digest; paths of the repository are relative to its top.

    Attributes:
        read: Files of the repository that the session read.
        undeclared: Those of them that its digest does not cover, although git lists them.
        ignored: Those of them that it does not cover since git ignores them.
        unread: Files that its digest covers and that it neither read nor looked at.
        history: The commands or files through which it read git's history, which no digest covers.
        looked: Files that git lists and the digest does not cover, of which it only asked for kind, size or times.
        outside: Files outside the repository that it read.
        unseen: Why it may have read more; empty if everything was seen.
        reads: All that it read, place by place.
    """

    read: tuple[str, ...]
    undeclared: tuple[str, ...]
    ignored: tuple[str, ...]
    unread: tuple[str, ...]
    history: tuple[str, ...] = ()
    looked: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    unseen: str = ""
    reads: Reads = field(default_factory=Reads, repr=False, compare=False)

    @property
    def is_kept(self) -> bool:
        """Whether the session kept its promise, as far as anybody has seen."""
        return not self.broken

    @property
    def broken(self) -> str:
        """How the session broke its promise, and the change that mends it; empty where it kept it."""
        told = (
            ("", self.undeclared, ", which its digest does not cover (name them in `inputs` of its row)"),
            ("", self.ignored, ", which git ignores (name a committed list of hashes in `inputs`)"),
            ("git's history through ", self.history, " (give its row `cache = false`)"),
        )
        parts = [f"{what}{few(names, _SHOWN)}{advice}" for what, names, advice in told if names]
        return f"it read {'; and '.join(parts)}" if parts else ""


def compare(
    reads: Reads, *, since: float, top: str, known: set[str], declared: set[str], covered: Iterable[str]
) -> Findings:
    """Compare what was read with what is declared.

    Args:
        reads: All that the session read.
        since: When it started; what it would have made where nothing was is its own if it is younger.
        top: The top of the repository, without links in its path.
        known: All files that git lists, relative to it.
        declared: Those that the session's digest covers.
        covered: What else its digest covers, and what the session leaves behind; absolute paths without links.
    """
    read = {it[len(top) + 1 :] for it in reads.opened | reads.links}
    looked = {it[len(top) + 1 :] for it in reads.looked}
    places = tuple(covered)
    ignored = {it for it in read - known if _is_hidden_input(os.path.join(top, it), reads, places, since)}
    # Of these, digests hold what nox and uv take from them.
    by_tools = {it[len(top) + 1 :] for it in reads.opened - reads.by_others if os.path.basename(it) == "pyproject.toml"}
    undeclared = {it for it in read & known - declared - by_tools if not _is_within(os.path.join(top, it), places)}
    return Findings(
        read=tuple(sorted(read & known | ignored)),
        undeclared=tuple(sorted(undeclared)),
        ignored=tuple(sorted(ignored)),
        unread=tuple(sorted(declared & known - read - looked)),
        history=tuple(sorted(reads.history | {*filter(_is_of_history, reads.git)})),
        looked=tuple(sorted(looked & known - read - declared)),
        outside=tuple(sorted(reads.outside)),
        unseen=reads.unseen,
        reads=reads,
    )


def _is_of_history(path: str) -> bool:
    """Return whether a place of git's is a file, as of another repository, and not one of settings, rules or hooks."""
    folder, name = os.path.split(path)
    return os.path.isfile(path) and name != "config" and os.path.basename(folder) not in {"info", "hooks"}


def _is_within(path: str, places: tuple[str, ...]) -> bool:
    return any(is_at(path, it) for it in places)


def _is_hidden_input(path: str, reads: Reads, covered: tuple[str, ...], since: float) -> bool:
    """Return whether a file that git does not list was there before the session, and is no output."""
    is_perhaps_own = path in reads.perhaps_own
    try:
        found = os.lstat(path)
    except OSError:
        is_input = not is_perhaps_own  # the session has removed it
    else:
        is_input = stat.S_ISREG(found.st_mode) and (not is_perhaps_own or found.st_ctime < since)
    return is_input and not _is_within(path, covered)
