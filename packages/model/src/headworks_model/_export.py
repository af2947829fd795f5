"""Exports a trained network as one ONNX file that describes itself."""

from __future__ import annotations

import json
import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import torch
from headworks_data import replace_files
from headworks_model._network import Probabilities
from headworks_model._runtime import reproducible
from headworks_model._trial import first_line
from headworks_model._verify import verify
from headworks_model.errors import ExportError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headworks_data import Dataset
    from headworks_model._trained import Trained

OPSET = 18


def export(dataset: Dataset, trained: Trained, out: str | Path) -> float:
    """Write `model.onnx`, after verifying its form, and its output against that of the network.

    The graph, of opset 18, takes `image`, uint8 [batch, H, W, C], and gives `probabilities`, float32 [batch, K]. Its
    metadata hold `headworks.labels` (a JSON list), `headworks.dataset_digest` and `headworks.weights_digest`. The bytes
    depend on graph, weights and metadata only: names of source files, stack traces and times are left out.

    Args:
        dataset: The dataset that the network was trained on; both are compared on its test split.
        trained: The network.
        out: Folder for `model.onnx`.

    Returns:
        The largest difference between any two probabilities.

    Raises:
        TrainedError: The network was trained on another dataset.
        ShapeError: The test split has no rows.
        ExportError: Opset, input, output or metadata are not as promised, or a probability differs by more than 1e-5;
            nothing is written.
    """
    trained.check_dataset(dataset)
    if not len(dataset.splits["test"]):
        message = "the test split has no rows to compare the exported graph on: build a dataset with some"
        raise ShapeError(message)
    content = to_onnx(trained)
    difference = verify(content, trained, dataset)
    replace_files(Path(out), {"model.onnx": content})
    return difference


def to_onnx(trained: Trained) -> bytes:
    """Return the ONNX file of a network with its preprocessing and softmax.

    Raises:
        ExportError: Torch cannot translate it, or not to a valid ONNX file.
    """
    about = {"dataset_digest": trained.dataset_digest, "labels": json.dumps(trained.classes)}
    about["weights_digest"] = trained.weights_digest
    program = _program_of(trained)
    try:
        model = strip(program.model_proto)
        for key, value in sorted(about.items()):
            model.metadata_props.add(key=f"headworks.{key}", value=value)
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
    except Exception as error:
        # The errors of onnx and of protobuf have no other common base class.
        message = (
            f"network {trained.config.network!r} makes no ONNX file, which holds 2 GiB at most: {first_line(error)}"
        )
        raise ExportError(message) from error
    return content


def _program_of(trained: Trained) -> torch.onnx.ONNXProgram:
    """Translate a network with torch, for batches of any size.

    Raises:
        ExportError: Torch cannot translate it.
    """
    example = torch.zeros((2, *trained.image_shape), dtype=torch.uint8)
    try:
        with reproducible(threads=trained.config.threads), _without_noise():
            program = torch.onnx.export(
                Probabilities(trained.network).eval(),
                (example,),
                dynamo=True,
                input_names=["image"],
                output_names=["probabilities"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        # The message of torch is a page on how to report the error; its cause is the line that explains it.
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        message = f"torch cannot export network {trained.config.network!r} for batches of any size: {reason}"
        raise ExportError(message) from error
    if program is None:  # pragma: no cover - only the older exporter returns nothing
        message = "torch returned no program: report this with the version of torch"
        raise ExportError(message)
    return program


@contextmanager
def _without_noise() -> Iterator[None]:
    """Within the block, torch is silent about two things that no user can change.

    It logs that its sister package torchvision is missing, and up to 2.13 its exporter warns of its own old code.
    """

    def is_useful(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("torchvision is not installed")

    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    logger.addFilter(is_useful)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            yield
    finally:
        logger.removeFilter(is_useful)


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove all traces of where, when and by which version a graph was made."""
    _clear(model)
    model.graph.name = "headworks"
    return model


def _clear(message: Any) -> None:  # noqa: ANN401 - any protocol buffer message
    """Remove documentation, metadata and version from a message and all messages in it, nested graphs included."""
    for name in ("doc_string", "metadata_props", "producer_version"):
        if name in message.DESCRIPTOR.fields_by_name:
            message.ClearField(name)
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                _clear(part)
