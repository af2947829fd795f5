"""The third-party client that users of other servers know works in each of its modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from headworks_serving import load_model
from tritonclient import http
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Server
    from numpy.typing import NDArray
    from tritonclient.http import InferenceServerClient as Client


@pytest.fixture
def triton(server: Server) -> Iterator[Client]:
    """Give a client."""
    with http.InferenceServerClient(server.url.removeprefix("http://")) as client:
        yield client


def image_input(images: NDArray[np.uint8], *, binary: bool = True) -> http.InferInput:
    """Return the input that the model takes."""
    image = http.InferInput("image", list(images.shape), "UINT8")
    image.set_data_from_numpy(images, binary_data=binary)
    return image


def test_the_client_finds_server_and_model(triton: Client) -> None:
    """Health and metadata are where the client looks for them."""
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("model")
    assert triton.is_model_ready("model", "1")
    assert not triton.is_model_ready("other")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert triton.get_model_metadata("model")["inputs"][0]["shape"] == [-1, 4, 4, 1]


def test_the_default_mode_predicts(triton: Client, model_path: Path, images: NDArray[np.uint8]) -> None:
    """Raw tensors both ways, without a word about outputs."""
    result = triton.infer("model", [image_input(images[:30])], request_id="7", timeout=5, priority=1)
    expected = load_model(model_path).predict(images[:30])
    np.testing.assert_array_equal(result.as_numpy("probabilities"), expected)
    assert result.as_numpy("label").shape == (30,)
    assert {it.decode() for it in result.as_numpy("label")} <= {"zero", "one", "two \N{BLACK HEART SUIT}"}
    assert result.get_response()["id"] == "7"


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_every_mixture_of_raw_and_json_gives_the_same(
    triton: Client,
    model_path: Path,
    images: NDArray[np.uint8],
    *,
    binary_in: bool,
    binary_out: bool,
) -> None:
    """The form of a tensor does not change it."""
    outputs = [http.InferRequestedOutput(name, binary_data=binary_out) for name in ("label", "probabilities")]
    result = triton.infer("model", [image_input(images[:7], binary=binary_in)], model_version="1", outputs=outputs)
    np.testing.assert_array_equal(result.as_numpy("probabilities"), load_model(model_path).predict(images[:7]))
    assert result.as_numpy("label").shape == (7,)


@pytest.mark.parametrize("asked", [None, "gzip", "deflate"])
@pytest.mark.parametrize("sent", [None, "gzip", "deflate"])
def test_every_compression_gives_the_same(
    triton: Client, model_path: Path, images: NDArray[np.uint8], sent: str | None, asked: str | None
) -> None:
    """Also where raw tensors follow the JSON object: the length in the header is that before it was compressed."""
    batch = np.zeros((60, 4, 4, 1), np.uint8)
    batch[:7] = images[:7]
    result = triton.infer(
        "model", [image_input(batch)], request_compression_algorithm=sent, response_compression_algorithm=asked
    )
    np.testing.assert_array_equal(result.as_numpy("probabilities"), load_model(model_path).predict(batch))
    assert result.as_numpy("label").shape == (60,)


def test_what_is_not_supported_is_refused_in_words(triton: Client, images: NDArray[np.uint8]) -> None:
    """Classification and shared memory get an error that the client shows, never a wrong answer."""
    image = image_input(images[:1])
    with pytest.raises(InferenceServerException, match=r"\[400\] .*'classification' is not supported"):
        triton.infer("model", [image], outputs=[http.InferRequestedOutput("label", class_count=2)])
    image.set_shared_memory("region", 16)
    with pytest.raises(InferenceServerException, match=r"\[400\] .*'shared_memory_region' is not supported"):
        triton.infer("model", [image])
