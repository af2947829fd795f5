"""The endpoints: paths and answers of the Open Inference Protocol V2, and the path of the metrics."""

import asyncio
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from http import HTTPStatus
from typing import Final

import numpy as np
import orjson
from headworks_serving._coding import decode, read_codings
from headworks_serving._config import ServingConfig
from headworks_serving._log import LOGGER, line
from headworks_serving._metrics import Metrics
from headworks_serving._model import INPUT, OUTPUT, Model
from headworks_serving._request import LABEL, InferRequest, RequestedOutput, parse_request
from headworks_serving.errors import (
    OverloadError,
    RequestError,
    SlowBodyError,
    TooLargeError,
    UnknownModelError,
)
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_JSON_LENGTH: Final = "Inference-Header-Content-Length"
_MAX_DIGITS: Final = 18  # A longer number of bytes is a mistake, and very long ones cannot be converted.
_MODEL_PATHS: Final = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
_VERSION: Final = "1"  # A file holds one version of its model.
_DATATYPES: Final = {OUTPUT: "FP32", LABEL: "BYTES"}


class Api:
    """The endpoints; a pool of threads does all work on tensors, so that the event loop stays free."""

    def __init__(self, model: Model, config: ServingConfig) -> None:
        """Serve a model within the limits of the settings."""
        self._model = model
        self._config = config
        self.pool = ThreadPoolExecutor(config.workers, thread_name_prefix="infer")
        self._pending = 0
        self.metrics = Metrics(model, lambda: self._pending)

    def replace_model(self, model: Model) -> None:
        """Serve another model of the same name from now on; requests that are being answered keep theirs."""
        self._model = model
        self.metrics.show_model(model)

    def routes(self) -> list[Route]:
        """Return the paths with their answers."""
        routes = [
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route("/metrics", self.metrics.answer),
        ]
        for path in _MODEL_PATHS:
            routes += [
                Route(path, self.model),
                Route(f"{path}/ready", self.model_ready),
                Route(f"{path}/infer", self.infer, methods=["POST"]),
            ]
        return routes

    async def server(self, _request: Request) -> Response:
        """Answer with the name and version of this server."""
        return reply({"name": "headworks-serving", "version": _version(), "extensions": ["binary_tensor_data"]})

    async def live(self, _request: Request) -> Response:
        """Answer that the process runs."""
        return reply({"live": True})

    async def ready(self, request: Request) -> Response:
        """Answer whether requests should be sent here, which is so until the server is stopped."""
        return _readiness(request, {})

    async def model(self, request: Request) -> Response:
        """Answer with the inputs and outputs of the model."""
        self._require_model(request)
        return reply(describe(self._model))

    async def model_ready(self, request: Request) -> Response:
        """Answer whether requests for the model should be sent here."""
        self._require_model(request)
        return _readiness(request, {"name": self._model.name})

    async def infer(self, request: Request) -> Response:
        """Answer with predictions."""
        start = time.perf_counter()
        self._require_model(request)
        if self._pending >= self._config.max_pending:
            message = f"{self._pending} requests are waiting for an answer already; try again later"
            raise OverloadError(message)
        self._pending += 1
        try:
            codings = read_codings(request.headers)
            body = await self._read_body(request)
            work = partial(self._answer, body, codings, _number(request, _JSON_LENGTH))
            rows, response = await asyncio.get_running_loop().run_in_executor(self.pool, work)
        finally:
            self._pending -= 1
        seconds = time.perf_counter() - start
        self.metrics.observe_inference(rows, seconds)
        LOGGER.info(line("infer", status=200, rows=rows, ms=seconds * 1000))
        return response

    def _require_model(self, request: Request) -> None:
        name, version = request.path_params["name"], request.path_params.get("version", _VERSION)
        if (name, version) != (self._model.name, _VERSION):
            message = (
                f'there is no model "{name[:100]}" of version "{version[:100]}" here; '
                f'this server has "{self._model.name}" of version "{_VERSION}"'
            )
            raise UnknownModelError(message)

    async def _read_body(self, request: Request) -> bytes:
        self._limit(_number(request, "Content-Length") or 0)
        body = bytearray()
        try:
            async with asyncio.timeout(self._config.body_seconds):
                async for chunk in request.stream():
                    body += chunk
                    self._limit(len(body))
        except TimeoutError as error:
            message = f"the body did not arrive within {self._config.body_seconds:g} s"
            raise SlowBodyError(message) from error
        return bytes(body)

    def _limit(self, size: int) -> None:
        if size > self._config.max_body:
            message = f"the body has {size} bytes or more; at most {self._config.max_body} are taken in one request"
            raise TooLargeError(message)

    def _answer(self, body: bytes, codings: list[str], json_length: int | None) -> tuple[int, Response]:
        """Answer one request, in a thread of the pool."""
        model = self._model  # the same one from here on, also where another takes its place
        asked = parse_request(
            decode(body, codings, self._config.max_body),
            json_length=json_length,
            image_shape=model.image_shape,
            max_batch=self._config.max_batch,
        )
        answer, length = encode_response(asked, model.predict(asked.images), model=model)
        headers = {} if length is None else {_JSON_LENGTH: str(length)}
        media_type = "application/json" if length is None else "application/octet-stream"
        return len(asked.images), Response(answer, headers=headers, media_type=media_type)


def reply(content: dict[str, object], status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(content), status, headers, "application/json")


def _readiness(request: Request, content: dict[str, object]) -> Response:
    is_ready = not request.app.state.draining
    return reply({**content, "ready": is_ready}, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)


def _number(request: Request, header: str) -> int | None:
    values = {*request.headers.getlist(header)}
    if not values:
        return None
    text = ", ".join(sorted(values))
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        message = f"the header {header} must be a number of bytes, got {text[:100]!r}"
        raise RequestError(message)
    return int(text)


@cache
def _version() -> str:
    from importlib import metadata  # noqa: PLC0415 - 20 ms, which no start needs

    return metadata.version("headworks-serving")


def describe(model: Model) -> dict[str, object]:
    """Return the metadata of a model as the protocol states it, with the `headworks.*` properties as parameters."""
    shapes = {OUTPUT: [-1, len(model.labels)], LABEL: [-1]}
    return {
        "name": model.name,
        "versions": [_VERSION],
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
        request: The request.
        probabilities: Probabilities of every class, shape (N, K).
        model: The model.

    Returns:
        The body, and the length of its JSON object if raw tensors follow it, else None.
    """
    labels = [model.labels[index] for index in probabilities.argmax(axis=1)]
    encoded = [_encode_output(wanted, probabilities, labels) for wanted in request.outputs]
    document = {"model_name": model.name, "model_version": _VERSION, "outputs": [output for output, _ in encoded]}
    if request.id:
        document["id"] = request.id
    text = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not any(wanted.binary for wanted in request.outputs):
        return text, None
    return b"".join([text, *(raw for _, raw in encoded)]), len(text)


def _encode_output(
    wanted: RequestedOutput, probabilities: NDArray[np.float32], labels: list[str]
) -> tuple[dict[str, object], bytes]:
    """Return an output's JSON object and its raw data; one of them holds the tensor."""
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
