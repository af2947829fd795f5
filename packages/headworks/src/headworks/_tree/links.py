"""Symbolic links count with the files that they lead to."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from headworks._quick.answers import doubt, note_file
from headworks._tree.git import blob_id
from headworks._tree.listing import LINK, Listing, record

_MAX_HOPS = 40  # as Linux follows links
_MAX_FILES = 20_000
_LARGE = 16 << 20  # bytes
_ANEW = os.urandom(16)  # for what cannot be told: another answer in every process, so that no verdict is found again


def follow(listing: Listing, targets: Mapping[bytes, bytes], top: str | None) -> Listing:
    """Give every link an id that changes with its target.

    Args:
        listing: all files.
        targets: what each link of the listing says.
        top: the folder that the paths are relative to; None to look at nothing that git does not know.

    Returns:
        The listing with the new ids. A link that leads to something git does not know, because it is outside or
        ignored, has one that changes with what lies there on this machine now, or only with the way there.
    """
    changes: dict[bytes, bytes] = {}
    for link in targets:
        reached = _reached(link, listing, targets)
        parts = [it for place in sorted(reached) for it in (place, listing.raw[slice(*listing.span(place))])]
        parts += listing.get(link) or ()
        if top is not None:
            unknown = [path for place, path in sorted(reached.items()) if _is_unknown(place, listing, top)]
            parts += [_unknown(os.path.join(os.fsencode(top), path)) for path in unknown]
        changes[link] = record(LINK, blob_id(b"\0".join(parts), b""), link)
    return listing.replaced(changes)


def _unknown(path: bytes) -> bytes:
    """Return a hash of a file or folder that git does not list."""
    note_file(path)
    if not os.path.isdir(path):
        return _file(path)
    found: list[bytes] = []
    for folder, folders, names in os.walk(path):
        note_file(folder)
        found += [it for name in names for it in (name, _file(os.path.join(folder, name)))]
        # So many that looking would take too long, or links that lead on to who knows where.
        if len(found) > _MAX_FILES or any(os.path.islink(os.path.join(folder, it)) for it in folders):
            doubt()
            return _ANEW
    return b"\0".join(sorted(found))


def _file(path: bytes) -> bytes:
    """Return a hash of a file's content, or the size and times of a large one."""
    note_file(path)
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGE:
            return b"%d %d %d" % (found.st_size, found.st_mtime_ns, found.st_ino)
        with open(path, "rb") as file:
            return blob_id(file.read(), b"")
    except OSError:
        return b""


def _reached(link: bytes, listing: Listing, targets: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return every place that a link leads to, also through links below a folder that it leads to; and from where."""
    reached: dict[bytes, bytes] = {}
    waiting = [link]
    while waiting:
        path = waiting.pop()
        place = resolve(path, targets)
        if place not in reached:
            reached[place] = path
            start, end = listing.span(place)
            waiting += [below for mode, _, below in listing.records(start, end) if mode == LINK]
    return reached


def resolve(path: bytes, targets: Mapping[bytes, bytes]) -> bytes:
    """Return the place that a path leads to through all links on its way; one outside starts with a slash."""
    done: list[bytes] = []
    todo = path.split(b"/")[::-1]
    hops = 0
    while todo:
        part = todo.pop()
        if part == b"..":
            if not done:
                return b"/"
            done.pop()
        elif part not in {b"", b"."}:
            done.append(part)
            target = targets.get(b"/".join(done))
            if target is not None and hops < _MAX_HOPS:
                if target.startswith(b"/"):
                    return target
                hops += 1
                done.pop()
                todo += target.split(b"/")[::-1]
    return b"/".join(done)


def _is_unknown(place: bytes, listing: Listing, top: str) -> bool:
    """Tell whether something is there that git does not list."""
    if place.startswith(b"/"):
        return True
    start, end = listing.span(place)
    if start < end:
        return False
    path = os.path.join(os.fsencode(top), place)
    note_file(path, follow=False)
    return os.path.lexists(path)
