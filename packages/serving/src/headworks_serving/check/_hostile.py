"""Requests that a server has to refuse: numbers that are none, wrong shapes and types, nesting, lengths that lie."""

import gzip
import http.client
import json
import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import numpy as np

_SECONDS: Final = 30.0
_DEEP: Final = 100_000  # far beyond what a parser that calls itself can take
_HUGE: Final = 2**40  # bytes that no server has room for
_BOMB: Final = 64 * 2**20  # bytes that gzip packs into 64 kB; four times what the server takes by default


class Hostile(NamedTuple):
    """A request for predictions: a name for people, its body, and headers that differ from those of fair ones."""

    name: str
    body: bytes
    headers: dict[str, str] = {}  # noqa: RUF012 - nothing changes it


def hostile_requests(shape: Sequence[int]) -> list[Hostile]:
    """Return one request of each kind.

    Args:
        shape: Height, width and channels of the images that the model takes.
    """
    one, size = [1, *shape], math.prod(shape)
    fair = [0] * size

    def infer(data: object = fair, *, shape: object = one, datatype: object = "UINT8", **more: object) -> bytes:
        tensor = {"name": "image", "shape": shape, "datatype": datatype, "data": data}
        return json.dumps({"inputs": [tensor | more]}).encode()

    def raw(pixels: bytes, **changed: Any) -> Hostile:  # noqa: ANN401 - whatever JSON can hold
        name = changed.pop("called")
        tensor = {"name": "image", "shape": one, "datatype": "UINT8"} | changed
        tensor["parameters"] = {"binary_data_size": len(pixels)}
        head = json.dumps({"inputs": [tensor]}).encode()
        return Hostile(name, head + pixels, {"Inference-Header-Content-Length": str(len(head))})

    no_numbers = np.full(size, np.nan, np.float32).tobytes()
    return [
        Hostile("NaN as a pixel", infer([math.nan] * size)),
        Hostile("Infinity as a pixel", infer([math.inf] * size)),
        raw(no_numbers, called="NaN as raw bytes of FP32", datatype="FP32"),
        Hostile("a pixel below 0", infer([-1] * size)),
        Hostile("a pixel above 255", infer([256] * size)),
        Hostile("a pixel of 400 digits", infer([10**400] * size)),
        Hostile("half a pixel", infer([0.5] * size)),
        Hostile("texts as pixels", infer(["0"] * size)),
        Hostile("true as a pixel", infer([True] * size)),
        Hostile("null as a pixel", infer([None] * size)),
        Hostile("an object as data", infer({"0": 0})),
        Hostile("too few pixels", infer(fair[1:])),
        raw(bytes(size + 1), called="too many raw bytes"),
        Hostile("a row more in the shape", infer(shape=[1, shape[0] + 1, *shape[1:]])),
        Hostile("no shape", infer(shape=[])),
        Hostile("a batch of 0", infer([], shape=[0, *shape])),
        Hostile("a batch of -1", infer(shape=[-1, *shape])),
        Hostile("a batch of 2**62", infer(shape=[2**62, *shape])),
        Hostile("a text as the shape", infer(shape="image")),
        Hostile("an unknown datatype", infer(datatype="UINT9")),
        Hostile("another tensor", infer(name="picture")),
        Hostile("no inputs", b'{"inputs": []}'),
        Hostile("a list instead of an object", b"[]"),
        Hostile("an empty body", b""),
        Hostile("half an object", b'{"inputs": [{'),
        Hostile("bytes that are no UTF-8", b'{"inputs": "\xff\xfe"}'),
        Hostile("lists nested 100,000 deep", b'{"inputs": ' + b"[" * _DEEP + b"]" * _DEEP + b"}"),
        Hostile("lists of different lengths", infer([fair, fair[1:]], shape=[2, *shape])),
        Hostile("a body of a terabyte", b"", {"Content-Length": str(_HUGE)}),
        Hostile("a length that is no number", b"", {"Content-Length": "many"}),
        Hostile("a body of 64 MB, compressed", gzip.compress(bytes(_BOMB)), {"Content-Encoding": "gzip"}),
        Hostile("a body that is not of its coding", infer(), {"Content-Encoding": "gzip"}),
        Hostile("an object longer than its body", infer(), {"Inference-Header-Content-Length": str(_HUGE)}),
    ]


def status_of(address: str, name: str, request: Hostile) -> int:
    """Return the status that a server answers a request with, 0 if it gives no answer.

    Args:
        address: HOST:PORT.
        name: The name of the model.
        request: The request.
    """
    connection = http.client.HTTPConnection(address, timeout=_SECONDS)
    try:
        connection.request("POST", f"/v2/models/{quote(name, safe='')}/infer", request.body, request.headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
