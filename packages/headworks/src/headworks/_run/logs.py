"""Where the store keeps what the sessions of a work tree last printed."""

from __future__ import annotations

import hashlib
import os
import re

__all__ = ["log_folder", "log_name"]

_NO_FILE_NAME = re.compile(r"[^\w.()-]")


def log_folder(store: str, root: str) -> str:
    """Return the folder for what the sessions of a work tree print, whether it is there or not."""
    return os.path.join(store, "logs", hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16])


def log_name(session: str) -> str:
    """Return a name that every file system takes, and that no other session has."""
    return f"{_NO_FILE_NAME.sub('-', session)[:80]}-{hashlib.sha256(session.encode()).hexdigest()[:8]}.log"
