"""The example in the README runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from headworks_data import write

if TYPE_CHECKING:
    import pytest
    from headworks_data import Dataset

README = Path(__file__).parents[1] / "README.md"


def test_the_example_in_python_trains_and_exports(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a dataset and a file of settings, to a model on which a server can build."""
    (tmp_path / "packages/model").mkdir(parents=True)
    (tmp_path / "packages/model/train.toml").write_text("epochs = 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    write(Path("artifacts/dataset"), tiny)
    [example] = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(example, {})  # noqa: S102 - our own
    assert (tmp_path / "artifacts/export/model.onnx").is_file()
