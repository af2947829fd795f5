"""The object ids of files' bytes, where git may store one object for several contents.

It evens out line ends (`text=auto`), `ident` and encodings, and sends files through filters such as those of LFS and
nbstripout. Where nothing of that may be, git's ids are those of the bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from headworks._quick.answers import are_settled, note_file
from headworks._quick.memory import Memory

if TYPE_CHECKING:
    from headworks._tree.git import Repository
    from headworks._tree.listing import Listing

    Stamp: TypeAlias = tuple[int, ...]

LARGE = 4 << 20  # bytes, which take about 3 ms to hash
_KIND = "contents"
_SIZE = 2  # the place of a file's size in its stamp
_ATTRIBUTES = (b"/.gitattributes\0", b"\t.gitattributes\0", b" .gitattributes\0")
_SETTINGS = r"^(core\.(autocrlf|eol|attributesfile)|attr\.tree)$"


def stamp_of(found: os.stat_result) -> Stamp:
    """Return what changes whenever a file is written to, its times first."""
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def may_filter(repository: Repository, files: bytes) -> bool:
    """Return whether git may store anything else of a file than its bytes; too often rather than too rarely.

    Args:
        repository: Where the files are.
        files: All tracked and new files, as git lists them.
    """
    git, environ = repository.git_folder(), repository.environ
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".config")
    info = os.path.join(repository.shared_folder(), "info", "attributes")
    # That of the top counts also where git ignores it, and so does not list it.
    places = (info, os.path.join(repository.top, ".gitattributes"), f"{home}/git/attributes", "/etc/gitattributes")
    for place in places:
        note_file(place)
    settings = repository.ask("config", "--get-regexp", _SETTINGS)
    found = bool(settings) or any(it in files for it in _ATTRIBUTES) or any(map(os.path.exists, places))
    if found:
        # While its index is the same, git reports every file that was written to.
        note_file(os.path.join(git, "index"))
    return found


def byte_ids(
    repository: Repository,
    stamps: Mapping[bytes, Stamp | None],
    stored: Mapping[bytes, bytes],
    listing: Listing,
    now: int,
    *,
    keep_all: bool = False,
    key: str = "",
) -> tuple[dict[bytes, bytes], dict[bytes, tuple[bytes, bytes]]]:
    """Return the object ids of files' bytes, remembered by the files' stamps, so that not every plan reads them.

    Args:
        repository: Where they are.
        stamps: For each what changes whenever it is written to, its times first.
        stored: The object ids that git has of those that fit its index.
        listing: All that git lists.
        now: A time before the stamps were taken, in nanoseconds since the epoch.
        keep_all: Whether to remember all of them, and not only large ones.
        key: What they are remembered under: nothing for all files that git lists, or the name of any other.

    Returns:
        The ids; and the id that git has with that of the bytes, where these are known to differ.

    Raises:
        UsageError: A file cannot be read, or vanished meanwhile.
    """
    kept = {path: stamp for path, stamp in stamps.items() if stamp and (keep_all or stamp[_SIZE] >= LARGE)}
    memory = Memory(os.path.join(repository.git_folder(), "headworks"))
    known: dict[bytes, tuple[Stamp, bytes, bytes]] = (memory.get(_KIND, key) or {}) if kept else {}
    unknown = ((), b"", b"")
    found = {path: known[path][1] for path, stamp in kept.items() if known.get(path, unknown)[0] == stamp}
    found |= repository.hashes(stamps.keys() - found.keys(), listing.any_id())
    # A file that was written to and holds what it held before is to git what it was before.
    earlier = {path: known[path] for path in kept.keys() & known.keys() if known[path][1] == found[path]}
    ids = {path: it for path, (_, _, it) in earlier.items() if it} | dict(stored)
    filtered = {path: (it, found[path]) for path, it in ids.items() if it != found[path]}
    learnt = {
        path: (stamp if are_settled(stamp[:2], now) else (), found[path], ids.get(path, b""))
        for path, stamp in kept.items()
    }
    if learnt != known:
        memory.put(_KIND, key, learnt)
    return found, filtered
