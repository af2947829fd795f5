"""The record files of verdicts: one for a digest that passed, one for a digest that failed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._store.files import names, read
from headworks._store.verdict import is_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headworks._store.verdict import Verdict

__all__ = ["RECORD_LIMIT", "Records", "record_name"]

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
        from headworks._store.verdict_file import write_verdict
        from headworks._store.writing import write_atomically

        data = write_verdict(verdict, place=place)
        path = self.path(verdict.digest, passed=verdict.passed)
        write_atomically(path, data, temporary=os.path.join(self._root, "tmp"))
        return data

    def read(self, digest: str, *, passed: bool) -> tuple[Verdict, str] | None:
        """Return a verdict and its place, or None where the record is missing or doubtful."""
        data = read(self.path(digest, passed=passed), RECORD_LIMIT)
        if data is None:
            return None
        from headworks._store.verdict_file import read_verdict

        return read_verdict(data, digest, passed=passed)

    def is_newer(self, digest: str, *, passed: bool) -> bool:
        """Whether a record that cannot be read is one that a newer version wrote."""
        from headworks._store.verdict_file import is_newer

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
