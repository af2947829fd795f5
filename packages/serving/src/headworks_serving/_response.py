"""Writing the answers of the Open Inference Protocol V2: metadata and inference."""

import struct
from typing import Final

import numpy as np
import orjson
from headworks_serving._model import INPUT, OUTPUT, Model
from headworks_serving._request import LABEL, InferRequest, RequestedOutput
from numpy.typing import NDArray

VERSION: Final = "1"  # A file holds one version of its model.
_DATATYPES: Final = {OUTPUT: "FP32", LABEL: "BYTES"}


def describe(model: Model) -> dict[str, object]:
    """Return the metadata of a model as the protocol states it, with the `headworks.*` properties as parameters."""
    shapes = {OUTPUT: [-1, len(model.labels)], LABEL: [-1]}
    return {
        "name": model.name,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, *model.image_shape]}],
        "outputs": [{"name": name, "datatype": _DATATYPES[name], "shape": shape} for name, shape in shapes.items()],
        "parameters": model.metadata,
    }


def encode_response(
    request: InferRequest, probabilities: NDArray[np.float32], *, model: Model
) -> tuple[bytes, int | None]:
    """Write the answer to an inference request.

    Args:
        request: What was asked for.
        probabilities: Probabilities of every class, shape (N, K).
        model: The model that gave them.

    Returns:
        The body, and the length of its JSON object if raw tensors follow it, else None.
    """
    labels = [model.labels[index] for index in probabilities.argmax(axis=1)]
    encoded = [_encode_output(wanted, probabilities, labels) for wanted in request.outputs]
    document = {"model_name": model.name, "model_version": VERSION, "outputs": [output for output, _ in encoded]}
    if request.id:
        document["id"] = request.id
    text = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not any(wanted.binary for wanted in request.outputs):
        return text, None
    return b"".join([text, *(raw for _, raw in encoded)]), len(text)


def _encode_output(
    wanted: RequestedOutput, probabilities: NDArray[np.float32], labels: list[str]
) -> tuple[dict[str, object], bytes]:
    """Return an output's JSON object and its raw data, of which one holds the tensor."""
    shape = [len(labels)] if wanted.name == LABEL else [*probabilities.shape]
    output: dict[str, object] = {"name": wanted.name, "datatype": _DATATYPES[wanted.name], "shape": shape}
    if wanted.binary:
        raw = _to_length_prefixed(labels) if wanted.name == LABEL else probabilities.astype("<f4").tobytes()
        return output | {"parameters": {"binary_data_size": len(raw)}}, raw
    return output | {"data": labels if wanted.name == LABEL else probabilities.ravel()}, b""


def _to_length_prefixed(texts: list[str]) -> bytes:
    """Return texts as the elements of a BYTES tensor: each after its length as four little-endian bytes."""
    encoded = [text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)
