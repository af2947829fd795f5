"""What differs between two sets of named hashes, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["difference"]

_LOCK = "uv.lock: "
_PLAIN = ("nox", "platform", "python")  # parts that are short texts for people, not hashes


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return what changed from one set of parts of a digest to another.

    A locked package whose version changed is one change, as in `uv.lock: numpy 2.4.6 → 2.5.5`.
    """
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    locked = [name for name in changed if name.startswith(_LOCK)]
    found = [_described(name, old, new) for name in changed if not name.startswith(_LOCK)]
    return found + _versions({name for name in locked if name in old}, {name for name in locked if name in new})


def _described(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Return what happened to one part."""
    if name in _PLAIN:
        return f"{name}: {old.get(name) or 'none'} → {new.get(name) or 'none'}"
    return f"{name} {'is new' if name not in old else 'is gone' if name not in new else 'changed'}"


def _versions(old: set[str], new: set[str]) -> list[str]:
    """Return what happened to locked packages, whose parts are named by name and version."""
    found = [f"{name} is the same version from another file" for name in old & new]
    names = {label.split(" ")[1] for label in old ^ new}
    for name in names:
        before, after = (
            ", ".join(
                sorted(it.split(" ", 2)[2] for it in labels if it.split(" ")[1] == name and " " in it[len(_LOCK) :])
            )
            for labels in (old - new, new - old)
        )
        if before and after:
            found.append(f"{_LOCK}{name} {before} → {after}")
        else:
            found.append(f"{_LOCK}{name} {before or after} is {'gone' if before else 'new'}")
    return sorted(found)
