"""Names and forms of the files that several stages write or read."""

from __future__ import annotations

import json

PARTIAL = "partial"
"""Folder inside the output of a training that holds checkpoint and log until it is finished."""
CHECKPOINT = "checkpoint.safetensors"


def to_json(value: object) -> bytes:
    """Return a readable JSON document, the same bytes for the same value."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
