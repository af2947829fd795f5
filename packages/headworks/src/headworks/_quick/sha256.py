"""SHA-256 without OpenSSL.

Loading OpenSSL takes 4 ms, more than hashing the listing of 5,000 files. CPython brings its own implementation, which
`hashlib` itself falls back to; where its name is another one, `hashlib` decides.
"""

from __future__ import annotations

try:
    from _sha2 import sha256  # type: ignore[import-not-found]  # CPython 3.12 and newer
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]  # CPython 3.11
    except ImportError:
        from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["digest", "digest_texts", "sha256"]


def digest(*parts: bytes) -> str:
    """Return the hexadecimal SHA-256 of some parts, each with its length, so that no two sequences are confused."""
    function = sha256()
    for part in parts:
        function.update(b"%d:" % len(part))
        function.update(part)
    text: str = function.hexdigest()
    return text


def digest_texts(texts: Iterable[str]) -> str:
    """Return the hexadecimal SHA-256 of some texts, none of which has a NUL in it."""
    text: str = sha256("\0".join(texts).encode("utf-8", "surrogateescape")).hexdigest()
    return text
