"""The settings of the gate, from a file or from the project that the working folder is in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from headworks._project.gate_table import PLACE, gate_settings
from headworks._project.table import KEYS
from headworks._project.toml import check_keys, parse, table
from headworks._tree.git import Repository
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings


def project_settings() -> GateSettings:
    """Return the settings of the project that the working folder is in.

    Raises:
        UsageError: There is no repository.
        ConfigurationError: A key or value cannot be right.
    """
    return read_settings(os.path.join(Repository(os.curdir).root, "pyproject.toml"))


def read_settings(path: str, *, is_named: bool = False) -> GateSettings:
    """Return the settings in a TOML file.

    Args:
        path: A file with the table [tool.headworks.gate], or with nothing but the keys of that table.
        is_named: Whether somebody named the file, so that it has to exist and to have settings of the gate.

    Raises:
        UsageError: The file cannot be read.
        ConfigurationError: A key or value cannot be right; the message has its place.
    """
    if not is_named and not os.path.isfile(path):
        return gate_settings({})
    try:
        with open(path, "rb") as file:
            data = parse(file.read(), path)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}. Name a TOML file with {PLACE} in --config."
        raise UsageError(message) from None
    is_project = os.path.basename(path) == "pyproject.toml" or "tool" in data
    gate = _of_project(data, path) if is_project else data or None
    if gate is None and is_named:
        message = f"{path} says nothing about the gate. Write {PLACE} in it, or name another file in --config."
        raise ConfigurationError(message)
    return gate_settings(gate or {})


def _of_project(data: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Return the table of the gate in a pyproject.toml; None where there is none."""
    headworks = table(data, "tool", "headworks")
    check_keys(headworks, KEYS, f"{path}: [tool.headworks]")
    gate = headworks.get("gate")
    if gate is not None and not isinstance(gate, dict):
        message = f"{path}: {PLACE} is not a table but {gate!r}."
        raise ConfigurationError(message)
    return gate
