"""Predictions of an exported model for the rows of a dataset, by ONNX Runtime."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from headworks._nearest import suggestion
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AT_ONCE = 256  # rows


def predict_rows(model: str, rows: str, out: str) -> None:
    """Write a file of a model's predictions for the rows of a table.

    Args:
        model: An ONNX file whose first output has a probability for each class, (N, K).
        rows: A Parquet file with the columns `id`, `label` (an index into the classes) and one named as the model's
            input, of tensors or lists. Columns of texts are kept, as slices.
        out: The Parquet file to write.

    Raises:
        UsageError: ONNX Runtime is not installed.
        ConfigurationError: Not an ONNX model or a Parquet table, or they do not match.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is imported
    try:
        import onnxruntime
    except ModuleNotFoundError:
        message = (
            "The dataset has changed, and to have the base's model predict its rows: pip install 'headworks[onnx]'"
        )
        raise UsageError(message) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        table = parquet.ParquetFile(rows).read()
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        inputs = _inputs(name, table, rows)
        parts = [inputs[first : first + _AT_ONCE] for first in range(0, len(inputs), _AT_ONCE)]
        probabilities = np.concatenate([session.run(None, {name: part})[0] for part in parts]).astype(float)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001  # the errors of ONNX Runtime have no other base
        reason = str(error).strip().splitlines()[0]
        message = f"{model} cannot predict the rows of {rows}: {reason}"
        raise ConfigurationError(message) from None
    kept = [name for name in table.column_names if name == "id" or pa.types.is_string(table[name].type)]
    columns: dict[str, Any] = {name: table[name] for name in dict.fromkeys([*kept, "label"])}
    columns |= {"prediction": probabilities.argmax(axis=1), "probabilities": probabilities.tolist()}
    parquet.write_table(pa.table(columns), out)


def _inputs(name: str, table: pa.Table, rows: str) -> NDArray[Any]:
    """Return the column that a model takes, (N, ...)."""
    for column in (name, "id", "label"):
        if column not in table.column_names:
            message = f"{rows} has no column {column!r}.{suggestion(column, table.column_names)}"
            raise ConfigurationError(message)
    column = table[name].combine_chunks()
    if isinstance(column.type, pa.FixedShapeTensorType):
        tensor: NDArray[Any] = column.to_numpy_ndarray()
        return tensor
    return np.array(column.to_pylist(), column.type.value_type.to_pandas_dtype())
