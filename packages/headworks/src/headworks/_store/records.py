"""The record files of verdicts: one for a digest that passed, one for a digest that failed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from headworks._store.files import names, read, seal, unseal, write_atomically
from headworks._store.verdict import Verdict, is_digest, is_output_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


__all__ = ["RECORD_LIMIT", "Records", "read_verdict", "record_name", "write_verdict"]

_FORMAT = 1
RECORD_LIMIT = 16 << 20  # bytes; a verdict with a thousand components has 0.1 MB


def record_name(digest: str, *, passed: bool) -> str:
    """Return the path of a record within a store, local or remote.

    Failures lie in one folder, so that one listing tells which digests must not be reused.
    """
    return f"passed/{digest[:2]}/{digest[2:]}" if passed else f"failed/{digest}"


class Records:
    """The records of one store."""

    def __init__(self, root: str) -> None:
        """Look below `root`."""
        self._root = root

    def path(self, digest: str, *, passed: bool) -> str:
        """Return where a record lies, whether it is there or not."""
        return os.path.join(self._root, record_name(digest, passed=passed))

    def write(self, verdict: Verdict, place: str) -> bytes:
        """Write the record of a verdict in the place of an older one; return its content."""
        data = write_verdict(verdict, place=place)
        path = self.path(verdict.digest, passed=verdict.passed)
        write_atomically(path, data, temporary=os.path.join(self._root, "tmp"))
        return data

    def read(self, digest: str, *, passed: bool) -> tuple[Verdict, str] | None:
        """Return a verdict and its place, or None where the record is missing or doubtful."""
        data = read(self.path(digest, passed=passed), RECORD_LIMIT)
        if data is None:
            return None

        return read_verdict(data, digest, passed=passed)

    def is_newer(self, digest: str, *, passed: bool) -> bool:
        """Whether a record that cannot be read is one that a newer version wrote."""
        return is_newer(read(self.path(digest, passed=passed), RECORD_LIMIT) or b"")

    def failed(self) -> set[str]:
        """Return the digests that have a record of a failure, in whatever state."""
        return set(filter(is_digest, names(os.path.join(self._root, "failed"))))

    def passed(self) -> Iterator[str]:
        """Yield the digests that have a record of a pass, in whatever state, in order."""
        folder = os.path.join(self._root, "passed")
        for shard in names(folder):
            for name in names(os.path.join(folder, shard)):
                if is_digest(shard + name):
                    yield shard + name


def is_newer(sealed: bytes) -> bool:
    """Whether a sealed file, or the verdict in it, is in a form that only a newer version of this program knows."""
    name, _, rest = sealed.partition(b"\n")[0].partition(b" ")
    form = rest.partition(b" ")[0]
    if name == b"headworks" and form.isdigit() and int(form) > _FORMAT:
        return True
    try:
        found = json.loads(unseal(sealed) or b"")["format"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return type(found) is int and found > _FORMAT


def write_verdict(verdict: Verdict, *, place: str) -> bytes:
    """Return the content of the record file of a verdict.

    Args:
        verdict: The verdict.
        place: What tells repositories apart on one machine; see `headworks._store.place`.
    """
    fields: dict[str, Any] = {name: getattr(verdict, name) for name in Verdict.__annotations__}
    fields |= {"outputs": dict(verdict.outputs), "components": dict(verdict.components)}
    content = {"format": _FORMAT, "place": place, "verdict": fields}
    return seal(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def read_verdict(sealed: bytes, digest: str, *, passed: bool) -> tuple[Verdict, str] | None:
    """Return the verdict and the place of a record file, or None where anything about it is doubtful.

    Args:
        sealed: The file's content.
        digest: The digest that the file's name promises.
        passed: The outcome that the file's folder promises.
    """
    try:
        content = json.loads(unseal(sealed) or b"")
        if content.keys() != {"format", "place", "verdict"} or content["format"] != _FORMAT:
            return None
        verdict = Verdict(**content["verdict"])
        place = content["place"]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    is_promised = verdict.digest == digest and verdict.passed is passed
    return (verdict, place) if is_promised and isinstance(place, str) and _is_sound(verdict) else None


def _is_sound(verdict: Verdict) -> bool:
    """Whether every field read from a file has its type and a value that can be acted upon."""
    texts = [verdict.session, verdict.finished, verdict.commit, verdict.platform]
    return (
        all(isinstance(text, str) for text in texts)
        and is_digest(verdict.digest)
        and type(verdict.seconds) in {int, float}
        and 0 <= verdict.seconds < float("inf")
        and isinstance(verdict.outputs, dict)
        and all(is_output_path(path) and is_digest(content) for path, content in verdict.outputs.items())
        and isinstance(verdict.components, dict)
        and all(isinstance(value, str) for value in verdict.components.values())
    )
