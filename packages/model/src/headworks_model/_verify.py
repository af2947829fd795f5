"""Verifies an exported graph: that it is what servers were promised, and computes what the network computes."""

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
"""Written down apart from what the exporter is asked for, so that a slip there is found here."""
# The largest request that `headworks_serving` takes unless it is told otherwise.
MOST_IMAGES = 1024
MOST_BYTES = 16 << 20


def verify(content: bytes, trained: Trained, dataset: Dataset) -> float:
    """Return how far ONNX Runtime is from torch at most, on all test images at once and on the first one alone.

    Args:
        content: An ONNX file.
        trained: The network that it was made of.
        dataset: The one that the network was trained on; there are rows in its test split.

    Raises:
        ConfigError: The network fails.
        ExportError: Opset, input, output or metadata are not as promised, ONNX Runtime cannot load or run it, blank
            images have no probabilities, one differs by more than 1e-5, or those of a row do not add up to 1.
    """
    model = onnx.load_from_string(content)
    require_equal(promised(trained, dataset), declared(model))
    session = start_session(content, threads=trained.config.threads)
    try_blank(session, trained.image_shape, len(trained.classes))
    images = dataset.splits["test"].images
    expected = predict(Probabilities(trained.network), images, threads=trained.config.threads)
    together, alone = (run(session, np.ascontiguousarray(it), "image(s)") for it in (images, images[:1]))
    difference = float(max(np.abs(together - expected).max(), np.abs(alone - expected[:1]).max()))
    off_one = float(np.abs(together.sum(axis=1, dtype=np.float64) - 1).max())
    # Written this way round, so that a difference which is no number fails as well.
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
        ExportError: It fails.
    """
    try:
        (found,) = session.run(["probabilities"], {"image": images})
    except Exception as error:
        # The errors of ONNX Runtime share no other base class.
        message = f"the exported graph fails on {len(images)} {what}: {first_line(error)}: not written."
        raise ExportError(message) from error
    probabilities: NDArray[np.float32] = found
    return probabilities


def try_blank(session: Any, image_shape: tuple[int, ...], num_classes: int) -> None:  # noqa: ANN401 - as below
    """Ask a graph for what a server asks it for: blank images, in batches from the smallest to the largest.

    Raises:
        ExportError: It fails, or does not give finite probabilities for each image.
    """
    largest = max(2, min(MOST_IMAGES, MOST_BYTES // math.prod(image_shape)))
    for batch in (1, 2, largest):
        found = run(session, np.zeros((batch, *image_shape), np.uint8), "blank image(s)")
        if found.shape != (batch, num_classes) or not np.isfinite(found).all():
            message = (
                f"the exported graph gives no finite probabilities for {batch} blank image(s), so that no server would "
            )
            message += "start with it: see whether the network divides by what is 0 in an even image: not written."
            raise ExportError(message)


def promised(trained: Trained, dataset: Dataset) -> dict[str, object]:
    """Return what a server may rely on: opset, input, output and metadata."""
    shape = ["batch", *dataset.image_shape]
    return {
        "opset": PROMISED_OPSET,
        "input": {"image": ("UINT8", shape)},
        "output": {"probabilities": ("FLOAT", ["batch", len(dataset.classes)])},
        "headworks.dataset_digest": dataset.digest,
        "headworks.labels": json.dumps(dataset.classes),
        "headworks.weights_digest": trained.weights_digest,
    }


def declared(model: onnx.ModelProto) -> dict[str, object]:
    """Return what an ONNX file says of itself, in the same form."""
    opsets = {it.version for it in model.opset_import if it.domain in {"", "ai.onnx"}}
    return {
        "opset": opsets.pop() if len(opsets) == 1 else sorted(opsets),
        "input": dict(map(described, model.graph.input)),
        "output": dict(map(described, model.graph.output)),
        **{it.key: it.value for it in model.metadata_props},
    }


def described(value: onnx.ValueInfoProto) -> tuple[str, tuple[str, list[Any]]]:
    """Return the name of an input or output, its type and its shape."""
    tensor = value.type.tensor_type
    shape = [it.dim_param or it.dim_value for it in tensor.shape.dim]
    return value.name, (onnx.TensorProto.DataType.Name(tensor.elem_type), shape)


def require_equal(promised: dict[str, object], declared: dict[str, object]) -> None:
    """Raise ExportError, naming what differs, unless a file declares what was promised."""
    differing = [
        f"{name} is {declared.get(name)!r}, promised is {promised.get(name)!r}"
        for name in sorted({*promised, *declared})
        if promised.get(name) != declared.get(name)
    ]
    if differing:
        message = f"the exported graph is not what servers expect: {'; '.join(differing)}: not written."
        raise ExportError(message)


def start_session(content: bytes, *, threads: int) -> Any:  # noqa: ANN401 - onnxruntime ships no types
    """Load an ONNX file into ONNX Runtime.

    Raises:
        ExportError: It cannot be loaded, as where there is no code for a type such as float64 in one of its operations.
    """
    onnxruntime = import_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # As above.
        message = (
            f"ONNX Runtime cannot load the exported graph: {first_line(error)}: not written; compute in float32, and "
        )
        message += "by operations that it knows."
        raise ExportError(message) from error


def import_runtime() -> Any:  # noqa: ANN401 - onnxruntime ships no types
    """Import ONNX Runtime with its telemetry off.

    Left alone, it writes an identifier of the machine below the home folder from its import on; its Privacy.md names
    the variable that prevents that. The call is for what imported it before.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - only from here on is its telemetry off

    onnxruntime.disable_telemetry_events()
    return onnxruntime
