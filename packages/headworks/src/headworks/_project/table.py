"""The table [tool.headworks] of the root's pyproject.toml: what people say about their sessions."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

from headworks.errors import ConfigurationError

__all__ = ["KEYS", "OTHERS", "Row", "Table", "project_path", "read_table"]

_LISTS = ("packages", "needs", "inputs", "outputs", "groups", "env", "ignore", "tools")
_FLAGS = {"cache", "required"}
_PATHS = {"inputs", "outputs", "ignore", "wheel-excludes"}
OTHERS = ("gate", "images", "report")  # tables of other commands, and of the project's own programs
KEYS = frozenset({"sessions", "ignore", "env", "wheel-excludes", *OTHERS})  # of [tool.headworks]
_PLACE = "pyproject.toml: [tool.headworks"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the table says about a session; a field that it does not set is None, or has its default.

    Attributes:
        packages: the packages that it depends on, with everything that these need.
        needs: sessions that must have passed before, whose outputs it reads.
        inputs: patterns of further files that it depends on.
        outputs: what it leaves behind, for others to read.
        groups: the root's dependency groups that it installs.
        env: environment variables that it reads.
        ignore: patterns of files that it does not depend on.
        tools: the tables below [tool] of the root's pyproject.toml that it depends on.
        cache: False where time or the network decide about it.
        required: whether it is unproven when nox or pytest skipped something in it.
    """

    packages: tuple[str, ...] | None = None
    needs: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    cache: bool = True
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """All that is said.

    Attributes:
        rows: what is said about each session, by the name of its function.
        ignore: patterns of files that sessions with packages do not depend on.
        env: environment variables that every session reads.
        wheel_excludes: folders of a package, relative to it, that its wheel does not contain.
    """

    rows: dict[str, Row]
    ignore: tuple[str, ...]
    env: tuple[str, ...]
    wheel_excludes: tuple[str, ...]


def read_table(data: object) -> Table:
    """Return what [tool.headworks] says.

    Args:
        data: the table; empty where there is none.

    Raises:
        ConfigurationError: a key or value cannot be right; the message has its place.
    """
    if not isinstance(data, dict):
        message = f"{_PLACE}] is no table but {data!r}."
        raise ConfigurationError(message)
    _check_keys(data, KEYS, f"{_PLACE}]")
    _check_others(data)
    sessions = data.get("sessions", {})
    if not isinstance(sessions, dict):
        message = (
            f"{_PLACE}.sessions] is no table; write one row for each session, as in: tests = {{ packages = [...] }}"
        )
        raise ConfigurationError(message)
    return Table(
        rows={name: _row(name, row) for name, row in sessions.items()},
        ignore=_texts(data, "ignore", f"{_PLACE}]") or (),
        env=_texts(data, "env", f"{_PLACE}]") or (),
        wheel_excludes=_texts(data, "wheel-excludes", f"{_PLACE}]") or ("tests",),
    )


def _check_others(data: dict[str, Any]) -> None:
    """Refuse now what another command would refuse in its table, perhaps after hours."""
    for name in ("gate", "report"):
        if not isinstance(data.get(name, {}), dict):
            message = f"{_PLACE}.{name}] is no table but {data[name]!r}."
            raise ConfigurationError(message)
    if "gate" in data:
        from headworks._project.gate_table import read_settings

        read_settings(data=data["gate"])
    if "report" in data:
        from headworks._project.report_settings import report_settings

        report_settings(data["report"])


def _row(name: str, data: object) -> Row:
    """Return what one row says."""
    place = f"{_PLACE}.sessions] {name}"
    if not isinstance(data, dict):
        message = f"{place} is no table; write {name} = {{}} where there is nothing to say."
        raise ConfigurationError(message)
    _check_keys(data, {*_LISTS, *_FLAGS}, place)
    fields: dict[str, Any] = {key: _texts(data, key, place) for key in _LISTS}
    for key in _FLAGS & data.keys():
        fields[key] = data[key]
        if not isinstance(data[key], bool):
            message = f"{place}: {key} is {data[key]!r}; it can be true or false."
            raise ConfigurationError(message)
    return Row(**fields)


def _check_keys(data: dict[str, Any], known: set[str] | frozenset[str], place: str) -> None:
    """Refuse a key that means nothing."""
    from headworks._nearest import suggestion

    for key in data.keys() - known:
        message = f"{place}: there is no key {key!r}.{suggestion(key, known)}"
        raise ConfigurationError(message)


def _texts(data: dict[str, Any], key: str, place: str) -> tuple[str, ...] | None:
    """Return a list of texts, paths in their normal form, or None where the key is not set."""
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(it, str) and it for it in value):
        message = f'{place}: {key} is {value!r}; it has to be a list of texts, as in {key} = [ "..." ].'
        raise ConfigurationError(message)
    texts = tuple(project_path(it, key, place) if key in _PATHS else it for it in value)
    for text in texts if key == "outputs" else ():
        _check_output(text, place)
    return texts


def _check_output(path: str, place: str) -> None:
    """Refuse a pattern, the project's folder and git's own as an output, which is replaced as a whole."""
    if any(letter in path for letter in "*?["):
        message = (
            f"{place}: outputs has {path!r}, a pattern. An output is one file or one folder with all that is in"
            " it: name the folder."
        )
        raise ConfigurationError(message)
    if path == "." or path.partition("/")[0].lower() == ".git":
        message = (
            f"{place}: outputs has {path!r}, which holds more than this session writes. Name a file or a folder of its"
            " own, as in artifacts/."
        )
        raise ConfigurationError(message)


def project_path(text: str, key: str, place: str) -> str:
    """Return a path below the project's folder in its normal form."""
    path = posixpath.normpath(text.replace("\\", "/"))
    if path.startswith(("/", "..")) or path[1:2] == ":" or "\0" in path:
        message = f"{place}: {key} has {text!r}, which leads out of the project's folder."
        raise ConfigurationError(message)
    return path
