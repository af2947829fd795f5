"""Asks a server for predictions with tritonclient, the common client of the protocol."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
from headworks_serving.check._compare import Served
from headworks_serving.errors import ServerFaultError
from numpy.typing import NDArray
from tritonclient import http

_MAX_BATCH: Final = 64
_MAX_PIXELS: Final = 2_000_000  # A batch takes 8 MB as JSON then, half of what the server takes by default.
_WARM: Final = 10  # The first requests open a connection and fill caches, which later ones do not.
_CLIENTS: Final = 4  # that ask at a time where throughput is measured
_TICK: Final = 0.05
_Result = TypeVar("_Result")


def wait_until_ready(address: str, name: str, *, seconds: float) -> None:
    """Wait until a server is ready to predict with a model.

    Args:
        address: HOST:PORT.
        name: The name of the model.
        seconds: Longest time to wait.

    Raises:
        ServerFaultError: It is not ready in time.
    """
    end = time.monotonic() + seconds
    while not _is_ready(address, name):
        if time.monotonic() > end:
            message = (
                f'no server at {address} is ready to predict with a model "{name}" after {seconds:g} s; '
                "read its log, and check the address and the name"
            )
            raise ServerFaultError(message)
        time.sleep(_TICK)


def _is_ready(address: str, name: str) -> bool:
    try:
        return _run_apart(partial(_ask_ready, address, name))
    except Exception:  # noqa: BLE001 - anything or nothing may be at an address, and neither is a ready server
        return False


def _ask_ready(address: str, name: str) -> bool:
    with http.InferenceServerClient(address, connection_timeout=1.0, network_timeout=1.0) as client:
        return bool(client.is_model_ready(name))


def predict(address: str, name: str, images: NDArray[np.uint8], *, binary: bool) -> Served:
    """Ask a server for the predictions of images, in batches.

    Args:
        address: HOST:PORT.
        name: The name of the model.
        images: Pixels, shape (N, H, W, C) with N of at least 1.
        binary: Whether tensors travel as raw bytes or inside the JSON object, both ways.

    Raises:
        ServerFaultError: The server refuses a batch, or its answer is not of the form of the protocol.
    """
    try:
        return _run_apart(partial(_predict, address, name, images, binary=binary))
    except Exception as error:  # The check exists to find any fault in an answer.
        message = f'the server does not predict with the model "{name}": {type(error).__name__}: {error}'
        raise ServerFaultError(message) from error


def time_requests(address: str, name: str, images: NDArray[np.uint8], *, number: int) -> tuple[list[float], float]:
    """Return the seconds that each request of one image took, and how many a second are answered of several at a time.

    Args:
        address: HOST:PORT.
        name: The name of the model.
        images: Pixels, shape (N, H, W, C) with N of at least 1; they are sent in turn as raw bytes.
        number: Number of requests, one after the other and then several at a time; a few before them do not count.

    Raises:
        ServerFaultError: The server refuses a request, or its answer is not of the form of the protocol.
    """
    try:
        return _run_apart(partial(_time_requests, address, name, images, number=number))
    except Exception as error:  # As above: the server answered a moment ago.
        message = f'the server ceased to predict with the model "{name}": {type(error).__name__}: {error}'
        raise ServerFaultError(message) from error


def _time_requests(address: str, name: str, images: NDArray[np.uint8], *, number: int) -> tuple[list[float], float]:
    rows = [images[index % len(images)][None] for index in range(-_WARM, number)]
    times = []
    with http.InferenceServerClient(address, concurrency=_CLIENTS) as client:
        for row in rows:
            begin = time.perf_counter()
            _infer(client, name, row, binary=True)
            times.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        asked = [_tensors(row, binary=True) for row in rows[_WARM:]]
        for answer in [client.async_infer(name, inputs, outputs=outputs) for inputs, outputs in asked]:
            answer.get_result()
        rate = number / (time.perf_counter() - begin)
    return times[_WARM:], rate


def _run_apart(function: Callable[[], _Result]) -> _Result:
    """Call a function in a thread of its own.

    The client switches greenlets, which confuses a debugger that traces its thread.
    """
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(function).result()


def _predict(address: str, name: str, images: NDArray[np.uint8], *, binary: bool) -> Served:
    size = max(1, min(_MAX_BATCH, _MAX_PIXELS // images[0].size))
    with http.InferenceServerClient(address) as client:
        batches = [images[start : start + size] for start in range(0, len(images), size)]
        answers = [_infer(client, name, batch, binary=binary) for batch in batches]
    labels = [label for answer in answers for label in answer.labels]
    return Served(labels=labels, probabilities=np.concatenate([answer.probabilities for answer in answers]))


def _infer(client: Any, name: str, batch: NDArray[np.uint8], *, binary: bool) -> Served:  # noqa: ANN401 - untyped
    inputs, outputs = _tensors(batch, binary=binary)
    result = client.infer(name, inputs, outputs=outputs)
    labels = result.as_numpy("label").reshape(len(batch)).tolist()
    return Served(
        labels=[label.decode() if isinstance(label, bytes) else label for label in labels],
        probabilities=result.as_numpy("probabilities").reshape(len(batch), -1),
    )


def _tensors(batch: NDArray[np.uint8], *, binary: bool) -> tuple[list[Any], list[Any]]:
    """Return what a request sends, and what it asks for."""
    image = http.InferInput("image", list(batch.shape), "UINT8")
    image.set_data_from_numpy(batch, binary_data=binary)
    return [image], [http.InferRequestedOutput(output, binary_data=binary) for output in ("probabilities", "label")]
