"""The table [tool.headworks.report]: where the facts of the report are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from headworks._nearest import suggestion
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ReportSettings", "report_settings"]

_PLACE = "[tool.headworks.report]"


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """Files relative to the project's folder; each may be missing, which the report then says.

    Attributes:
        gate: what `headworks gate --format json` wrote.
        contract: the JSON of a check of the dataset, or a command that writes it to its standard output.
        data_diff: the same of a comparison of two datasets.
        dataset: the folder of the dataset, which `{new}` in a command stands for, as `{base}` for that of the base.
        pictures: a pattern of Parquet files with the images of rows, by `id`.
        training: a log of a training, one JSON object for each epoch.
        images: a pattern of records of container images.
    """

    gate: str = "artifacts/gate/gate.json"
    contract: str | tuple[str, ...] = ""
    data_diff: str | tuple[str, ...] = "artifacts/data-diff/diff.json"
    dataset: str = "artifacts/dataset"
    pictures: str = "artifacts/dataset/*.parquet"
    training: str = "artifacts/train/log.jsonl"
    images: str = "artifacts/build-images/*/image.json"


_COMMANDS = {"contract", "data-diff"}


def report_settings(data: Mapping[str, Any]) -> ReportSettings:
    """Return what a table says.

    Raises:
        ConfigurationError: a key or value cannot be right.
    """
    known = {it.name.replace("_", "-") for it in fields(ReportSettings)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            message = f"{_PLACE}: there is no key {key!r}.{suggestion(key, known)}"
            raise ConfigurationError(message)
        is_command = isinstance(value, list) and bool(value) and all(isinstance(it, str) for it in value)
        if not isinstance(value, str) and not (key in _COMMANDS and is_command):
            wanted = "a file, or a command as a list of texts" if key in _COMMANDS else "a text"
            message = f"{_PLACE}: {key} is {value!r}; it has to be {wanted}."
            raise ConfigurationError(message)
        values[key.replace("-", "_")] = value if isinstance(value, str) else tuple(value)
    return ReportSettings(**values)
