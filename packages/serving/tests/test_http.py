"""The protocol over HTTP: a real server, asked by httpx."""

from __future__ import annotations

import asyncio
import json
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from headworks_serving import ServingConfig, create_app, load_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from numpy.typing import NDArray
    from starlette.applications import Starlette

INFER = "/v2/models/model/infer"


def infer_body(images: NDArray[np.uint8], **more: object) -> dict[str, object]:
    """Return a request for images in JSON."""
    image = {"name": "image", "datatype": "UINT8", "shape": images.shape, "data": images.tolist()}
    return {"inputs": [image], **more}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/model/ready", {"name": "model", "ready": True}),
        ("/v2/models/model/versions/1/ready", {"name": "model", "ready": True}),
    ],
)
def test_health_is_told_to_whoever_asks(client: httpx.Client, path: str, answer: dict[str, object]) -> None:
    """A load balancer needs the status alone, a person reads the answer."""
    found = client.get(path)
    assert (found.status_code, found.json()) == (200, answer)
    assert client.head(path).status_code == 200


def test_the_server_says_what_it_is(client: httpx.Client) -> None:
    """Name, version and the protocol's extensions that it knows."""
    found = client.get("/v2").json()
    assert found["name"] == "headworks-serving"
    assert found["version"][0].isdigit()
    assert found["extensions"] == ["binary_tensor_data"]


@pytest.mark.parametrize("path", ["/v2/models/model", "/v2/models/model/versions/1"])
def test_the_model_says_what_it_takes_and_gives(client: httpx.Client, path: str) -> None:
    """The metadata is enough to write a client, and to find the data and weights that a model was made of."""
    found = client.get(path).json()
    assert found["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 4, 4, 1]}]
    assert found["outputs"] == [
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
    ]
    assert found["parameters"]["headworks.dataset_digest"] == "d1"
    assert (found["name"], found["versions"], found["platform"]) == ("model", ["1"], "onnxruntime_onnx")


@pytest.mark.parametrize("path", [INFER, "/v2/models/model/versions/1/infer"])
def test_predictions_are_those_of_the_model(
    client: httpx.Client, model_path: Path, images: NDArray[np.uint8], path: str
) -> None:
    """JSON carries every bit of a probability, the label is the name of the likeliest class, the id comes back."""
    found = client.post(path, json=infer_body(images[:5], id="a \N{SNOWMAN}")).json()
    model = load_model(model_path)
    expected = model.predict(images[:5])
    assert (found["model_name"], found["model_version"], found["id"]) == ("model", "1", "a \N{SNOWMAN}")
    probabilities, label = found["outputs"]
    np.testing.assert_array_equal(np.array(probabilities["data"], np.float32).reshape(5, 3), expected)
    assert (probabilities["datatype"], probabilities["shape"]) == ("FP32", [5, 3])
    assert label["data"] == [model.labels[index] for index in expected.argmax(axis=1)]
    assert (label["datatype"], label["shape"]) == ("BYTES", [5])


def test_one_output_may_be_raw_and_the_other_not(client: httpx.Client, images: NDArray[np.uint8]) -> None:
    """Raw data follows the JSON object, whose length the header gives; a text is preceded by its length."""
    outputs = [{"name": "label", "parameters": {"binary_data": True}}, {"name": "probabilities"}]
    found = client.post(INFER, json=infer_body(images[:2], outputs=outputs))
    length = int(found.headers["Inference-Header-Content-Length"])
    document, raw = json.loads(found.content[:length]), found.content[length:]
    label, probabilities = document["outputs"]
    assert label["parameters"] == {"binary_data_size": len(raw)}
    first = struct.unpack("<I", raw[:4])[0]
    names = [raw[4 : 4 + first].decode(), raw[8 + first :].decode()]
    best = np.array(probabilities["data"]).reshape(2, 3).argmax(axis=1)
    assert names == [("zero", "one", "two \N{BLACK HEART SUIT}")[index] for index in best]
    assert "data" not in label


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/", 404, "nothing at /; the Open Inference Protocol starts at /v2"),
        ("GET", "/v2/", 404, "nothing at /v2/"),
        ("GET", "/v2/models/other", 404, 'no model "other" of version "1" here; this server has "model"'),
        ("GET", "/v2/models/model/versions/2/ready", 404, 'no model "model" of version "2"'),
        ("GET", "/v2/models/a%0Ab%00%ff", 404, "no model"),
        ("POST", "/v2/models/other/infer", 404, 'no model "other"'),
        ("GET", INFER, 405, f"GET is not allowed for {INFER}; use POST"),
        ("DELETE", "/v2/models/model", 405, "use GET or HEAD"),
        ("POST", "/v2/health/live", 405, "use GET or HEAD"),
        ("PATCH", "/v2", 405, "use GET or HEAD"),
    ],
)
def test_a_wrong_path_or_method_is_refused(
    client: httpx.Client, method: str, path: str, status: int, said: str
) -> None:
    """Each error is a JSON object with one message."""
    found = client.request(method, path)
    assert found.status_code == status
    assert list(found.json()) == ["error"]
    assert said in found.json()["error"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "said"),
    [
        (b"", {}, 400, "the body is not JSON"),
        (b"{", {}, 400, "the body is not JSON"),
        (b"{}", {"Inference-Header-Content-Length": "9"}, 400, "has only 2 bytes"),
        (b"{}", {"Inference-Header-Content-Length": "-2"}, 400, "must be a number of bytes, got '-2'"),
        (b"{}", {"Inference-Header-Content-Length": "9" * 5000}, 400, "must be a number of bytes, got '999"),
        (b"{}", {"Inference-Header-Content-Length": "\u00b2".encode("latin-1")}, 400, "must be a number of bytes"),
        (
            b"{}",
            [("Inference-Header-Content-Length", "2"), ("Inference-Header-Content-Length", "1")],
            400,
            "got '1, 2'",
        ),
        (b"x" * 20_001, {}, 413, "at most 20000"),
    ],
)
def test_a_wrong_body_is_refused(
    client: httpx.Client, content: bytes, headers: dict[str, Any] | list[tuple[str, str]], status: int, said: str
) -> None:
    """Broken JSON, wrong lengths and size each have their status."""
    found = client.post(INFER, content=content, headers=headers)
    assert (found.status_code, list(found.json())) == (status, ["error"])
    assert said in found.json()["error"]


