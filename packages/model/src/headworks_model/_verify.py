"""Verifies an exported graph: its form, and its output against that of the network."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from headworks_model._network import Probabilities
from headworks_model._runtime import predict
from headworks_model._trial import first_line
from headworks_model.errors import ExportError

if TYPE_CHECKING:
    from headworks_data import Dataset
    from headworks_model._trained import Trained
    from numpy.typing import NDArray

TOLERANCE = 1e-5
PROMISED_OPSET = 18
"""Independent of the opset that the exporter uses, to find a mistake there."""
# The largest request that `headworks_serving` takes by default.
MOST_IMAGES = 1024
MOST_BYTES = 16 << 20


def verify(content: bytes, trained: Trained, dataset: Dataset) -> float:
    """Return the largest difference of ONNX Runtime to torch, on all test images at once and on the first one alone.

    Args:
        content: An ONNX file.
        trained: The exported network.
        dataset: The dataset that the network was trained on, with rows in its test split.

    Raises:
        ConfigError: The network fails.
        ExportError: Opset, input, output or metadata are not as promised, ONNX Runtime cannot load or run it, blank
            images have no probabilities, one differs by more than 1e-5, or those of a row do not add up to 1.
    """
    model = onnx.load_from_string(content)
    _require_equal(promised(trained, dataset), _declared(model))
    session = _start_session(content, threads=trained.config.threads)
    _try_blank(session, trained.image_shape, len(trained.classes))
    images = dataset.splits["test"].images
    expected = predict(Probabilities(trained.network), images, threads=trained.config.threads)
    together, alone = (run(session, np.ascontiguousarray(it), "image(s)") for it in (images, images[:1]))
    difference = float(max(np.abs(together - expected).max(), np.abs(alone - expected[:1]).max()))
    off_one = float(np.abs(together.sum(axis=1, dtype=np.float64) - 1).max())
    # This way round, so that NaN fails as well.
    if not difference <= TOLERANCE:
        message = (
            f"the exported graph differs from the network by {difference:.2g}, allowed is {TOLERANCE:g}: not written."
        )
        raise ExportError(message)
    if not off_one <= TOLERANCE:
        message = f"the probabilities of a row differ from a sum of 1 by {off_one:.2g}: not written."
        raise ExportError(message)
    return difference


def run(session: Any, images: NDArray[np.uint8], what: str) -> NDArray[np.float32]:  # noqa: ANN401 - as below
    """Return the probabilities that a graph gives for images.

    Raises:
        ExportError: The graph fails.
    """
    try:
        (output,) = session.run(["probabilities"], {"image": images})
    except Exception as error:
        # The errors of ONNX Runtime have no other common base class.
        message = f"the exported graph fails on {len(images)} {what}: {first_line(error)}: not written."
        raise ExportError(message) from error
    probabilities: NDArray[np.float32] = output
    return probabilities


def _try_blank(session: Any, image_shape: tuple[int, ...], num_classes: int) -> None:  # noqa: ANN401 - as below
    """Run a graph like a server does: on blank images, in batches from the smallest to the largest.

    Raises:
        ExportError: The graph fails, or does not give finite probabilities for each image.
    """
    largest = max(2, min(MOST_IMAGES, MOST_BYTES // math.prod(image_shape)))
    for batch in (1, 2, largest):
        probabilities = run(session, np.zeros((batch, *image_shape), np.uint8), "blank image(s)")
        if probabilities.shape != (batch, num_classes) or not np.isfinite(probabilities).all():
            message = (
                f"the exported graph gives no finite probabilities for {batch} blank image(s), so that no server would "
            )
            message += "start with it: see whether the network divides by what is 0 in an even image: not written."
            raise ExportError(message)


def promised(trained: Trained, dataset: Dataset) -> dict[str, object]:
    """Return the form that servers rely on: opset, input, output and metadata."""
    shape = ["batch", *dataset.image_shape]
    return {
        "opset": PROMISED_OPSET,
        "input": {"image": ("UINT8", shape)},
        "output": {"probabilities": ("FLOAT", ["batch", len(dataset.classes)])},
        "headworks.dataset_digest": dataset.digest,
        "headworks.labels": json.dumps(dataset.classes),
        "headworks.weights_digest": trained.weights_digest,
    }


def _declared(model: onnx.ModelProto) -> dict[str, object]:
    """Return the same for an ONNX file."""
    opsets = {opset.version for opset in model.opset_import if opset.domain in {"", "ai.onnx"}}
    return {
        "opset": opsets.pop() if len(opsets) == 1 else sorted(opsets),
        "input": dict(map(_described, model.graph.input)),
        "output": dict(map(_described, model.graph.output)),
        **{entry.key: entry.value for entry in model.metadata_props},
    }


def _described(value: onnx.ValueInfoProto) -> tuple[str, tuple[str, list[Any]]]:
    """Return the name of an input or output, its type and its shape."""
    tensor = value.type.tensor_type
    shape = [size.dim_param or size.dim_value for size in tensor.shape.dim]
    return value.name, (onnx.TensorProto.DataType.Name(tensor.elem_type), shape)


def _require_equal(promised: dict[str, object], declared: dict[str, object]) -> None:
    """Raise ExportError, with the differences, unless a file declares the promised form."""
    differing = [
        f"{name} is {declared.get(name)!r}, promised is {promised.get(name)!r}"
        for name in sorted({*promised, *declared})
        if promised.get(name) != declared.get(name)
    ]
    if differing:
        message = f"the exported graph is not what servers expect: {'; '.join(differing)}: not written."
        raise ExportError(message)


def _start_session(content: bytes, *, threads: int) -> Any:  # noqa: ANN401 - onnxruntime ships no types
    """Load an ONNX file into ONNX Runtime.

    Raises:
        ExportError: It cannot be loaded, as for an operation that lacks code for a type such as float64.
    """
    onnxruntime = _import_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # The errors of ONNX Runtime have no other common base class.
        message = (
            f"ONNX Runtime cannot load the exported graph: {first_line(error)}: not written; compute in float32, and "
        )
        message += "by operations that it knows."
        raise ExportError(message) from error


def _import_runtime() -> Any:  # noqa: ANN401 - onnxruntime ships no types
    """Import ONNX Runtime without its telemetry.

    By default, it writes an identifier of the machine to the home folder from its import on; its Privacy.md names the
    variable that prevents that. The call is for an earlier import elsewhere.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - only from here on is its telemetry off

    onnxruntime.disable_telemetry_events()
    return onnxruntime
