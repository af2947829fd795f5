"""The table [tool.headworks.gate], as people write it."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from headworks._metrics.condition import parse_condition
from headworks._nearest import suggestion
from headworks._project.gate_settings import MOST_DRAWS, GateSettings, NamedCondition
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from headworks._project.gate_settings import Outcome

    T = TypeVar("T")

__all__ = ["project_settings", "read_settings"]

_PLACE = "[tool.headworks.gate]"
_DEFAULT = "accuracy >= base.accuracy - 0.03"
_MAPPED: dict[str, Outcome] = {"fail": "fails", "pass": "passes"}
_LEAST_DRAWS = 2_000
_NAME = re.compile(r"[\w.-]+")
_COMMIT = re.compile(r"([0-9a-f]{7,64})?")  # and no branch, which would stand for others later


def read_settings(
    path: str | None = None, data: dict[str, Any] | None = None, *, is_named: bool = False
) -> GateSettings:
    """Return what a table says.

    Args:
        path: a TOML file: one with the table [tool.headworks.gate], or one that holds nothing but its keys.
        data: the table itself, where it was read already.
        is_named: whether somebody asked for that file, so that it has to say something about the gate.

    Raises:
        UsageError: there is no such file.
        ConfigurationError: a key or value cannot be right; the message has its place.
    """
    if path is not None:
        data = _read(path, is_named=is_named)
    return _Table(data or {}).settings()


def project_settings() -> GateSettings:
    """Return what the table says in the project that the working folder is in.

    Raises:
        UsageError: there is no repository.
        ConfigurationError: a key or value cannot be right.
    """
    from headworks._tree.git import Repository

    path = os.path.join(Repository(os.curdir).root, "pyproject.toml")
    return read_settings(path if os.path.isfile(path) else None)


def _read(path: str, *, is_named: bool) -> dict[str, Any]:
    """Return the table in a file."""
    from headworks._project.toml import parse

    try:
        with open(path, "rb") as file:
            data = parse(file.read(), path)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}. Name a TOML file with {_PLACE} in --config."
        raise UsageError(message) from None
    is_project = os.path.basename(path) == "pyproject.toml" or "tool" in data
    found = _of_project(data, path) if is_project else data or None
    if found is None and is_named:
        message = f"{path} says nothing about the gate. Write {_PLACE} in it, or name another file in --config."
        raise ConfigurationError(message)
    return found or {}


def _of_project(data: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Return the table of the gate among those of a project; None where there is none."""
    from headworks._project.table import KEYS
    from headworks._project.toml import table

    around = table(data, "tool", "headworks")
    for key in around.keys() - KEYS:
        message = f"{path}: [tool.headworks]: there is no key {key!r}.{suggestion(key, KEYS)}"
        raise ConfigurationError(message)
    found = around.get("gate")
    if found is not None and not isinstance(found, dict):
        message = f"{path}: {_PLACE} is no table but {found!r}."
        raise ConfigurationError(message)
    return found


