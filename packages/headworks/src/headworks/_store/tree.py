"""A declared output, a file or a folder, as one content with one SHA-256.

The content is a manifest: a JSON list of `[path, kind, value]`, sorted, whose first row is the output itself. The kind
is `file` or `program` (an executable file), whose value is a blob, or `folder`, or `link`, whose value is its target.
Like git, a manifest has no more of a file's mode than whether it is executable, so that equal outputs are equal under
every umask; unlike git, it has empty folders.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeGuard

from headworks._store.files import hash_file
from headworks._store.verdict import Verdict, is_digest, is_plain_path
from headworks.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from headworks._store.blobs import Blobs

    Row = tuple[str, str, str]

MANIFEST_LIMIT = 64 << 20  # bytes; enough for half a million files


def manifest_of(output: Path, take: Callable[[Path], str] = lambda path: hash_file(path)[0]) -> bytes:
    """Return the manifest of an output.

    Args:
        output: A file or a folder.
        take: Returns the SHA-256 of a file; may store it as well.

    Raises:
        StoreError: It has a link that leads out of it, a socket, a pipe, or a device.
        OSError: It cannot be read.
    """
    rows = sorted(_rows(output, "", take))
    return json.dumps(rows, separators=(",", ":")).encode()


def _rows(top: Path, name: str, take: Callable[[Path], str]) -> Iterator[Row]:
    """Yield the rows of a path in an output and of all below it."""
    path = top / name
    mode = path.lstat().st_mode
    if name and not is_plain_path(name):
        raise StoreError(_refusal(path, "has a name that other systems cannot hold"))
    if stat.S_ISREG(mode):
        yield name, "program" if mode & stat.S_IXUSR else "file", take(path)
    elif stat.S_ISDIR(mode):
        yield name, "folder", ""
        for child in path.iterdir():
            yield from _rows(top, f"{name}/{child.name}".lstrip("/"), take)
    elif stat.S_ISLNK(mode):
        yield name, "link", _target(top, name)
    else:
        raise StoreError(_refusal(path, "is neither a file nor a folder nor a link"))


def _refusal(path: Path, reason: str) -> str:
    return f"The output {path} {reason}, so it cannot be kept. Write plain files there, or leave it out of `outputs`."


def _target(top: Path, name: str) -> str:
    """Return the target of a link in an output, relative to the link even if the link is absolute."""
    path = top / name
    target = os.fspath(path.readlink())
    if _stays_within(name, target):
        return target
    folder, last = os.path.split(os.path.join(path.parent, target).rstrip("/"))
    led = os.path.realpath(os.path.join(folder, last)) if last == ".." else os.path.join(os.path.realpath(folder), last)
    relative = os.path.relpath(led, os.path.realpath(path.parent)).replace(os.sep, "/")
    if not _stays_within(name, relative):
        kind = "an absolute link" if os.path.isabs(target) else "a link"
        raise StoreError(_refusal(path, f"is {kind} to {target}, which is not within the output"))
    return relative


def _stays_within(name: str, target: str) -> bool:
    """Whether a link of an output points into the same output.

    Steps up are allowed only at its beginning, where they lead through real folders of the output.
    """
    steps = [] if target == "." else target.split("/")
    ups = 0
    while steps[ups : ups + 1] == [".."]:
        ups += 1
    rest = "/".join(steps[ups:])
    return bool(name) and ups <= name.count("/") and (len(steps) == ups or is_plain_path(rest))


def read_manifest(data: bytes) -> list[Row] | None:
    """Return the rows of a manifest; None if it has anything but plain files below the output."""
    try:
        rows = [tuple(row) for row in json.loads(data)]
    except (ValueError, TypeError, RecursionError):
        return None
    kinds: dict[str, str] = {}
    sound: list[Row] = []
    for row in rows:
        if not _is_sound(row) or row[0] in kinds:
            return None
        # A row is the output itself or lies in a folder of an earlier row: never behind a link.
        if not (kinds.get(row[0].rpartition("/")[0]) == "folder" if row[0] else not kinds):
            return None
        kinds[row[0]] = row[1]
        sound.append(row)
    return sound or None


def _is_sound(row: tuple[object, ...]) -> TypeGuard[Row]:
    """Whether a row has its types, a path below the output, and a value of its kind."""
    match row:
        case (str(name), "file" | "program", value) if not name or is_plain_path(name):
            return is_digest(value)
        case (str(name), "folder", "") if not name or is_plain_path(name):
            return True
        case (str(name), "link", str(target)) if is_plain_path(name):
            return _stays_within(name, target)
    return False


def build(rows: list[Row], target: Path, blobs: Blobs) -> bool:
    """Make an output at a free path.

    Returns:
        False if a blob is missing or damaged; the caller removes the part that was made.
    """
    for name, kind, value in rows:
        path = target / name if name else target
        if kind == "folder":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(value)
        elif not blobs.copy_out(value, path):
            return False
        elif kind == "program":
            mode = path.stat().st_mode
            path.chmod(mode | (mode & 0o444) >> 2)
    return True


def contents(verdict: Verdict, blobs: Blobs) -> set[str]:
    """Return all blobs of the outputs of a verdict.

    Raises:
        FileNotFoundError: A manifest is missing or damaged.
    """
    blob_names = set(verdict.outputs.values())
    for content in verdict.outputs.values():
        data = blobs.get_bytes(content, MANIFEST_LIMIT)
        rows = None if data is None else read_manifest(data)
        if rows is None:
            raise FileNotFoundError(content)
        blob_names |= {value for _, kind, value in rows if kind in {"file", "program"}}
    return blob_names
