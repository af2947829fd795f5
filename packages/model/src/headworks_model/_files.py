"""Writes files so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PARTIAL = "partial"
"""Folder inside the output of a training that holds checkpoint and log until it is finished."""
CHECKPOINT = "checkpoint.safetensors"


def replace(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Put files into a folder, which is made if need be; other files in it are left alone.

    All are written beside their places first and then renamed in the order given: whatever stops this, each file is the
    old one or the new one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staged = {folder / name: folder / f".{name}.partial" for name in contents}
    try:
        for temporary, content in zip(staged.values(), contents.values(), strict=True):
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in staged.items():
            temporary.replace(path)
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def to_json(value: object) -> bytes:
    """Return a readable JSON document, the same bytes for the same value."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
