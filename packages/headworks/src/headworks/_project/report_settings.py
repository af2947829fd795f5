"""The table [tool.headworks.report]: the files that the report reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from headworks._project.toml import check_keys, refuse

_PLACE = "[tool.headworks.report]"


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """Files relative to the project's folder; the report names those that are missing.

    Attributes:
        gate: The output of `headworks gate --format json`.
        contract: The JSON of a check of the dataset, or a command that writes it to its standard output.
        data_diff: The JSON of a comparison of two datasets.
        dataset: The folder of the dataset. `{new}` in a command stands for it.
        pictures: A pattern of Parquet files with the images of rows, by `id`.
        training: The log of a training, one JSON object for each epoch.
        images: A pattern of records of container images.
        coverage: What `coverage json` of coverage.py wrote.
    """

    gate: str = "artifacts/gate/gate.json"
    contract: str | tuple[str, ...] = ""
    data_diff: str = "artifacts/data-diff/diff.json"
    dataset: str = "artifacts/dataset"
    pictures: str = "artifacts/dataset/*.parquet"
    training: str = "artifacts/train/log.jsonl"
    images: str = "artifacts/build-images/*/image.json"
    coverage: str = "artifacts/coverage/coverage.json"


_COMMAND = "contract"


def report_settings(data: Mapping[str, Any]) -> ReportSettings:
    """Return the settings in a table.

    Raises:
        ConfigurationError: A key or value cannot be right.
    """
    check_keys(data, [field.name.replace("_", "-") for field in fields(ReportSettings)], _PLACE)
    values: dict[str, Any] = {}
    for key, value in data.items():
        is_command = isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)
        if not isinstance(value, str) and not (key == _COMMAND and is_command):
            expected = "a file, or a command as a list of texts" if key == _COMMAND else "a text"
            refuse(_PLACE, key, value, expected)
        values[key.replace("-", "_")] = value if isinstance(value, str) else tuple(value)
    return ReportSettings(**values)
