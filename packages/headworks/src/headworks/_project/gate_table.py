"""The table [tool.headworks.gate], of the project that the working folder is in or of a file."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from typing import Any, TypeVar

from headworks._metrics.condition import LARGEST, class_name, one_form, parse_condition
from headworks._nearest import suggestion
from headworks._project.gate_settings import MOST_DRAWS, GateSettings, NamedCondition, Outcome
from headworks._project.table import KEYS
from headworks._project.toml import check_keys, parse, refuse, table
from headworks._tree.git import Repository
from headworks.errors import ConfigurationError, UsageError

T = TypeVar("T")

PLACE = "[tool.headworks.gate]"
_DEFAULT = ["accuracy >= base.accuracy - 0.03", "accuracy >= anchor.accuracy - 0.05"]
_MAPPED: dict[str, Outcome] = {"fail": "fails", "pass": "passes"}
_LEAST_DRAWS = 2_000
_NAME = re.compile(r"[\w.-]+")
_COMMIT = re.compile(r"([0-9a-f]{7,64})?")  # not a branch, which would name another commit later


def gate_settings(data: dict[str, Any]) -> GateSettings:
    """Return the settings in a table; an empty one has the defaults.

    Raises:
        ConfigurationError: A key or value cannot be right; the message has its place.
    """
    check_keys(data, [field.name.replace("_", "-") for field in fields(GateSettings)], PLACE)
    return _Table({"conditions": _DEFAULT} | data).settings()


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


class _Table:
    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def settings(self) -> GateSettings:
        predictions = self._texts("predictions")
        for name in predictions:
            if not _NAME.fullmatch(name):  # it becomes part of a file's name
                refuse(PLACE, "predictions", name, "named by letters, digits, `_`, `-` and `.` alone")
        rows = self._lists("rows", '{ crossfit = [ "artifacts/dataset/rows.parquet" ] }')
        peers = self._lists("peers", '{ crossfit = [ "artifacts/crossfit/nearest-neighbours.parquet" ] }')
        for key, files in (("rows", rows), ("peers", peers), ("train", self._texts("train"))):
            for name in files:
                self._check_named(key, name, predictions)
        bootstrap = self._get("bootstrap", str, "the id of a commit")
        if not _COMMIT.fullmatch(bootstrap):
            refuse(PLACE, "bootstrap", bootstrap, "the id of a commit, 7 to 64 hexadecimal digits")
        conditions = self._get("conditions", list, "a list of conditions")
        named = tuple(self._condition(condition, predictions) for condition in conditions)
        if not named or len({condition.name for condition in named}) < len(named):
            message = f"{PLACE}: conditions are missing, or two have the same name. Give each a `name` of its own."
            raise ConfigurationError(message)
        return GateSettings(
            conditions=named,
            reliability=self._share("reliability", least=0.5),
            predictions=predictions,
            measurements=self._get("measurements", str, "a file"),
            model=self._get("model", str, "a file"),
            min_shared=self._share("min-shared"),
            resamples=self._whole("resamples", _LEAST_DRAWS, MOST_DRAWS),
            group=self._get("group", str, "the name of a column"),
            columns=self._texts("columns"),
            releases=self._get("releases", str, "a pattern of the names of tags"),
            anchor=self._get("anchor", str, "the name of an alias"),
            bootstrap=bootstrap,
            budget=self._whole("budget", 1, 100_000),
            log_loss_clip=self._positive("log-loss-clip"),
            error_bound=self._positive("error-bound"),
            classes=self._classes(),
            adaptive=self._get("adaptive", bool, "true or false"),
            tolerance=self._share("tolerance"),
            disagreement=self._share("disagreement"),
            promote=self._lists("promote", '{ production = [ "gate", "serve-check" ] }'),
            train=self._texts("train"),
            peers=peers,
            predict=self._commands("predict", predictions),
            rows=rows,
        )

    def _value(self, key: str) -> Any:  # noqa: ANN401 - any TOML
        """Return the value of a key, or its default: a field of `GateSettings` without one is a table."""
        return self._data.get(key, getattr(GateSettings, key.replace("-", "_"), {}))

    def _get(self, key: str, kind: type[T], expected: str) -> T:
        value = self._value(key)
        is_other = isinstance(value, bool) and kind is not bool
        if not isinstance(value, kind) or is_other or "\0" in str(value):
            refuse(PLACE, key, value, expected)
        return value

    def _share(self, key: str, least: float = 0.0) -> float:
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least < value < 1:
            refuse(PLACE, key, value, f"a number above {least:g} and below 1")
        return float(value)

    def _positive(self, key: str) -> float:
        value = self._value(key)
        if key in self._data and (type(value) not in {int, float} or not 0 < value <= LARGEST):
            refuse(PLACE, key, value, f"a number above 0, and {LARGEST:g} at most")
        return float(value)

    def _classes(self) -> tuple[str, ...]:
        value = self._data.get("classes", [])
        classes = tuple(class_name(one_form(it)) for it in value) if _is_texts(value) else ("",)
        if len({*classes}) < len(classes) or "" in classes:
            refuse(PLACE, "classes", value, 'a list of texts, each once, as in [ "cat", "dog" ]')
        return classes

    def _whole(self, key: str, least: int, most: int) -> int:
        value = self._get(key, int, "a whole number")
        if not least <= value <= most:
            refuse(PLACE, key, value, f"from {least:,} to {most:,}")
        return value

    def _texts(self, key: str) -> dict[str, str]:
        expected = 'a table of texts, as in { name = "..." }'
        value: dict[str, Any] = self._get(key, dict, expected)
        if not all(isinstance(text, str) and text for text in value.values()):
            refuse(PLACE, key, value, expected)
        return value

    def _check_named(self, key: str, name: str, predictions: dict[str, str]) -> None:
        if name not in predictions:
            message = f"{PLACE} {key}: there are no predictions {name!r}.{suggestion(name, predictions)}"
            raise ConfigurationError(message)

    def _lists(self, key: str, example: str) -> dict[str, tuple[str, ...]]:
        expected = f"a table of lists, as in {example}"
        value: dict[str, Any] = self._get(key, dict, expected)
        if not all(texts and _is_texts(texts) for texts in value.values()):
            refuse(PLACE, key, value, expected)
        return {name: tuple(texts) for name, texts in value.items()}

    def _commands(self, key: str, predictions: dict[str, str]) -> dict[str, str | tuple[str, ...]]:
        """Return files with rows, or programs with their arguments, by the names of predictions."""
        expected = 'a table of files or commands, as in { evaluate = "artifacts/dataset/test.parquet" }'
        value: dict[str, Any] = self._get(key, dict, expected)
        for name, command in value.items():
            self._check_named(key, name, predictions)
            is_file = isinstance(command, str) and command.endswith(".parquet")
            if not is_file and not (_is_texts(command) and any("{out}" in word for word in command)):
                refuse(PLACE, f"{key} {name}", command, 'a Parquet file, or a list of texts of which one has "{out}"')
        return {name: command if isinstance(command, str) else tuple(command) for name, command in value.items()}

    def _condition(self, value: object, predictions: dict[str, str]) -> NamedCondition:
        """Return a condition, which is a text or a table."""
        row = {"condition": value} if isinstance(value, str) else value
        if not isinstance(row, dict) or not _is_texts([*row.values()]) or "condition" not in row:
            refuse(PLACE, "conditions", value, 'a text, or a table of texts as in { condition = "...", name = "..." }')
        check_keys(row, ["condition", "name", "on", "cannot-tell"], f"{PLACE} conditions")
        on, mapped = row.get("on", ""), row.get("cannot-tell", "")
        if on:
            self._check_named("conditions", on, predictions)
        if mapped and mapped not in _MAPPED:
            refuse(PLACE, "cannot-tell", mapped, 'one of "fail" and "pass"')
        text = row["condition"]
        outcome = _MAPPED.get(mapped, "cannot tell")
        return NamedCondition(
            name=str(row.get("name", text)), condition=parse_condition(text), on=on, cannot_tell=outcome
        )


def _is_texts(value: object) -> bool:
    """Tell whether a value is a list of texts that programs and files can have as names."""
    return isinstance(value, list) and all(isinstance(text, str) and "\0" not in text for text in value)
