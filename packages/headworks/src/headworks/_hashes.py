"""Hashes over several parts, such that no two sequences of parts are confused."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256


def digest(*parts: bytes) -> str:
    """Return the hexadecimal SHA-256 of some parts, each with its length."""
    function = sha256()
    for part in parts:
        function.update(b"%d:" % len(part))
        function.update(part)
    return function.hexdigest()


def digest_texts(texts: Iterable[str]) -> str:
    """Return the hexadecimal SHA-256 of some texts, none of which has a NUL in it."""
    return sha256("\0".join(texts).encode("utf-8", "surrogateescape")).hexdigest()
