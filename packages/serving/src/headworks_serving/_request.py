"""Reads inference requests of the Open Inference Protocol V2.

Format: the "Inference" section of the protocol's HTTP/REST specification and its binary tensor data extension,
in which the tensor's bytes follow the JSON object and the header Inference-Header-Content-Length gives the length
of that object.
"""

import math
import reprlib
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeVar

import numpy as np
import orjson
from headworks_serving._model import INPUT, OUTPUT
from headworks_serving.errors import RequestError, TooLargeError
from numpy.typing import NDArray

LABEL: Final = "label"
OUTPUTS: Final = (OUTPUT, LABEL)
_MAX_PIXEL: Final = 255

_KINDS: Final = {dict: "an object", list: "a list", str: "a string", int: "a whole number", bool: "true or false"}
_Kind = TypeVar("_Kind", dict[str, object], list[object], str, int, bool)


@dataclass(frozen=True, kw_only=True)
class RequestedOutput:
    """An output for the client, as raw bytes (`binary`) or inside the JSON object."""

    name: str
    binary: bool


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """The request of a client: images of shape (N, H, W, C), the outputs to return, and its own id or ""."""

    images: NDArray[np.uint8]
    outputs: tuple[RequestedOutput, ...]
    id: str


def parse_request(
    body: bytes, *, json_length: int | None, image_shape: tuple[int, int, int], max_batch: int
) -> InferRequest:
    """Read the body of an inference request.

    Args:
        body: The JSON object, followed by the raw tensor unless that is inside the object.
        json_length: Bytes of the JSON object, or None if it is the whole body.
        image_shape: Height, width and channels of an image.
        max_batch: Most images in one request.

    Raises:
        RequestError: The body is not a request that the model can answer; the message says what to change.
    """
    length = len(body) if json_length is None else json_length
    if length > len(body):
        message = f"Inference-Header-Content-Length is {length}, but the body has only {len(body)} bytes"
        raise RequestError(message)
    document, raw = _parse_json(body[:length]), body[length:]
    parameters = _member(document, "parameters", dict) or {}
    image = _only_input(document)
    shape = _read_shape(image, image_shape, max_batch)
    return InferRequest(
        images=_read_pixels(image, shape, raw),
        outputs=_read_outputs(document, binary=_member(parameters, "binary_data_output", bool) or False),
        id=_member(document, "id", str) or "",
    )


def _parse_json(text: bytes) -> dict[str, object]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"the body is not JSON: {error}"
        raise RequestError(message) from error
    if not isinstance(document, dict):
        message = f"the body must be a JSON object, got {reprlib.repr(document)}"
        raise RequestError(message)
    return document


def _member(container: dict[str, object], key: str, kind: type[_Kind]) -> _Kind | None:
    """Return a member of a JSON object of the right type; null counts as absent, since some clients send it."""
    value = container.get(key)
    if value is None or type(value) is kind:
        return value
    message = f'"{key}" must be {_KINDS[kind]}, got {reprlib.repr(value)}'
    raise RequestError(message)


def _required(container: dict[str, object], key: str, kind: type[_Kind]) -> _Kind:
    value = _member(container, key, kind)
    if value is None:
        message = f'"{key}" is missing; it must be {_KINDS[kind]}'
        raise RequestError(message)
    return value


def _objects(values: list[object], key: str) -> list[dict[str, object]]:
    objects = [value for value in values if isinstance(value, dict)]
    if len(objects) < len(values):
        message = f'"{key}" must be a list of objects, got {reprlib.repr(values)}'
        raise RequestError(message)
    return objects


def _only_input(document: dict[str, object]) -> dict[str, object]:
    inputs = _objects(_required(document, "inputs", list), "inputs")
    names = [_required(tensor, "name", str) for tensor in inputs]
    if names != [INPUT]:
        message = f'"inputs" must hold exactly one tensor, named "{INPUT}", got {reprlib.repr(names)}'
        raise RequestError(message)
    datatype = _required(inputs[0], "datatype", str)
    if datatype != "UINT8":
        message = f'input "{INPUT}" must have the datatype "UINT8", got {reprlib.repr(datatype)}'
        raise RequestError(message)
    return inputs[0]


