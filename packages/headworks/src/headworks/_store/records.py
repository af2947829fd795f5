"""The record files of verdicts: one for a digest that passed, one for a digest that failed.

The verdicts of a session that was watched are found by the digest of all but files, its core: an empty file for each,
named by its digest, lies in a folder named by the core.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from headworks._store.files import SEALED_LIMIT, append, names, read, seal_json, unseal_json, write_atomically
from headworks._store.verdict import Verdict, is_digest, is_output_path, observed_digest
from headworks._store.witness import Witness

_FORMAT = 2
_MOST_OBSERVED = 16  # verdicts of one core that are looked at, the newest: of branches that are switched between


def record_name(digest: str, *, passed: bool) -> str:
    """Return the path of a record within a store, local or remote.

    Failures lie in one folder, so that one listing tells which digests must not be reused.
    """
    return f"passed/{digest[:2]}/{digest[2:]}" if passed else f"failed/{digest}"


def observed_name(core: str, digest: str = "") -> str:
    """Return the path of the file that leads from a core to a digest, or of the folder with all of them."""
    return f"observed/{core}/{digest}".rstrip("/")


@dataclass(frozen=True, kw_only=True)
class Record:
    """A verdict in a store.

    Attributes:
        verdict: The verdict.
        place: The name of the repository; see `headworks._store.place`.
    """

    verdict: Verdict
    place: str


class Records:
    """The records of one store."""

    def __init__(self, root: str) -> None:
        """Look below `root`."""
        self._root = root

    def path(self, digest: str, *, passed: bool) -> str:
        """Return the file of a record, which need not be there."""
        return os.path.join(self._root, record_name(digest, passed=passed))

    def has(self, digest: str, *, passed: bool) -> bool:
        """Whether there is a record, readable or not."""
        return os.path.lexists(self.path(digest, passed=passed))

    def write(self, record: Record) -> bytes:
        """Write or replace a record; return its content."""
        data = write_record(record)
        path = self.path(record.verdict.digest, passed=record.verdict.passed)
        write_atomically(path, data, temporary=os.path.join(self._root, "tmp"))
        if core := record.verdict.core:
            append(os.path.join(self._root, observed_name(core, record.verdict.digest)), b"")
        return data

    def observed(self, core: str) -> list[str]:
        """Return the digests of the verdicts that were recorded for a core, the newest first."""
        folder = os.path.join(self._root, observed_name(core))
        found = []
        for name in filter(is_digest, names(folder)):
            with contextlib.suppress(OSError):
                found.append((-os.stat(os.path.join(folder, name)).st_mtime_ns, name))
        return [name for _, name in sorted(found)[:_MOST_OBSERVED]]

    def read(self, digest: str, *, passed: bool) -> Record | None:
        """Return a record; None if it is missing or doubtful."""
        data = read(self.path(digest, passed=passed), SEALED_LIMIT)
        return None if data is None else read_record(data, digest, passed=passed)

    def drop_observed(self, digests: set[str]) -> None:
        """Remove the files that lead from cores to some digests."""
        top = os.path.join(self._root, "observed")
        for core in names(top):
            folder = os.path.join(top, core)
            for name in digests.intersection(names(folder)):
                with contextlib.suppress(FileNotFoundError):  # another clearing was faster
                    os.unlink(os.path.join(folder, name))

    def is_newer(self, digest: str, *, passed: bool) -> bool:
        """Whether an unreadable record has a format of a newer version."""
        sealed = read(self.path(digest, passed=passed), SEALED_LIMIT) or b""
        name, _, rest = sealed.partition(b"\n")[0].partition(b" ")
        form = rest.partition(b" ")[0]
        if name == b"headworks" and form.isdigit() and int(form) > _FORMAT:
            return True
        match unseal_json(sealed):
            case {"format": int(number)}:
                return number > _FORMAT
            case _:
                return False

    def failed(self) -> set[str]:
        """Return the digests that have a record of a failure, readable or not."""
        return set(filter(is_digest, names(os.path.join(self._root, "failed"))))

    def passed(self) -> Iterator[str]:
        """Yield the digests that have a record of a pass, readable or not, in order."""
        folder = os.path.join(self._root, "passed")
        for shard in names(folder):
            for name in names(os.path.join(folder, shard)):
                if is_digest(shard + name):
                    yield shard + name


def write_record(record: Record) -> bytes:
    """Return the content of the file of a record."""
    return seal_json({"format": _FORMAT, "place": record.place, "verdict": record.verdict.as_data()})


def read_record(sealed: bytes, digest: str, *, passed: bool) -> Record | None:
    """Return the record of a file; None if anything about it is doubtful.

    Args:
        sealed: The file's content.
        digest: The digest that the file's name promises.
        passed: The outcome that the file's folder promises.
    """
    try:
        content = unseal_json(sealed)
        if content.keys() != {"format", "place", "verdict"} or content["format"] != _FORMAT:
            return None
        fields = content["verdict"]
        verdict = Verdict(**fields | {"witness": tuple(fields["witness"])})
        place = content["place"]
    except (TypeError, AttributeError, KeyError):
        return None
    is_promised = verdict.digest == digest and verdict.passed is passed
    is_sound = is_promised and isinstance(place, str) and _is_sound(verdict)
    return Record(verdict=verdict, place=place) if is_sound else None


def _is_sound(verdict: Verdict) -> bool:
    """Whether every field that was read from a file has its type and a possible value."""
    texts = [verdict.session, verdict.finished, verdict.commit, verdict.platform, verdict.checked, verdict.until]
    return (
        all(isinstance(text, str) for text in texts)
        and is_digest(verdict.digest)
        and type(verdict.seconds) in {int, float}
        and 0 <= verdict.seconds < float("inf")
        and isinstance(verdict.outputs, dict)
        and all(is_output_path(path) and is_digest(content) for path, content in verdict.outputs.items())
        and isinstance(verdict.components, dict)
        and all(isinstance(value, str) for value in verdict.components.values())
        and _is_of_witness(verdict)
    )


def _is_of_witness(verdict: Verdict) -> bool:
    """Whether the digest of a session that was watched is that of its witness."""
    if not verdict.core:
        return not verdict.witness
    try:
        witness = Witness.parse(verdict.witness)
    except (ValueError, TypeError, AttributeError):
        return False
    return is_digest(verdict.core) and verdict.digest == observed_digest(verdict.core, witness)
