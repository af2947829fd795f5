"""The root's pyproject.toml: [tool.headworks], and a hash for each other table that a tool may read."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Any

from headworks._hashes import digest
from headworks._project.metadata import resolved
from headworks._project.table import OTHERS, Row, Table, read_table
from headworks._project.toml import parse, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot

__all__ = ["Pyproject"]

_FOLDERS = {"extrapaths", "mypypath", "pythonpath", "stubpath"}  # keys of pyright, mypy and pytest
_LISTS = {"testpaths"}  # keys of pytest whose paths may be parted by spaces
_EXCLUSIONS = ("exclude", "omit", "norecurse")  # in keys whose folders are not read
_HERE = "$MYPY_CONFIG_FILE_DIR/"  # mypy expands it to the folder of the file


class Pyproject:
    """The root's pyproject.toml; empty where there is none.

    Attributes:
        key: Changes with the file.
        table: The table [tool.headworks].
        tables: A hash for each table that configures anything else, by its name in brackets.
        groups: A hash for each dependency group.
        paths: For each table the paths that it may name, and what counts of a folder there: `all`, `rest` for what no
            package has, or nothing.
    """

    def __init__(self, snapshot: Snapshot, memory: Memory) -> None:
        """Read the file, or remember it.

        Raises:
            ConfigurationError: It is not TOML, or a key or value of [tool.headworks] cannot be right.
        """
        path = os.fsencode(snapshot.repository.prefix + "pyproject.toml")
        entry = snapshot.listing.get(path)
        self.key = digest(*entry) if entry else ""
        remembered = memory.get("pyproject", self.key)
        if remembered is None:
            remembered = _read(snapshot.read([path]).get(path, b""))
            memory.put("pyproject", self.key, remembered)
        rows, rest, self.tables, self.groups, self.paths = remembered
        self.table = Table(rows={name: Row(**row) for name, row in rows.items()}, **rest)


def _read(content: bytes) -> tuple[Any, ...]:
    """Return the contents of the file in a form that can be remembered."""
    data = parse(content, "pyproject.toml")
    own = table(data, "tool").get("headworks", {})
    sessions = read_table(own)
    groups = data.pop("dependency-groups", {})
    tools = data.pop("tool", {})
    tables = {f"[{name}]": value for name, value in data.items()}
    tables |= {f"[tool.{name}]": value for name, value in table(tools).items() if name != "headworks"}
    # The rows of sessions are in the digests of these already.
    tables |= {f"[tool.headworks.{name}]": value for name, value in own.items() if name in OTHERS}
    return (
        {name: vars(row) for name, row in sessions.rows.items()},
        {name: value for name, value in vars(sessions).items() if name != "rows"},
        {name: digest(repr(value).encode()) for name, value in tables.items()},
        {name: digest(repr(sorted(resolved(table(groups), name).items(), key=str)).encode()) for name in table(groups)},
        {name: paths for name, value in tables.items() if (paths := tuple(sorted(set(_paths(value)))))},
    )


def _paths(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the paths that a value may name, and what its key says that counts of a folder there."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _paths(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _paths(part, key)
    elif isinstance(value, str):
        is_path = len(value.replace(",", " ").split()) == 1 + value.strip(",").count(",")  # and no sentence
        for text in value.replace(":", " ").replace(",", " ").split():
            path = posixpath.normpath(text.removeprefix(_HERE))
            if not path.startswith((".", "/")):
                plain = key.lower().replace("_", "").replace("-", "")
                is_read = is_path or plain in _LISTS
                is_read = is_read and not any(it in plain for it in _EXCLUSIONS)
                yield path, "all" if plain in _FOLDERS else "rest" if is_read else ""
