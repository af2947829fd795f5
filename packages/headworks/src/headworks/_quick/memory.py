"""A cache of derived facts, keyed by everything they were derived from.

A fact is remembered under a key that covers everything it was derived from, such as the object ids of all
pyproject.toml files. Facts are files of their own in git's folder of the clone, where nothing tracks or shares them.
They may vanish at any time, and a damaged one counts as none.
"""

from __future__ import annotations

import marshal
import os
import sys
import zlib

try:  # hashlib loads OpenSSL, which takes 4 ms
    from _sha2 import sha256  # type: ignore[import-not-found]  # CPython 3.12 and newer
except ImportError:  # pragma: no cover  # CPython 3.11
    from hashlib import sha256

TYPE_CHECKING = False  # importing it from typing takes 5 ms
if TYPE_CHECKING:
    from typing import Any

_KEPT = 16  # of a kind: those of the work tree, of a few bases, and of branches that are switched between
# A noxfile and all that it imports need one module each, and large files of data one stamp each; an answer holds what
# git lists of a whole tree.
_KEPT_OF = {"module": 256, "contents": 256, "answer": 8}
_DIGITS = 32  # hexadecimal ones of a file's name


class Memory:
    """Facts by kind and key; values are made of None, bool, int, float, str, bytes, tuple, list and dict."""

    def __init__(self, folder: str) -> None:
        """Remember in a folder, which need not exist."""
        self._folder = folder

    def _path(self, kind: str, key: str) -> str:
        """Return the file of a fact."""
        return os.path.join(self._folder, f"{kind}-{sha256(_FORM + key.encode()).hexdigest()[:_DIGITS]}")

    def get(self, kind: str, key: str) -> Any:  # noqa: ANN401  # each caller knows what it put there
        """Return the value remembered, or None."""
        try:
            with open(self._path(kind, key), "rb", buffering=0) as file:
                data = file.readall()
        except OSError:
            return None
        if len(data) <= 4 or zlib.crc32(data[4:]).to_bytes(4, "big") != data[:4]:  # noqa: PLR2004  # CRC-32 has 4 bytes
            return None
        return marshal.loads(data[4:])  # noqa: S302  # written by this program, into git's own folder, and checked

    def put(self, kind: str, key: str, value: Any) -> None:  # noqa: ANN401  # see above
        """Remember a value, if that is possible here."""
        from headworks._output_file import replace_file  # it takes typing, which what is only looked up does without

        data = marshal.dumps(value)
        try:
            os.makedirs(self._folder, exist_ok=True)
            self._forget(kind)
            replace_file(self._path(kind, key), zlib.crc32(data).to_bytes(4, "big") + data)
        except OSError:
            return  # another process forgot the same fact, or nothing can be written here

    def _forget(self, kind: str) -> None:
        """Remove the oldest facts of a kind, leaving room for one more."""
        with os.scandir(self._folder) as entries:
            facts = [(entry.stat().st_mtime, entry.path) for entry in entries if entry.name.startswith(kind + "-")]
        for _, path in sorted(facts)[: 1 - _KEPT_OF.get(kind, _KEPT)]:
            os.unlink(path)


def _code_stamp() -> str:
    """Return the sizes and times of all modules of this package."""
    folders, found = [os.path.dirname(os.path.dirname(__file__))], []
    for folder in folders:  # grows while it is read
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    found.append((entry.path, entry.stat().st_size, entry.stat().st_mtime_ns))
                elif entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":
                    folders.append(entry.path)
    return repr(sorted(found))


# The form of the facts is the business of the very code that was imported, and of this interpreter's marshal.
_FORM = sha256(f"{sys.implementation.cache_tag} {marshal.version} {_code_stamp()}".encode()).digest()
