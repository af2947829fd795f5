"""Object ids of large untracked files, which are remembered by their stamps, so that not every plan reads them.

Git's index does that for the files that git tracks; nothing does for those that somebody left in the work tree. Their
content counts byte by byte, without the filters that git would send it through.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._quick.answers import are_settled
from headworks._quick.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headworks._tree.git import Repository

__all__ = ["LARGE", "large_hashes"]

LARGE = 4 << 20  # bytes; git hashes that many in about 20 ms
_KIND = "large"


def large_hashes(repository: Repository, stamps: Mapping[bytes, tuple[int, ...]], now: int) -> dict[bytes, bytes]:
    """Return the object ids of large untracked files.

    Args:
        repository: where the files are.
        stamps: for each what changes whenever it is written to, its times first.
        now: a time before the stamps were taken, in nanoseconds since the epoch.

    Raises:
        UsageError: a file cannot be read, or vanished meanwhile.
    """
    memory = Memory(os.path.join(repository.git_folder(), "headworks"))
    known: dict[bytes, tuple[object, bytes]] = memory.get(_KIND, "") or {}
    found = {path: known[path][1] for path, stamp in stamps.items() if known.get(path, ("",))[0] == stamp}
    if found.keys() != stamps.keys():
        found |= repository.hashes(stamps.keys() - found.keys(), "--no-filters")
        kept = {path: (stamp, found[path]) for path, stamp in stamps.items() if are_settled(stamp[:2], now)}
        memory.put(_KIND, "", kept)
    return found
