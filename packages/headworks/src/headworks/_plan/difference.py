"""Differences between two sets of named hashes, in words."""

from __future__ import annotations

from collections.abc import Mapping

from headworks._project.lock import LOCK_FILES

_LOCKS = tuple(f"{file}: " for file in LOCK_FILES)
_PLAIN = ("nox", "platform", "python")  # parts that are short texts for people, not hashes


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the changes from one set of parts of a digest to another.

    A locked package whose version changed is one change, as in `uv.lock: numpy 2.4.6 → 2.5.5`.
    """
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    locked = [name for name in changed if name.startswith(_LOCKS)]
    found = [_described(name, old, new) for name in changed if not name.startswith(_LOCKS)]
    return found + _versions({name for name in locked if name in old}, {name for name in locked if name in new})


def since(old: Mapping[str, str], new: Mapping[str, str], *, is_other: bool = True) -> list[str]:
    """Return the changes since a record was written.

    Of a declared variable, a record says only that it was set. Where nothing else differs, one of those does.

    Args:
        old: The parts of the digest in the record.
        new: The parts now.
        is_other: Whether the digest itself differs.
    """
    variables = [name.removeprefix("env: ") for name, value in new.items() if (name[:5], value) == ("env: ", "set")]
    return difference(old, new) or ([f"another value of {' or '.join(variables)}"] if is_other and variables else [])


def _described(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Return the change of one part."""
    if name in _PLAIN:
        return f"{name}: {old.get(name) or 'none'} → {new.get(name) or 'none'}"
    return f"{name} {'is new' if name not in old else 'is gone' if name not in new else 'changed'}"


def _versions(old: set[str], new: set[str]) -> list[str]:
    """Return the changes of locked packages, whose parts are named by lock, name and version."""
    found = [f"{label} is the same version from another file" for label in old & new]
    for name in {_locked_name(label) for label in old ^ new}:
        before, after = (
            ", ".join(sorted(it[len(name) + 1 :] for it in labels if _locked_name(it) == name and len(it) > len(name)))
            for labels in (old - new, new - old)
        )
        if before and after:
            found.append(f"{name} {before} → {after}")
        else:
            found.append(f"{name} {before or after} is {'gone' if before else 'new'}")
    return sorted(found)


def _locked_name(label: str) -> str:
    """Return a label without the version, as in `uv.lock: numpy`."""
    return " ".join(label.split(" ")[:2])
