"""A journal in the store: numbered entries, each written once, in the order in which they were made.

An entry is a file named by its number, under a first line that names the format and the SHA-256 of the rest, a JSON
object. It is written under another name, forced to the disk, and then given the next free number, which only one of
several writers gets. So a process may be killed at any point, and any number may write at once. An entry that cannot be
read, or was deleted before the last one, keeps its number: what counts entries never counts too few.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headworks._store.files import names, read, seal, storing, unfinished, unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Entry = dict[str, Any]

__all__ = ["ENTRY_LIMIT", "Journal", "kept_blobs", "read_entry", "seal_entry"]

ENTRY_LIMIT = 1 << 20  # bytes
_DIGITS = 6
_KEEPERS = ("aliases", "baselines")  # whose entries name a blob in `content`, which is needed as long as they are


class Journal:
    """The entries in one folder of a store."""

    def __init__(self, root: str, *names: str) -> None:
        """Look below a store's folder; there need not be anything yet."""
        self.folder = os.path.join(root, *names)
        self._root = root

    def entries(self) -> list[Entry | None]:
        """Return all entries in their order, None for one that is damaged or missing."""
        last = max((int(name) for name in names(self.folder) if name.isdecimal()), default=0)
        return [read_entry(read(self._path(number), ENTRY_LIMIT) or b"") for number in range(1, last + 1)]

    def _path(self, number: int) -> str:
        """Return where an entry lies."""
        return os.path.join(self.folder, f"{number:0{_DIGITS}}")

    def note(self, entry: Entry) -> None:
        """Add an entry, whatever there is already.

        Raises:
            StoreError: it cannot be written.
        """
        self.append(lambda _found: entry)

    def merge(self, entries: Iterable[Entry], key: str) -> None:
        """Add those of some entries that are not there yet.

        Args:
            entries: entries of the same journal in another store.
            key: the field by which two entries are the same; all fields where it is empty.

        Raises:
            StoreError: it cannot be written.
        """
        for entry in entries:
            self._add(entry, key)

    def _add(self, entry: Entry, key: str) -> None:
        """Add an entry unless it is there already."""
        self.append(lambda found: None if _is_known(entry, found, key) else entry)

    def append(self, make: Callable[[list[Entry | None]], Entry | None]) -> Entry | None:
        """Add an entry after all that there are.

        Args:
            make: returns the entry, given all that are there already, or None for none; called again where another
                process was faster.

        Returns:
            What `make` returned.

        Raises:
            StoreError: it cannot be written.
        """
        with storing(f"An entry of {self.folder}", self._root):
            while True:
                found = self.entries()
                entry = make(found)
                if entry is None or self._write(len(found) + 1, entry):
                    return entry

    def _write(self, number: int, entry: Entry) -> bool:
        """Write an entry; False where its number was taken meanwhile."""
        with unfinished(Path(self._root, "tmp")) as path:
            with path.open("xb") as file:
                file.write(seal_entry(entry))
                file.flush()
                os.fsync(file.fileno())
            os.makedirs(self.folder, exist_ok=True)
            try:
                os.link(path, self._path(number))
            except FileExistsError:
                return False
        return True


def seal_entry(entry: Entry) -> bytes:
    """Return the content of an entry's file."""
    return seal(json.dumps(entry, sort_keys=True).encode())


def read_entry(sealed: bytes) -> Entry | None:
    """Return the entry of a file, or None where a bit of it is not what was written."""
    try:
        found = json.loads(unseal(sealed) or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _is_known(entry: Entry, found: list[Entry | None], key: str) -> bool:
    """Tell whether an entry is among others."""
    return any(it is not None and (it == entry or (bool(key) and it.get(key) == entry.get(key))) for it in found)


def kept_blobs(root: str) -> set[str]:
    """Return the blobs that entries of a store name: promoted models and first baselines."""
    journals = [Journal(root, kind, name) for kind in _KEEPERS for name in names(os.path.join(root, kind))]
    return {str(it["content"]) for journal in journals for it in journal.entries() if it is not None}
