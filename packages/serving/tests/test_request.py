"""Reading inference requests: every form of the protocol gives the same images, and nothing else gets through."""

import json
from typing import Any

import numpy as np
import pytest
from headworks_serving._request import InferRequest, RequestedOutput, parse_request
from headworks_serving.errors import RequestError
from hypothesis import example, given
from hypothesis import strategies as st

SHAPE = (2, 3, 1)
PIXELS = [[[[1], [2], [3]], [[4], [5], [255]]]]
FLAT = [1, 2, 3, 4, 5, 255]


def parse(document: object, raw: bytes = b"", *, max_batch: int = 8) -> InferRequest:
    """Parse a document that raw tensor data may follow."""
    text = json.dumps(document).encode()
    return parse_request(text + raw, json_length=len(text), image_shape=SHAPE, max_batch=max_batch)


def request(**changes: object) -> dict[str, Any]:
    """Return a sound request with changes of its input."""
    return {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 2, 3, 1], "data": FLAT, **changes}]}


@given(st.data())
def test_nested_flat_and_raw_tensors_are_the_same_images(data: st.DataObject) -> None:
    """The three ways to send a tensor mean the same, for any batch and image shape."""
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * 4))
    images = np.frombuffer(
        data.draw(st.binary(min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))), np.uint8
    ).reshape(shape)
    ways: list[tuple[dict[str, object], bytes]] = [
        ({"data": images.tolist()}, b""),
        ({"data": images.ravel().tolist()}, b""),
        ({"parameters": {"binary_data_size": images.size}}, images.tobytes()),
    ]
    for fields, raw in ways:
        document = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": shape, **fields}]}
        text = json.dumps(document).encode()
        found = parse_request(text + raw, json_length=len(text), image_shape=shape[1:], max_batch=4)
        np.testing.assert_array_equal(found.images, images)


@given(st.binary(), st.one_of(st.none(), st.integers(0, 100)))
def test_any_bytes_are_refused_as_a_request_error(body: bytes, length: int | None) -> None:
    """No body raises anything else than the error that becomes a 400."""
    with pytest.raises(RequestError):
        parse_request(body, json_length=length, image_shape=SHAPE, max_batch=8)


def test_without_a_choice_of_outputs_all_are_wanted() -> None:
    """An empty or null list is no choice either, and the request's parameter decides about their form."""
    both = (RequestedOutput(name="probabilities", binary=False), RequestedOutput(name="label", binary=False))
    assert parse(request()).outputs == both
    assert parse({**request(), "outputs": []}).outputs == both
    assert parse({**request(), "outputs": None, "id": None, "parameters": None}).outputs == both
    raw = parse({**request(), "parameters": {"binary_data_output": True, "priority": 1}}).outputs
    assert [it.binary for it in raw] == [True, True]


