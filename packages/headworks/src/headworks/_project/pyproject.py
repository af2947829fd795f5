"""The root's pyproject.toml: [tool.headworks], and a hash for each other table that a tool may read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from headworks._hashes import digest
from headworks._project.metadata import resolved
from headworks._project.table import OTHERS, Row, Table, read_table
from headworks._project.toml import parse, table

if TYPE_CHECKING:
    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot


class Pyproject:
    """The root's pyproject.toml; empty where there is none.

    Attributes:
        key: Changes with the file.
        table: The table [tool.headworks].
        tables: A hash for each table that configures anything else, by its name in brackets.
        groups: A hash for each dependency group.
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
        rows, rest, self.tables, self.groups = remembered
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
    )
