"""A store in one file: a plain tar archive, the same for the same content, blobs first.

It has the journals of the gate, so that a test set is not asked again in every store that imports the bundle. It has no
aliases: another store does not decide which model is in production here.

A bundle of what is new leaves out what other bundles have, apart from outputs: each bundle is whole by itself, so that
the order of imports does not matter.

Its members have the names of the store's files. They are imported by the functions that also record verdicts, and a
member's name is never used as a path.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from headworks._store.blobs import Batch, Blobs, blob_name
from headworks._store.files import SEALED_LIMIT, names, publish, read, seal_json, unfinished
from headworks._store.journal import Journal, read_entry
from headworks._store.promises import FOLDERS, Promises, read_mark
from headworks._store.records import Record, Records, read_record, record_name, write_record
from headworks._store.tree import contents
from headworks._store.verdict import Verdict, is_digest
from headworks.errors import StoreError

if TYPE_CHECKING:
    from headworks._store.index import Index

_MEMBER = re.compile(
    r"(?:(blobs|passed)/([0-9a-f]{2})/([0-9a-f]{62})|(failed|broken|kept)/([0-9a-f]{64})"
    r"|(ledger|gates|baselines)/([0-9a-f]{16,64})/[0-9]{6})"
)
_NUMBER = re.compile(r"/[0-9]{6}$")  # of an entry in its journal, which another store gives to another one
_KEYS = {"ledger": "model", "gates": "", "baselines": ""}  # by which two entries of a journal are the same
# That a file is no tar archive, or one cut short.
_DAMAGED: Final = (tarfile.TarError, ValueError, OverflowError, MemoryError, EOFError, RecursionError)
# For each folder with sealed files the function that reads one of a name; None where it is damaged.
_READERS: dict[str, Callable[[bytes, str], Any]] = {
    "passed": partial(read_record, passed=True),
    "failed": partial(read_record, passed=False),
    **dict.fromkeys(_KEYS, lambda data, _name: read_entry(data)),
    **dict.fromkeys(FOLDERS, lambda data, _name: read_mark(data)),
}


class RefusedBundleError(StoreError):
    """A file that is not a valid bundle; nothing was taken from it."""


def export(
    path: str | Path,
    records: Records,
    blobs: Blobs,
    known: Iterable[str | Path] = (),
    has_use: Callable[[Verdict], bool] = lambda _: True,
) -> int:
    """Write all verdicts whose outputs are whole, and those outputs, into one file.

    Args:
        path: The file.
        records: The records of the store.
        blobs: The blobs of the store.
        known: Other bundles, of whose verdicts and notes nothing is written again.
        has_use: Whether to write a verdict that passed.

    Returns:
        The number of verdicts.
    """
    target = Path(path).absolute()
    known_files = {file for bundle in known for file in _sealed_files(bundle)}
    try:
        with unfinished(target.parent) as part:
            with tarfile.open(part, "x:", format=tarfile.PAX_FORMAT) as archive:
                scratch = part.with_name(f"{part.name}-blob")
                count = _add_verdicts(archive, scratch, records, blobs, known_files, has_use)
                _add_notes(archive, scratch, blobs, known_files)
            publish({part: target})
    except OSError as error:
        message = f"The bundle {path} could not be written: {error.strerror or error}. Name a file that can be."
        raise StoreError(message) from error
    return count


def _sealed_files(bundle: str | Path) -> set[tuple[str, bytes]]:
    """Return the files of a bundle but blobs, each with its name but for its number; none where it is unreadable."""
    found = set()
    with contextlib.suppress(OSError, *_DAMAGED), tarfile.open(bundle, "r:") as archive:
        for member in archive:
            file = None if member.name.startswith("blobs/") else archive.extractfile(member)
            if file is not None:
                found.add((_NUMBER.sub("", member.name), file.read(SEALED_LIMIT)))
    return found


def _add_verdicts(
    archive: tarfile.TarFile,
    scratch: Path,
    records: Records,
    blobs: Blobs,
    known: set[tuple[str, bytes]],
    has_use: Callable[[Verdict], bool],
) -> int:
    """Add blobs, failures and passes to an archive; return the number of verdicts."""

    def is_new(record: Record) -> bool:
        name = record_name(record.verdict.digest, passed=record.verdict.passed)
        return (name, write_record(record)) not in known

    needed: dict[str, set[str]] = {}
    for digest in records.passed():
        record = records.read(digest, passed=True)
        with contextlib.suppress(FileNotFoundError):
            if record and is_new(record) and has_use(record.verdict):
                needed[digest] = contents(record.verdict, blobs)
    parts = sorted(set().union(*needed.values()))
    lost = {content for content in parts if not _add_blob(archive, content, scratch, blobs)}
    failures = {digest: records.read(digest, passed=False) for digest in sorted(records.failed())}
    failed = {digest: record for digest, record in failures.items() if record is not None}
    passed = {digest for digest in needed if not needed[digest] & lost}
    # A pass whose failure is unreadable is left out: without the failure it would look reliable elsewhere.
    passed -= failures.keys() - failed.keys()
    exported = [*filter(is_new, failed.values()), *(records.read(digest, passed=True) for digest in sorted(passed))]
    for record in filter(None, exported):
        _add(archive, record_name(record.verdict.digest, passed=record.verdict.passed), write_record(record))
    return len(exported)


def _add_notes(archive: tarfile.TarFile, scratch: Path, blobs: Blobs, known: set[tuple[str, bytes]]) -> None:
    """Add journals and marks to an archive."""
    for kind in _KEYS:
        for name in names(f"{blobs.root}/{kind}"):
            for number, entry in enumerate(Journal(blobs.root, kind, name).entries(), 1):
                if entry is None or (f"{kind}/{name}", data := seal_json(entry)) in known:
                    continue
                # The blob that an entry names comes before it.
                if "content" not in entry or _add_blob(archive, entry["content"], scratch, blobs):
                    _add(archive, f"{kind}/{name}/{number:06}", data)
    for folder in FOLDERS:
        for name in filter(is_digest, names(f"{blobs.root}/{folder}")):
            mark = read_mark(read(f"{blobs.root}/{folder}/{name}", SEALED_LIMIT))
            if mark and (f"{folder}/{name}", data := seal_json(mark)) not in known:
                _add(archive, f"{folder}/{name}", data)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a small file to an archive."""
    archive.addfile(_member(name, len(data)), io.BytesIO(data))


