"""The table [tool.headworks] of the root's pyproject.toml: the dependencies of sessions, and settings."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

from headworks._project.toml import check_keys, refuse
from headworks.errors import ConfigurationError

_LISTS = ("packages", "needs", "inputs", "outputs", "groups", "env", "ignore", "tools", "runs-on")
_FLAGS = {"cache", "observe", "required"}
_PATHS = {"inputs", "outputs", "ignore", "wheel-excludes"}
OTHERS = ("gate", "images", "report")  # tables of other commands and of the project's own programs
KEYS = frozenset({"sessions", "ignore", "env", "max-age", "wheel-excludes", *OTHERS})  # of [tool.headworks]
_PLACE = "pyproject.toml: [tool.headworks"
_MAX_AGE = 7  # days


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of [tool.headworks.sessions]; a key that it does not have is None, or has its default.

    Attributes:
        packages: The packages that it depends on, with everything that these need.
        needs: Sessions that must have passed before, whose outputs it reads.
        inputs: Patterns of further files that it depends on.
        outputs: The files and folders that it writes for others.
        groups: The root's dependency groups that it installs.
        env: Environment variables that it reads.
        ignore: Patterns of files that it does not depend on.
        tools: The tables below [tool] of the root's pyproject.toml that it depends on.
        runs_on: The labels of the runner that CI gives it; a Linux machine of GitHub's by default.
        cache: False where time or the network decide how it ends.
        observe: True binds its verdicts to what it was seen to read, and not to the files that the row names; False has
            no run of it watched.
        required: Whether it is unproven when nox or pytest skipped something in it.
    """

    packages: tuple[str, ...] | None = None
    needs: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    runs_on: tuple[str, ...] | None = None
    cache: bool = True
    observe: bool | None = None
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """The table [tool.headworks], but for the tables of `OTHERS`.

    Attributes:
        rows: The row of each session, by the name of its function.
        ignore: Patterns of files that sessions with packages do not depend on.
        env: Environment variables that every session reads.
        wheel_excludes: The folders of a package that its wheel does not contain, relative to the package.
        max_age: The days for which the verdict of a session that was watched counts, where it asked the network, or
            installed packages and read no lock.
    """

    rows: dict[str, Row]
    ignore: tuple[str, ...]
    env: tuple[str, ...]
    wheel_excludes: tuple[str, ...]
    max_age: int


def read_table(data: object) -> Table:
    """Return the contents of [tool.headworks].

    Args:
        data: The table; empty where there is none.

    Raises:
        ConfigurationError: A key or value cannot be right; the message has its place.
    """
    if not isinstance(data, dict):
        message = f"{_PLACE}] is not a table but {data!r}."
        raise ConfigurationError(message)
    check_keys(data, KEYS, f"{_PLACE}]")
    _check_others(data)
    sessions = data.get("sessions", {})
    if not isinstance(sessions, dict):
        message = (
            f"{_PLACE}.sessions] is not a table; write one row for each session, as in: tests = {{ packages = [...] }}"
        )
        raise ConfigurationError(message)
    days = data.get("max-age", _MAX_AGE)
    if type(days) is not int or days < 1:
        refuse(f"{_PLACE}]", "max-age", days, "a whole number of days, 1 or more, as in max-age = 7")
    return Table(
        rows={name: _row(name, row) for name, row in sessions.items()},
        ignore=_texts(data, "ignore", f"{_PLACE}]") or (),
        env=_texts(data, "env", f"{_PLACE}]") or (),
        wheel_excludes=_texts(data, "wheel-excludes", f"{_PLACE}]") or ("tests",),
        max_age=days,
    )


def _check_others(data: dict[str, Any]) -> None:
    """Refuse errors in the tables of other commands now, not when these are run, perhaps after hours."""
    # These take 7 ms to import, and are not needed where the file is known.
    from headworks._project.gate_table import gate_settings
    from headworks._project.report_settings import report_settings

    for name, read in (("gate", gate_settings), ("report", report_settings)):
        table = data.get(name, {})
        if not isinstance(table, dict):
            message = f"{_PLACE}.{name}] is not a table but {table!r}."
            raise ConfigurationError(message)
        read(table)


def _row(name: str, data: object) -> Row:
    place = f"{_PLACE}.sessions] {name}"
    if not isinstance(data, dict):
        message = f"{place} is not a table; write {name} = {{}} where there is nothing to say."
        raise ConfigurationError(message)
    check_keys(data, {*_LISTS, *_FLAGS}, place)
    fields: dict[str, Any] = {key.replace("-", "_"): _texts(data, key, place) for key in _LISTS}
    for key in _FLAGS & data.keys():
        fields[key] = data[key]
        if not isinstance(data[key], bool):
            refuse(place, key, data[key], "true or false")
    return Row(**fields)


def _texts(data: dict[str, Any], key: str, place: str) -> tuple[str, ...] | None:
    """Return a list of texts, with paths in their normal form, or None where the key is not set."""
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        refuse(place, key, value, f'a list of texts, as in {key} = [ "..." ]')
    texts = tuple(project_path(text, key, place) if key in _PATHS else text for text in value)
    for text in texts if key == "outputs" else ():
        _check_output(text, place)
    return texts


def _check_output(path: str, place: str) -> None:
    """Refuse a pattern, the project's folder and git's: an output is cleared and restored as a whole."""
    if any(letter in path for letter in "*?["):
        message = (
            f"{place}: outputs has {path!r}, a pattern. An output is one file, or one folder with everything in it:"
            " name the folder."
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