def test_an_output_may_choose_its_own_form() -> None:
    """The parameter of an output goes before that of the request, and the order is the client's."""
    outputs = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "probabilities"}]
    found = parse({**request(), "id": "a", "outputs": outputs, "parameters": {"binary_data_output": True}})
    assert [(it.name, it.binary) for it in found.outputs] == [("label", False), ("probabilities", True)]
    assert found.id == "a"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "must be a JSON object"),
        ({}, '"inputs" is missing'),
        ({"inputs": {}}, '"inputs" must be a list'),
        ({"inputs": []}, "exactly one tensor"),
        ({"inputs": [1]}, "must be a list of objects"),
        ({"inputs": request()["inputs"] * 2}, "exactly one tensor"),
        (request(name="picture"), "named \"image\", got ['picture']"),
        (request(name=None), '"name" is missing'),
        (request(datatype="FP32"), "datatype \"UINT8\", got 'FP32'"),
        (request(shape=[2, 3, 1]), r"shape [-1, 2, 3, 1] (-1: the batch), got [2, 3, 1]"),
        (request(shape=[]), "got []"),
        (request(shape=[1, 2, 3, 3]), "got [1, 2, 3, 3]"),
        (request(shape=[1.0, 2, 3, 1]), "got [1.0, 2, 3, 1]"),
        (request(shape=[True, 2, 3, 1]), "got [True, 2, 3, 1]"),
        (request(shape=[1, 2, 3, True]), "got [1, 2, 3, True]"),
        (request(shape="1, 2, 3, 1"), '"shape" must be a list'),
        (request(shape=[0, 2, 3, 1], data=[]), "send at least one image"),
        (request(shape=[-1, 2, 3, 1]), "send at least one image"),
        (request(shape=[9, 2, 3, 1]), "at most 8 images"),
        (request(shape=[10**18, 2, 3, 1]), "at most 8 images"),
        (request(data=None), '"data" is missing'),
        (request(data="AQID"), '"data" must be a list'),
        (request(data=FLAT[:5]), "has 5 values, but its shape [1, 2, 3, 1] needs 6"),
        (request(data=PIXELS * 2), "has 12 values"),
        (request(data=[[[1, 2, 3], [4, 5]]]), "ragged"),
        (request(data=[[[[1], [2], [3]], 4]]), "ragged"),
        (request(data=[[]]), "ragged"),
        (request(data=[*FLAT[:5], 256]), "from 0 to 255, got 256"),
        (request(data=[*FLAT[:5], -1]), "from 0 to 255, got -1"),
        (request(data=[*FLAT[:5], 2**63]), "got 9223372036854775808"),
        (request(data=[*FLAT[:5], 2**80]), "got 1.20"),
        (request(data=[*FLAT[:5], 1.0]), "got 1.0"),
        (request(data=[*FLAT[:5], True]), "got True"),
        (request(data=[*FLAT[:5], None]), "got None"),
        (request(data=[*FLAT[:5], "1"]), "got '1'"),
        (request(data=[[[[[1]], [2], [3]], [[4], [5], [6]]]]), r"got [1]"),
        (request(parameters=[]), '"parameters" must be an object'),
        (request(parameters={"shared_memory_region": "x"}), "'shared_memory_region' is not supported"),
        (request(parameters={"binary_data_size": "6"}), "must be a whole number"),
        ({**request(), "id": 5}, '"id" must be a string'),
        ({**request(), "parameters": {"binary_data_output": 1}}, "must be true or false"),
        ({**request(), "outputs": [{"name": "logits"}]}, "the model gives probabilities, label"),
        ({**request(), "outputs": [{"name": "label"}] * 2}, "names an output twice"),
        ({**request(), "outputs": [{"name": "label", "parameters": {"classification": 2}}]}, "not supported"),
        ({**request(), "outputs": [{"name": "label", "parameters": {"binary_data": "no"}}]}, "must be true or false"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(document: object, said: str) -> None:
    """The message says what was found and what would be right."""
    with pytest.raises(RequestError) as caught:
        parse(document)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("fields", "raw", "said"),
    [
        ({"parameters": {"binary_data_size": 6}}, b"12345", '"binary_data_size" of 6 and as many bytes'),
        ({"parameters": {"binary_data_size": 5}}, b"12345", "got 5 and 5 bytes"),
        ({"parameters": {"binary_data_size": -1}}, b"", "got -1 and 0 bytes"),
        ({"parameters": {"binary_data_size": 6}, "data": FLAT}, b"123456", 'needs no "data"'),
        ({"data": FLAT}, b"123456", 'has no "binary_data_size"'),
    ],
)
def test_raw_data_must_be_as_long_as_it_says(fields: dict[str, object], raw: bytes, said: str) -> None:
    """Bytes that are missing, left over or sent twice are refused."""
    document = request(**fields)
    if "data" not in fields:
        del document["inputs"][0]["data"]
    with pytest.raises(RequestError) as caught:
        parse(document, raw)
    assert said in str(caught.value)


def test_a_length_beyond_the_body_is_refused() -> None:
    """The header cannot point behind the end."""
    with pytest.raises(RequestError, match="is 3, but the body has only 2 bytes"):
        parse_request(b"{}", json_length=3, image_shape=SHAPE, max_batch=8)


@given(st.binary(min_size=1, max_size=6))
@example(b"\xff")
@example(b"\x00")
def test_text_that_is_no_utf_8_is_refused(noise: bytes) -> None:
    """Broken text inside an otherwise sound request is refused, or it was not broken."""
    head, tail = json.dumps({**request(), "id": "@"}).encode().split(b"@")
    try:
        noise.decode()
    except UnicodeDecodeError:
        with pytest.raises(RequestError, match="the body is not JSON"):
            parse_request(head + noise + tail, json_length=None, image_shape=SHAPE, max_batch=8)