def _add_blob(archive: tarfile.TarFile, content: str, scratch: Path, blobs: Blobs) -> bool:
    """Add a blob to an archive; False if it is missing or damaged."""
    try:
        if not blobs.copy_out(content, scratch):
            return False
        with scratch.open("rb") as file:
            archive.addfile(_member(blob_name(content), scratch.stat().st_size), file)
    finally:
        scratch.unlink(missing_ok=True)
    return True


def _member(name: str, size: int) -> tarfile.TarInfo:
    """Return a header with nothing but name and size, so that equal content gives equal bytes."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def import_(path: str | Path, records: Records, blobs: Blobs, index: Index) -> int:
    """Import a bundle; return the number of new verdicts. See `Store.import_`."""
    with contextlib.ExitStack() as stack:
        file, batch = stack.enter_context(_opened(path)), stack.enter_context(blobs.batch())
        try:
            archive = stack.enter_context(tarfile.open(fileobj=file, mode="r:"))
            taken = list(_take(archive, batch, path))
        except _DAMAGED as error:
            raise _refused(path, f"it is not a tar archive, or one cut short ({error})") from error
    new = []
    for record in (it for folder, _, it in taken if folder in {"passed", "failed"}):
        verdict = record.verdict
        if verdict.passed and not _is_whole(verdict, blobs):
            raise _refused(path, f"it lacks outputs of {verdict.session}")
        if records.read(verdict.digest, passed=verdict.passed) is None:
            new.append(record)
    for record in sorted(new, key=lambda record: record.verdict.passed):
        records.write(record)
    index.add(record for record in new if record.verdict.passed)
    for folder, name, content in taken:
        if folder in _KEYS:
            Journal(blobs.root, folder, name).merge([content], _KEYS[folder])
        elif folder in FOLDERS:
            Promises(blobs.root, None).merge(folder, name, content)
    return len(new)


def _opened(path: str | Path) -> BinaryIO:
    """Open a bundle.

    Raises:
        RefusedBundleError: It cannot be read, or is a pipe, which may never end.
        StoreError: It does not exist.
    """
    if not os.path.lexists(path):
        message = f"There is no bundle {path}. Name a file that `headworks store export` wrote."
        raise StoreError(message)
    try:
        if os.path.isfile(path):
            return open(path, "rb")  # the caller closes it
    except OSError as error:
        raise _refused(path, f"it cannot be read ({error.strerror})") from error
    raise _refused(path, "it is no file")


def _take(archive: tarfile.TarFile, batch: Batch, path: str | Path) -> Iterator[tuple[str, str, Any]]:
    """Store the blobs of an archive, and yield the folder, the name and the content of each other member."""
    for member in archive:
        match = _MEMBER.fullmatch(member.name)
        is_plain = member.isreg() and not member.issparse() and member.size >= 0
        file = archive.extractfile(member) if is_plain else None
        if match is None or file is None:
            raise _refused(path, f"its member {member.name!r} is none that a store has")
        folder, *parts = filter(None, match.groups())
        name = "".join(parts)
        if folder == "blobs":
            is_sound = batch.put(file) == name
        else:
            content = _READERS[folder](file.read(SEALED_LIMIT), name)
            is_sound = content is not None
            yield folder, name, content
        if not is_sound:
            raise _refused(path, f"its member {member.name} is damaged")


def _is_whole(verdict: Verdict, blobs: Blobs) -> bool:
    try:
        return all(blobs.path(content).is_file() for content in contents(verdict, blobs))
    except FileNotFoundError:
        return False


def _refused(path: str | Path, reason: str) -> RefusedBundleError:
    message = f"The bundle {path} was refused: {reason}. Nothing was taken from it; export it again, by this version."
    return RefusedBundleError(message)
