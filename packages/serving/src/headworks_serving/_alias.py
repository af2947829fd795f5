"""A model by an alias such as `alias:production`, from the store that `headworks promote` writes to.

An alias is a folder `aliases/NAME` of numbered entries; only the last one counts, even if it is damaged. The first
line of an entry is `headworks 1` and the SHA-256 of the rest, a JSON object: `content` in it is the SHA-256 of the
model's file, which is stored as `blobs/ab/cd...` under that digest, and `file` is the former name of the file.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headworks_serving.errors import ModelError

_PREFIX = "alias:"
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def find_model(given: str, environ: Mapping[str, str] = os.environ) -> tuple[Path, str]:
    """Return the file of a model and the name that it is served by.

    Args:
        given: The path of a file, or `alias:NAME`.
        environ: Environment, with the folder of the store in HEADWORKS_STORE.

    Raises:
        ModelError: There is no such alias, or its model is missing or damaged.
    """
    if not given.startswith(_PREFIX):
        return Path(given), Path(given).stem
    store, name = environ.get("HEADWORKS_STORE", ""), given.removeprefix(_PREFIX)
    if not store or not _NAME.fullmatch(name):
        message = (
            f"cannot find the model {given}: set HEADWORKS_STORE to the store's folder, and name one of its aliases"
        )
        raise ModelError(message)
    content, file = _last_entry(Path(store, "aliases", name), given)
    path = Path(store, "blobs", content[:2], content[2:])
    try:
        is_whole = hashlib.sha256(path.read_bytes()).hexdigest() == content
    except OSError:
        is_whole = False
    if not is_whole:
        message = f"the model {content[:12]} of {given} is missing or damaged in {store}; "
        raise ModelError(message + f"go back with `headworks rollback {name}`")
    return path, Path(file).stem


def _last_entry(folder: Path, given: str) -> tuple[str, str]:
    """Return the digest and the name of the model's file in the last entry of an alias."""
    try:
        newest = max((path for path in folder.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))
    except (OSError, ValueError) as error:
        message = (
            f"cannot find the model {given}: nothing was promoted to it in {folder.parents[1]}; see `headworks promote`"
        )
        raise ModelError(message) from error
    head, _, data = newest.read_bytes().partition(b"\n") if newest.is_file() else (b"", b"", b"")
    entry = _unsealed(head, data)
    content, file = entry.get("content"), entry.get("file")
    if isinstance(content, str) and _DIGEST.fullmatch(content) and isinstance(file, str):
        return content, file
    message = f"cannot find the model {given}: its entry {newest} is damaged; promote a model again"
    raise ModelError(message)


def _unsealed(head: bytes, data: bytes) -> dict[str, Any]:
    """Return the JSON object of an entry, or an empty one if the entry is damaged."""
    if head != b"headworks 1 " + hashlib.sha256(data).hexdigest().encode():
        return {}
    try:
        entry = json.loads(data)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
