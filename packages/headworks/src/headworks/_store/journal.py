"""A journal in the store: numbered entries, each written once, in their order.

An entry is a file named by its number, under a first line that names the format and the SHA-256 of the rest, a JSON
object. It is written under another name, forced to the disk, and then given the next free number, which only one of
several writers gets. So a process may be killed at any point, and any number may write at once. An unreadable entry, or
one deleted before the last, keeps its number, so that a count of entries is never too low.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from headworks._store.files import SEALED_LIMIT, names, read, seal_json, storing, unfinished, unseal_json
from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from headworks._store.remote import Remote
    from headworks._store.store import Store

Entry: TypeAlias = dict[str, Any]

_DIGITS = 6
_KEEPERS = ("aliases", "baselines")  # whose entries name blobs, which are needed as long as they are


class Journal:
    """The entries in one folder of a store."""

    def __init__(self, root: str, *names: str) -> None:
        """Look below a store's folder, which need not exist."""
        self.folder = os.path.join(root, *names)
        self._root = root

    def entries(self) -> list[Entry | None]:
        """Return all entries in their order; None for a damaged or missing one."""
        last = max((int(name) for name in names(self.folder) if name.isdecimal()), default=0)
        return [read_entry(read(self._path(number), SEALED_LIMIT)) for number in range(1, last + 1)]

    def _path(self, number: int) -> str:
        return os.path.join(self.folder, f"{number:0{_DIGITS}}")

    def note(self, entry: Entry) -> None:
        """Add an entry.

        Raises:
            StoreError: it cannot be written.
        """
        self.append(lambda _found: entry)

    def merge(self, entries: Iterable[Entry], key: str) -> None:
        """Add the entries of another journal that this one lacks.

        Args:
            entries: entries of the same journal in another store.
            key: the field by which two entries are the same; all fields where it is empty.

        Raises:
            StoreError: it cannot be written.
        """
        for entry in entries:
            self.append(partial(_unless_known, entry, key))

    def append(self, make: Callable[[list[Entry | None]], Entry | None]) -> Entry | None:
        """Add an entry that depends on those that are there.

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
                present = self.entries()
                entry = make(present)
                if entry is None or self._write(len(present) + 1, entry):
                    return entry

    def _write(self, number: int, entry: Entry) -> bool:
        """Write an entry; False if another process has taken its number."""
        with unfinished(Path(self._root, "tmp")) as path:
            with path.open("xb") as file:
                file.write(seal_json(entry))
                file.flush()
                os.fsync(file.fileno())
            os.makedirs(self.folder, exist_ok=True)
            try:
                os.link(path, self._path(number))
            except FileExistsError:
                return False
        return True


class RemoteJournal(Journal):
    """The entries in one folder of a remote store."""

    def __init__(self, remote: Remote, *names: str) -> None:
        """Look below a remote store's folder, which need not exist."""
        self._name = "/".join(names)
        self._remote = remote
        super().__init__(remote.name, *names)

    def entries(self) -> list[Entry | None]:
        """Return all entries in their order; None for a damaged or missing one.

        Raises:
            CannotDecideError: The remote cannot be read.
        """
        known = [name for name in remote_names(self._remote, self._name) if name.isdecimal()]
        files = self._remote.read({name: f"{self._name}/{name}" for name in known})
        refuse_unread(self._remote)
        last = max(map(int, known), default=0)
        return [read_entry(files.get(f"{number:0{_DIGITS}}")) for number in range(1, last + 1)]

    def _write(self, number: int, entry: Entry) -> bool:
        """Write an entry; False if another process has taken its number."""
        name = f"{self._name}/{number:0{_DIGITS}}"
        return self._remote.create(name, seal_json(entry), what=f"The entry {name}")


def journal_of(store: Store, *names: str) -> Journal:
    """Return a journal that counts for all who share a store: that of its remote, where it has one."""
    return Journal(store.root, *names) if store.remote is None else RemoteJournal(store.remote, *names)


def remote_names(remote: Remote, folder: str) -> list[str]:
    """Return the sorted names in a folder of a remote store.

    Raises:
        CannotDecideError: The remote cannot be read.
    """
    listed = sorted(remote.names(folder))
    refuse_unread(remote)
    return listed


def refuse_unread(remote: Remote) -> None:
    """Refuse to go on without what a remote store holds.

    Raises:
        CannotDecideError: The remote cannot be read.
    """
    if remote.problems:
        message = f"Nothing can be decided: {' '.join(remote.problems)} Ask again when it can be reached."
        raise CannotDecideError(message)


def read_entry(sealed: bytes | None) -> Entry | None:
    """Return the entry of a file; None if it is missing or damaged."""
    entry = unseal_json(sealed)
    return entry if isinstance(entry, dict) else None


def _unless_known(entry: Entry, key: str, present: list[Entry | None]) -> Entry | None:
    """Return an entry; None if it is there, by all its fields or by one of them."""
    others = [other for other in present if other is not None]
    is_known = any(other == entry or (key and other.get(key) == entry.get(key)) for other in others)
    return None if is_known else entry


def kept_blobs(root: str, held: Collection[str]) -> set[str]:
    """Return the blobs that entries of a store name: promoted models, what they were judged by, first baselines.

    Among those that models are judged by are the files of a model that is held, since it can still be promoted.
    """
    journals = [Journal(root, kind, name) for kind in _KEEPERS for name in names(os.path.join(root, kind))]
    entries = [it for journal in journals for it in journal.entries() if it is not None]
    files = (check.get("files", {}) for it in entries for check in it.get("evidence", ()))
    kept = {str(it["content"]) for it in entries} | {str(content) for it in files for content in it.values()}
    models = [it for it in names(os.path.join(root, "gates")) if it in held or it in kept]
    judged = [it or {} for model in models for it in Journal(root, "gates", model).entries()]
    return kept | {str(content) for it in judged for content in it.get("files", {}).values()}
