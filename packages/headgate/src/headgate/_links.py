"""Symbolic links count with what they lead to."""

from __future__ import annotations

import os

from headgate._git import blob_id
from headgate._listing import LINK, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate._listing import Listing

__all__ = ["follow"]

_MAX_HOPS = 40  # as Linux follows links


def follow(listing: Listing, targets: Mapping[bytes, bytes], top: str) -> tuple[Listing, frozenset[bytes]]:
    """Give every link an id that changes with what it leads to.

    Args:
        listing: all files.
        targets: what each link of the listing says.
        top: the folder that the paths are relative to.

    Returns:
        The listing with the new ids, and the links that lead to something git does not know: outside, or ignored.
    """
    changes: dict[bytes, bytes] = {}
    untold: set[bytes] = set()
    for link in targets:
        reached = _reached(link, listing, targets)
        parts = [it for place in sorted(reached) for it in (place, listing.raw[slice(*listing.span(place))])]
        parts += listing.get(link) or ()
        changes[link] = record(LINK, blob_id(b"\0".join(parts), b""), link)
        if any(_is_unknown(place, listing, top) for place in reached):
            untold.add(link)
    return listing.replaced(changes), frozenset(untold)


def _reached(link: bytes, listing: Listing, targets: Mapping[bytes, bytes]) -> set[bytes]:
    """Return every place that a link leads to, also through links below a folder that it leads to."""
    reached: set[bytes] = set()
    waiting = [link]
    while waiting:
        place = _resolve(waiting.pop(), targets)
        if place not in reached:
            reached.add(place)
            start, end = listing.span(place)
            waiting += [path for mode, _, path in listing.records(start, end) if mode == LINK]
    return reached


def _resolve(path: bytes, targets: Mapping[bytes, bytes]) -> bytes:
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
    return start == end and os.path.lexists(os.path.join(os.fsencode(top), place))
