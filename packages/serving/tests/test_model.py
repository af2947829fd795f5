"""Loading an exported model, and refusing every file that could not be served."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from headworks_serving import load_model
from headworks_serving.errors import InferenceError, ModelError
from numpy.typing import NDArray
from onnx import TensorProto

MakeModel = Callable[..., Path]
LABELS = '["a", "b", "c"]'


def test_a_model_says_what_it_is(model_path: Path) -> None:
    """Name, labels, image shape and digests come from the file alone."""
    model = load_model(model_path)
    assert (model.name, model.image_shape) == ("model", (4, 4, 1))
    assert model.labels == ("zero", "one", "two \N{BLACK HEART SUIT}")
    assert model.metadata["headworks.weights_digest"] == "w1"


def test_probabilities_are_those_of_the_graph(model_path: Path, images: NDArray[np.uint8]) -> None:
    """A row's probabilities sum to one and do not depend on the rows beside it, or on the number of threads."""
    probabilities = load_model(model_path, threads=2).predict(images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    one_by_one = [load_model(model_path).predict(images[index : index + 1])[0] for index in (0, 50, 99)]
    np.testing.assert_allclose(probabilities[[0, 50, 99]], one_by_one, rtol=1e-5)


def properties(**changes: str) -> dict[str, str]:
    """Return the metadata of a sound model with changes; an empty value is left out."""
    sound = {"labels": LABELS, "dataset_digest": "d", "weights_digest": "w", **changes}
    return {f"headworks.{name}": value for name, value in sound.items() if value}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metadata": {}}, "lacks the metadata headworks.labels, headworks.dataset_digest, headworks.weights_digest"),
        ({"metadata": properties(weights_digest="")}, "lacks the metadata headworks.weights_digest;"),
        ({"metadata": properties(labels="a, b")}, "not a JSON list of class names"),
        ({"metadata": properties(labels="[" * 100_000)}, "not a JSON list of class names"),
        ({"metadata": properties(labels="[]")}, "not a JSON list of class names"),
        ({"metadata": properties(labels="[1, 2, 3]")}, "not a JSON list of class names"),
        ({"metadata": properties(labels='["a", "b", "a"]')}, "names a class twice"),
        ({"image": ("image", TensorProto.FLOAT, ["batch", 4, 4, 1])}, "takes one input 'image', tensor(uint8)"),
        ({"image": ("picture", TensorProto.UINT8, ["batch", 4, 4, 1])}, "takes one input 'image', tensor(uint8)"),
        ({"image": ("image", TensorProto.UINT8, [8, 4, 4, 1])}, "with a free batch"),
        ({"image": ("image", TensorProto.UINT8, ["batch", "height", 4, 1])}, "[batch, H, W, C]"),
        ({"output": "scores"}, "gives 'probabilities', tensor(float)"),
        ({"num_classes": 4}, "not give 3 finite probabilities for each of 1 images, but an output of shape [1, 4]"),
    ],
)
def test_a_file_that_cannot_be_served_is_refused(
    tmp_path: Path, make_model: MakeModel, changes: dict[str, object], said: str
) -> None:
    """The message names the file, what is wrong with it, and how to make a right one."""
    path = make_model(tmp_path / "wrong.onnx", **changes)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert str(caught.value).endswith("export it again with `python -m headworks_model export`")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"", "not an ONNX model"),
        (b"no model at all", "not an ONNX model"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    """Missing, empty and corrupt files are told apart."""
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        load_model(path)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    """The name of a folder is a likely slip."""
    with pytest.raises(ModelError, match="Is a directory"):
        load_model(tmp_path)


def test_a_model_cut_short_is_refused(tmp_path: Path, model_path: Path) -> None:
    """A copy that was interrupted is never served, wherever it ends."""
    whole = model_path.read_bytes()
    for length in range(1, len(whole), 97):
        (tmp_path / "model.onnx").write_bytes(whole[:length])
        with pytest.raises(ModelError):
            load_model(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("fault", "said"), [("gather", "cannot compute"), ("nan", "not give 3 finite probabilities for each of 1")]
)
def test_a_model_that_fails_on_an_image_says_so(tmp_path: Path, make_model: MakeModel, fault: str, said: str) -> None:
    """What is no number never becomes a prediction."""
    model = load_model(make_model(tmp_path / "model.onnx", fault=fault))
    with pytest.raises(InferenceError, match=said):
        model.predict(np.full((1, 4, 4, 1), 255, np.uint8))