def test_a_body_without_a_declared_length_is_limited_too(client: httpx.Client) -> None:
    """The limit counts the bytes that arrive; the connection stays of use after it."""

    def chunks() -> Iterator[bytes]:
        for _ in range(50):
            yield b" " * 1000

    found = client.post(INFER, content=chunks())
    assert (found.status_code, found.json()["error"].split(";")[1]) == (413, " at most 20000 are taken in one request")
    assert client.get("/v2/health/live").status_code == 200


def test_a_batch_larger_than_the_limit_is_refused(client: httpx.Client, images: NDArray[np.uint8]) -> None:
    """The whole batch at the limit is taken, one image more is not."""
    assert client.post(INFER, json=infer_body(images[:64])).status_code == 200
    found = client.post(INFER, json=infer_body(images[:65]))
    assert (found.status_code, found.json()["error"]) == (
        413,
        'input "image" has a batch of 65; at most 64 images are taken in one request',
    )


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SOUND: dict[str, Any] = {
    "name": "image",
    "datatype": "UINT8",
    "shape": [1, 4, 4, 1],
    "data": list(range(16)),
    "parameters": {},
}
NEAR = st.fixed_dictionaries(
    {
        "inputs": st.lists(
            st.fixed_dictionaries({key: st.just(value) | ANY_JSON for key, value in SOUND.items()}), max_size=2
        )
        | ANY_JSON
    },
    optional={"id": ANY_JSON, "parameters": ANY_JSON, "outputs": ANY_JSON},
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=60)
    | ANY_JSON.map(lambda it: json.dumps(it).encode())
    | NEAR.map(lambda it: json.dumps(it).encode()),
    header=st.none() | st.integers(-1, 400).map(str) | st.text(st.characters(min_codepoint=33, max_codepoint=126)),
)
def test_no_body_makes_the_server_fail(client: httpx.Client, body: bytes, header: str | None) -> None:
    """Whatever is sent, the answer is a prediction or says what is wrong with the request."""
    found = client.post(
        INFER, content=body, headers={} if header is None else {"inference-header-content-length": header}
    )
    assert found.status_code in {200, 400, 413}
    assert ("error" in found.json()) == (found.status_code != 200)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "OPTIONS", "TRACE", "X"]),
    tail=st.binary(max_size=12),
    host=st.text("[]:/@?#ab1.", max_size=8),
)
def test_no_path_or_host_makes_the_server_fail(client: httpx.Client, method: str, tail: bytes, host: str) -> None:
    """Every path has an answer, even one that is no text, and whatever the client calls the server."""
    path = "/v2/models/" + "".join(f"%{byte:02x}" for byte in tail)
    assert client.request(method, path, headers={"Host": host}).status_code in {404, 405}


