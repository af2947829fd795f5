"""Compressed requests and answers."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from headworks_serving._coding import choose_coding, decode
from headworks_serving.errors import RequestError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Server

INFER = "/v2/models/model/infer"
BODY = json.dumps(
    {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [9, 4, 4, 1], "data": [7] * 144}]}
).encode()
# Without the time in its header, which would give the same test two names in two processes.
gzipped = partial(gzip.compress, mtime=0)


@pytest.fixture(scope="module")
def plain(server: Server) -> Iterator[httpx.Client]:
    """Give a client that asks for no compression by itself."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        del client.headers["Accept-Encoding"]
        yield client


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("gzip", gzipped(BODY)),
        ("GZip", gzipped(BODY)),
        ("x-gzip", gzipped(BODY)),
        ("gzip", gzipped(BODY[:50]) + gzipped(BODY[50:])),
        ("deflate", zlib.compress(BODY)),
        ("deflate, gzip", gzipped(zlib.compress(BODY))),
        ("Identity", BODY),
        ("identity, , deflate", zlib.compress(BODY)),
        ("", BODY),
    ],
)
def test_a_request_may_be_compressed(plain: httpx.Client, codings: str, body: bytes) -> None:
    """Names of codings know no case, several are undone from the last to the first, and identity is none."""
    expected = plain.post(INFER, content=BODY).json()
    found = plain.post(INFER, content=body, headers={"Content-Encoding": codings})
    assert (found.status_code, found.json()) == (200, expected)


def test_codings_may_come_in_several_headers(plain: httpx.Client) -> None:
    """As any list in a head."""
    headers = [("Content-Encoding", "identity"), ("Content-Encoding", "deflate"), ("Content-Encoding", "gzip")]
    assert plain.post(INFER, content=gzipped(zlib.compress(BODY)), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("codings", "body", "status", "said"),
    [
        ("br", b"x", 415, "Content-Encoding: 'br' is not supported; send the body as it is, or by gzip or deflate"),
        ("gzip, br", b"x", 415, "'br' is not supported"),
        ("gzip" + ",gzip" * 99, b"x", 415, "100 codings are too many"),
        ("gzip", BODY, 400, "the body is not gzip data"),
        ("deflate", gzipped(BODY), 400, "the body is not deflate data"),
        ("gzip", gzipped(BODY)[:-1], 400, "the body ends before its gzip data does"),
        ("gzip", b"", 400, "the body ends before its gzip data does"),
        ("deflate", zlib.compress(BODY) + b"more", 400, "4 bytes follow the deflate data"),
        ("gzip", gzipped(b"") * 500, 400, "bytes follow the gzip data"),
        ("gzip", gzipped(bytes(20_001)), 413, "expands to more than 20000 bytes"),
        ("gzip", gzipped(bytes(10_000)) + gzipped(bytes(10_001)), 413, "expands to more than 20000 bytes"),
        ("deflate, gzip", gzipped(zlib.compress(bytes(2**22))), 413, "expands to more than 20000 bytes"),
    ],
)
def test_what_cannot_be_expanded_is_refused(
    plain: httpx.Client, codings: str, body: bytes, status: int, said: str
) -> None:
    """A coding that is not known, data that is damaged, and what is larger than a body may be."""
    found = plain.post(INFER, content=body, headers={"Content-Encoding": codings})
    assert (found.status_code, list(found.json())) == (status, ["error"])
    assert said in found.json()["error"]
    assert found.headers.get("Accept-Encoding") == ("gzip, deflate" if status == 415 else None)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_takes_no_more_memory_than_a_body(coding: str) -> None:
    """What expands a thousandfold is not expanded before it is measured."""
    content = bytes(2**26)
    bomb = gzipped(content) if coding == "gzip" else zlib.compress(content)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            decode(bomb, [coding], 2**20)
        assert tracemalloc.get_traced_memory()[1] < 3 * 2**20
    finally:
        tracemalloc.stop()


def test_a_body_may_be_as_large_as_the_limit() -> None:
    """One byte more is too much."""
    assert decode(gzipped(bytes(1000)), ["gzip"], 1000) == bytes(1000)
    with pytest.raises(RequestError, match="more than 1000 bytes"):
        decode(gzipped(bytes(1001)), ["gzip"], 1000)


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("X-GZIP", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"),
        ("gzip ; Q=0.001", "gzip"),
        ("gzip;q=0", ""),
        ("gzip;q=0.000, deflate;q=0", ""),
        ("*", "gzip"),
        ("*;q=0", ""),
        ("gzip;q=0, *", "deflate"),
        ("identity", ""),
        ("identity, gzip;q=0.9", ""),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, *;q=0", ""),
        ("br, zstd", ""),
        ("gzip;q=high", ""),
    ],
)
def test_the_client_weighs_the_codings(accepted: str, expected: str) -> None:
    """What it likes best of what there is, and never what it refuses; no word means no compression."""
    assert choose_coding(accepted) == expected


@pytest.mark.parametrize("path", ["/v2/models/model", "/metrics", INFER])
@pytest.mark.parametrize(("accepted", "wbits"), [("gzip", 31), ("gzip;q=0.1, deflate", 15)])
def test_an_answer_is_compressed_for_who_asks(plain: httpx.Client, path: str, accepted: str, wbits: int) -> None:
    """Every kind of answer, with the length that it has then; what depends on the header says so."""
    body: Any = {"content": BODY} if path == INFER else {}
    with plain.stream("POST" if body else "GET", path, headers={"Accept-Encoding": accepted}, **body) as found:
        raw = b"".join(found.iter_raw())
    assert found.status_code == 200
    assert found.headers["Content-Encoding"] == {31: "gzip", 15: "deflate"}[wbits]
    assert found.headers["Vary"] == "Accept-Encoding"
    assert int(found.headers["Content-Length"]) == len(raw) < len(zlib.decompress(raw, wbits))


def test_a_large_answer_is_compressed_too(plain: httpx.Client) -> None:
    """In a thread, which changes nothing about it."""
    images = {"name": "image", "datatype": "UINT8", "shape": [64, 4, 4, 1], "data": list(range(256)) * 4}
    many = {"inputs": [images], "outputs": [{"name": "probabilities"}], "id": "x" * 15_000}
    found = plain.post(INFER, json=many, headers={"Accept-Encoding": "gzip"})
    assert (found.status_code, found.headers["Content-Encoding"]) == (200, "gzip")
    assert len(found.content) > 16 * 2**10
    assert found.json() == plain.post(INFER, json=many).json()


def test_an_answer_that_would_grow_stays_as_it_is(plain: httpx.Client) -> None:
    """A few bytes of JSON are smaller than the head of gzip."""
    found = plain.get("/v2/health/live", headers={"Accept-Encoding": "gzip"})
    assert (found.content, found.headers.get("Content-Encoding")) == (b'{"live":true}', None)
