"""A model by an alias such as `alias:production`, from the store that `headworks promote` writes to.

An alias is a folder `aliases/NAME` of numbered entries; only the last one counts, even if it is damaged. The first
line of an entry is `headworks 1` and the SHA-256 of the rest, a JSON object: `content` in it is the SHA-256 of the
model's file, which is stored as `blobs/ab/cd...` under that digest, and `file` is the former name of the file. The
model's signature, if it has one, is `signatures/DIGEST.sig`.

`alias:production@sha256:DIGEST` is that model, as long as it had the alias once: an older server keeps its model.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headworks_serving._model import read_file
from headworks_serving.errors import ModelError

PREFIX = "alias:"
_ALIAS = re.compile(rf"{PREFIX}([a-z][a-z0-9-]*)(?:@sha256:([0-9a-f]{{64}}))?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Found:
    """The place of a model.

    Attributes:
        path: Its file.
        name: The name that it is served by.
        signature: The file of its signature, whether or not it exists.
        digest: The SHA-256 that an alias names; empty without one.
        missing: The message if there is no such file of that digest.
    """

    path: Path
    name: str
    signature: Path
    digest: str = ""
    missing: str = ""

    def read(self) -> bytes:
        """Return the file.

        Raises:
            ModelError: It is missing, or is not the file that the alias names.
        """
        if not self.digest:
            return read_file(self.path)
        try:
            content = self.path.read_bytes()
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise ModelError(self.missing)
        return content


def find_model(given: str, environ: Mapping[str, str] = os.environ) -> Found:
    """Return the place of a model.

    Args:
        given: The path of a file, `alias:NAME`, or `alias:NAME@sha256:DIGEST`.
        environ: Environment, with the folder of the store in HEADWORKS_STORE.

    Raises:
        ModelError: There is no such alias, or its entry is damaged.
    """
    if not given.startswith(PREFIX):
        path = Path(given)
        return Found(path=path, name=path.stem, signature=path.with_name(f"{path.name}.sig"))
    store, alias = environ.get("HEADWORKS_STORE", ""), _ALIAS.fullmatch(given)
    if not store or not alias:
        message = (
            f"cannot find the model {given}: set HEADWORKS_STORE to the store's folder, and name one of its aliases"
        )
        raise ModelError(message)
    digest, file = _entry(Path(store, "aliases", alias[1]), given, alias[2])
    return Found(
        path=Path(store, "blobs", digest[:2], digest[2:]),
        name=Path(file).stem,
        signature=Path(store, "signatures", f"{digest}.sig"),
        digest=digest,
        missing=f"the model {digest[:12]} of {given} is missing or damaged in {store}; "
        f"go back with `headworks rollback {alias[1]}`",
    )


def _entry(folder: Path, given: str, wanted: str | None) -> tuple[str, str]:
    """Return the digest and the name of the model's file in the last entry of an alias, or in that of a digest."""
    try:
        entries = sorted((path for path in folder.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))
        newest = entries[-1]
    except (OSError, IndexError) as error:
        message = (
            f"cannot find the model {given}: nothing was promoted to it in {folder.parents[1]}; see `headworks promote`"
        )
        raise ModelError(message) from error
    if wanted:
        read = [entry for entry in map(_read, reversed(entries)) if entry and entry[0] == wanted]
        message = f"cannot find the model {given}: no entry in {folder} names it; see `headworks promotions`"
    else:
        read = [entry for entry in [_read(newest)] if entry]
        message = f"cannot find the model {given}: its entry {newest} is damaged; promote a model again"
    if not read:
        raise ModelError(message)
    return read[0]


def _read(path: Path) -> tuple[str, str] | None:
    """Return the digest and the name of the model's file in an entry, or None if it is damaged."""
    try:
        head, _, data = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    entry = _unsealed(head, data)
    content, file = entry.get("content"), entry.get("file")
    if isinstance(content, str) and _DIGEST.fullmatch(content) and isinstance(file, str):
        return content, file
    return None


def _unsealed(head: bytes, data: bytes) -> dict[str, Any]:
    """Return the JSON object of an entry, or an empty one if the entry is damaged."""
    if head != b"headworks 1 " + hashlib.sha256(data).hexdigest().encode():
        return {}
    try:
        entry = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