def ask_app(app: Starlette, images: NDArray[np.uint8]) -> httpx.Response:
    """Ask an application in this process for predictions."""
    return ask_for(app, "POST", INFER, json=infer_body(images))


def ask_for(app: Starlette, *request: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - what httpx takes
    """Ask an application in this process for anything."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(*request, **more)

    return asyncio.run(ask())


@pytest.mark.parametrize("fault", ["gather", "nan"])
def test_a_fault_of_the_model_is_no_fault_of_the_request(
    tmp_path: Path, make_model: Callable[..., Path], fault: str
) -> None:
    """A model that fails on an image gives a 500 that says so, and never a prediction."""
    app = create_app(load_model(make_model(tmp_path / "model.onnx", fault=fault)))
    found = ask_app(app, np.full((1, 4, 4, 1), 255, np.uint8))
    assert found.status_code == 500
    assert found.json()["error"].startswith('model "model" ')
    assert ask_app(app, np.zeros((1, 4, 4, 1), np.uint8)).status_code == 200


def test_a_defect_of_the_server_has_the_form_of_every_error(
    model_path: Path, monkeypatch: pytest.MonkeyPatch, images: NDArray[np.uint8]
) -> None:
    """A client can read even an error that nobody foresaw; its cause stays in the log, and it counts as an answer."""
    monkeypatch.setattr("headworks_serving._api.encode_response", None)
    app = create_app(load_model(model_path))
    app.state.draining = True
    found = ask_app(app, images[:1])
    assert (found.status_code, found.json()) == (500, {"error": "the server has a defect; its log says more"})
    assert found.headers["Connection"] == "close"
    assert 'headworks_serving_answers_total{status="500"} 1.0\n' in ask_for(app, "GET", "/metrics").text


def test_requests_beyond_those_that_may_wait_are_refused_at_once(model_path: Path, images: NDArray[np.uint8]) -> None:
    """While one request waits for its body, a second one is told to come back; after it, there is room again."""
    app = create_app(load_model(model_path), ServingConfig(max_pending=1))

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            arrived = asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                await arrived.wait()
                yield json.dumps(infer_body(images[:1])).encode()

            first = asyncio.create_task(client.post(INFER, content=slow()))
            await asyncio.sleep(0.05)
            second = await client.post(INFER, json=infer_body(images[:1]))
            arrived.set()
            third = (await first).status_code
            return [second.status_code, third, (await client.post(INFER, json=infer_body(images[:1]))).status_code]

    assert asyncio.run(ask()) == [503, 200, 200]


def test_the_readme_names_every_path(model_path: Path) -> None:
    """One of each endpoint; the paths with a version mean the same."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `[A-Z]+ (/\S+)` \|", readme, flags=re.MULTILINE))
    routes = [route.path for route in create_app(load_model(model_path)).routes if isinstance(route, Route)]
    assert {path.replace("{name}", "model") for path in routes if "{version}" not in path} == named