def _read_shape(image: dict[str, object], image_shape: tuple[int, int, int], max_batch: int) -> tuple[int, ...]:
    shape = _required(image, "shape", list)
    batch = shape[0] if shape else None
    if type(batch) is not int or shape[1:] != list(image_shape) or not set(map(type, shape)) <= {int}:
        message = f'input "{INPUT}" must have the shape {[-1, *image_shape]} (-1: the batch), got {reprlib.repr(shape)}'
        raise RequestError(message)
    if batch < 1:
        message = f'input "{INPUT}" has a batch of {batch}; send at least one image'
        raise RequestError(message)
    if batch > max_batch:
        message = f'input "{INPUT}" has a batch of {batch}; at most {max_batch} images are taken in one request'
        raise TooLargeError(message)
    return batch, *image_shape


def _read_pixels(image: dict[str, object], shape: tuple[int, ...], raw: bytes) -> NDArray[np.uint8]:
    parameters = _member(image, "parameters", dict) or {}
    _refuse_unknown(parameters, "binary_data_size")
    size = _member(parameters, "binary_data_size", int)
    if size is None:
        if raw:
            message = f'{len(raw)} bytes follow the JSON object, but input "{INPUT}" has no "binary_data_size"'
            raise RequestError(message)
        pixels = _flatten(_required(image, "data", list), shape)
    else:
        if "data" in image or not len(raw) == size == math.prod(shape):
            message = (
                f'input "{INPUT}" of shape {list(shape)} as raw data needs no "data", a "binary_data_size" of '
                f"{math.prod(shape)} and as many bytes after the JSON object; got {size} and {len(raw)} bytes"
            )
            raise RequestError(message)
        pixels = raw
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def _flatten(data: list[object], shape: tuple[int, ...]) -> bytes:
    """Return the pixels of a nested or a flat list, row by row; both forms are part of the protocol."""
    values = data
    for size in shape[1:]:
        rows = [value for value in values if isinstance(value, list)]
        if not rows:
            break
        if len(rows) < len(values) or {*map(len, rows)} != {size}:
            message = (
                f'"data" of input "{INPUT}" is ragged: it must be one flat list, or nested as the shape {list(shape)}'
            )
            raise RequestError(message)
        values = list(chain.from_iterable(rows))
    if len(values) != math.prod(shape):
        message = (
            f'"data" of input "{INPUT}" has {len(values)} values, but its shape {list(shape)} needs {math.prod(shape)}'
        )
        raise RequestError(message)
    return _to_bytes(values)


def _to_bytes(values: list[object]) -> bytes:
    numbers = [value for value in values if type(value) is int]  # True is an int too, but not a pixel.
    try:
        if len(numbers) == len(values):
            return bytes(numbers)
    except ValueError:  # One of them is below 0 or above 255.
        pass
    wrong = next(value for value in values if type(value) is not int or not 0 <= value <= _MAX_PIXEL)
    message = f'"data" of input "{INPUT}" must be whole numbers from 0 to {_MAX_PIXEL}, got {reprlib.repr(wrong)}'
    raise RequestError(message)


def _read_outputs(document: dict[str, object], *, binary: bool) -> tuple[RequestedOutput, ...]:
    wanted = _objects(_member(document, "outputs", list) or [], "outputs")
    outputs = [_read_output(output, binary=binary) for output in wanted]
    names = [output.name for output in outputs]
    if len({*names}) < len(names):
        message = f'"outputs" names an output twice: {names}'
        raise RequestError(message)
    return tuple(outputs or (RequestedOutput(name=name, binary=binary) for name in OUTPUTS))


def _read_output(wanted: dict[str, object], *, binary: bool) -> RequestedOutput:
    name = _required(wanted, "name", str)
    if name not in OUTPUTS:
        message = f"there is no output {reprlib.repr(name)}; the model gives {', '.join(OUTPUTS)}"
        raise RequestError(message)
    parameters = _member(wanted, "parameters", dict) or {}
    _refuse_unknown(parameters, "binary_data")
    own = _member(parameters, "binary_data", bool)
    return RequestedOutput(name=name, binary=binary if own is None else own)


def _refuse_unknown(parameters: dict[str, object], known: str) -> None:
    """Refuse parameters that would change the answer, such as shared memory or classification."""
    for name in parameters:
        if name != known:
            message = f'the tensor parameter {reprlib.repr(name)} is not supported, only "{known}" is'
            raise RequestError(message)
