"""Export: what is written, what is promised of it, and what is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import headworks_model
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from headworks_data import Dataset
from headworks_model import Probabilities, errors, export, load_trained, predict
from headworks_model import _export as export_module

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_exported_model_predicts_as_torch_does(stages: Path, tiny: Dataset) -> None:
    """From raw pixels, for any batch size."""
    trained = load_trained(stages / "train")
    session = onnxruntime.InferenceSession(stages / "export" / "model.onnx", providers=["CPUExecutionProvider"])
    images = tiny.splits["test"].images
    expected = predict(Probabilities(trained.network), images, threads=1)
    for rows in (1, 5, 16):
        (probabilities,) = session.run(None, {"image": images[:rows]})
        assert np.abs(probabilities - expected[:rows]).max() <= 1e-5
    assert session.get_inputs()[0].type == "tensor(uint8)"


def test_the_exported_model_describes_itself(stages: Path, tiny: Dataset) -> None:
    """Labels and digests are in its metadata; no path and no stack trace is."""
    content = (stages / "export" / "model.onnx").read_bytes()
    about = {it.key: it.value for it in onnx.load_from_string(content).metadata_props}
    assert json.loads(about["headworks.labels"]) == ["top", "bottom"]
    assert about["headworks.dataset_digest"] == tiny.digest
    assert about["headworks.weights_digest"] == load_trained(stages / "train").weights_digest
    assert b".py" not in content
    assert str(stages).encode() not in content


def test_a_reformatted_source_gives_the_same_model(stages: Path, tiny: Dataset, tmp_path: Path) -> None:
    """The bytes depend on graph, weights and metadata, not on lines, comments, folders or names of modules."""
    text = Path(headworks_model.ConvNet.forward.__code__.co_filename).read_text()
    moved = tmp_path / "reformatted.py"
    moved.write_text("# Reformatted.\n\n\n" + text.replace("    def forward", "    # Why.\n\n    def forward"))
    spec = importlib.util.spec_from_file_location("reformatted", moved)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    trained = load_trained(stages / "train")
    network = module.ConvNet((6, 5, 1), 2, width=8)
    network.load_state_dict(trained.network.state_dict())
    export(tiny, dataclasses.replace(trained, network=network), tmp_path / "export")
    assert (tmp_path / "export" / "model.onnx").read_bytes() == (stages / "export" / "model.onnx").read_bytes()


def test_exporting_says_nothing_and_leaves_nothing_elsewhere(
    stages: Path, tmp_path: Path, start: Callable[..., Any]
) -> None:
    """No warning, no telemetry, and the same bytes from another process."""
    home = tmp_path / "home"
    home.mkdir()
    folders = [str(stages / "dataset"), str(stages / "train"), str(tmp_path / "export")]
    assert start("export", *folders, HOME=str(home)).end() == (0, "")
    assert list(home.rglob("*onnxruntime*")) == []
    assert (tmp_path / "export" / "model.onnx").read_bytes() == (stages / "export" / "model.onnx").read_bytes()


def test_a_graph_that_computes_something_else_is_not_written(
    stages: Path, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the weights change between export and comparison."""
    trained = load_trained(stages / "train")
    content = (stages / "export" / "model.onnx").read_bytes()
    monkeypatch.setattr(export_module, "to_onnx", lambda _: content)
    with torch.no_grad():
        next(iter(trained.network.parameters())).add_(0.5)
    with pytest.raises(errors.ExportError, match="differs from the network by"):
        export(tiny, trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def shift_labels(model: onnx.ModelProto) -> None:
    """Give the names of the classes to one another."""
    (labels,) = [it for it in model.metadata_props if it.key == "headworks.labels"]
    labels.value = json.dumps(["bottom", "top"])


def take_floats(model: onnx.ModelProto) -> None:
    """Take the pixels as float32."""
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT


def ask_for_more(model: onnx.ModelProto) -> None:
    """Declare a version of the operators that servers of a certain age cannot read."""
    model.opset_import[0].version = 20


def mix_opsets(model: onnx.ModelProto) -> None:
    """Declare two versions of the operators."""
    model.opset_import.add(domain="ai.onnx", version=20)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (shift_labels, r'headworks\.labels is .*, promised is \'\["top", "bottom"\]\''),
        (take_floats, "input is .*'FLOAT', .*, promised is .*'UINT8'"),
        (ask_for_more, "opset is 20, promised is 18"),
        (mix_opsets, r"opset is \[18, 20\], promised is 18"),
    ],
)
def test_a_graph_that_servers_do_not_expect_is_not_written(
    stages: Path,
    tiny: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[onnx.ModelProto], None],
    message: str,
) -> None:
    """Opset, input and labels are read back from what was exported."""
    model = onnx.load(stages / "export" / "model.onnx")
    fault(model)
    monkeypatch.setattr(export_module, "to_onnx", lambda _: model.SerializeToString())
    with pytest.raises(errors.ExportError, match=message):
        export(tiny, load_trained(stages / "train"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_does_not_add_up_to_one_is_no_probability(
    stages: Path, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if torch and ONNX Runtime agree about it."""
    monkeypatch.setattr(Probabilities, "forward", lambda self, image: torch.sigmoid(self.network(image)))
    with pytest.raises(errors.ExportError, match="differ from a sum of 1 by"):
        export(tiny, load_trained(stages / "train"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_metadata_of_nested_graphs_are_stripped_as_well() -> None:
    """A network of another team may branch, and its branches are graphs of their own."""
    branch = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["a"], ["b"], doc_string="a.py")], "g", [], [])
    node = onnx.helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], []), producer_version="1", doc_string="a.py")
    content = export_module.strip(model).SerializeToString()
    assert b"a.py" not in content
    assert b"Identity" in content
    assert not model.producer_version


class Moody(torch.nn.Module):
    """A network that branches on what it sees, which no graph of a fixed form can express."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return two of the pixels of each image, or of its negative."""
        pixels = image.float().flatten(1)[:, :2]
        return pixels if pixels.sum() > 0 else -pixels


def test_a_network_that_torch_cannot_export_is_named(stages: Path, tiny: Dataset, tmp_path: Path) -> None:
    """In one line, and nothing is written."""
    trained = dataclasses.replace(load_trained(stages / "train"), network=Moody())
    with pytest.raises(errors.ExportError, match="torch cannot export network 'conv'") as raised:
        export(tiny, trained, tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_without_test_rows_nothing_is_exported(stages: Path, tiny: Dataset, tmp_path: Path) -> None:
    """There would be nothing to compare the graph on."""
    split = tiny.splits["test"]
    columns = {name: getattr(split, name)[:0] for name in ("ids", "images", "labels")}
    none = dataclasses.replace(split, **columns, slices={"class": split.slices["class"][:0]})
    dataset = dataclasses.replace(tiny, splits={**tiny.splits, "test": none}, digest="")
    trained = dataclasses.replace(load_trained(stages / "train"), dataset_digest=dataset.digest)
    with pytest.raises(errors.ShapeError, match="the test split has no rows"):
        export(dataset, trained, tmp_path / "out")