class _Table:
    """Reads the table key by key."""

    def __init__(self, data: dict[str, Any]) -> None:
        """Refuse keys that mean nothing."""
        self._data = data
        known = {it.name.replace("_", "-") for it in fields(GateSettings)}
        for key in data.keys() - known:
            message = f"{_PLACE}: there is no key {key!r}.{suggestion(key, known)}"
            raise ConfigurationError(message)

    def settings(self) -> GateSettings:
        """Return all settings."""
        predictions = self._texts("predictions")
        for name in predictions:
            if not _NAME.fullmatch(name):  # it becomes part of a file's name
                self._refuse("predictions", name, "named by letters, digits, `_`, `-` and `.` alone")
        conditions = self._get("conditions", list, "a list of conditions", [_DEFAULT])
        found = tuple(self._condition(it, predictions) for it in conditions)
        names = [it.name for it in found]
        if not found or len(set(names)) < len(names):
            message = f"{_PLACE}: conditions are missing, or two have the same name. Give each a `name` of its own."
            raise ConfigurationError(message)
        return GateSettings(
            conditions=found,
            reliability=self._share("reliability", 0.99, least=0.5),
            predictions=predictions,
            measurements=self._get("measurements", str, "a file", ""),
            model=self._get("model", str, "a file", ""),
            min_shared=self._share("min-shared", 0.95),
            resamples=self._whole("resamples", 4_000, _LEAST_DRAWS, MOST_DRAWS),
            group=self._get("group", str, "the name of a column", ""),
            columns=self._texts("columns"),
            releases=self._get("releases", str, "a pattern of the names of tags", "v*"),
            bootstrap=self._commit("bootstrap"),
            budget=self._whole("budget", 32, 1, 100_000),
            adaptive=self._get("adaptive", bool, "true or false", default=True),
            tolerance=self._share("tolerance", 0.03),
            disagreement=self._share("disagreement", 0.02),
            promote=self._lists("promote", '{ production = [ "gate", "serve-check" ] }'),
            predict=self._commands("predict", predictions),
            rows=self._rows(predictions),
        )

    def _get(self, key: str, kind: type[T], what: str, default: T) -> T:
        """Return a value of a type."""
        value = self._data.get(key, default)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self._refuse(key, value, what)
        return value

    def _share(self, key: str, default: float, least: float = 0.0) -> float:
        """Return a number between two others, both excluded."""
        value = self._data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least < value < 1:
            self._refuse(key, value, f"a number above {least:g} and below 1")
        return float(value)

    def _whole(self, key: str, default: int, least: int, most: int) -> int:
        """Return a whole number in a range."""
        value = self._get(key, int, "a whole number", default)
        if not least <= value <= most:
            self._refuse(key, value, f"from {least:,} to {most:,}")
        return value

    def _texts(self, key: str) -> dict[str, str]:
        """Return a table of texts."""
        value = self._get(key, dict, 'a table of texts, as in { name = "..." }', {})
        if not all(isinstance(it, str) and it for it in value.values()):
            self._refuse(key, value, 'a table of texts, as in { name = "..." }')
        return value

    def _commit(self, key: str) -> str:
        """Return the id of a commit."""
        value = self._get(key, str, "the id of a commit", "")
        if not _COMMIT.fullmatch(value):
            self._refuse(key, value, "the id of a commit, 7 to 64 hexadecimal digits")
        return value

    def _rows(self, predictions: dict[str, str]) -> dict[str, tuple[str, ...]]:
        """Return files with rows, by the names of predictions."""
        found = self._lists("rows", '{ crossfit = [ "artifacts/dataset/rows.parquet" ] }')
        for name in found:
            self._check_named("rows", name, predictions)
        return found

    def _check_named(self, key: str, name: str, predictions: dict[str, str]) -> None:
        """Refuse a name that no predictions have."""
        if name not in predictions:
            message = f"{_PLACE} {key}: there are no predictions {name!r}.{suggestion(name, predictions)}"
            raise ConfigurationError(message)

    def _lists(self, key: str, example: str) -> dict[str, tuple[str, ...]]:
        """Return a table of lists of texts."""
        what = f"a table of lists, as in {example}"
        value = self._get(key, dict, what, {})
        if not all(isinstance(it, list) and it and all(isinstance(text, str) for text in it) for it in value.values()):
            self._refuse(key, value, what)
        return {name: tuple(it) for name, it in value.items()}

    def _commands(self, key: str, predictions: dict[str, str]) -> dict[str, str | tuple[str, ...]]:
        """Return files with rows, or programs with their arguments, by the names of predictions."""
        what = 'a table of files or commands, as in { evaluate = "artifacts/dataset/test.parquet" }'
        value = self._get(key, dict, what, {})
        for name, command in value.items():
            self._check_named(key, name, predictions)
            if not _is_file(command) and not _is_command(command):
                self._refuse(f"{key} {name}", command, 'a Parquet file, or a list of texts of which one has "{out}"')
        return {name: it if isinstance(it, str) else tuple(it) for name, it in value.items()}

    def _condition(self, value: object, predictions: dict[str, str]) -> NamedCondition:
        """Return a condition, which is a text or a table."""
        row = {"condition": value} if isinstance(value, str) else value
        if not isinstance(row, dict) or not all(isinstance(it, str) for it in row.values()) or "condition" not in row:
            self._refuse("conditions", value, 'a text, or a table of texts as in { condition = "...", name = "..." }')
        known = {"condition", "name", "on", "cannot-tell"}
        for key in row.keys() - known:
            message = f"{_PLACE} conditions: there is no key {key!r}.{suggestion(key, known)}"
            raise ConfigurationError(message)
        on, mapped = row.get("on", ""), row.get("cannot-tell", "")
        if on:
            self._check_named("conditions", on, predictions)
        if mapped and mapped not in _MAPPED:
            self._refuse("cannot-tell", mapped, 'one of "fail" and "pass"')
        text = row["condition"]
        outcome = _MAPPED.get(mapped, "cannot tell")
        return NamedCondition(
            name=str(row.get("name", text)), condition=parse_condition(text), on=on, cannot_tell=outcome
        )

    def _refuse(self, key: str, value: object, what: str) -> NoReturn:
        """Raise an error about a value."""
        message = f"{_PLACE}: {key} is {value!r}; it has to be {what}."
        raise ConfigurationError(message)


def _is_file(value: object) -> bool:
    """Tell whether a value is the name of a Parquet file."""
    return isinstance(value, str) and value.endswith(".parquet")


def _is_command(value: object) -> bool:
    """Tell whether a value is a program with arguments, of which one says where its result goes."""
    if not isinstance(value, list) or not all(isinstance(it, str) for it in value):
        return False
    return any("{out}" in it for it in value)
