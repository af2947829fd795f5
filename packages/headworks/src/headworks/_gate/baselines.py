"""The first baselines: what a project's model predicted before there was any base to compare with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._store.journal import Journal
from headworks._store.place import place_of

if TYPE_CHECKING:
    from headworks._store.store import Store

__all__ = ["Baselines"]


class Baselines:
    """The first baselines of one repository, in its store."""

    def __init__(self, store: Store, root: str, folder: str) -> None:
        """Take the store, the repository, and a folder for what is restored."""
        self._store = store
        self._folder = folder
        self._journal = Journal(store.root, "baselines", place_of(root))

    def restore(self, name: str, path: str, base: str) -> tuple[str, str, str]:
        """Return where the first predictions of a name lie, the day on which they were recorded, and of which model.

        Args:
            name: what people call them.
            path: the file that the work tree has for them.
            base: the commit that they stand in for; they say nothing about a later one.

        Returns:
            Three texts, the last one the SHA-256 of the model's file, or empty where that is not known. All are empty
            where there are no predictions that can be relied upon.
        """
        mine = {"on": name, "base": base}
        entries = [it for it in self._journal.entries() if it is not None and mine.items() <= it.items()]
        place = Path(self._folder, f"first-{name}{os.path.splitext(path)[1]}")
        if not entries or not self._store.blobs.copy_out(entries[0]["content"], place):
            return "", "", ""
        return str(place), entries[0]["when"][:10], str(entries[0].get("model", ""))

    def record(self, name: str, file: str, when: str, model: str, base: str) -> None:
        """Keep a file as the first predictions of a name, by a model whose file has a SHA-256, in place of a base.

        Raises:
            StoreError: the store cannot be written.
        """
        content = self._store.blobs.put_file(Path(file))
        self._journal.note({"on": name, "content": content, "when": when, "model": model, "base": base})
